CREATE TABLE accounts (
    id uuid NOT NULL PRIMARY KEY,
    -- Sorted by code points, as in every database.
    username text COLLATE "C" NOT NULL UNIQUE,
    display_name text NOT NULL,
    -- Both names in lower case, to be searched.
    names text NOT NULL,
    password_hash text NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE sign_ins (
    id uuid NOT NULL PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at bigint NOT NULL,
    refreshed_at bigint NOT NULL,
    revoked_at bigint
);

CREATE INDEX sign_ins_by_account ON sign_ins (account_id);
CREATE INDEX sign_ins_by_refresh ON sign_ins (refreshed_at);
CREATE INDEX sign_ins_by_revocation ON sign_ins (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE refresh_tokens (
    -- SHA-256 of the token, which is nowhere in clear.
    hash bytea NOT NULL PRIMARY KEY,
    sign_in_id uuid NOT NULL REFERENCES sign_ins (id) ON DELETE CASCADE,
    created_at bigint NOT NULL,
    used_at bigint
);

CREATE INDEX refresh_tokens_by_sign_in ON refresh_tokens (sign_in_id, created_at);
