ALTER TABLE chat_conversations ADD COLUMN topic TEXT;
ALTER TABLE chat_conversations ADD COLUMN history INTEGER NOT NULL DEFAULT 0;   -- 0 shared, 1 from joining on
ALTER TABLE chat_conversations ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;

ALTER TABLE chat_members ADD COLUMN banned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chat_members ADD COLUMN shown_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chat_members ADD COLUMN delivered_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chat_members ADD COLUMN history_from INTEGER NOT NULL DEFAULT 1;
ALTER TABLE chat_members ADD COLUMN notify INTEGER NOT NULL DEFAULT 0;          -- 0 all, 1 mentions, 2 nothing
UPDATE chat_members SET shown_seq = read_seq, delivered_seq = read_seq;
CREATE INDEX chat_members_banned ON chat_members (conversation_id, user_id) WHERE banned = 1;

-- Kinds: 5 edited, 6 deleted, 7 reaction added, 8 removed, 9 pinned, 10 unpinned, 11 topic, 12 history, 13 conversation
-- deleted.
ALTER TABLE chat_entries ADD COLUMN target_seq INTEGER;          -- the earlier message that it changes
ALTER TABLE chat_entries ADD COLUMN emoji TEXT;
ALTER TABLE chat_entries ADD COLUMN history INTEGER;
ALTER TABLE chat_entries ADD COLUMN banned INTEGER;
-- All others are of a message.
ALTER TABLE chat_entries ADD COLUMN sent_digest BLOB;            -- SHA-256 of the text that was sent, if it is another now
ALTER TABLE chat_entries ADD COLUMN mentions BLOB;               -- ids one after the other
ALTER TABLE chat_entries ADD COLUMN mentions_everyone INTEGER;
ALTER TABLE chat_entries ADD COLUMN reactions TEXT;              -- JSON
ALTER TABLE chat_entries ADD COLUMN pinned_at INTEGER;
ALTER TABLE chat_entries ADD COLUMN changed_seq INTEGER;
ALTER TABLE chat_entries ADD COLUMN search_id INTEGER;           -- its row in chat_search; none once it is deleted
CREATE UNIQUE INDEX chat_entries_by_search_id ON chat_entries (search_id) WHERE search_id IS NOT NULL;
CREATE INDEX chat_entries_pinned ON chat_entries (conversation_id, seq) WHERE pinned_at IS NOT NULL;

CREATE TABLE chat_reactions (
    message_id BLOB NOT NULL,
    emoji TEXT NOT NULL,
    user_id BLOB NOT NULL,
    PRIMARY KEY (message_id, emoji, user_id)
) STRICT, WITHOUT ROWID;

-- Whom a message calls; the nil UUID is everyone.
CREATE TABLE chat_mentions (
    conversation_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    author_id BLOB NOT NULL,
    PRIMARY KEY (conversation_id, user_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_blocks (
    blocker BLOB NOT NULL,
    blocked BLOB NOT NULL,
    PRIMARY KEY (blocker, blocked)
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_users (
    user_id BLOB PRIMARY KEY NOT NULL,
    read_receipts INTEGER NOT NULL,
    typing INTEGER NOT NULL,
    availability INTEGER NOT NULL                 -- 0 online, 1 do not disturb, 2 invisible
) STRICT, WITHOUT ROWID;

-- The words of each message, its sender as '@' and its conversation as '#', without the text itself. Short beginnings of
-- words, which many have, are looked up as they are.
CREATE VIRTUAL TABLE chat_search USING fts5 (
    words, content='', contentless_delete=1, detail='none', tokenize="ascii tokenchars '#@'"
);

-- Up to where the messages that were there before have been taken into it; gone when all have.
INSERT INTO chat_meta (key, value) VALUES ('indexed', x'');
