//! The commands of one socket: carried out strictly one after the other, while reading and pushing go on.

use std::{collections::VecDeque, future::Future, pin::Pin};

use chat_core::protocol::{Ack, ClientFrame, Problem, Signal};

use crate::auth::{AuthError, Identity};

/// With this many commands waiting, no more are read.
const MOST_WAITING: usize = 32;

/// What a client wants, or what to tell it instead, in its turn.
#[derive(Debug)]
pub(super) enum Turn {
    /// To be carried out.
    Command(ClientFrame),
    /// To be answered with an error.
    Refused(Reference, Box<Problem>),
}

/// The `ref` of a command.
pub(super) type Reference = Option<String>;

/// What came of a command that took its time.
#[derive(Debug)]
pub(super) enum Outcome {
    /// This is the answer.
    Answer(Signal),
    /// The token of an `authenticate` was checked.
    Checked(Reference, Result<Identity, AuthError>),
}

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Commands in their order: those that wait, and the one that is under way.
#[derive(Default)]
pub(super) struct Lane {
    waiting: VecDeque<Turn>,
    running: Option<Running>,
}

impl Lane {
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MOST_WAITING
    }

    pub(super) fn push(&mut self, turn: Turn) {
        self.waiting.push_back(turn);
    }

    /// The next one, if none is under way.
    pub(super) fn next(&mut self) -> Option<Turn> {
        if self.running.is_some() {
            return None;
        }
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

/// The answer to a command: what it brought about, or why it did not.
pub(super) fn answer(reference: Reference, result: Result<Ack, Problem>) -> Signal {
    match result {
        Ok(ack) => Signal::Ack { reference, ack },
        Err(problem) => Signal::Error {
            reference,
            problem: Box::new(problem),
        },
    }
}
