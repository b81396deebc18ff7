//! A frame, encoded once for everyone who gets it, the header of its WebSocket frame included.

use std::{fmt, io::Write as _};

use bytes::Bytes;
use serde::Serialize;

use crate::{
    model::Entry,
    protocol::{ServerFrame, Signal},
};

/// The longest header of a frame that is not masked: two bytes, and a length of eight.
const MOST_HEADER_BYTES: usize = 10;

/// A frame that is ready for the wire: one JSON object in UTF-8. Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The header of a WebSocket frame, and the JSON after it.
    wire: Bytes,
    header_bytes: u8,
}

impl Frame {
    /// The text of the frame.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.wire[usize::from(self.header_bytes)..]
    }

    /// The frame as a server writes it to a WebSocket without extensions: a final text frame that is not masked
    /// (RFC 6455, 5.2), its header included.
    #[must_use]
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// The frame as a value, for those who follow a chat inside the same process.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), chat_core::Error> {
    /// use chat_core::{Chat, NewGroup, protocol::{ServerFrame, Signal}, model::{UserId, Title}};
    /// let chat = Chat::builder().start().await?;
    /// let ana = UserId::new();
    /// let mut session = chat.connect(ana).await?;
    /// let title = Title::try_from("Lunch".to_owned()).map_err(|_| chat_core::Error::ShuttingDown)?;
    /// chat.create_group(ana, NewGroup::new(title, vec![])).await?;
    /// let frames = session.next().await?;
    /// assert!(matches!(frames.iter().next().and_then(|frame| frame.decode()), Some(ServerFrame::Signal(Signal::ConversationUpdated { .. }))));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn decode(&self) -> Option<ServerFrame> {
        let text = std::str::from_utf8(self.json()).ok()?;
        ServerFrame::decode(text).ok().flatten()
    }

    /// Encodes a signal, such as the answer to a command.
    #[must_use]
    pub fn of_signal(signal: &Signal) -> Self {
        Self::encode(signal)
    }

    pub(crate) fn of_entry(entry: &Entry) -> Self {
        Self::encode(entry)
    }

    fn encode(value: &impl Serialize) -> Self {
        // The header is as long as the length of what comes after it says, so it is written last.
        let mut wire = vec![0; MOST_HEADER_BYTES];
        // Frames are plain structs with text keys, for which JSON has no failing case.
        let _infallible = serde_json::to_writer(&mut wire, value);
        let length = wire.len() - MOST_HEADER_BYTES;
        let mut header = Vec::with_capacity(MOST_HEADER_BYTES);
        let _infallible = write_header(&mut header, length);
        let unused = MOST_HEADER_BYTES - header.len();
        wire[unused..MOST_HEADER_BYTES].copy_from_slice(&header);
        Self {
            wire: Bytes::from(wire).slice(unused..),
            header_bytes: u8::try_from(header.len()).unwrap_or(0),
        }
    }

    /// The same frame among others that are one stretch of memory.
    pub(crate) fn within(&self, stretch: &Bytes, begin: usize) -> Self {
        Self {
            wire: stretch.slice(begin..begin + self.wire.len()),
            header_bytes: self.header_bytes,
        }
    }
}

/// The header of a final text frame with this many bytes.
fn write_header(header: &mut Vec<u8>, length: usize) -> std::io::Result<()> {
    const FINAL_TEXT: u8 = 0x81;
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => header.write_all(&[FINAL_TEXT, short]),
        (_, Ok(medium)) => {
            header.write_all(&[FINAL_TEXT, 126])?;
            header.write_all(&medium.to_be_bytes())
        }
        _ => {
            header.write_all(&[FINAL_TEXT, 127])?;
            header.write_all(&(length as u64).to_be_bytes())
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({})", String::from_utf8_lossy(self.json()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a text with so many bytes of JSON.
    fn frame(bytes: usize) -> Frame {
        Frame::encode(&"x".repeat(bytes - 2))
    }

    #[test]
    fn a_frame_says_how_long_it_is_in_as_few_bytes_as_the_protocol_has_for_it() {
        for (bytes, header) in [
            (2, vec![0x81, 2]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xff, 0xff]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = frame(bytes);
            assert_eq!(frame.json().len(), bytes);
            assert_eq!(frame.wire()[..header.len()], header);
            assert_eq!(&frame.wire()[header.len()..], frame.json());
        }
    }
}
