ALTER TABLE sign_ins
    -- The address that it was begun from, and the program that began it, by its own account.
    ADD COLUMN address text,
    ADD COLUMN user_agent text;

ALTER TABLE accounts DROP COLUMN names;

-- Display names by their words, to be found by the beginning of any of them.
CREATE TABLE account_words (
    -- From one of the words to the end of the name, in lower case and without accents, sorted by code points.
    words text COLLATE "C" NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (words, account_id)
);

CREATE INDEX account_words_by_account ON account_words (account_id);
