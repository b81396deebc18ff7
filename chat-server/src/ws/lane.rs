//! The commands of one socket: carried out strictly one after the other, while reading and pushing go on. Cursors that move
//! forward pass them by.

use std::{collections::VecDeque, future::Future, pin::Pin};

use chat_core::protocol::{ClientCommand, Problem};

use super::answers::{Answer, Reference};
use crate::auth::{AuthError, Identity};

/// With this many commands waiting, no more are read.
const MOST_WAITING: usize = 32;

/// What a client wants, or what to tell it instead, in its turn.
#[derive(Debug)]
pub(super) enum Turn {
    /// To be carried out.
    Command(Reference, ClientCommand),
    /// To be answered with an error.
    Refused(Reference, Box<Problem>),
}

/// What came of a command that took its time.
#[derive(Debug)]
pub(super) enum Outcome {
    /// This is the answer.
    Answer(Answer),
    /// The token of an `authenticate` was checked.
    Checked(Reference, Result<Identity, AuthError>),
}

impl Turn {
    /// A cursor that is set back keeps its place among those that move forward, and among messages, which move it too.
    fn sets_back(&self) -> bool {
        matches!(
            self,
            Self::Command(_, ClientCommand::MarkRead { unread: true, .. })
        )
    }

    /// Only a message need not wait for the cursors that are to be moved before it: sending moves one of them further.
    fn may_pass_marks(&self) -> bool {
        matches!(self, Self::Command(_, ClientCommand::SendMessage { .. }))
    }
}

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Commands in their order: those that wait, and the one that is under way.
#[derive(Default)]
pub(super) struct Lane {
    waiting: VecDeque<Turn>,
    running: Option<Running>,
    /// What is under way sets a cursor back.
    sets_back: bool,
}

impl Lane {
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MOST_WAITING
    }

    pub(super) fn push(&mut self, turn: Turn) {
        self.waiting.push_back(turn);
    }

    /// Whether marks that come now must not pass.
    pub(super) fn sets_back(&self) -> bool {
        (self.running.is_some() && self.sets_back) || self.waiting.iter().any(Turn::sets_back)
    }

    /// The next one, if none is under way; with marks before it that are not done, only one that may pass them.
    pub(super) fn next(&mut self, all_marked: bool) -> Option<Turn> {
        let first = self.waiting.front()?;
        if self.running.is_some() || !(all_marked || first.may_pass_marks()) {
            return None;
        }
        let sets_back = first.sets_back();
        self.sets_back = sets_back;
        let next = self.waiting.pop_front();
        if self.waiting.is_empty() {
            // An idle socket keeps no memory for commands.
            self.waiting = VecDeque::new();
        }
        next
    }

    pub(super) fn run(&mut self, command: impl Future<Output = Outcome> + Send + 'static) {
        self.running = Some(Box::pin(command));
    }

    /// Waits for the command that is under way, for ever if there is none. Cancellation safe.
    pub(super) async fn outcome(&mut self) -> Outcome {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let outcome = running.await;
        self.running = None;
        outcome
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }
}
