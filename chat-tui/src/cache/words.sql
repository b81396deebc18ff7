-- The user's own words: what is still to be sent, and what is being written.
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id BLOB NOT NULL UNIQUE,
    conversation_id BLOB NOT NULL,
    body TEXT NOT NULL,
    reply_to BLOB,
    at INTEGER NOT NULL,
    refusal TEXT,
    needs_new_id INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE drafts (
    conversation_id BLOB PRIMARY KEY,
    draft TEXT NOT NULL
) STRICT, WITHOUT ROWID;
