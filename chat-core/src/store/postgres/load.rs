//! What a batch depends on: locked if need be, and read in one round trip.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::{changes::each, decode::message_columns, error::store_error};
use crate::{
    model::ConversationId,
    store::{
        StoreError,
        columns::{Columns, corrupt},
        decide::{Loaded, Needed, StoredReaction},
    },
};

const CONVERSATION: i32 = 1;
const MEMBER: i32 = 2;
const SEND: i32 = 3;
const MESSAGE: i32 = 4;
const REACTION: i32 = 5;

/// Conversations, members, earlier sends, messages and reactions, in one snapshot. Whatever is asked for, each is one look
/// into an index: what is in the way of another plan are the limits.
pub(super) const LOAD: &str = concat!(
    "
    SELECT n.what, n.conversation_id AS asked_in, n.user_id, n.id AS asked_id, n.emoji,
        c.kind, c.title, c.topic, c.history, c.direct_pair, c.low_blocks, c.high_blocks, c.head_seq,
        c.last_message_seq, c.last_activity_at, c.member_count, c.owner_count,
        m.role, m.active, m.banned, m.read_seq, m.shown_seq, m.delivered_seq, m.history_from, m.rev,
        m.pinned, m.muted, m.archived, m.notify, e.*
    FROM unnest($1::int[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[])
        AS n (what, conversation_id, user_id, id, emoji)
    LEFT JOIN LATERAL (
        SELECT c.*,
            EXISTS (SELECT FROM chat_blocks b WHERE b.blocker = p.low AND b.blocked = p.high) AS low_blocks,
            EXISTS (SELECT FROM chat_blocks b WHERE b.blocker = p.high AND b.blocked = p.low) AS high_blocks
        FROM chat_conversations c CROSS JOIN LATERAL (
            SELECT encode(substr(c.direct_pair, 1, 16), 'hex')::uuid AS low,
                encode(substr(c.direct_pair, 17, 16), 'hex')::uuid AS high) AS p
        WHERE n.what = 1 AND c.id = n.conversation_id LIMIT 1) AS c ON true
    LEFT JOIN LATERAL (
        SELECT * FROM chat_members m
        WHERE n.what = 2 AND m.conversation_id = n.conversation_id AND m.user_id = n.user_id
        LIMIT 1) AS m ON true
    LEFT JOIN LATERAL (
        (SELECT e.sent_digest, ",
    message_columns!("e"),
    " FROM chat_entries e
            WHERE n.what = 3 AND e.conversation_id = n.conversation_id AND e.author_id = n.user_id
                AND e.client_id = n.id LIMIT 1)
        UNION ALL
        (SELECT e.sent_digest, ",
    message_columns!("e"),
    " FROM chat_entries e
            WHERE n.what = 4 AND e.message_id = n.id AND e.conversation_id = n.conversation_id LIMIT 1)
        LIMIT 1) AS e ON true
    LEFT JOIN LATERAL (
        SELECT true AS is_there FROM chat_reactions r
        WHERE n.what = 5 AND r.message_id = n.id AND r.emoji = n.emoji AND r.user_id = n.user_id
        LIMIT 1) AS r ON true
    WHERE c.kind IS NOT NULL OR m.role IS NOT NULL OR e.seq IS NOT NULL OR r.is_there"
);

/// Begins a transaction whose statements each see what was committed before they began, whatever the connections of
/// somebody's pool may have been told; makes rows for the groups that are to be made; and locks the conversations in the
/// order of their ids. Answers which groups there were not. One text for one round trip, in which ids are all that varies.
pub(super) async fn begin_and_lock(
    connection: &mut PgConnection,
    needed: &Needed,
) -> sqlx::Result<BTreeSet<ConversationId>> {
    let groups = array(needed.groups.iter());
    let conversations = array(needed.conversations.iter());
    let statements = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
        INSERT INTO chat_conversations
            (id, kind, head_seq, last_message_seq, last_activity_at, member_count, owner_count)
        SELECT id, 1, 0, 0, 0, 0, 0 FROM unnest({groups}) AS id ORDER BY id
        ON CONFLICT (id) DO NOTHING RETURNING id;
        SELECT NULL::uuid AS id FROM unnest({conversations}) AS n (id)
        CROSS JOIN LATERAL (
            SELECT FROM chat_conversations c WHERE c.id = n.id FOR NO KEY UPDATE) AS c"
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(statements))
        .fetch_all(connection)
        .await?;
    let mut made = BTreeSet::new();
    for row in rows {
        let id: Option<Uuid> = row.try_get("id")?;
        made.extend(id.map(ConversationId::from_uuid));
    }
    Ok(made)
}

fn array<'i>(ids: impl Iterator<Item = &'i ConversationId>) -> String {
    let ids: Vec<_> = ids.map(|id| id.as_uuid().simple().to_string()).collect();
    format!("'{{{}}}'::uuid[]", ids.join(","))
}

/// One thing that is asked for.
struct Asked<'n> {
    what: i32,
    conversation: ConversationId,
    user: Option<Uuid>,
    /// Of a send or a message.
    id: Option<Uuid>,
    emoji: Option<&'n str>,
}

impl<'n> Asked<'n> {
    fn all(needed: &'n Needed) -> Vec<Self> {
        let of = |what, conversation| Self {
            what,
            conversation,
            user: None,
            id: None,
            emoji: None,
        };
        let conversations = needed.conversations.iter();
        let conversations = conversations.map(|id| of(CONVERSATION, *id));
        let members = needed.members.iter().map(|(id, user)| Self {
            user: Some(user.as_uuid()),
            ..of(MEMBER, *id)
        });
        let sends = needed.sends.iter().map(|(id, author, client_id)| Self {
            user: Some(author.as_uuid()),
            id: Some(client_id.as_uuid()),
            ..of(SEND, *id)
        });
        let messages = needed.messages.iter().map(|(id, message)| Self {
            id: Some(message.as_uuid()),
            ..of(MESSAGE, *id)
        });
        let reactions = needed.reactions.iter();
        let reactions = reactions.map(|(id, message, emoji, user)| Self {
            user: Some(user.as_uuid()),
            id: Some(message.as_uuid()),
            emoji: Some(emoji.as_str()),
            ..of(REACTION, *id)
        });
        conversations
            .chain(members)
            .chain(sends)
            .chain(messages)
            .chain(reactions)
            .collect()
    }
}

/// Runs [`LOAD`].
pub(super) async fn load(
    connection: &mut PgConnection,
    needed: &Needed,
) -> sqlx::Result<Vec<PgRow>> {
    let asked = Asked::all(needed);
    sqlx::query(LOAD)
        .bind(each(&asked, |it| it.what))
        .bind(each(&asked, |it| it.conversation.as_uuid()))
        .bind(each(&asked, |it| it.user))
        .bind(each(&asked, |it| it.id))
        .bind(each(&asked, |it| it.emoji))
        .fetch_all(connection)
        .await
}

/// What the answer to [`LOAD`] says.
pub(super) fn loaded(rows: &[PgRow]) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for row in rows {
        let conversation = row.conversation_id("asked_in")?;
        match row.try_get("what").map_err(store_error)? {
            CONVERSATION => {
                loaded.conversations.insert(conversation, row.head()?);
            }
            MEMBER => {
                let key = (conversation, row.user_id("user_id")?);
                loaded.members.insert(key, row.place()?);
            }
            SEND => {
                let sent = row.message()?;
                let key = (conversation, sent.sender_id, sent.client_id);
                loaded.sends.insert(key, sent.id);
                loaded.insert_message(sent, row.sent_digest()?);
            }
            MESSAGE => loaded.insert_message(row.message()?, row.sent_digest()?),
            REACTION => {
                let (message, user) = (row.message_id("asked_id")?, row.user_id("user_id")?);
                let key = (conversation, message, row.emoji("emoji")?, user);
                let stored = StoredReaction {
                    present: true,
                    changed: false,
                };
                loaded.reactions.insert(key, stored);
            }
            other => return Err(corrupt("what", other)),
        }
    }
    Ok(loaded)
}
