-- The nodes that share this store, and when each last said that it is there. It is looked at only when one is not heard.

CREATE TABLE chat_nodes (
    node_id uuid PRIMARY KEY,
    renewed_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX chat_nodes_by_time ON chat_nodes (renewed_at);
