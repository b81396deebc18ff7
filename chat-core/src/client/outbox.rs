//! Messages that wait to be accepted, in order for each conversation.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    model::{ClientId, ConversationId, Draft},
    source::{HashMap, HashSet},
};

/// The most messages that may wait.
pub(super) const CAPACITY: usize = 10_000;

/// A queue for each conversation, of which the first message may be under way: so that a refusal or a retry never
/// changes the order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queues: HashMap<ConversationId, Queue>,
    /// Conversations whose first message is not under way, the longest waiting first.
    turn: VecDeque<ConversationId>,
    waiting: HashSet<(ConversationId, ClientId)>,
    /// Nothing is to be sent before this time.
    hold: Option<Instant>,
    /// How often there were refusals for now, since a message was last accepted.
    failures: u32,
    /// How often there were, ever.
    round: u64,
}

#[derive(Debug, Default)]
struct Queue {
    drafts: VecDeque<Draft>,
    under_way: bool,
    /// How often there had been refusals when the message under way was sent.
    round: u64,
    /// The message under way is not wanted any more: its answer is still told, but it is not sent again.
    discarded: bool,
}

/// There is no room for another message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Outbox {
    /// Puts a message last. One that waits already is passed over.
    pub(super) fn push(&mut self, conversation: ConversationId, draft: Draft) -> Result<(), Full> {
        if self.waiting.contains(&(conversation, draft.client_id)) {
            return Ok(());
        }
        if self.waiting.len() >= CAPACITY {
            return Err(Full);
        }
        self.waiting.insert((conversation, draft.client_id));
        let queue = self.queues.entry(conversation).or_default();
        queue.drafts.push_back(draft);
        if queue.drafts.len() == 1 {
            self.turn.push_back(conversation);
        }
        Ok(())
    }

    /// The message to send next, if one may be sent now.
    pub(super) fn next(&self, now: Instant) -> Option<(ConversationId, &Draft)> {
        if self.hold.is_some_and(|until| now < until) {
            return None;
        }
        let conversation = *self.turn.front()?;
        let draft = self.queues.get(&conversation)?.drafts.front()?;
        Some((conversation, draft))
    }

    /// When [`next`](Self::next) may have one, if it is only a matter of time.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.hold.filter(|_| !self.turn.is_empty())
    }

    /// The message that `next` told is now under way.
    pub(super) fn started(&mut self) {
        if let Some(conversation) = self.turn.pop_front()
            && let Some(queue) = self.queues.get_mut(&conversation)
        {
            queue.under_way = true;
            queue.round = self.round;
        }
    }

    /// The message under way was accepted or refused for good: it leaves, and the next one may follow.
    /// `None` if there is no such message; the flag tells whether it had been discarded.
    pub(super) fn finished(&mut self, conversation: ConversationId) -> Option<(Draft, bool)> {
        let queue = self.queues.get_mut(&conversation)?;
        if !queue.under_way {
            return None;
        }
        queue.under_way = false;
        self.failures = 0;
        let discarded = std::mem::take(&mut queue.discarded);
        let draft = queue.drafts.pop_front()?;
        self.waiting.remove(&(conversation, draft.client_id));
        if queue.drafts.is_empty() {
            self.queues.remove(&conversation);
        } else {
            self.turn.push_back(conversation);
        }
        Some((draft, discarded))
    }

    /// The message under way was not accepted this time; it is sent again, and nothing else before: after `wait`, or
    /// where the server did not name it, after 1 s, doubling to 30 s.
    pub(super) fn postponed(
        &mut self,
        conversation: ConversationId,
        wait: Option<Duration>,
        now: Instant,
    ) {
        // Messages to several conversations are under way at once: that all of them are refused is one failure.
        let round = self.queues.get(&conversation).map(|queue| queue.round);
        if round == Some(self.round) {
            self.round += 1;
            self.failures = self.failures.saturating_add(1);
        }
        let doublings = self.failures.saturating_sub(1).min(5);
        let own = Duration::from_secs(1 << doublings).min(Duration::from_secs(30));
        let hold = now + wait.unwrap_or(own);
        self.hold = Some(self.hold.map_or(hold, |until| until.max(hold)));
        self.halt(conversation);
    }

    /// The message under way in a conversation.
    pub(super) fn under_way(&self, conversation: ConversationId) -> Option<ClientId> {
        let queue = self.queues.get(&conversation)?;
        let first = queue.drafts.front().filter(|_| queue.under_way);
        first.map(|draft| draft.client_id)
    }

    /// What was under way is lost or unknown: it is sent again, first.
    pub(super) fn disconnected(&mut self) {
        self.hold = None;
        let under_way: Vec<_> = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.under_way)
            .map(|(id, _)| *id)
            .collect();
        for conversation in under_way {
            self.halt(conversation);
        }
    }

    fn halt(&mut self, conversation: ConversationId) {
        let Some(queue) = self.queues.get_mut(&conversation) else {
            return;
        };
        if !std::mem::take(&mut queue.under_way) {
            return;
        }
        if std::mem::take(&mut queue.discarded)
            && let Some(draft) = queue.drafts.pop_front()
        {
            self.waiting.remove(&(conversation, draft.client_id));
        }
        if queue.drafts.is_empty() {
            self.queues.remove(&conversation);
        } else {
            self.turn.push_front(conversation);
        }
    }

    /// Takes a message out; one that is under way is not sent again.
    pub(super) fn discard(&mut self, client_id: ClientId) {
        let holders: Vec<_> = self
            .queues
            .iter()
            .filter(|(id, _)| self.waiting.contains(&(**id, client_id)))
            .map(|(id, _)| *id)
            .collect();
        for conversation in holders {
            self.discard_in(conversation, client_id);
        }
    }

    fn discard_in(&mut self, conversation: ConversationId, client_id: ClientId) {
        let Some(queue) = self.queues.get_mut(&conversation) else {
            return;
        };
        let first = queue.drafts.front().map(|draft| draft.client_id);
        if queue.under_way && first == Some(client_id) {
            queue.discarded = true;
            return;
        }
        queue.drafts.retain(|draft| draft.client_id != client_id);
        self.waiting.remove(&(conversation, client_id));
        if queue.drafts.is_empty() {
            self.queues.remove(&conversation);
            self.turn.retain(|id| *id != conversation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(body: &str) -> Draft {
        Draft {
            client_id: ClientId::new(),
            body: body.to_owned(),
            reply_to: None,
        }
    }

    fn send_next(outbox: &mut Outbox, now: Instant) -> Option<String> {
        let body = outbox.next(now).map(|(_, draft)| draft.body.clone())?;
        outbox.started();
        Some(body)
    }

    #[test]
    fn one_message_of_a_conversation_is_under_way_at_a_time_and_in_order() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let (a, b) = (ConversationId::new(), ConversationId::new());
        for (conversation, body) in [(a, "a1"), (a, "a2"), (b, "b1")] {
            outbox.push(conversation, draft(body)).unwrap();
        }
        assert_eq!(send_next(&mut outbox, now).as_deref(), Some("a1"));
        assert_eq!(send_next(&mut outbox, now).as_deref(), Some("b1"));
        assert_eq!(send_next(&mut outbox, now), None);
        outbox.disconnected();
        let mut again = [send_next(&mut outbox, now), send_next(&mut outbox, now)];
        again.sort();
        assert_eq!(again, [Some("a1".to_owned()), Some("b1".to_owned())]);
        outbox.finished(a);
        assert_eq!(send_next(&mut outbox, now).as_deref(), Some("a2"));
    }

    #[test]
    fn what_is_refused_together_is_one_failure() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let places: Vec<_> = (0..8).map(|_| ConversationId::new()).collect();
        for place in &places {
            outbox.push(*place, draft("hello")).unwrap();
        }
        let mut at = now;
        for seconds in [1, 2, 4] {
            for _ in &places {
                assert!(send_next(&mut outbox, at).is_some());
            }
            for place in &places {
                outbox.postponed(*place, None, at);
            }
            at += Duration::from_secs(seconds);
            assert_eq!(outbox.next_at(), Some(at));
        }
        // One after the other, as a server refuses them that hangs.
        for _ in &places {
            assert!(send_next(&mut outbox, at).is_some());
        }
        for place in &places {
            at += Duration::from_secs(2);
            outbox.postponed(*place, None, at);
            assert_eq!(outbox.next_at(), Some(at + Duration::from_secs(8)));
        }
    }

    #[test]
    fn a_postponed_message_comes_first_and_not_before_its_time() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let a = ConversationId::new();
        outbox.push(a, draft("a1")).unwrap();
        outbox.push(a, draft("a2")).unwrap();
        send_next(&mut outbox, now);
        let later = now + Duration::from_secs(1);
        outbox.postponed(a, None, now);
        assert_eq!(send_next(&mut outbox, now), None);
        assert_eq!(outbox.next_at(), Some(later));
        assert_eq!(send_next(&mut outbox, later).as_deref(), Some("a1"));
    }

    #[test]
    fn a_discarded_message_is_not_sent_again() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let a = ConversationId::new();
        let (first, second) = (draft("a1"), draft("a2"));
        outbox.push(a, first.clone()).unwrap();
        outbox.push(a, second.clone()).unwrap();
        send_next(&mut outbox, now);
        outbox.discard(first.client_id);
        outbox.discard(second.client_id);
        outbox.disconnected();
        assert_eq!(send_next(&mut outbox, now), None);
        assert!(outbox.waiting.is_empty() && outbox.queues.is_empty());
    }

    #[test]
    fn a_message_that_waits_already_is_not_put_in_twice_and_there_is_a_bound() {
        let mut outbox = Outbox::default();
        let (a, same) = (ConversationId::new(), draft("same"));
        for _ in 0..3 {
            outbox.push(a, same.clone()).unwrap();
        }
        for _ in 1..CAPACITY {
            outbox.push(a, draft("x")).unwrap();
        }
        assert_eq!(outbox.push(a, draft("one too many")), Err(Full));
        assert_eq!(outbox.push(a, same), Ok(()));
    }
}
