-- The words of messages go into a table of their own, a moment after the messages were stored, so that sending does not wait
-- for it and no message is written anew for it.

-- What writes to the log meanwhile would write words where they are looked for no longer.
LOCK TABLE chat_entries IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE chat_words (
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    message_id uuid NOT NULL,
    author_id uuid NOT NULL,
    words tsvector,                                     -- NULL when deleted
    PRIMARY KEY (conversation_id, seq)
);

-- Up to where the log of a conversation is indexed.
CREATE TABLE chat_indexed (
    conversation_id uuid PRIMARY KEY,
    seq bigint NOT NULL
) WITH (fillfactor = 70);

-- What was found before is found as before; where words were not filled in to the end, that goes on afterwards.
INSERT INTO chat_words (conversation_id, seq, at, message_id, author_id, words)
    SELECT conversation_id, seq, at, message_id, author_id, words FROM chat_entries WHERE words IS NOT NULL;
INSERT INTO chat_indexed (conversation_id, seq)
    SELECT c.id, c.head_seq FROM chat_conversations c WHERE NOT EXISTS (
        SELECT FROM chat_entries e
        WHERE e.conversation_id = c.id AND e.words IS NULL AND e.kind = 0 AND e.deleted_at IS NULL);

-- What waits to become part of it is searched from end to end, so that there should never be much.
CREATE INDEX chat_words_by_word ON chat_words USING gin (words)
    WITH (gin_pending_list_limit = 512) WHERE words IS NOT NULL;

-- What is found often is found among the newest, in the order in which it is told.
CREATE INDEX chat_words_by_time ON chat_words (at, message_id) WHERE words IS NOT NULL;

-- Its indexes go with it.
ALTER TABLE chat_entries DROP COLUMN words;
