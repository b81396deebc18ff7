//! The next frames for one client, shared where others get the same ones.

use std::{fmt, ops::Range, slice, sync::Arc};

use crate::{frame::Frame, model::Seq};

/// Frames in the order in which they are to be written.
///
/// Log frames are not copied into it: it refers to the pieces of the room's window, which all who follow the room share.
#[derive(Clone, Default)]
pub struct Batch {
    parts: Vec<Part>,
}

#[derive(Clone)]
enum Part {
    Shared(Arc<Chunk>, Range<usize>),
    Own(Vec<Frame>),
}

impl Batch {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many frames there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.frames().len()).sum()
    }

    /// The frames, in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            parts: self.parts.iter(),
            frames: [].iter(),
        }
    }

    pub(crate) fn share(&mut self, chunk: &Arc<Chunk>, range: Range<usize>) {
        self.parts.push(Part::Shared(Arc::clone(chunk), range));
    }

    pub(crate) fn push(&mut self, frame: Frame) {
        match self.parts.last_mut() {
            Some(Part::Own(frames)) => frames.push(frame),
            _ => self.parts.push(Part::Own(vec![frame])),
        }
    }
}

impl Part {
    fn frames(&self) -> &[Frame] {
        match self {
            Self::Shared(chunk, range) => &chunk.frames[range.clone()],
            Self::Own(frames) => frames,
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = &'a Frame;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The frames of a [`Batch`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    parts: slice::Iter<'a, Part>,
    frames: slice::Iter<'a, Frame>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Frame;

    fn next(&mut self) -> Option<&'a Frame> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Some(frame);
            }
            self.frames = self.parts.next()?.frames().iter();
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.frames().fmt(f)
    }
}

/// Consecutive entries of a log, encoded: the piece in which a window is shared.
#[derive(Debug)]
pub(crate) struct Chunk {
    first: Seq,
    frames: Vec<Frame>,
    bytes: usize,
}

impl Chunk {
    pub(crate) fn new(first: Seq, frames: Vec<Frame>, bytes: usize) -> Self {
        Self {
            first,
            frames,
            bytes,
        }
    }

    pub(crate) fn first(&self) -> Seq {
        self.first
    }

    pub(crate) fn frames(&self) -> &[Frame] {
        &self.frames
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
