//! A frame, encoded once for everyone who gets it.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use crate::{
    model::Entry,
    protocol::{ServerFrame, Signal},
};

/// A frame that is ready for the wire: one JSON object in UTF-8. Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// The text of the frame.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        &self.0
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
        let text = std::str::from_utf8(&self.0).ok()?;
        ServerFrame::decode(text).ok().flatten()
    }

    pub(crate) fn of_entry(entry: &Entry) -> Self {
        Self::encode(entry)
    }

    pub(crate) fn of_signal(signal: &Signal) -> Self {
        Self::encode(signal)
    }

    fn encode(value: &impl Serialize) -> Self {
        // Frames are plain structs with text keys, for which JSON has no failing case.
        Self(serde_json::to_vec(value).unwrap_or_default().into())
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({})", String::from_utf8_lossy(&self.0))
    }
}
