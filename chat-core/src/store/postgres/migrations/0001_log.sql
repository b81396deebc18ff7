-- Times are milliseconds since 1970.

CREATE TABLE chat_meta (
    key text PRIMARY KEY,
    value uuid NOT NULL
);

-- Room is left on the pages of the two tables whose rows change with every message, so that the new state of a row can
-- stay beside the old one.
CREATE TABLE chat_conversations (
    id uuid PRIMARY KEY,
    kind bigint NOT NULL,                         -- 0 direct, 1 group
    title text,
    direct_pair bytea UNIQUE,                     -- both user ids, the smaller first
    head_seq bigint NOT NULL,
    last_message_seq bigint NOT NULL,             -- 0: none
    last_activity_at bigint NOT NULL,
    member_count bigint NOT NULL,
    owner_count bigint NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE chat_members (
    conversation_id uuid NOT NULL REFERENCES chat_conversations (id),
    user_id uuid NOT NULL,
    role bigint NOT NULL,                         -- 0 member, 1 admin, 2 owner
    active boolean NOT NULL,                      -- false: a former member, whose rev goes on
    opened boolean NOT NULL DEFAULT false,        -- true: sees the direct conversation before its first message
    read_seq bigint NOT NULL,
    rev bigint NOT NULL,
    pinned boolean NOT NULL DEFAULT false,
    muted boolean NOT NULL DEFAULT false,
    archived boolean NOT NULL DEFAULT false,
    PRIMARY KEY (conversation_id, user_id)
) WITH (fillfactor = 70);

CREATE INDEX chat_members_by_user ON chat_members (user_id, conversation_id) WHERE active;

-- A message is the entry that it made, in its present state.
CREATE TABLE chat_entries (
    conversation_id uuid NOT NULL REFERENCES chat_conversations (id),
    seq bigint NOT NULL,
    kind bigint NOT NULL,                         -- 0 message, 1 joined, 2 left, 3 role, 4 renamed
    at bigint NOT NULL,
    author_id uuid NOT NULL,
    message_id uuid,                              -- of a message, as are the next three and the last two
    client_id uuid,
    body text,
    reply_to uuid,
    user_id uuid,                                 -- who joined, left, or has another role
    role bigint,
    title text,
    edited_at bigint,
    deleted_at bigint,
    PRIMARY KEY (conversation_id, seq)
);

CREATE UNIQUE INDEX chat_entries_by_client_id
    ON chat_entries (conversation_id, author_id, client_id) WHERE client_id IS NOT NULL;
CREATE UNIQUE INDEX chat_entries_by_message_id
    ON chat_entries (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE chat_last_seen (
    user_id uuid PRIMARY KEY,
    at bigint NOT NULL
);
