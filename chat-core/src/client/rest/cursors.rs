//! Up to where I have read, and up to where I have the log.

use crate::{
    client::{Client, ClientError},
    model::{ConversationId, Seq},
    protocol::rest::{Cursor, MarkDelivered, MarkRead},
};

impl Client {
    /// Moves my read cursor forward; answers where it is then.
    pub async fn mark_read(
        &self,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Seq, ClientError> {
        let unread = false;
        self.move_read(conversation, MarkRead { seq, unread }).await
    }

    /// Sets my read cursor back on purpose, so that what comes after `seq` counts as unread; answers where it is then. Others
    /// are not told.
    pub async fn mark_unread(
        &self,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Seq, ClientError> {
        let unread = true;
        self.move_read(conversation, MarkRead { seq, unread }).await
    }

    async fn move_read(
        &self,
        conversation: ConversationId,
        mark: MarkRead,
    ) -> Result<Seq, ClientError> {
        let request = self.http().put(&Self::below(conversation, &["read"]))?;
        self.json::<Cursor>(request.json(&mark))
            .await
            .map(|cursor| cursor.seq)
    }

    /// Says that this device has the log up to here. A live connection does so by itself.
    pub async fn mark_delivered(
        &self,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<(), ClientError> {
        let request = self
            .http()
            .put(&Self::below(conversation, &["delivered"]))?;
        self.done(request.json(&MarkDelivered { seq })).await
    }
}
