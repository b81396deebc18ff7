//! The conversation list, making conversations, and changing them for all or for me.

use crate::{
    NewGroup,
    client::{Client, ClientError, http},
    model::{ConversationId, MineChanges, Row, Seq, UserId},
    protocol::rest::{CreateGroup, KnownRows, Page, PatchConversation, RowChanges},
};

impl Client {
    /// A page of my list, pinned first, then newest activity; at most 200 rows.
    pub async fn conversations(&self, cursor: Option<&str>) -> Result<Page<Row>, ClientError> {
        self.page(self.http().get(&["conversations"])?, cursor)
            .await
    }

    /// My row of a conversation.
    pub async fn conversation(&self, id: ConversationId) -> Result<Row, ClientError> {
        self.json(self.http().get(&Self::below(id, &[]))?).await
    }

    /// What changed in my list since I knew these: `(id, head_seq, rev)` of each row I hold.
    pub async fn changes(
        &self,
        known: Vec<(ConversationId, Seq, u64)>,
    ) -> Result<RowChanges, ClientError> {
        let request = self.http().post(&["conversations", "changes"])?;
        self.json(request.json(&KnownRows { known })).await
    }

    /// Makes a group that I own. After [`ClientError::Interrupted`] it may have been made: look at the list.
    pub async fn create_group(&self, group: NewGroup) -> Result<Row, ClientError> {
        let body = CreateGroup {
            title: group.title.into(),
            topic: group.topic.map(String::from),
            history: group.history,
            member_ids: group.members,
        };
        let request = self.http().post(&["conversations"])?.json(&body);
        http::decode(&self.authorized(request).await?)
    }

    /// The one direct conversation with somebody; made if need be.
    pub async fn direct(&self, peer: UserId) -> Result<Row, ClientError> {
        self.json(self.http().put(&["direct", &peer.to_string()])?)
            .await
    }

    /// Changes a group for all its members: title, topic, and what those see who join later.
    pub async fn update(
        &self,
        conversation: ConversationId,
        changes: PatchConversation,
    ) -> Result<Row, ClientError> {
        let request = self.http().patch(&Self::below(conversation, &[]))?;
        self.json(request.json(&changes)).await
    }

    /// Changes what a conversation is to me: pinned, muted, archived, what makes itself heard.
    pub async fn update_mine(
        &self,
        conversation: ConversationId,
        changes: MineChanges,
    ) -> Result<Row, ClientError> {
        let request = self.http().patch(&Self::below(conversation, &["me"]))?;
        self.json(request.json(&changes)).await
    }

    /// Ends a group for everyone; only its owners can.
    pub async fn delete_conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<(), ClientError> {
        self.gone(self.http().delete(&Self::below(conversation, &[]))?)
            .await
    }
}
