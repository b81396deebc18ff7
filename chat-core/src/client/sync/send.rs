//! What this connection is told: the difference between what is wanted and what it was told already.

use std::time::Instant;

use serde_json::to_string as encode;

use super::{
    Asked, Call, Event, Leaving, Output, State,
    follow::{Follow, Stage},
    link::span,
    reads::ReadStep,
};
use crate::{
    model::{ConversationId, UserId},
    protocol::{ClientCommand, ClientFrame, ErrorCode, Problem},
    source::HashSet,
};

/// Fetches of missing entries at one time.
const MAX_FETCHES: usize = 4;

impl State {
    /// Writes what can be written now. The order matters: what is read comes before what is said.
    pub(super) fn send(&mut self, now: Instant) {
        if !self.is_online() {
            return;
        }
        if let Some(connection) = &mut self.connection {
            connection.looked_at = now;
            connection.frames.look_anew();
        }
        if self.list.in_doubt() {
            self.read_list();
        }
        self.fetch_missing(now);
        self.send_joins(now);
        self.send_watch(now);
        self.send_presence(now);
        self.send_messages(now);
        self.send_reads(now);
        self.send_deliveries(now);
    }

    pub(super) fn send_next_at(&self) -> Option<Instant> {
        let connection = self.connection.as_ref().filter(|_| self.is_online())?;
        let follows = self.follows.values().filter_map(Follow::next_at);
        follows
            .chain(self.outbox.next_at())
            .chain(self.reads.next_at())
            .chain(self.deliveries.next_at())
            .chain(self.presence.next_at())
            .chain(connection.watch.hold)
            .chain(connection.frames.next_at())
            .chain(connection.messages.next_at())
            // What was due already waits for something else: room in the pace, or an answer.
            .filter(|at| *at > connection.looked_at)
            .min()
    }

    /// Room for one more frame; if there is none, the clock will tell when there is.
    fn room(&mut self, now: Instant) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        let room = connection.frames.has_room(now);
        if room {
            connection.frames.take();
        }
        room
    }

    /// Writes a command whose answer is awaited.
    pub(super) fn ask(&mut self, asked: Asked, command: ClientCommand) {
        let number = self.number();
        self.asked.insert(number, asked);
        self.write(Some(number), command);
    }

    fn write(&mut self, number: Option<u64>, command: ClientCommand) {
        let frame = ClientFrame {
            reference: number.map(|number| number.to_string()),
            command,
        };
        match encode(&frame) {
            Ok(text) => self.outputs.push_back(Output::Write(text)),
            Err(error) => tracing::error!(%error, "a command cannot be written as JSON"),
        }
    }

    fn fetch_missing(&mut self, now: Instant) {
        let under_way = self.follows.values().filter(|f| f.paging.is_some()).count();
        let mut wanted = Vec::new();
        for (id, follow) in &mut self.follows {
            follow.check_overdue(now);
            if follow.wants_page(now) {
                wanted.push((*id, follow.cursor()));
            }
        }
        wanted.truncate(MAX_FETCHES.saturating_sub(under_way));
        for (conversation, after) in wanted {
            let id = self.number();
            if let Some(follow) = self.follows.get_mut(&conversation) {
                follow.paging = Some(id);
            }
            let call = Call::Events {
                conversation,
                after,
            };
            self.outputs.push_back(Output::Call(id, call));
        }
    }

    pub(super) fn send_joins(&mut self, now: Instant) {
        let wanted: Vec<_> = self
            .follows
            .iter()
            .filter(|(_, follow)| follow.wants_join(now))
            .map(|(id, follow)| (*id, follow.cursor()))
            .collect();
        for (conversation_id, after) in wanted {
            if !self.room(now) {
                return;
            }
            if let Some(follow) = self.follows.get_mut(&conversation_id) {
                follow.stage = Stage::Joining;
            }
            let command = ClientCommand::JoinConversation {
                conversation_id,
                after_seq: Some(after),
            };
            self.ask(Asked::Join(conversation_id, after), command);
        }
    }

    pub(super) fn leave(
        &mut self,
        conversation_id: ConversationId,
        leaving: Leaving,
        now: Instant,
    ) {
        self.outputs
            .push_back(Output::Left(conversation_id, leaving));
        let Some(follow) = self.follows.remove(&conversation_id) else {
            return;
        };
        self.void_joins(conversation_id);
        if self.is_online() && follow.stage != Stage::Apart {
            self.room(now);
            self.write(None, ClientCommand::LeaveConversation { conversation_id });
        }
    }

    pub(super) fn watch(&mut self, mut users: Vec<UserId>) {
        let mut seen = HashSet::default();
        users.retain(|user| seen.insert(*user));
        if users != self.watched {
            self.watched = users;
            if let Some(connection) = &mut self.connection {
                connection.watch.told = false;
            }
        }
    }

    pub(super) fn send_watch(&mut self, now: Instant) {
        let Some(connection) = &self.connection else {
            return;
        };
        let most = connection.hello.limits.max_watched_users;
        let held = connection.watch.hold.is_some_and(|until| now < until);
        if connection.watch.told || held || !self.room(now) {
            return;
        }
        if let Some(connection) = &mut self.connection {
            connection.watch.told = true;
        }
        let user_ids = self.watched.iter().copied().take(most).collect();
        self.ask(Asked::Watch, ClientCommand::WatchPresence { user_ids });
    }

    fn send_messages(&mut self, now: Instant) {
        while let Some((conversation_id, draft)) = self.outbox.next(now) {
            let draft = draft.clone();
            let Some(connection) = &mut self.connection else {
                return;
            };
            if !connection.frames.has_room(now) || !connection.messages.has_room(now) {
                return;
            }
            connection.frames.take();
            connection.messages.take();
            self.outbox.started();
            let client_id = draft.client_id;
            let command = ClientCommand::SendMessage {
                conversation_id,
                client_id,
                body: draft.body,
                reply_to: draft.reply_to,
            };
            if self.fits(&command) {
                self.ask(Asked::Send(conversation_id), command);
                continue;
            }
            // The server would end the connection over it, again after each reconnect.
            self.outbox.finished(conversation_id);
            let detail = "the message is too long for this server";
            self.tell(Event::SendFailed {
                conversation_id,
                client_id,
                problem: Box::new(Problem::new(ErrorCode::TooLarge, detail)),
            });
        }
    }

    fn fits(&self, command: &ClientCommand) -> bool {
        const ROOM_FOR_REF: usize = 64;
        let most = self
            .connection
            .as_ref()
            .map_or(0, |c| c.hello.limits.max_frame_bytes);
        encode(command).is_ok_and(|text| text.len() + ROOM_FOR_REF <= most)
    }

    fn send_presence(&mut self, now: Instant) {
        if let Some(saying) = self.presence.next(now)
            && self.room(now)
        {
            self.presence.started(saying);
            let status = saying.status();
            self.ask(Asked::Presence, ClientCommand::SetPresence { status });
        }
    }

    fn send_reads(&mut self, now: Instant) {
        while let Some((conversation_id, step)) = self.reads.next(now) {
            if !self.room(now) {
                return;
            }
            self.send_read(conversation_id, step, now);
        }
    }

    fn send_read(&mut self, conversation_id: ConversationId, step: ReadStep, now: Instant) {
        self.reads.started(conversation_id, step, now);
        let command = ClientCommand::MarkRead {
            conversation_id,
            seq: step.seq,
            unread: step.unread,
        };
        self.ask(Asked::Read(conversation_id), command);
    }

    /// Last of all, and only while there is room for whatever the user does next.
    fn send_deliveries(&mut self, now: Instant) {
        while let Some((conversation_id, seq)) = self.deliveries.next(now) {
            let Some(connection) = &mut self.connection else {
                return;
            };
            if !connection.frames.has_room_to_spare(now) {
                return;
            }
            connection.frames.take();
            self.deliveries.started(conversation_id, seq, now);
            let command = ClientCommand::MarkDelivered {
                conversation_id,
                seq,
            };
            self.ask(Asked::Delivery(conversation_id), command);
        }
    }

    /// Typing is worth telling now or never: only to a conversation that is joined, and only if there is room.
    pub(super) fn tell_typing(
        &mut self,
        conversation_id: ConversationId,
        typing: bool,
        now: Instant,
    ) {
        let Some(connection) = self.connection.as_ref().filter(|_| self.is_online()) else {
            return;
        };
        let repeat = span(connection.hello.limits.typing_repeat_ms);
        let joined = self.follows.get(&conversation_id);
        if joined.is_none_or(|follow| follow.stage != Stage::Live) {
            return;
        }
        let command = if typing {
            if !self.typing.start(conversation_id, repeat, now) {
                return;
            }
            ClientCommand::TypingStart { conversation_id }
        } else {
            if !self.typing.stop(conversation_id) {
                return;
            }
            ClientCommand::TypingStop { conversation_id }
        };
        if self.room(now) {
            self.write(None, command);
        }
    }

    /// Before a clean end: read marks that waited for their second.
    pub(super) fn say_goodbye(&mut self, now: Instant) {
        if self.is_online() {
            while let Some((conversation_id, step)) = self.reads.untold() {
                self.send_read(conversation_id, step, now);
            }
        }
        self.outputs.push_back(Output::Disconnect);
    }
}
