//! What a batch changed, stored in one statement, if nobody else changed it before.

use sqlx::PgConnection;

use super::changes::{Before, Changes, Shared, bind_entries, bind_sends};
use crate::{
    model::{Change, Entry},
    store::{
        Committed, Refusal,
        columns::{EntryRecord, called_by},
        decide::Loaded,
    },
};

/// Conversations are locked in the order in which they are given, then members. Where one of them is not as it was, nothing
/// is stored. No table is searched: each row goes where its key belongs. What else there is to store stands between this
/// and the end.
macro_rules! store {
    ($($more:literal),*) => {
        concat!(
            "
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
        INSERT INTO chat_conversations (id, kind, title, topic, history, deleted, head_seq,
            last_message_seq, last_activity_at, member_count, owner_count)
        SELECT n.* FROM ready, unnest($6::uuid[], $7::bigint[], $8::text[], $9::text[], $10::bigint[],
            $11::boolean[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[]) AS n
        WHERE ready
        ON CONFLICT (id) DO UPDATE SET title = excluded.title, topic = excluded.topic,
            history = excluded.history, deleted = excluded.deleted, head_seq = excluded.head_seq,
            last_message_seq = excluded.last_message_seq,
            last_activity_at = excluded.last_activity_at,
            member_count = excluded.member_count, owner_count = excluded.owner_count),
    member AS (
        INSERT INTO chat_members (conversation_id, user_id, role, active, banned, read_seq, shown_seq,
            delivered_seq, history_from, rev, pinned, muted, archived, notify)
        SELECT n.* FROM ready, unnest($17::uuid[], $18::uuid[], $19::bigint[], $20::boolean[],
            $21::boolean[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[], $26::bigint[],
            $27::boolean[], $28::boolean[], $29::boolean[], $30::bigint[]) AS n WHERE ready
        ON CONFLICT (conversation_id, user_id) DO UPDATE SET role = excluded.role,
            active = excluded.active, banned = excluded.banned, read_seq = excluded.read_seq,
            shown_seq = greatest(chat_members.shown_seq, excluded.shown_seq),
            delivered_seq = greatest(chat_members.delivered_seq, excluded.delivered_seq),
            history_from = excluded.history_from, rev = excluded.rev, pinned = excluded.pinned,
            muted = excluded.muted, archived = excluded.archived, notify = excluded.notify)",
            $($more,)*
            "
    SELECT ready FROM ready"
        )
    };
}

/// Stores a batch of which nothing comes but messages that call nobody, and cursors that move.
pub(super) const STORE_SENDS: &str = store!(
    ",
    entry AS (
        INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, message_id, client_id, body,
            reply_to, changed_seq)
        SELECT n.conversation_id, n.seq, 0, n.at, n.author_id, n.message_id, n.client_id, n.body, n.reply_to, n.seq
        FROM ready, unnest($31::uuid[], $32::bigint[], $33::bigint[], $34::uuid[], $35::uuid[], $36::uuid[],
            $37::text[], $38::uuid[])
            AS n (conversation_id, seq, at, author_id, message_id, client_id, body, reply_to)
        WHERE ready)"
);

/// Stores any batch. A message that is changed is there, so that its insertion always ends in the conflict. Memberships
/// that end with their conversation are those of `member` and all others. What a message says after it was changed is
/// indexed at once, and whoever read what it said before, to index that, is too late.
pub(super) const STORE: &str = store!(
    ",
    entry AS (
        INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, message_id, client_id, body,
            reply_to, user_id, role, title, history, banned, target_seq, emoji, mentions,
            mentions_everyone, sent_digest, reactions, edited_at, deleted_at, pinned_at, changed_seq)
        SELECT n.conversation_id, n.seq, n.kind, n.at, n.author_id, n.message_id, n.client_id, n.body,
            n.reply_to, n.user_id, n.role, n.title,
            n.history, n.banned, n.target_seq, n.emoji, n.mentions, n.mentions_everyone, n.sent_digest,
            n.reactions, n.edited_at, n.deleted_at, n.pinned_at, n.changed_seq
        FROM ready, unnest($31::uuid[], $32::bigint[], $33::bigint[], $34::uuid[], $35::uuid[], $36::uuid[],
            $37::text[], $38::uuid[], $39::bigint[], $40::uuid[], $41::bigint[], $42::text[],
            $43::bigint[], $44::boolean[], $45::bigint[], $46::text[], $47::bytea[], $48::boolean[],
            $49::bytea[], $50::text[], $51::bigint[], $52::bigint[], $53::bigint[], $54::bigint[])
            AS n (conversation_id, seq, at, author_id, message_id, client_id, body, reply_to,
            kind, user_id, role, title, history, banned, target_seq, emoji, mentions, mentions_everyone,
            sent_digest, reactions, edited_at, deleted_at, pinned_at, changed_seq)
        WHERE ready),
    message AS (
        INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, body, mentions,
            mentions_everyone, sent_digest, reactions, edited_at, deleted_at, pinned_at, changed_seq)
        SELECT n.conversation_id, n.seq, 0, n.at, n.author_id, n.body, n.mentions, n.mentions_everyone, n.sent_digest,
            n.reactions, n.edited_at, n.deleted_at, n.pinned_at, n.changed_seq
        FROM ready, unnest($55::uuid[], $56::bigint[], $57::bigint[], $58::uuid[], $59::text[],
            $60::bytea[], $61::boolean[], $62::bytea[], $63::text[], $64::bigint[], $65::bigint[],
            $66::bigint[], $67::bigint[])
            AS n (conversation_id, seq, at, author_id, body, mentions, mentions_everyone, sent_digest,
            reactions, edited_at, deleted_at, pinned_at, changed_seq)
        WHERE ready
        ON CONFLICT (conversation_id, seq) DO UPDATE SET body = excluded.body,
            mentions = excluded.mentions, mentions_everyone = excluded.mentions_everyone,
            sent_digest = excluded.sent_digest, reactions = excluded.reactions,
            edited_at = excluded.edited_at, deleted_at = excluded.deleted_at,
            pinned_at = excluded.pinned_at, changed_seq = excluded.changed_seq),
    ended AS (
        UPDATE chat_members m SET active = false, rev = m.rev + 1
        FROM ready, unnest($68::uuid[]) AS n (conversation_id)
        WHERE ready AND m.conversation_id = n.conversation_id AND m.active AND NOT EXISTS (
            SELECT FROM unnest($17::uuid[], $18::uuid[]) AS other (conversation_id, user_id)
            WHERE other.conversation_id = m.conversation_id AND other.user_id = m.user_id)),
    reaction AS (
        INSERT INTO chat_reactions (message_id, emoji, user_id)
        SELECT n.* FROM ready, unnest($69::uuid[], $70::text[], $71::uuid[]) AS n WHERE ready
        ON CONFLICT DO NOTHING),
    no_reaction AS (
        DELETE FROM chat_reactions r
        USING ready, unnest($72::uuid[], $73::text[], $74::uuid[]) AS n (message_id, emoji, user_id)
        WHERE ready AND r.message_id = n.message_id
            AND (n.emoji IS NULL OR (r.emoji = n.emoji AND r.user_id = n.user_id))),
    mention AS (
        INSERT INTO chat_mentions (conversation_id, user_id, seq, author_id)
        SELECT n.* FROM ready, unnest($75::uuid[], $76::uuid[], $77::bigint[], $78::uuid[]) AS n WHERE ready
        ON CONFLICT DO NOTHING),
    no_mention AS (
        DELETE FROM chat_mentions t
        USING ready, unnest($79::uuid[], $80::uuid[], $81::bigint[]) AS n (conversation_id, user_id, seq)
        WHERE ready AND t.conversation_id = n.conversation_id AND t.user_id = n.user_id AND t.seq = n.seq),
    words AS (
        INSERT INTO chat_words (conversation_id, seq, at, message_id, author_id, words)
        SELECT n.conversation_id, n.seq, n.at, n.message_id, n.author_id,
            array_to_tsvector(string_to_array(n.words, ' '))
        FROM ready, unnest($82::uuid[], $83::bigint[], $84::bigint[], $85::uuid[], $86::uuid[], $87::text[])
            AS n (conversation_id, seq, at, message_id, author_id, words)
        WHERE ready
        ON CONFLICT (conversation_id, seq) DO UPDATE SET words = excluded.words)"
);

/// Stores what is changed. `false` if something was no longer as it was before; then nothing is.
pub(super) async fn store(
    connection: &mut PgConnection,
    before: &Before,
    loaded: &Loaded,
    results: &[Result<Committed, Refusal>],
) -> sqlx::Result<bool> {
    let shared = Shared::of(before, loaded);
    if shared.held.is_empty() {
        return Ok(true);
    }
    let entries: Vec<&Entry> = results
        .iter()
        .flat_map(|result| match result {
            Ok(Committed::Appended(entries)) => entries.as_slice(),
            _ => &[],
        })
        .collect();
    let records: Vec<EntryRecord<'_>> = entries
        .iter()
        .map(|entry| {
            let message = entry.message().map(|it| (it.conversation_id, it.id));
            let message = message.and_then(|key| loaded.messages.get(&key));
            EntryRecord::new(entry, message)
        })
        .collect();
    let only_sends = entries.iter().all(|entry| match &entry.change {
        Change::NewMessage { message } => called_by(message).is_empty(),
        _ => false,
    });
    let statement = if only_sends { STORE_SENDS } else { STORE };
    let query = shared.bind(sqlx::query_scalar(statement));
    let query = bind_sends(query, &records);
    if only_sends {
        return query.fetch_one(connection).await;
    }
    let query = bind_entries(query, &records);
    let changes = Changes::of(before, loaded, &entries);
    let query = changes.bind(query);
    query.fetch_one(connection).await
}
