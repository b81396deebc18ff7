-- A page of a list is picked from the index alone and the conversations' activity, the newest conversations first.
DROP INDEX chat_members_by_user;
CREATE INDEX chat_members_by_user ON chat_members (user_id, active, conversation_id DESC, pinned, opened);
