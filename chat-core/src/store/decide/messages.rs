//! What is done to messages: said, changed, reacted to, pinned, taken back.

use sha2::{Digest, Sha256};

use super::{BodyDigest, Loaded, ReactionKey, SendKey, StoredMessage, StoredReaction};
use crate::{
    model::{Change, Draft, Emoji, Entry, Message, MessageId, Reaction, Seq, UserId},
    store::{Act, Committed, Mentions, Refusal, Write},
};

impl Loaded {
    /// A message that the author can see.
    pub(super) fn seen(&self, write: &Write, id: MessageId) -> Result<&Message, Refusal> {
        let from = self.place(write, write.author);
        let from = from.map_or(Seq::MAX, |place| place.history_from);
        let stored = self.messages.get(&(write.conversation_id, id));
        let seen = stored.filter(|stored| stored.message.seq >= from);
        Ok(&seen.ok_or(Refusal::MessageNotFound)?.message)
    }

    pub(super) fn sent_before(
        &self,
        write: &Write,
        draft: &Draft,
    ) -> Option<Result<Committed, Refusal>> {
        let id = self.sends.get(&send_key(write, draft))?;
        let earlier = self.messages.get(&(write.conversation_id, *id))?;
        let same_body = match earlier.sent_digest {
            Some(digest) => digest == digest_of(&draft.body),
            None => earlier.message.body == draft.body,
        };
        Some(if same_body && earlier.message.reply_to == draft.reply_to {
            Ok(Committed::Repeated(earlier.message.clone()))
        } else {
            Err(Refusal::ClientIdReused)
        })
    }

    pub(super) fn send(
        &mut self,
        write: &Write,
        id: MessageId,
        draft: &Draft,
        mentions: &Mentions,
    ) -> Committed {
        let mut message = Message::new(write, id, 0, draft);
        self.call(write, &mut message, mentions);
        let entry = self.append(write, |seq| {
            message.seq = seq;
            message.changed_seq = seq;
            Change::NewMessage {
                message: message.clone(),
            }
        });
        if let Some(head) = self.conversations.get_mut(&write.conversation_id) {
            head.last_message_seq = entry.seq;
        }
        self.change_place(write, write.author, |author| {
            author.read_seq = entry.seq;
            author.shown_seq = entry.seq;
            author.delivered_seq = entry.seq;
        });
        self.sends.insert(send_key(write, draft), id);
        let stored = StoredMessage {
            message,
            sent_digest: None,
            is_new: true,
            changed: false,
        };
        self.messages.insert((write.conversation_id, id), stored);
        Committed::Appended(vec![entry])
    }

    pub(super) fn call(&self, write: &Write, message: &mut Message, mentions: &Mentions) {
        let role = self.place(write, write.author).map(|place| place.role);
        message.call(mentions, role, |user| self.place(write, user).is_some());
    }

    pub(super) fn change_message(
        &mut self,
        write: &Write,
        mut message: Message,
    ) -> Result<Committed, Refusal> {
        let by = write.author;
        let unchanged = Ok(Committed::Unchanged);
        let mut sent_body = None;
        match &write.act {
            Act::EditMessage { body, .. } if *body == message.body => return unchanged,
            Act::EditMessage { body, mentions, .. } => {
                sent_body = Some(std::mem::replace(&mut message.body, body.clone()));
                message.edited_at = Some(write.at);
                self.call(write, &mut message, mentions);
            }
            Act::DeleteMessage { .. } => {
                sent_body = Some(message.body.clone());
                message.erase(write.at);
                self.drop_reactions(&message);
            }
            Act::Pin { pinned, .. } if message.pinned_at.is_some() == *pinned => return unchanged,
            Act::Pin { pinned, .. } => message.pinned_at = pinned.then_some(write.at),
            Act::React { emoji, .. } => {
                if self.has_reaction(&message, emoji, by) {
                    return unchanged;
                }
                let is_new = message.reaction(emoji).count == 0;
                if is_new && message.reactions.len() >= Reaction::MAX_EMOJI {
                    return Err(Refusal::TooManyReactions);
                }
                message.add_reaction(emoji, by);
                self.set_reaction(&message, emoji, by, true);
            }
            Act::Unreact { emoji, .. } => {
                if !self.has_reaction(&message, emoji, by) {
                    return unchanged;
                }
                message.remove_reaction(emoji, by);
                self.set_reaction(&message, emoji, by, false);
            }
            _ => return unchanged,
        }
        let entry = self.append_to(write, &mut message);
        let key = (write.conversation_id, message.id);
        if let Some(stored) = self.messages.get_mut(&key) {
            if let Some(body) = sent_body {
                stored.sent_digest.get_or_insert_with(|| digest_of(&body));
            }
            stored.message = message;
            stored.changed = true;
        }
        Ok(Committed::Appended(vec![entry]))
    }

    /// The entry that changes a message.
    pub(super) fn append_to(&mut self, write: &Write, message: &mut Message) -> Entry {
        let by = write.author;
        self.append(write, |seq| {
            message.changed_seq = seq;
            let (message_id, message_seq) = (message.id, message.seq);
            let whole = || message.clone();
            match &write.act {
                Act::DeleteMessage { .. } => Change::MessageDeleted {
                    message: whole(),
                    by,
                },
                Act::Pin { pinned: true, .. } => Change::MessagePinned {
                    message: whole(),
                    by,
                },
                Act::Pin { .. } => Change::MessageUnpinned {
                    message: whole(),
                    by,
                },
                Act::React { emoji, .. } => Change::ReactionAdded {
                    message_id,
                    message_seq,
                    user_id: by,
                    reaction: message.reaction(emoji),
                },
                Act::Unreact { emoji, .. } => Change::ReactionRemoved {
                    message_id,
                    message_seq,
                    user_id: by,
                    reaction: message.reaction(emoji),
                },
                _ => Change::MessageEdited { message: whole() },
            }
        })
    }

    pub(super) fn has_reaction(&self, message: &Message, emoji: &Emoji, user: UserId) -> bool {
        let key = (message.conversation_id, message.id, emoji.clone(), user);
        self.reactions.get(&key).is_some_and(|it| it.present)
    }

    pub(super) fn set_reaction(
        &mut self,
        message: &Message,
        emoji: &Emoji,
        user: UserId,
        present: bool,
    ) {
        let key = (message.conversation_id, message.id, emoji.clone(), user);
        let stored = StoredReaction {
            present,
            changed: true,
        };
        self.reactions.insert(key, stored);
    }

    /// In the store, those of a deleted message go with it, whoever they are by.
    pub(super) fn drop_reactions(&mut self, message: &Message) {
        let of_it = |key: &ReactionKey| key.0 == message.conversation_id && key.1 == message.id;
        self.reactions.retain(|key, _| !of_it(key));
    }
}

fn send_key(write: &Write, draft: &Draft) -> SendKey {
    let send = (write.author, draft.client_id);
    #[cfg(any(test, feature = "bugs"))]
    let send = crate::bug::forget_client_id(send);
    (write.conversation_id, send.0, send.1)
}

fn digest_of(body: &str) -> BodyDigest {
    Sha256::digest(body).into()
}
