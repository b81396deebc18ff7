//! The cursors that a socket moves forward: beside its other commands, all that wait at once, and of each only the furthest.
//!
//! A device that is told much marks much. One after the other, each mark would wait for a transaction of its own, and a message
//! would wait behind all of them.

use std::{future::Future, mem, pin::Pin};

use chat_core::{
    Chat,
    model::{ConversationId, Seq, UserId},
    protocol::Ack,
};
use futures_util::future::join_all;

use super::answers::{Answer, Reference};
use crate::http::error::ApiError;

/// With this many marks waiting for their answers, no more commands are read.
const MOST_WAITING: usize = 256;

/// Which cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    Read,
    Delivered,
}

/// A cursor that is to move at least up to a place, and who is answered when it has.
#[derive(Debug)]
struct Mark {
    conversation: ConversationId,
    cursor: Cursor,
    seq: Seq,
    references: Vec<Reference>,
}

type Running = Pin<Box<dyn Future<Output = Vec<Answer>> + Send>>;

/// What waits, and what is under way.
#[derive(Default)]
pub(super) struct Marks {
    waiting: Vec<Mark>,
    answers_due: usize,
    running: Option<Running>,
}

impl Marks {
    pub(super) fn has_room(&self) -> bool {
        self.answers_due < MOST_WAITING
    }

    /// Nothing waits, and nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_none()
    }

    pub(super) fn push(
        &mut self,
        reference: Reference,
        conversation: ConversationId,
        cursor: Cursor,
        seq: Seq,
    ) {
        self.answers_due += 1;
        let is_it = |mark: &&mut Mark| (mark.conversation, mark.cursor) == (conversation, cursor);
        if let Some(mark) = self.waiting.iter_mut().find(is_it) {
            mark.seq = mark.seq.max(seq);
            mark.references.push(reference);
            return;
        }
        self.waiting.push(Mark {
            conversation,
            cursor,
            seq,
            references: vec![reference],
        });
    }

    /// Begins with all that wait, unless some are under way.
    pub(super) fn start(&mut self, chat: &Chat, reader: UserId) {
        if self.waiting.is_empty() || self.running.is_some() {
            return;
        }
        self.answers_due = 0;
        let moves = mem::take(&mut self.waiting).into_iter().map(|mark| {
            let chat = chat.clone();
            async move {
                let Mark {
                    conversation,
                    cursor,
                    seq,
                    references,
                } = mark;
                let moved = move_forward(&chat, reader, conversation, cursor, seq).await;
                let moved = moved.map_err(ApiError::into_problem);
                let answers = references.into_iter();
                let answers = answers.map(|reference| reference.answer(moved.clone()));
                answers.collect::<Vec<_>>()
            }
        });
        let moves = join_all(moves);
        self.running = Some(Box::pin(async move {
            moves.await.into_iter().flatten().collect()
        }));
    }

    /// Waits for what is under way, for ever if there is nothing. Cancellation safe.
    pub(super) async fn answers(&mut self) -> Vec<Answer> {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let answers = running.await;
        self.running = None;
        answers
    }

    /// Sees through what was asked by now.
    pub(super) async fn finish(&mut self, chat: &Chat, reader: UserId) -> Vec<Answer> {
        let mut all = Vec::new();
        loop {
            self.start(chat, reader);
            if self.is_idle() {
                return all;
            }
            all.append(&mut self.answers().await);
        }
    }
}

/// Moves one cursor.
pub(super) async fn move_forward(
    chat: &Chat,
    reader: UserId,
    conversation: ConversationId,
    cursor: Cursor,
    seq: Seq,
) -> Result<Ack, ApiError> {
    match cursor {
        Cursor::Read => {
            chat.mark_read(reader, conversation, seq).await?;
        }
        Cursor::Delivered => chat.mark_delivered(reader, conversation, seq).await?,
    }
    Ok(Ack::default())
}
