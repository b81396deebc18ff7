//! What a batch changed, stored in one statement, if nobody else changed it before.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

use crate::{
    model::{ConversationId, UserId},
    store::{
        Committed, Refusal,
        columns::{EntryRecord, kind_code, number, role_code},
        decide::Loaded,
    },
};

/// Conversations are locked in the order in which they are given, then members. Where one of them is not as it was, nothing
/// is stored. No table is searched: each row goes where its key belongs.
pub(super) const STORE: &str = "
    WITH held AS MATERIALIZED (
        SELECT count(*) AS unchanged FROM unnest($1::uuid[], $2::bigint[]) AS n (id, head_seq)
        CROSS JOIN LATERAL (
            SELECT c.head_seq FROM chat_conversations c WHERE c.id = n.id FOR NO KEY UPDATE) AS c
        WHERE c.head_seq = n.head_seq),
    held_member AS MATERIALIZED (
        SELECT count(*) AS unchanged
        FROM unnest($3::uuid[], $4::uuid[], $5::bigint[]) AS n (conversation_id, user_id, rev)
        CROSS JOIN LATERAL (
            SELECT m.rev FROM chat_members m
            WHERE m.conversation_id = n.conversation_id AND m.user_id = n.user_id
            FOR NO KEY UPDATE) AS m
        WHERE m.rev = n.rev AND (SELECT unchanged FROM held) = cardinality($1)),
    ready AS MATERIALIZED (
        SELECT held.unchanged = cardinality($1) AND held_member.unchanged = cardinality($3) AS ready
        FROM held, held_member),
    conversation AS (
        INSERT INTO chat_conversations (id, kind, title, head_seq, last_message_seq,
            last_activity_at, member_count, owner_count)
        SELECT n.* FROM ready, unnest($6::uuid[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[],
            $11::bigint[], $12::bigint[], $13::bigint[]) AS n WHERE ready
        ON CONFLICT (id) DO UPDATE SET title = excluded.title, head_seq = excluded.head_seq,
            last_message_seq = excluded.last_message_seq,
            last_activity_at = excluded.last_activity_at,
            member_count = excluded.member_count, owner_count = excluded.owner_count),
    member AS (
        INSERT INTO chat_members (conversation_id, user_id, role, active, read_seq, rev)
        SELECT n.* FROM ready, unnest($14::uuid[], $15::uuid[], $16::bigint[], $17::boolean[],
            $18::bigint[], $19::bigint[]) AS n WHERE ready
        ON CONFLICT (conversation_id, user_id) DO UPDATE SET role = excluded.role,
            active = excluded.active, read_seq = excluded.read_seq, rev = excluded.rev),
    entry AS (
        INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, message_id, client_id, body,
            reply_to, user_id, role, title)
        SELECT n.* FROM ready, unnest($20::uuid[], $21::bigint[], $22::bigint[], $23::bigint[],
            $24::uuid[], $25::uuid[], $26::uuid[], $27::text[], $28::uuid[], $29::uuid[], $30::bigint[],
            $31::text[]) AS n WHERE ready)
    SELECT ready FROM ready";

/// How far things were when they were loaded.
pub(super) struct Before {
    heads: HashMap<ConversationId, i64>,
    revs: HashMap<(ConversationId, UserId), i64>,
}

impl Before {
    pub(super) fn of(loaded: &Loaded) -> Self {
        let heads = loaded.conversations.iter();
        let revs = loaded.members.iter();
        Self {
            heads: heads.map(|(id, head)| (*id, number(head.seq))).collect(),
            revs: revs.map(|(key, place)| (*key, number(place.rev))).collect(),
        }
    }
}

/// Stores what is changed. `false` if something was no longer as it was before; then nothing is.
pub(super) async fn store(
    connection: &mut PgConnection,
    before: &Before,
    loaded: &Loaded,
    results: &[Result<Committed, Refusal>],
) -> sqlx::Result<bool> {
    let conversations: Vec<_> = loaded
        .conversations
        .iter()
        .filter(|(_, head)| head.changed)
        .collect();
    let members: Vec<_> = loaded
        .members
        .iter()
        .filter(|(_, place)| place.changed)
        .collect();
    if conversations.is_empty() && members.is_empty() {
        return Ok(true);
    }
    let entries: Vec<_> = results
        .iter()
        .flat_map(|result| match result {
            Ok(Committed::Appended(entries)) => entries.as_slice(),
            _ => &[],
        })
        .map(EntryRecord::new)
        .collect();
    let changed = conversations.iter().map(|(id, _)| **id);
    let touched = changed.chain(members.iter().map(|((id, _), _)| *id));
    let held: BTreeMap<_, _> = touched
        .map(|id| (id, before.heads.get(&id).copied().unwrap_or(0)))
        .collect();
    let held: Vec<(ConversationId, i64)> = held.into_iter().collect();
    let known = members.iter();
    let known: Vec<_> = known
        .filter_map(|(key, _)| before.revs.get_key_value(key))
        .collect();
    sqlx::query_scalar(STORE)
        .bind(each(&held, |(id, _)| id.as_uuid()))
        .bind(each(&held, |(_, head)| *head))
        .bind(each(&known, |((id, _), _)| id.as_uuid()))
        .bind(each(&known, |((_, user), _)| user.as_uuid()))
        .bind(each(&known, |(_, rev)| **rev))
        .bind(each(&conversations, |(id, _)| id.as_uuid()))
        .bind(each(&conversations, |(_, head)| kind_code(head.kind)))
        .bind(each(&conversations, |(_, head)| head.title.as_deref()))
        .bind(each(&conversations, |(_, head)| number(head.seq)))
        .bind(each(&conversations, |(_, head)| {
            number(head.last_message_seq)
        }))
        .bind(each(&conversations, |(_, head)| {
            head.last_activity_at.as_millis()
        }))
        .bind(each(&conversations, |(_, head)| number(head.members)))
        .bind(each(&conversations, |(_, head)| number(head.owners)))
        .bind(each(&members, |((id, _), _)| id.as_uuid()))
        .bind(each(&members, |((_, user), _)| user.as_uuid()))
        .bind(each(&members, |(_, place)| role_code(place.role)))
        .bind(each(&members, |(_, place)| place.active))
        .bind(each(&members, |(_, place)| number(place.read_seq)))
        .bind(each(&members, |(_, place)| number(place.rev)))
        .bind(each(&entries, |entry| entry.conversation_id))
        .bind(each(&entries, |entry| entry.seq))
        .bind(each(&entries, |entry| entry.kind))
        .bind(each(&entries, |entry| entry.at))
        .bind(each(&entries, |entry| entry.author_id))
        .bind(each(&entries, |entry| entry.message_id))
        .bind(each(&entries, |entry| entry.client_id))
        .bind(each(&entries, |entry| entry.body))
        .bind(each(&entries, |entry| entry.reply_to))
        .bind(each(&entries, |entry| entry.user_id))
        .bind(each(&entries, |entry| entry.role))
        .bind(each(&entries, |entry| entry.title))
        .fetch_one(connection)
        .await
}

/// One column of several rows.
fn each<'r, R, T>(rows: &'r [R], column: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}
