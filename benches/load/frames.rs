//! Counting the frames of a WebSocket by their headers, without looking at more of them than their beginning.

/// How much of a frame's payload is shown at most.
const HEAD: usize = 512;
const LONGEST_HEADER: usize = 10;

/// Follows the frames that one server sends on one connection, however they are cut by reading.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Bytes of the present frame that are of no interest.
    skip: usize,
    /// The beginning of a frame that has not come far enough.
    begun: Vec<u8>,
}

impl Frames {
    /// Takes what was read; calls `each` with the beginning of the payload of each frame, and how long it is.
    pub(crate) fn read(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8], usize)) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
            } else if self.begun.is_empty() {
                let Some(frame) = Frame::at(bytes) else {
                    self.begun.extend_from_slice(bytes);
                    return;
                };
                let head = &bytes[frame.header..frame.header + frame.head()];
                each(head, frame.payload);
                self.skip = frame.header + frame.payload;
            } else {
                bytes = self.complete(bytes, &mut each);
            }
        }
    }

    /// Adds to a frame that has begun as little as it needs; what is left of the bytes.
    fn complete<'a>(&mut self, bytes: &'a [u8], each: &mut impl FnMut(&[u8], usize)) -> &'a [u8] {
        let known = self.begun.len();
        let wanted = Frame::length_of_head(&self.begun)
            .saturating_sub(known)
            .max(1);
        let taken = wanted.min(bytes.len());
        self.begun.extend_from_slice(&bytes[..taken]);
        if let Some(frame) = Frame::at(&self.begun) {
            each(
                &self.begun[frame.header..frame.header + frame.head()],
                frame.payload,
            );
            self.skip = frame.header + frame.payload - self.begun.len();
            self.begun.clear();
        }
        &bytes[taken..]
    }
}

#[derive(Clone, Copy)]
struct Frame {
    header: usize,
    payload: usize,
}

impl Frame {
    /// The frame at the beginning of these bytes, if as much of it is there as is shown.
    fn at(bytes: &[u8]) -> Option<Self> {
        let frame = Self::parse(bytes)?;
        (bytes.len() >= frame.header + frame.head()).then_some(frame)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, payload) = match bytes.get(1)? & 0x7f {
            126 => (
                4,
                u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
            ),
            127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
            short => (2, u64::from(short)),
        };
        let payload = usize::try_from(payload).ok()?;
        Some(Self { header, payload })
    }

    fn head(self) -> usize {
        self.payload.min(HEAD)
    }

    fn length_of_head(bytes: &[u8]) -> usize {
        Self::parse(bytes).map_or(LONGEST_HEADER.min(bytes.len() + 1), |it| {
            it.header + it.head()
        })
    }
}

/// A frame as a client sends it: masked, with a mask that changes nothing.
#[must_use]
pub(crate) fn text(payload: &str) -> Vec<u8> {
    let mut frame = header(0x81, payload.len());
    frame[1] |= 0x80;
    frame.extend([0; 4]);
    frame.extend(payload.as_bytes());
    frame
}

/// A frame as a server sends it.
#[must_use]
pub(crate) fn unmasked(payload: &[u8]) -> Vec<u8> {
    let mut frame = header(0x82, payload.len());
    frame.extend(payload);
    frame
}

fn header(first: u8, length: usize) -> Vec<u8> {
    let mut header = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => header.push(short),
        (_, Ok(medium)) => {
            header.push(126);
            header.extend(medium.to_be_bytes());
        }
        _ => {
            header.push(127);
            header.extend((length as u64).to_be_bytes());
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_wherever_reading_cuts_them() {
        let sizes = [0, 1, 125, 126, 511, 512, 513, 2_000, 65_536];
        let bytes: Vec<u8> = sizes
            .iter()
            .flat_map(|size| unmasked(&vec![b'a'; *size]))
            .collect();
        for cut in (0..4_000).chain([bytes.len() - 1]) {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for part in [&bytes[..cut], &bytes[cut..]] {
                frames.read(part, |head, length| seen.push((head.len(), length)));
            }
            let expected: Vec<_> = sizes
                .iter()
                .map(|size| ((*size).min(HEAD), *size))
                .collect();
            assert_eq!(seen, expected, "cut at {cut}");
        }
        let (mut frames, mut count) = (Frames::default(), 0);
        for byte in &bytes {
            frames.read(&[*byte], |_, _| count += 1);
        }
        assert_eq!(count, sizes.len());
    }
}
