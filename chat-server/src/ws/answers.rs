//! Answers in the order of what they answer, whichever is there first.

use std::collections::BTreeMap;

use chat_core::protocol::{Ack, Problem, Signal};

use crate::http::error::with_a_wait;

/// With this many answers waiting for earlier ones, no more commands are read.
const MOST_EARLY: usize = 32;

/// A command: which one it is on this socket, and its `ref`.
#[derive(Debug)]
pub(super) struct Reference {
    place: u64,
    reference: Option<String>,
}

/// What came of a command.
#[derive(Debug)]
pub(super) struct Answer {
    place: u64,
    signal: Signal,
}

impl Reference {
    pub(super) fn answer(self, result: Result<Ack, Problem>) -> Answer {
        Answer {
            place: self.place,
            signal: answer(self.reference, result),
        }
    }
}

/// The answer to a command with this `ref`: what it brought about, or why it did not.
pub(super) fn answer(reference: Option<String>, result: Result<Ack, Problem>) -> Signal {
    match result {
        Ok(ack) => Signal::Ack { reference, ack },
        Err(problem) => Signal::Error {
            reference,
            problem: Box::new(with_a_wait(problem)),
        },
    }
}

/// Which commands there were, and what is not told of them yet.
#[derive(Debug, Default)]
pub(super) struct Answers {
    taken: u64,
    told: u64,
    early: BTreeMap<u64, Signal>,
}

impl Answers {
    pub(super) fn has_room(&self) -> bool {
        self.early.len() < MOST_EARLY
    }

    /// The place of a command that was read just now.
    pub(super) fn place(&mut self, reference: Option<String>) -> Reference {
        let place = self.taken;
        self.taken += 1;
        Reference { place, reference }
    }

    /// Takes an answer, and gives those that can be told by now.
    pub(super) fn in_order(&mut self, answer: Answer) -> impl Iterator<Item = Signal> {
        let mut on_time = None;
        if answer.place == self.told {
            self.told += 1;
            on_time = Some(answer.signal);
        } else {
            self.early.insert(answer.place, answer.signal);
        }
        let followers = std::iter::from_fn(move || {
            let signal = self.early.remove(&self.told)?;
            self.told += 1;
            if self.early.is_empty() {
                // An idle socket keeps no memory for answers: a map that was used does.
                self.early = BTreeMap::new();
            }
            Some(signal)
        });
        on_time.into_iter().chain(followers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_waits_for_those_to_earlier_commands() {
        let mut answers = Answers::default();
        let mut asked: Vec<_> = ["a", "b", "c", "d"]
            .into_iter()
            .map(|name| Some(answers.place(Some(name.to_owned()))))
            .collect();
        let mut answer = |nth: usize| {
            let reference: Reference = asked[nth].take().unwrap();
            let told = answers.in_order(reference.answer(Ok(Ack::default())));
            let told = told.map(|signal| match signal {
                Signal::Ack { reference, .. } => reference.unwrap(),
                other => panic!("{other:?}"),
            });
            told.collect::<String>()
        };
        assert_eq!(answer(1), "");
        assert_eq!(answer(0), "ab");
        assert_eq!(answer(3), "");
        assert_eq!(answer(2), "cd");
        assert!(answers.has_room() && answers.early.is_empty());
    }
}
