-- No statement here rewrites the log: what its messages lack is filled in by small steps afterwards, or read as if it were
-- there.

ALTER TABLE chat_conversations
    ADD COLUMN topic text,
    ADD COLUMN history bigint NOT NULL DEFAULT 0,       -- 0 shared, 1 from joining on
    ADD COLUMN deleted boolean NOT NULL DEFAULT false;

ALTER TABLE chat_members
    ADD COLUMN banned boolean NOT NULL DEFAULT false,
    ADD COLUMN shown_seq bigint NOT NULL DEFAULT 0,
    ADD COLUMN delivered_seq bigint NOT NULL DEFAULT 0,
    ADD COLUMN history_from bigint NOT NULL DEFAULT 1,
    ADD COLUMN notify bigint NOT NULL DEFAULT 0;        -- 0 all, 1 mentions, 2 nothing

UPDATE chat_members SET shown_seq = read_seq, delivered_seq = read_seq WHERE read_seq > 0;

CREATE INDEX chat_members_banned ON chat_members (conversation_id, user_id) WHERE banned;

-- Kinds: 5 edited, 6 deleted, 7 reaction added, 8 reaction removed, 9 pinned, 10 unpinned, 11 topic, 12 history,
-- 13 conversation deleted.
ALTER TABLE chat_entries
    ADD COLUMN target_seq bigint,                       -- of what changes a message: the place of that message
    ADD COLUMN emoji text,                              -- of a reaction
    ADD COLUMN history bigint,
    ADD COLUMN banned boolean,                          -- of who left
    ADD COLUMN sent_digest bytea,                       -- of a message, as are all that follow
    ADD COLUMN mentions bytea,                          -- ids of users, one after the other
    ADD COLUMN mentions_everyone boolean,
    ADD COLUMN reactions text,                          -- JSON
    ADD COLUMN pinned_at bigint,
    ADD COLUMN changed_seq bigint,                      -- NULL is as seq
    ADD COLUMN words tsvector,                          -- NULL when deleted
    -- Messages change now, and the new state of a row should find room beside the old one.
    SET (fillfactor = 90);

CREATE INDEX chat_entries_pinned ON chat_entries (conversation_id, seq) WHERE pinned_at IS NOT NULL;

-- What waits to become part of it is searched from end to end, so that there should never be much.
CREATE INDEX chat_entries_by_word ON chat_entries USING gin (words)
    WITH (gin_pending_list_limit = 512) WHERE words IS NOT NULL;

-- What is found often is found among the newest, in the order in which it is told.
CREATE INDEX chat_entries_by_time ON chat_entries (at, message_id) WHERE words IS NOT NULL;

-- Messages that cannot be found yet: those that are older than this migration.
CREATE INDEX chat_entries_without_words ON chat_entries (conversation_id, seq)
    WHERE words IS NULL AND kind = 0 AND deleted_at IS NULL;

CREATE TABLE chat_reactions (
    message_id uuid NOT NULL,
    emoji text COLLATE "C" NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (message_id, emoji, user_id)
);

-- Whom messages call by name; who is called with everyone has the nil UUID.
CREATE TABLE chat_mentions (
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    seq bigint NOT NULL,
    author_id uuid NOT NULL,
    PRIMARY KEY (conversation_id, user_id, seq)
);

CREATE TABLE chat_blocks (
    blocker uuid NOT NULL,
    blocked uuid NOT NULL,
    PRIMARY KEY (blocker, blocked)
);

CREATE TABLE chat_users (
    user_id uuid PRIMARY KEY,
    read_receipts boolean NOT NULL,
    typing boolean NOT NULL,
    availability bigint NOT NULL                        -- 0 online, 1 do not disturb, 2 invisible
);
