//! The next frames for one client, shared where others get the same ones.

use std::{fmt, ops::Range, slice, sync::Arc};

use bytes::{Bytes, BytesMut};

use crate::{
    frame::Frame,
    model::{Change, ConversationId, Entry, Seq, Timestamp},
};

/// Frames in the order in which they are to be written.
///
/// Log frames are not copied into it: it refers to the pieces of the room's window, which all who follow the room share.
#[derive(Clone, Default)]
pub struct Batch {
    parts: Vec<Part>,
    bytes: usize,
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

    /// How many bytes of JSON they are.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The frames as they are written to a WebSocket, headers included (see [`Frame::wire`]), in as few pieces as they are
    /// in memory: consecutive entries that came together are one.
    pub fn wire(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().flat_map(Part::wire)
    }

    /// Empties the batch; its pieces as of [`wire`](Self::wire), to be kept. Others share their bytes.
    pub fn take_wire(&mut self) -> impl Iterator<Item = Bytes> {
        self.bytes = 0;
        self.parts.drain(..).flat_map(Part::into_wire)
    }

    /// Empties the batch, which keeps its memory for the next frames.
    pub fn clear(&mut self) {
        self.bytes = 0;
        self.parts.clear();
    }

    /// The frames, in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            parts: self.parts.iter(),
            frames: [].iter(),
        }
    }

    /// Adds entries as somebody reads them whose history begins at `history_from`.
    pub(crate) fn share(&mut self, chunk: &Arc<Chunk>, range: Range<usize>, history_from: Seq) {
        #[cfg(any(test, feature = "bugs"))]
        let history_from = crate::bug::show_everything(history_from);
        if chunk.earliest >= history_from {
            return self.share_all(chunk, range);
        }
        let mut next = range.start;
        let in_range = |change: &&EarlierChange| range.contains(&change.index);
        for change in chunk.changes.iter().filter(in_range) {
            if change.about < history_from {
                self.share_all(chunk, next..change.index);
                self.push(change.hidden(chunk.first));
                next = change.index + 1;
            }
        }
        self.share_all(chunk, next..range.end);
    }

    fn share_all(&mut self, chunk: &Arc<Chunk>, range: Range<usize>) {
        if !range.is_empty() {
            self.bytes += chunk.bytes_of(&range);
            self.parts.push(Part::Shared(Arc::clone(chunk), range));
        }
    }

    pub(crate) fn push(&mut self, frame: Frame) {
        self.bytes += frame.json().len();
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

    fn wire(&self) -> impl Iterator<Item = &[u8]> {
        let (shared, own) = match self {
            Self::Shared(chunk, range) => (Some(&chunk.wire[chunk.span(range)]), [].iter()),
            Self::Own(frames) => (None, frames.iter()),
        };
        shared
            .into_iter()
            .chain(own.map(|frame| frame.wire().as_ref()))
    }

    fn into_wire(self) -> impl Iterator<Item = Bytes> {
        let (shared, own) = match self {
            Self::Shared(chunk, range) => (Some(chunk.wire.slice(chunk.span(&range))), Vec::new()),
            Self::Own(frames) => (None, frames),
        };
        let own = own.into_iter().map(|frame| frame.wire().clone());
        shared.into_iter().chain(own)
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
    /// All frames, one after the other.
    wire: Bytes,
    frames: Vec<Frame>,
    bytes: usize,
    /// Those of the entries that change an earlier message, in order.
    changes: Vec<EarlierChange>,
    /// The earliest message that one of them is about; beyond all where there is none. It spares nearly all readers the
    /// look at each frame.
    earliest: Seq,
}

/// An entry that changes an earlier message, which not everybody may see.
#[derive(Debug)]
struct EarlierChange {
    index: usize,
    about: Seq,
    conversation_id: ConversationId,
    at: Timestamp,
}

impl EarlierChange {
    /// What those get who do not see the message.
    fn hidden(&self, first: Seq) -> Frame {
        Frame::of_entry(&Entry {
            change: Change::Hidden {},
            conversation_id: self.conversation_id,
            seq: first + self.index as Seq,
            at: self.at,
        })
    }
}

/// Entries on their way to become a [`Chunk`].
#[derive(Debug, Default)]
pub(crate) struct OpenChunk {
    frames: Vec<Frame>,
    bytes: usize,
    changes: Vec<EarlierChange>,
}

impl OpenChunk {
    pub(crate) fn push(&mut self, entry: &Entry, frame: Frame) {
        if let Some(about) = entry.about() {
            self.changes.push(EarlierChange {
                index: self.frames.len(),
                about,
                conversation_id: entry.conversation_id,
                at: entry.at,
            });
        }
        self.bytes += frame.json().len();
        self.frames.push(frame);
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The piece that begins with the entry `first`.
    pub(crate) fn seal(self, first: Seq) -> Chunk {
        let changes = self.changes.iter();
        let (wire, frames) = side_by_side(self.frames);
        Chunk {
            first,
            wire,
            frames,
            bytes: self.bytes,
            earliest: changes.map(|it| it.about).min().unwrap_or(Seq::MAX),
            changes: self.changes,
        }
    }
}

impl Chunk {
    pub(crate) fn first(&self) -> Seq {
        self.first
    }

    pub(crate) fn frames(&self) -> &[Frame] {
        &self.frames
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where the frames are in `wire`.
    fn span(&self, range: &Range<usize>) -> Range<usize> {
        if range.len() == self.frames.len() {
            return 0..self.wire.len();
        }
        let bytes = |frames: &[Frame]| frames.iter().map(|frame| frame.wire().len()).sum::<usize>();
        let begin = bytes(&self.frames[..range.start]);
        begin..begin + bytes(&self.frames[range.clone()])
    }

    fn bytes_of(&self, range: &Range<usize>) -> usize {
        if range.len() == self.frames.len() {
            return self.bytes;
        }
        let frames = self.frames[range.clone()].iter();
        frames.map(|frame| frame.json().len()).sum()
    }
}

/// Puts frames into one stretch of memory, which whoever gets several of them then writes as one.
fn side_by_side(frames: Vec<Frame>) -> (Bytes, Vec<Frame>) {
    if let [only] = &frames[..] {
        return (only.wire().clone(), frames);
    }
    let bytes = frames.iter().map(|frame| frame.wire().len()).sum();
    let mut wire = BytesMut::with_capacity(bytes);
    for frame in &frames {
        wire.extend_from_slice(frame.wire());
    }
    let wire = wire.freeze();
    let begins = frames.iter().scan(0, |end, frame| {
        let begin = *end;
        *end += frame.wire().len();
        Some(begin)
    });
    let frames = frames
        .iter()
        .zip(begins)
        .map(|(frame, begin)| frame.within(&wire, begin))
        .collect();
    (wire, frames)
}
