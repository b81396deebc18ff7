//! What the server says: frames of the socket and answers over REST.

use std::time::{Duration, Instant};

use super::{
    Answer, Asked, CallId, ClientError, Event, Output, State, deliveries,
    follow::Stage,
    link::{Phase, Renewal, removed_problem, span},
    list::Step,
};
use crate::{
    model::{Change, ConversationId, Entry, Message, Seq, UserId},
    protocol::{Ack, ClientCommand, Problem, ServerFrame, Signal},
};

const RETRY: Duration = Duration::from_secs(1);

impl State {
    pub(super) fn text(&mut self, text: &str, now: Instant) {
        if !self.is_connected() {
            return;
        }
        self.heard(now);
        match ServerFrame::decode(text) {
            Err(error) => self.violated(&error.to_string(), now),
            Ok(None) => tracing::debug!("passed over a frame of an unknown kind"),
            Ok(Some(ServerFrame::Signal(Signal::Hello(hello)))) => self.hello(*hello, now),
            Ok(Some(_)) if matches!(self.phase, Phase::Greeting { .. }) => {
                self.violated("its first word was not hello", now);
            }
            Ok(Some(ServerFrame::Log(entry))) => self.entry(*entry, now),
            Ok(Some(ServerFrame::Signal(signal))) => self.signal(signal, now),
        }
    }

    fn entry(&mut self, entry: Entry, now: Instant) {
        let mut deliver = Vec::new();
        if let Some(follow) = self.follows.get_mut(&entry.conversation_id) {
            follow.take(entry, now, &mut deliver);
        }
        self.deliver(deliver);
    }

    fn deliver(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            let conversation = entry.conversation_id;
            if let Some(message) = entry.message() {
                self.report_delivery(message);
            }
            let ends = matches!(entry.change, Change::ConversationDeleted { .. });
            self.tell(Event::Entry(Box::new(entry)));
            if ends {
                self.close(conversation, removed_problem());
            }
        }
    }

    /// Tells the application of rows, and the server of what they brought here.
    fn tell_rows(&mut self, news: Option<Event>) {
        if let Some(Event::Rows { rows, .. }) = &news {
            for row in rows {
                let newest = row.conversation.last_message.as_ref();
                let newest = newest.filter(|message| message.seq > row.me.read_seq);
                // Of a conversation that is followed, the entry is still to come.
                let followed = self.follows.get(&row.conversation.id);
                if let Some(message) = newest
                    && followed.is_none_or(|follow| follow.cursor() >= message.seq)
                {
                    self.report_delivery(message);
                }
            }
        }
        self.outputs.extend(news.map(Output::Event));
    }

    fn report_delivery(&mut self, message: &Message) {
        let conversation = message.conversation_id;
        let members = self.list.member_count(conversation);
        let me = self.connection.as_ref().map(|it| it.hello.user_id);
        if self.options.report_delivery
            && members.is_some_and(|members| members <= deliveries::MAX_MEMBERS)
            && me != Some(message.sender_id)
        {
            self.deliveries.want(conversation, message.seq);
        }
    }

    fn signal(&mut self, signal: Signal, now: Instant) {
        match signal {
            Signal::Ack { reference, ack } => {
                if let Some(asked) = self.take_asked(reference.as_deref()) {
                    self.ack(asked, ack, now);
                }
            }
            Signal::Error { reference, problem } => {
                if let Some(asked) = self.take_asked(reference.as_deref()) {
                    self.refusal(asked, *problem, now);
                } else {
                    tracing::debug!(%problem, "the server refused a command without a ref");
                }
            }
            Signal::ConversationUpdated { row } => {
                if let Some(follow) = self.follows.get_mut(&row.conversation.id) {
                    follow.expect(row.conversation.head_seq, now);
                }
                let news = self.list.updated(*row);
                self.tell_rows(news);
            }
            Signal::ConversationRemoved { conversation_id } => {
                let news = self.list.removed(conversation_id);
                self.outputs.extend(news.map(Output::Event));
                self.close(conversation_id, removed_problem());
            }
            Signal::Read {
                conversation_id,
                user_id,
                seq,
            } => self.tell_of_others(user_id, |user_id| Event::Read {
                conversation_id,
                user_id,
                seq,
            }),
            Signal::Delivered {
                conversation_id,
                user_id,
                seq,
            } => self.tell_of_others(user_id, |user_id| Event::Delivered {
                conversation_id,
                user_id,
                seq,
            }),
            Signal::Presence(presence) => {
                if self.watched.contains(&presence.user_id) {
                    self.tell(Event::Presence(presence));
                }
            }
            Signal::Typing {
                conversation_id,
                user_ids,
            } => self.typing_now(conversation_id, user_ids),
            Signal::Resync {
                conversation_id, ..
            } => {
                if let Some(follow) = self.follows.get_mut(&conversation_id) {
                    follow.fetch_then_join();
                }
            }
            Signal::Reconnect { after_ms } => self.move_elsewhere(after_ms, now),
            Signal::Hello(_) => {}
        }
    }

    /// A cursor of mine is in the row, which alone knows whether it was set back since.
    fn tell_of_others(&mut self, user: UserId, event: impl FnOnce(UserId) -> Event) {
        let me = self.connection.as_ref().map(|it| it.hello.user_id);
        if me != Some(user) {
            self.tell(event(user));
        }
    }

    fn typing_now(&mut self, conversation_id: ConversationId, mut user_ids: Vec<UserId>) {
        if let Some(connection) = &self.connection {
            let me = connection.hello.user_id;
            user_ids.retain(|user| *user != me);
        }
        self.tell(Event::Typing {
            conversation_id,
            user_ids,
        });
    }

    fn take_asked(&mut self, reference: Option<&str>) -> Option<Asked> {
        self.asked.remove(&reference?.parse().ok()?)
    }

    fn ack(&mut self, asked: Asked, ack: Ack, now: Instant) {
        match asked {
            Asked::Join(conversation, after) => self.joined(conversation, after, &ack, now),
            Asked::Send(conversation) => {
                let Some(message) = ack.message else {
                    return self.violated("a send was acknowledged without its message", now);
                };
                if self.outbox.under_way(conversation) != Some(message.client_id) {
                    return self.violated("another message was acknowledged than was sent", now);
                }
                self.outbox.finished(conversation);
                self.tell(Event::Sent(message));
            }
            Asked::Read(conversation) => self.reads.finished(conversation),
            Asked::Delivery(conversation) => self.deliveries.finished(conversation),
            Asked::Presence => self.presence.finished(),
            Asked::Watch | Asked::Authenticate => {}
        }
    }

    fn joined(&mut self, conversation: ConversationId, after: Seq, ack: &Ack, now: Instant) {
        let Some(follow) = self.follows.get_mut(&conversation) else {
            return;
        };
        let Some(head) = ack.head_seq else {
            return self.violated("a join was acknowledged without its head", now);
        };
        if head < after {
            // No log gets shorter: this is another life of the store than the one the cursor is from.
            self.restored();
            self.read_list();
            return;
        }
        let mut deliver = Vec::new();
        if let Some(place) = ack.after_seq {
            follow.begin_after(place.min(head), now, &mut deliver);
        }
        follow.stage = Stage::Live;
        follow.expect(head, now);
        if ack.reset == Some(true) && head > follow.cursor() {
            follow.fetch_then_join();
        }
        self.deliver(deliver);
    }

    fn refusal(&mut self, asked: Asked, problem: Problem, now: Instant) {
        let after = problem.retry_after_ms.map(span);
        match asked {
            Asked::Join(conversation, _) => self.follow_failed(conversation, problem, now),
            Asked::Send(conversation) if problem.retryable => {
                // Other devices of mine use the same allowance: asking in smaller steps would only wear out patience.
                let after = after.map(|after| after.max(RETRY));
                self.outbox.postponed(conversation, after, now);
            }
            Asked::Send(conversation) => {
                if let Some((draft, false)) = self.outbox.finished(conversation) {
                    self.tell(Event::SendFailed {
                        conversation_id: conversation,
                        client_id: draft.client_id,
                        problem: Box::new(problem),
                    });
                }
            }
            Asked::Read(conversation) if problem.retryable => {
                self.reads
                    .postponed(conversation, now + after.unwrap_or(RETRY));
            }
            Asked::Read(conversation) => self.reads.finished(conversation),
            Asked::Delivery(conversation) if problem.retryable => {
                self.deliveries
                    .postponed(conversation, now + after.unwrap_or(RETRY));
            }
            Asked::Delivery(conversation) => self.deliveries.finished(conversation),
            Asked::Presence if problem.retryable => {
                self.presence.postponed(now + after.unwrap_or(RETRY));
            }
            Asked::Presence => {
                tracing::warn!(%problem, "the server refuses how I want to be seen");
                self.presence.finished();
            }
            Asked::Watch if problem.retryable => {
                if let Some(connection) = &mut self.connection {
                    connection.watch.told = false;
                    connection.watch.hold = Some(now + after.unwrap_or(RETRY));
                }
            }
            Asked::Watch => tracing::warn!(%problem, "presence cannot be watched"),
            Asked::Authenticate => {
                tracing::warn!(%problem, "the token was not renewed in place");
                if let Some(connection) = &mut self.connection {
                    connection.token.due = now + 5 * RETRY;
                }
            }
        }
    }

    fn follow_failed(&mut self, conversation: ConversationId, problem: Problem, now: Instant) {
        if !problem.retryable {
            self.list.question(conversation);
            return self.close(conversation, problem);
        }
        if let Some(follow) = self.follows.get_mut(&conversation) {
            if follow.stage == Stage::Joining {
                follow.stage = Stage::Apart;
            }
            follow.paging = None;
            follow.postpone(now, problem.retry_after_ms.map(span));
        }
    }

    pub(super) fn answer(
        &mut self,
        call: CallId,
        answer: Result<Answer, ClientError>,
        now: Instant,
    ) {
        if self.list.awaits(call) {
            return self.list_answer(call, answer, now);
        }
        if let Some(connection) = &mut self.connection
            && connection.token.call == Some(call)
        {
            connection.token.call = None;
            return self.renewed(answer, now);
        }
        let mut follows = self.follows.iter();
        if let Some((id, _)) = follows.find(|(_, follow)| follow.paging == Some(call)) {
            self.events_answer(*id, answer, now);
        }
    }

    fn list_answer(&mut self, call: CallId, answer: Result<Answer, ClientError>, now: Instant) {
        let next_call = self.number();
        let step = match answer {
            Ok(Answer::Page(page)) => self.list.page(call, next_call, page),
            Ok(Answer::Changes(changes)) => self.list.changes(call, changes),
            Ok(_) => return,
            Err(error) => {
                if !error.retryable() {
                    self.list.forget();
                }
                return self.fail(error, now);
            }
        };
        match step {
            Step::Stale => {}
            Step::More(call) => self.outputs.push_back(Output::Call(next_call, call)),
            Step::Done(news) => self.list_read(news, now),
        }
    }

    fn list_read(&mut self, news: Option<Event>, now: Instant) {
        let gone = match &news {
            Some(Event::Rows { gone, .. }) => gone.clone(),
            _ => Vec::new(),
        };
        self.tell_rows(news);
        for conversation in gone {
            self.close(conversation, removed_problem());
        }
        if self.list.in_doubt() {
            self.read_list();
        } else if matches!(self.phase, Phase::Listing) {
            self.online(now);
        }
    }

    fn renewed(&mut self, answer: Result<Answer, ClientError>, now: Instant) {
        match answer {
            Ok(Answer::Renewed { token, expires_in }) => {
                let command = ClientCommand::Authenticate { token };
                self.ask(Asked::Authenticate, command);
                if let Some(connection) = &mut self.connection {
                    connection.token = Renewal::before(expires_in, now);
                }
            }
            Err(ClientError::SignedOut) => self.fail(ClientError::SignedOut, now),
            Ok(_) | Err(_) => {
                if let Some(connection) = &mut self.connection {
                    connection.token.due = now + RETRY;
                }
            }
        }
    }

    fn events_answer(
        &mut self,
        conversation: ConversationId,
        answer: Result<Answer, ClientError>,
        now: Instant,
    ) {
        let Some(follow) = self.follows.get_mut(&conversation) else {
            return;
        };
        match answer {
            Ok(Answer::Events(mut page)) => {
                page.items
                    .retain(|entry| entry.conversation_id == conversation);
                let mut deliver = Vec::new();
                follow.page(page, now, &mut deliver);
                self.deliver(deliver);
            }
            Err(ClientError::SignedOut) => self.fail(ClientError::SignedOut, now),
            Err(ClientError::Problem(problem)) => self.follow_failed(conversation, *problem, now),
            Ok(_) | Err(_) => {
                follow.paging = None;
                follow.postpone(now, None);
            }
        }
    }
}
