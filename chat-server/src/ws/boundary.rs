//! Where messages end in the bytes of a connection: between two, nothing of it needs to be kept in memory.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::{FrameHeader, coding::OpCode};

/// The longest header: two bytes, a length of eight, and a mask of four.
const MOST_HEADER_BYTES: usize = 14;

/// How far the bytes that were read go: to the end of a message, or into one.
///
/// It only follows lengths. Whether the bytes are what they should be is decided by those who read the messages; where they
/// cannot be followed, a message never ends.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    header: [u8; MOST_HEADER_BYTES],
    header_bytes: usize,
    payload_left: u64,
    /// The first frames of a message came, but not its last one.
    is_fragmented: bool,
    is_lost: bool,
}

impl Boundary {
    /// Takes note of bytes that were read.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_lost {
            if self.payload_left > 0 {
                let payload = usize::try_from(self.payload_left).unwrap_or(usize::MAX);
                let payload = payload.min(bytes.len());
                self.payload_left -= payload as u64;
                bytes = &bytes[payload..];
            } else {
                self.follow_header(bytes[0]);
                bytes = &bytes[1..];
            }
        }
    }

    fn follow_header(&mut self, byte: u8) {
        self.header[self.header_bytes] = byte;
        self.header_bytes += 1;
        let mut header = Cursor::new(&self.header[..self.header_bytes]);
        match FrameHeader::parse(&mut header) {
            Ok(Some((header, length))) => {
                if let OpCode::Data(_) = header.opcode {
                    self.is_fragmented = !header.is_final;
                }
                self.payload_left = length;
                self.header_bytes = 0;
            }
            Ok(None) => self.is_lost = self.header_bytes == MOST_HEADER_BYTES,
            Err(_) => self.is_lost = true,
        }
    }

    /// Whether all messages that have begun have ended.
    pub(super) fn is_between_messages(&self) -> bool {
        let within_frame = self.header_bytes > 0 || self.payload_left > 0;
        !within_frame && !self.is_fragmented && !self.is_lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame with this first byte.
    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match payload {
            0..126 => frame.push(0x80 | u8::try_from(payload).unwrap()),
            126..65_536 => {
                frame.push(0x80 | 0x7e);
                frame.extend(u16::try_from(payload).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 0x7f);
                frame.extend((payload as u64).to_be_bytes());
            }
        }
        frame.extend([1, 2, 3, 4]);
        frame.extend(vec![0x81; payload]);
        frame
    }

    /// Whether a message has ended after each of the bytes, however they are read.
    fn ends(bytes: &[u8]) -> Vec<bool> {
        let mut one_by_one = Boundary::default();
        let ends = bytes.iter().map(|byte| {
            one_by_one.follow(&[*byte]);
            one_by_one.is_between_messages()
        });
        let ends: Vec<bool> = ends.collect();
        for split in 0..bytes.len() {
            let mut in_two = Boundary::default();
            in_two.follow(&bytes[..split]);
            in_two.follow(&bytes[split..]);
            assert_eq!(in_two.is_between_messages(), ends[bytes.len() - 1]);
        }
        ends
    }

    #[test]
    fn a_message_ends_with_its_last_byte() {
        for payload in [0, 1, 125, 126, 300, 65_536] {
            let bytes = frame(0x81, payload);
            let ends = ends(&bytes);
            assert_eq!(ends.iter().position(|end| *end), Some(bytes.len() - 1));
        }
    }

    #[test]
    fn a_message_in_fragments_ends_with_the_last_one_whatever_comes_between_them() {
        let (first, ping, last) = (frame(0x01, 3), frame(0x89, 2), frame(0x80, 1));
        let bytes = [first, ping, last].concat();
        let ends = ends(&bytes);
        assert_eq!(ends.iter().filter(|end| **end).count(), 1);
    }

    #[test]
    fn bytes_that_are_no_frames_never_end() {
        let mut boundary = Boundary::default();
        boundary.follow(&frame(0x83, 1));
        boundary.follow(&frame(0x81, 1));
        assert!(!boundary.is_between_messages());
    }
}
