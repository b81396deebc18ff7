//! What the live connection says, taken into the state.

use chat_core::{
    client::{Event as LiveEvent, Link},
    model::{Change, ConversationId, Entry, Timestamp, UserId},
    protocol::ErrorCode,
};

use super::{
    App, Screen,
    chat::More,
    fault::problem_words,
    link::LinkState,
    text::Plain,
    timeline::{Line, Sending},
};
use crate::effect::Effect;

impl App {
    /// Takes in what the connection says; whether anything visible may have changed by it.
    pub(super) fn live(&mut self, event: LiveEvent, effects: &mut Vec<Effect>) -> bool {
        match event {
            LiveEvent::Link(link) => self.link_changed(link, effects),
            LiveEvent::Rows {
                rows,
                gone,
                snapshot,
            } => {
                self.take_rows(&rows, &gone, snapshot, effects);
                self.leave_what_is_gone(effects);
            }
            LiveEvent::Entry(entry) => return self.entry(&entry, effects),
            LiveEvent::Restored => self.restored(effects),
            LiveEvent::Sent(message) => {
                let Some(chat) = self.chats.get_mut(&message.conversation_id) else {
                    return false;
                };
                let follows = chat.joined;
                chat.timeline.accepted(&message, follows);
            }
            LiveEvent::SendFailed {
                conversation_id,
                client_id,
                problem,
            } => {
                let Some(chat) = self.chats.get_mut(&conversation_id) else {
                    return false;
                };
                let failed = Sending::Failed {
                    reason: problem_words(&problem),
                    needs_new_id: problem.code == ErrorCode::ClientIdReused,
                };
                chat.timeline.set_state(client_id, failed);
                if self.open != Some(conversation_id) {
                    let name = self.list.get(conversation_id).map(|item| item.name.clone());
                    let name = name.unwrap_or_default();
                    self.tell_error(&format!("a message to {name} was not sent"));
                }
            }
            LiveEvent::Closed {
                conversation_id,
                problem,
            } => {
                let Some(chat) = self.chats.get_mut(&conversation_id) else {
                    return false;
                };
                chat.joined = false;
                chat.closed = Some(problem_words(&problem));
            }
            LiveEvent::Read {
                conversation_id,
                user_id,
                seq,
            } => {
                let chat = self.chats.get_mut(&conversation_id);
                return chat.is_some_and(|chat| chat.read_by(user_id, seq));
            }
            LiveEvent::Delivered {
                conversation_id,
                user_id,
                seq,
            } => {
                let chat = self.chats.get_mut(&conversation_id);
                return chat.is_some_and(|chat| chat.delivered_to(user_id, seq));
            }
            LiveEvent::Presence(presence) => return self.people.set_presence(presence),
            LiveEvent::Typing {
                conversation_id,
                user_ids,
            } => {
                self.ask_for(user_ids.iter().copied(), effects);
                let me = self.me;
                return self.chats.get_mut(&conversation_id).is_some_and(|chat| {
                    let typing: Vec<UserId> = user_ids
                        .into_iter()
                        .filter(|user| Some(*user) != me)
                        .collect();
                    let news = chat.typing != typing;
                    chat.typing = typing;
                    news
                });
            }
            _ => return false,
        }
        true
    }

    fn link_changed(&mut self, link: Link, effects: &mut Vec<Effect>) {
        match link {
            Link::Online(hello) => {
                self.link = LinkState::Online;
                self.max_body_chars = hello.limits.max_body_chars;
                self.max_watched = hello.limits.max_watched_users;
                self.own.availability = hello.availability;
                effects.push(Effect::Blocks);
                for chat in self.chats.values_mut() {
                    if matches!(chat.older, More::Failed(_)) {
                        chat.older = More::Idle;
                    }
                }
                self.ask_for_the_unknown(effects);
                // Who has read or come and gone meanwhile is not in the log of all conversations.
                let followed = self.chats.values().filter(|chat| chat.joined);
                effects.extend(followed.map(|chat| Effect::Members(chat.id)));
            }
            Link::Waiting { retry_in, reason } => {
                let wait = i64::try_from(retry_in.as_millis()).unwrap_or(i64::MAX);
                self.link = LinkState::Waiting {
                    until: Timestamp::from_millis(self.now.as_millis().saturating_add(wait)),
                    reason: Plain::line(&reason),
                };
                for chat in self.chats.values_mut() {
                    chat.typing.clear();
                    chat.typing_told = false;
                }
            }
            Link::SignedOut { reason } => {
                self.link = LinkState::Connecting;
                effects.push(Effect::Forget);
                if matches!(self.screen, Screen::Main) {
                    self.ask_to_sign_in(Some(Plain::line(&reason)));
                }
            }
            _ => self.link = LinkState::Connecting,
        }
    }

    fn entry(&mut self, entry: &Entry, effects: &mut Vec<Effect>) -> bool {
        let me = self.me;
        let Some(chat) = self.chats.get_mut(&entry.conversation_id) else {
            return false;
        };
        if !chat.apply(entry, me) {
            return false;
        }
        self.ask_for(Line::new(entry).people().collect::<Vec<_>>(), effects);
        // What is replayed of earlier comings and goings is in the answer to one question.
        let head = self.list.get(entry.conversation_id);
        let is_news = head.is_none_or(|item| entry.seq >= item.head_seq);
        let about_members = matches!(
            entry.change,
            Change::MemberJoined { .. } | Change::MemberLeft { .. } | Change::MemberRole { .. }
        );
        if about_members && is_news {
            effects.push(Effect::Members(entry.conversation_id));
        }
        true
    }

    /// Everything that is held of the logs is void.
    fn restored(&mut self, effects: &mut Vec<Effect>) {
        self.fresh = false;
        for chat in self.chats.values_mut() {
            if chat.joined {
                effects.push(Effect::Leave(chat.id));
            }
            chat.forget_log();
            chat.marked = 0;
            chat.ruler = None;
        }
        if let Some(id) = self.open {
            self.open_conversation(id, effects);
        }
        self.tell("the server was restored from a backup: everything was loaded anew");
    }

    fn leave_what_is_gone(&mut self, effects: &mut Vec<Effect>) {
        let gone: Vec<ConversationId> = self
            .chats
            .keys()
            .copied()
            .filter(|id| self.list.get(*id).is_none())
            .collect();
        for id in gone {
            self.recent.retain(|other| *other != id);
            self.forget(id, effects);
            if self.open == Some(id) {
                self.open = None;
                self.pane = super::Pane::List;
                self.tell("you no longer belong to the conversation that was open here");
            }
        }
    }
}
