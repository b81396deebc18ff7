//! Saying, changing, finding and reading messages.

use super::{Chat, Sent};
use crate::{
    error::Error,
    mention,
    model::{ConversationId, Draft, Emoji, Entry, Message, MessageId, Seq, Timestamp, UserId},
    protocol::rest::Events,
    source::HashSet,
    store::{Act, Around, Committed, Mentions, ReadCursor, Search, words},
};

/// What to search for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Words.
    pub text: String,
    /// Only here.
    pub conversation: Option<ConversationId>,
    /// Only by this sender.
    pub from: Option<UserId>,
    /// Only what was accepted before.
    pub before: Option<Timestamp>,
}

impl Query {
    /// The most words.
    pub const MAX_WORDS: usize = 16;
}

impl Chat {
    /// Says something. When this returns, the message is durable; those who follow the conversation get it at once.
    ///
    /// The same `client_id` again has no second effect, for ever: it answers the first message, or
    /// [`Error::ClientIdReused`] if the content differs. After [`Error::Unavailable`], retry with the same one.
    pub async fn send(
        &self,
        sender: UserId,
        conversation: ConversationId,
        draft: Draft,
    ) -> Result<Sent, Error> {
        self.check_body(&draft.body)?;
        let draft = self
            .engine
            .policy
            .before_send(sender, conversation, draft)
            .await
            .map_err(Error::Refused)?;
        self.check_body(&draft.body)?;
        let act = Act::Send {
            id: MessageId::new(),
            mentions: self.mentions_in(&draft.body).await?,
            draft,
        };
        match self.append(sender, conversation, act).await? {
            Committed::Appended(entries) => {
                let message = entries
                    .into_iter()
                    .find_map(|entry| entry.message().cloned());
                message
                    .map(|message| Sent {
                        message,
                        repeated: false,
                    })
                    .ok_or(Error::broken_store("a send left no message"))
            }
            Committed::Repeated(message) => Ok(Sent {
                message,
                repeated: true,
            }),
            other => Err(Error::broken_store(&format!("a send became {other:?}"))),
        }
    }

    fn check_body(&self, body: &str) -> Result<(), Error> {
        let invalid = |code, detail: String| {
            Err(Error::Invalid {
                field: "body",
                code,
                detail,
            })
        };
        let most = self.engine.limits.max_body_chars;
        if body.trim().is_empty() {
            return invalid(
                "blank",
                "a message needs at least one visible character".to_owned(),
            );
        }
        if body.contains('\0') {
            return invalid("nul", "a message has no NUL characters".to_owned());
        }
        // Most bodies are so short that their bytes already tell.
        if body.len() > most && body.chars().count() > most {
            return invalid(
                "too_long",
                format!("a message has at most {most} characters"),
            );
        }
        Ok(())
    }

    /// Messages of a conversation in their present state, ascending by `seq`.
    pub async fn messages(
        &self,
        reader: UserId,
        conversation: ConversationId,
        which: Around,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        let from = self.membership(reader, conversation).await?.history_from;
        let messages = self.engine.store.messages(conversation, which, from, limit);
        Ok(messages.await?)
    }

    /// One message in its present state.
    pub async fn message(
        &self,
        reader: UserId,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Message, Error> {
        let from = self.membership(reader, conversation).await?.history_from;
        let message = self.engine.store.message(conversation, id).await?;
        let seen = message.filter(|message| message.seq >= from);
        seen.ok_or(Error::NotFound("no such message"))
    }

    /// Pinned messages with a `seq` before `before`, descending.
    pub async fn pinned(
        &self,
        reader: UserId,
        conversation: ConversationId,
        before: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        let from = self.membership(reader, conversation).await?.history_from;
        let pinned = self.engine.store.pinned(conversation, before, from, limit);
        Ok(pinned.await?)
    }

    /// Messages that contain all words of `query`, the last one as the beginning of a word, of those that the user can see;
    /// the newest first, and those after the message `after` in this order.
    pub async fn search(
        &self,
        user: UserId,
        query: &Query,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        let words = words(&query.text);
        if words.is_empty() || words.len() > Query::MAX_WORDS {
            return Err(Error::Invalid {
                field: "q",
                code: "words",
                detail: format!("takes 1 to {} words to search for", Query::MAX_WORDS),
            });
        }
        if let Some(conversation) = query.conversation {
            self.membership(user, conversation).await?;
        }
        let search = Search {
            words,
            conversation: query.conversation,
            from: query.from,
            before: query.before,
        };
        Ok(self
            .engine
            .store
            .search(user, &search, after, limit)
            .await?)
    }

    /// The log of a conversation after a cursor: at most `limit` entries, ascending without a hole. It begins where the
    /// reader's history begins, if that is later.
    pub async fn events(
        &self,
        reader: UserId,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Events, Error> {
        let from = self.membership(reader, conversation).await?.history_from;
        let store = &self.engine.store;
        let after = after.max(from.saturating_sub(1));
        let entries = store.entries_after(conversation, after, limit).await?;
        let head = store.head(conversation).await?.unwrap_or_default();
        let seen = entries.into_iter().map(|entry| entry.seen_from(from));
        let items: Vec<_> = seen.collect();
        Ok(Events {
            head_seq: head.max(items.last().map_or(0, |entry| entry.seq)),
            items,
        })
    }

    /// Changes the text of one's own message.
    pub async fn edit(
        &self,
        author: UserId,
        conversation: ConversationId,
        message_id: MessageId,
        body: String,
    ) -> Result<Message, Error> {
        self.check_body(&body)?;
        let policy = &self.engine.policy;
        let body = policy
            .before_edit(author, conversation, message_id, body)
            .await
            .map_err(Error::Refused)?;
        self.check_body(&body)?;
        let act = Act::EditMessage {
            message_id,
            mentions: self.mentions_in(&body).await?,
            body,
        };
        self.change_message(author, conversation, message_id, act)
            .await
    }

    /// Takes back one's own message, or as an admin that of another; a stub stays in its place. Again is the same.
    pub async fn delete_message(
        &self,
        author: UserId,
        conversation: ConversationId,
        message_id: MessageId,
    ) -> Result<Message, Error> {
        let act = Act::DeleteMessage { message_id };
        self.change_message(author, conversation, message_id, act)
            .await
    }

    /// Puts an emoji on a message; again is the same.
    pub async fn react(
        &self,
        author: UserId,
        conversation: ConversationId,
        message_id: MessageId,
        emoji: Emoji,
    ) -> Result<Message, Error> {
        let act = Act::React { message_id, emoji };
        self.change_message(author, conversation, message_id, act)
            .await
    }

    /// Takes one's emoji from a message; where it is not, that is so already.
    pub async fn unreact(
        &self,
        author: UserId,
        conversation: ConversationId,
        message_id: MessageId,
        emoji: Emoji,
    ) -> Result<Message, Error> {
        let act = Act::Unreact { message_id, emoji };
        self.change_message(author, conversation, message_id, act)
            .await
    }

    /// Pins a message, or takes its pin away; again is the same.
    pub async fn pin(
        &self,
        author: UserId,
        conversation: ConversationId,
        message_id: MessageId,
        pinned: bool,
    ) -> Result<Message, Error> {
        let act = Act::Pin { message_id, pinned };
        self.change_message(author, conversation, message_id, act)
            .await
    }

    /// The message as the act left it.
    async fn change_message(
        &self,
        author: UserId,
        conversation: ConversationId,
        id: MessageId,
        act: Act,
    ) -> Result<Message, Error> {
        let committed = self.append(author, conversation, act).await?;
        let state = match &committed {
            Committed::Appended(entries) => entries.iter().find_map(Entry::message_state),
            _ => None,
        };
        if let Some(message) = state {
            return Ok(message.clone());
        }
        let message = self.engine.store.message(conversation, id).await?;
        message.ok_or(Error::NotFound("no such message"))
    }

    /// Whom a text calls by name.
    async fn mentions_in(&self, body: &str) -> Result<Mentions, Error> {
        let called = mention::in_text(body);
        let known = self.engine.directory.by_username(&called.names).await?;
        let users = called.names.iter().filter_map(|name| known.get(name));
        let mut mentions = Mentions {
            users: users.copied().collect(),
            everyone: called.everyone,
        };
        let mut seen = HashSet::default();
        mentions.users.retain(|user| seen.insert(*user));
        Ok(mentions)
    }

    /// Moves a read cursor forward, at most to the head, and answers where it is now. Never moves it back. Others are told,
    /// unless the reader's settings say otherwise.
    pub async fn mark_read(
        &self,
        reader: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Seq, Error> {
        let settings = self.engine.store.settings(reader).await?;
        let act = Act::MarkRead {
            seq,
            shown: settings.read_receipts,
        };
        Ok(self.move_cursor(reader, conversation, act).await?.seq)
    }

    /// Sets a read cursor back on purpose, so that what comes after `seq` counts as unread; answers where it is now. Never
    /// moves it forward. Others are not told.
    pub async fn mark_unread(
        &self,
        reader: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Seq, Error> {
        let act = Act::MarkUnread { seq };
        Ok(self.move_cursor(reader, conversation, act).await?.seq)
    }

    /// Notes that a device of this user has the log up to `seq`.
    pub async fn mark_delivered(
        &self,
        reader: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<(), Error> {
        let act = Act::MarkDelivered { seq };
        self.move_cursor(reader, conversation, act).await?;
        Ok(())
    }

    async fn move_cursor(
        &self,
        reader: UserId,
        conversation: ConversationId,
        act: Act,
    ) -> Result<ReadCursor, Error> {
        match self.append(reader, conversation, act).await? {
            Committed::Read(cursor) => Ok(cursor),
            other => Err(Error::broken_store(&format!("a cursor became {other:?}"))),
        }
    }
}
