//! What a batch changed, as the columns that are to be stored.

use std::collections::{BTreeMap, HashMap};

use sqlx::{Postgres, postgres::PgArguments, query::QueryScalar};
use uuid::Uuid;

use super::words::indexed;
use crate::{
    model::{Change, ConversationId, Entry, Message, UserId},
    store::{
        columns::{
            EntryRecord, MessageRecord, called_by, history_code, kind_code, notify_code, number,
            role_code,
        },
        decide::{Head, Loaded, MessageKey, Place, ReactionKey, StoredMessage},
    },
};

/// How things were when they were loaded.
pub(super) struct Before {
    heads: HashMap<ConversationId, i64>,
    revs: HashMap<(ConversationId, UserId), i64>,
    called: HashMap<MessageKey, Vec<Uuid>>,
}

impl Before {
    pub(super) fn of(loaded: &Loaded) -> Self {
        let heads = loaded.conversations.iter();
        let revs = loaded.members.iter();
        let called = loaded.messages.iter();
        Self {
            heads: heads.map(|(id, head)| (*id, number(head.seq))).collect(),
            revs: revs.map(|(key, place)| (*key, number(place.rev))).collect(),
            called: called
                .map(|(key, stored)| (*key, called_by(&stored.message)))
                .collect(),
        }
    }
}

pub(super) type Query<'q> = QueryScalar<'q, Postgres, bool, PgArguments>;

/// What every statement stores: conversations and members, and how they must be found.
pub(super) struct Shared<'l> {
    pub(super) held: Vec<(ConversationId, i64)>,
    known: Vec<(&'l (ConversationId, UserId), &'l i64)>,
    conversations: Vec<(&'l ConversationId, &'l Head)>,
    members: Vec<(&'l (ConversationId, UserId), &'l Place)>,
}

impl<'l> Shared<'l> {
    pub(super) fn of(before: &'l Before, loaded: &'l Loaded) -> Self {
        let conversations = loaded.conversations.iter();
        let conversations: Vec<_> = conversations.filter(|(_, head)| head.changed).collect();
        let members = loaded.members.iter();
        let members: Vec<_> = members.filter(|(_, place)| place.changed).collect();
        let changed = conversations.iter().map(|(id, _)| **id);
        let touched = changed.chain(members.iter().map(|((id, _), _)| *id));
        let held: BTreeMap<_, _> = touched
            .map(|id| (id, before.heads.get(&id).copied().unwrap_or(0)))
            .collect();
        let known = members.iter();
        let known = known.filter_map(|(key, _)| before.revs.get_key_value(key));
        Self {
            held: held.into_iter().collect(),
            known: known.collect(),
            conversations,
            members,
        }
    }

    pub(super) fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        let (held, known) = (&self.held, &self.known);
        let (conversations, members) = (&self.conversations, &self.members);
        query
            .bind(each(held, |(id, _)| id.as_uuid()))
            .bind(each(held, |(_, head)| *head))
            .bind(each(known, |((id, _), _)| id.as_uuid()))
            .bind(each(known, |((_, user), _)| user.as_uuid()))
            .bind(each(known, |(_, rev)| **rev))
            .bind(each(conversations, |(id, _)| id.as_uuid()))
            .bind(each(conversations, |(_, it)| kind_code(it.kind)))
            .bind(each(conversations, |(_, it)| it.title.as_deref()))
            .bind(each(conversations, |(_, it)| it.topic.as_deref()))
            .bind(each(conversations, |(_, it)| history_code(it.history)))
            .bind(each(conversations, |(_, it)| it.deleted))
            .bind(each(conversations, |(_, it)| number(it.seq)))
            .bind(each(conversations, |(_, it)| number(it.last_message_seq)))
            .bind(each(conversations, |(_, it)| {
                it.last_activity_at.as_millis()
            }))
            .bind(each(conversations, |(_, it)| number(it.members)))
            .bind(each(conversations, |(_, it)| number(it.owners)))
            .bind(each(members, |((id, _), _)| id.as_uuid()))
            .bind(each(members, |((_, user), _)| user.as_uuid()))
            .bind(each(members, |(_, it)| role_code(it.role)))
            .bind(each(members, |(_, it)| it.active))
            .bind(each(members, |(_, it)| it.banned))
            .bind(each(members, |(_, it)| number(it.read_seq)))
            .bind(each(members, |(_, it)| number(it.shown_seq)))
            .bind(each(members, |(_, it)| number(it.delivered_seq)))
            .bind(each(members, |(_, it)| number(it.history_from)))
            .bind(each(members, |(_, it)| number(it.rev)))
            .bind(each(members, |(_, it)| it.pinned))
            .bind(each(members, |(_, it)| it.muted))
            .bind(each(members, |(_, it)| it.archived))
            .bind(each(members, |(_, it)| notify_code(it.notify)))
    }
}

fn message<'r>(entry: &'r EntryRecord<'_>) -> Option<&'r MessageRecord<'r>> {
    entry.message.as_ref()
}

/// What a message that is sent says.
pub(super) fn bind_sends<'q>(query: Query<'q>, records: &'q [EntryRecord<'q>]) -> Query<'q> {
    query
        .bind(each(records, |entry| entry.conversation_id))
        .bind(each(records, |entry| entry.seq))
        .bind(each(records, |entry| entry.at))
        .bind(each(records, |entry| entry.author_id))
        .bind(each(records, |it| message(it).map(|it| it.message_id)))
        .bind(each(records, |it| message(it).map(|it| it.client_id)))
        .bind(each(records, |it| message(it).map(|it| it.body)))
        .bind(each(records, |it| message(it).and_then(|it| it.reply_to)))
}

/// The rest of any entry.
pub(super) fn bind_entries<'q>(query: Query<'q>, records: &'q [EntryRecord<'q>]) -> Query<'q> {
    query
        .bind(each(records, |entry| entry.kind))
        .bind(each(records, |entry| entry.user_id))
        .bind(each(records, |entry| entry.role))
        .bind(each(records, |entry| entry.title))
        .bind(each(records, |entry| entry.history))
        .bind(each(records, |entry| entry.banned))
        .bind(each(records, |entry| entry.target_seq))
        .bind(each(records, |entry| entry.emoji))
        .bind(each(records, |it| {
            message(it).and_then(|it| it.mentions.as_deref())
        }))
        .bind(each(records, |it| {
            message(it).map(|it| it.mentions_everyone)
        }))
        .bind(each(records, |it| {
            message(it).and_then(|it| it.sent_digest)
        }))
        .bind(each(records, |it| {
            message(it).and_then(|it| it.reactions.as_deref())
        }))
        .bind(each(records, |it| message(it).and_then(|it| it.edited_at)))
        .bind(each(records, |it| message(it).and_then(|it| it.deleted_at)))
        .bind(each(records, |it| message(it).and_then(|it| it.pinned_at)))
        .bind(each(records, |it| message(it).map(|it| it.changed_seq)))
}

/// What a batch changed beyond conversations, members and the end of logs.
pub(super) struct Changes<'l> {
    messages: Vec<(MessageRecord<'l>, i64)>,
    /// Of messages that say something else now.
    words: Vec<(&'l Message, Option<String>)>,
    ended: Vec<Uuid>,
    reactions: Vec<ReactionRow<'l>>,
    no_reactions: Vec<ReactionRow<'l>>,
    mentions: Vec<(MentionRow, Uuid)>,
    no_mentions: Vec<MentionRow>,
}

/// Without an emoji and a user, all of the message.
type ReactionRow<'l> = (Uuid, Option<&'l str>, Option<Uuid>);
/// Where, who is called, and by which message.
type MentionRow = (Uuid, Uuid, i64);

impl<'l> Changes<'l> {
    pub(super) fn of(before: &Before, loaded: &'l Loaded, entries: &[&Entry]) -> Self {
        let record = |it: &'l StoredMessage| {
            let at = it.message.created_at.as_millis();
            (MessageRecord::new(it), at)
        };
        let ended = loaded.conversations.iter();
        let ended = ended.filter(|(_, head)| head.changed && head.deleted);
        let reactions = loaded.reactions.iter().filter(|(_, it)| it.changed);
        let (present, absent): (Vec<_>, Vec<_>) = reactions.partition(|(_, it)| it.present);
        let mut changes = Self {
            messages: loaded.changed_messages().map(record).collect(),
            words: rewritten(loaded, entries),
            ended: ended.map(|(id, _)| id.as_uuid()).collect(),
            reactions: each(&present, |(key, _)| reaction_row(key)),
            no_reactions: each(&absent, |(key, _)| reaction_row(key)),
            mentions: Vec::new(),
            no_mentions: Vec::new(),
        };
        for stored in loaded.new_messages() {
            changes.call(&[], &stored.message);
        }
        for stored in loaded.changed_messages() {
            let message = &stored.message;
            let called = before.called.get(&(message.conversation_id, message.id));
            changes.call(called.map_or(&[], Vec::as_slice), message);
            if message.deleted_at.is_some() {
                let all = (message.id.as_uuid(), None, None);
                changes.no_reactions.push(all);
            }
        }
        changes
    }

    fn call(&mut self, before: &[Uuid], message: &Message) {
        let now = called_by(message);
        let (conversation, seq) = (message.conversation_id.as_uuid(), number(message.seq));
        for user in now.iter().filter(|user| !before.contains(user)) {
            let row = (conversation, *user, seq);
            self.mentions.push((row, message.sender_id.as_uuid()));
        }
        for user in before.iter().filter(|user| !now.contains(user)) {
            self.no_mentions.push((conversation, *user, seq));
        }
    }

    pub(super) fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        let (messages, words) = (&self.messages, &self.words);
        query
            .bind(each(messages, |(it, _)| it.conversation_id))
            .bind(each(messages, |(it, _)| it.seq))
            .bind(each(messages, |(_, at)| *at))
            .bind(each(messages, |(it, _)| it.author_id))
            .bind(each(messages, |(it, _)| it.body))
            .bind(each(messages, |(it, _)| it.mentions.as_deref()))
            .bind(each(messages, |(it, _)| it.mentions_everyone))
            .bind(each(messages, |(it, _)| it.sent_digest))
            .bind(each(messages, |(it, _)| it.reactions.as_deref()))
            .bind(each(messages, |(it, _)| it.edited_at))
            .bind(each(messages, |(it, _)| it.deleted_at))
            .bind(each(messages, |(it, _)| it.pinned_at))
            .bind(each(messages, |(it, _)| it.changed_seq))
            .bind(self.ended.clone())
            .bind(each(&self.reactions, |(message, ..)| *message))
            .bind(each(&self.reactions, |(_, emoji, _)| *emoji))
            .bind(each(&self.reactions, |(.., user)| *user))
            .bind(each(&self.no_reactions, |(message, ..)| *message))
            .bind(each(&self.no_reactions, |(_, emoji, _)| *emoji))
            .bind(each(&self.no_reactions, |(.., user)| *user))
            .bind(each(&self.mentions, |((conversation, ..), _)| {
                *conversation
            }))
            .bind(each(&self.mentions, |((_, user, _), _)| *user))
            .bind(each(&self.mentions, |((.., seq), _)| *seq))
            .bind(each(&self.mentions, |(_, author)| *author))
            .bind(each(&self.no_mentions, |(conversation, ..)| *conversation))
            .bind(each(&self.no_mentions, |(_, user, _)| *user))
            .bind(each(&self.no_mentions, |(.., seq)| *seq))
            .bind(each(words, |(it, _)| it.conversation_id.as_uuid()))
            .bind(each(words, |(it, _)| number(it.seq)))
            .bind(each(words, |(it, _)| it.created_at.as_millis()))
            .bind(each(words, |(it, _)| it.id.as_uuid()))
            .bind(each(words, |(it, _)| it.sender_id.as_uuid()))
            .bind(each(words, |(_, words)| words.as_deref()))
    }
}

/// Messages that were there before and are edited or deleted, with their words, in one order for everybody: each is
/// waited for by whoever indexes it at the same time.
fn rewritten<'l>(loaded: &'l Loaded, entries: &[&Entry]) -> Vec<(&'l Message, Option<String>)> {
    let mut rewritten = BTreeMap::new();
    for entry in entries {
        let (Change::MessageEdited { message } | Change::MessageDeleted { message, .. }) =
            &entry.change
        else {
            continue;
        };
        let stored = loaded.messages.get(&(message.conversation_id, message.id));
        if let Some(stored) = stored.filter(|stored| !stored.is_new) {
            let place = (message.conversation_id, message.seq);
            rewritten.insert(place, (&stored.message, indexed(stored)));
        }
    }
    rewritten.into_values().collect()
}

fn reaction_row((_, message, emoji, user): &ReactionKey) -> ReactionRow<'_> {
    let (emoji, user) = (emoji.as_str(), user.as_uuid());
    (message.as_uuid(), Some(emoji), Some(user))
}

/// One column of several rows.
pub(super) fn each<'r, R, T>(rows: &'r [R], column: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}
