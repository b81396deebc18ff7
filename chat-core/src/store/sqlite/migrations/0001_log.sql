-- Ids are the 16 bytes of a UUID, times are milliseconds since 1970, truths are 0 and 1.

CREATE TABLE chat_meta (
    key TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_conversations (
    id BLOB PRIMARY KEY NOT NULL,
    kind INTEGER NOT NULL,                        -- 0 direct, 1 group
    title TEXT,
    direct_pair BLOB UNIQUE,                      -- both user ids, the smaller first
    head_seq INTEGER NOT NULL,
    last_message_seq INTEGER NOT NULL,            -- 0: none
    last_activity_at INTEGER NOT NULL,
    member_count INTEGER NOT NULL,
    owner_count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_members (
    conversation_id BLOB NOT NULL REFERENCES chat_conversations (id),
    user_id BLOB NOT NULL,
    role INTEGER NOT NULL,                        -- 0 member, 1 admin, 2 owner
    active INTEGER NOT NULL,                      -- 0: a former member, whose rev goes on
    opened INTEGER NOT NULL DEFAULT 0,            -- 1: sees the direct conversation before its first message
    read_seq INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    muted INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX chat_members_by_user ON chat_members (user_id, conversation_id) WHERE active = 1;

-- A message is the entry that it made, in its present state. The key keeps a conversation's log together on disk.
CREATE TABLE chat_entries (
    conversation_id BLOB NOT NULL REFERENCES chat_conversations (id),
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,                        -- 0 message, 1 joined, 2 left, 3 role, 4 renamed
    at INTEGER NOT NULL,
    author_id BLOB NOT NULL,
    message_id BLOB,                              -- of a message, as are the next three and the last two
    client_id BLOB,
    body TEXT,
    reply_to BLOB,
    user_id BLOB,                                 -- who joined, left, or has another role
    role INTEGER,
    title TEXT,
    edited_at INTEGER,
    deleted_at INTEGER,
    PRIMARY KEY (conversation_id, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX chat_entries_by_client_id
    ON chat_entries (conversation_id, author_id, client_id) WHERE client_id IS NOT NULL;
CREATE UNIQUE INDEX chat_entries_by_message_id
    ON chat_entries (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE chat_last_seen (
    user_id BLOB PRIMARY KEY NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
