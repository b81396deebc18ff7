//! A simulated server that loses, repeats and reorders, and what an application sees through it.

mod app;
mod log;
mod scenes;
mod world;

use proptest::prelude::*;

use super::*;
use world::World;

/// Conversations that are open: where I also send, where other devices of mine read, where I come and go, and where only this
/// device moves my read cursor.
const SENDING: usize = 0;
const ELSEWHERE: usize = 1;
const COMING: usize = 2;
const READING: usize = 3;
const LOGS: usize = 4;

/// One thing that happens in the world.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Somebody else says something in a conversation.
    Say(usize),
    /// Something happens to the nth message of a conversation.
    Edit(usize, usize),
    Delete(usize, usize),
    Pin(usize, usize),
    React(usize, usize, usize, usize),
    Rename(usize),
    /// The application puts a message into the outbox.
    Send(usize),
    /// The server reads this many frames.
    ServerReads(usize),
    /// The client reads this many frames.
    ClientReads(usize),
    /// The server looks at the nth waiting call; the answer is on its way.
    ServerAnswers(usize),
    /// The nth answer on its way arrives.
    AnswerArrives(usize),
    /// The nth waiting call fails.
    CallFails(usize),
    /// The application asks for messages; the server looks at once.
    AskMessages(usize),
    /// The nth page of messages on its way arrives.
    MessagesArrive(usize),
    /// The application no longer holds half of the messages.
    Scroll(usize, bool),
    /// An entry on its way is lost, comes twice, or changes places with the next frame.
    Lose(usize),
    Repeat(usize),
    Swap(usize),
    Break,
    Drain,
    /// The next join is too far behind.
    ResetNextJoin,
    Resync(usize),
    RefuseNextSend {
        retryable: bool,
    },
    /// I am removed from a conversation, or added again.
    ToggleMember,
    MarkRead(usize),
    /// So many entries back.
    MarkUnread(usize, Seq),
    ReadElsewhere,
    UnreadElsewhere(Seq),
    LeaveAndOpen(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let reading = || prop_oneof![Just(ELSEWHERE), Just(READING)];
    prop_oneof![
        8 => (0..LOGS).prop_map(Step::Say),
        2 => (0..LOGS, 0..9usize).prop_map(|(which, nth)| Step::Edit(which, nth)),
        1 => (0..LOGS, 0..9usize).prop_map(|(which, nth)| Step::Delete(which, nth)),
        1 => (0..LOGS, 0..9usize).prop_map(|(which, nth)| Step::Pin(which, nth)),
        4 => (0..LOGS, 0..4usize, 0..2usize, 0..2usize)
            .prop_map(|(which, nth, who, emoji)| Step::React(which, nth, who, emoji)),
        1 => (0..LOGS).prop_map(Step::Rename),
        3 => prop_oneof![Just(SENDING), Just(ELSEWHERE)].prop_map(Step::Send),
        8 => (1..6usize).prop_map(Step::ServerReads),
        8 => (1..6usize).prop_map(Step::ClientReads),
        6 => (0..3usize).prop_map(Step::ServerAnswers),
        6 => (0..3usize).prop_map(Step::AnswerArrives),
        1 => (0..3usize).prop_map(Step::CallFails),
        3 => (0..LOGS).prop_map(Step::AskMessages),
        3 => (0..3usize).prop_map(Step::MessagesArrive),
        1 => (0..LOGS, any::<bool>()).prop_map(|(which, newer)| Step::Scroll(which, newer)),
        2 => (0..20usize).prop_map(Step::Lose),
        2 => (0..20usize).prop_map(Step::Repeat),
        2 => (0..20usize).prop_map(Step::Swap),
        2 => Just(Step::Break),
        1 => Just(Step::Drain),
        1 => Just(Step::ResetNextJoin),
        1 => (0..LOGS).prop_map(Step::Resync),
        1 => any::<bool>().prop_map(|retryable| Step::RefuseNextSend { retryable }),
        2 => Just(Step::ToggleMember),
        2 => reading().prop_map(Step::MarkRead),
        2 => (reading(), 0..6u64).prop_map(|(which, back)| Step::MarkUnread(which, back)),
        1 => Just(Step::ReadElsewhere),
        1 => (0..6u64).prop_map(Step::UnreadElsewhere),
        1 => (0..LOGS).prop_map(Step::LeaveAndOpen),
        4 => (1..3_000u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Entries and sends come once and in order, and what the application put together from snapshots and changes is what the
    /// server holds: the list, and the messages of each conversation.
    #[test]
    fn whatever_happens_the_application_ends_with_what_the_server_holds(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut world = World::new(seed);
        for step in steps {
            world.take(step);
        }
        world.settle();
        world.check();
    }
}
