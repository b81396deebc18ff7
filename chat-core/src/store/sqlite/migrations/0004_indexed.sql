-- Messages are indexed a moment after they were stored: up to here. What is after it has no search_id.
CREATE TABLE chat_indexed (
    conversation_id BLOB PRIMARY KEY NOT NULL,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- All that is there is indexed, unless it is still being taken in.
INSERT INTO chat_indexed (conversation_id, seq)
SELECT id, head_seq FROM chat_conversations WHERE NOT EXISTS (SELECT 1 FROM chat_meta WHERE key = 'indexed');
