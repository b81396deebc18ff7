//! Who belongs to a conversation, in what role, and who may not come back.

use crate::{
    client::{Client, ClientError},
    model::{ConversationId, Member, Profile, Role, Seq, UserId},
    protocol::rest::{Page, PutMember},
};

impl Client {
    /// A page of the members of a conversation.
    pub async fn members(
        &self,
        conversation: ConversationId,
        cursor: Option<&str>,
    ) -> Result<Page<Member>, ClientError> {
        let request = self.http().get(&Self::below(conversation, &["members"]))?;
        self.page(request, cursor).await
    }

    /// A page of those who have read up to `seq`, as far as they tell.
    pub async fn readers(
        &self,
        conversation: ConversationId,
        seq: Seq,
        cursor: Option<&str>,
    ) -> Result<Page<Member>, ClientError> {
        let request = self.http().get(&Self::below(conversation, &["readers"]))?;
        self.page(request.query(&[("seq", seq)]), cursor).await
    }

    /// Adds somebody, or gives a member another role.
    pub async fn put_member(
        &self,
        conversation: ConversationId,
        user: UserId,
        role: Option<Role>,
    ) -> Result<Member, ClientError> {
        let path = Self::below(conversation, &["members", &user.to_string()]);
        let request = self.http().put(&path)?;
        self.json(request.json(&PutMember { role })).await
    }

    /// Removes somebody, who may be added again.
    pub async fn remove_member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<(), ClientError> {
        let path = Self::below(conversation, &["members", &user.to_string()]);
        self.gone(self.http().delete(&path)?).await
    }

    /// Leaves a conversation.
    pub async fn leave(&self, conversation: ConversationId) -> Result<(), ClientError> {
        let me = self.user_id().ok_or(ClientError::SignedOut)?;
        self.remove_member(conversation, me).await
    }

    /// Removes somebody, who is not to be added again until the ban is lifted.
    pub async fn ban(&self, conversation: ConversationId, user: UserId) -> Result<(), ClientError> {
        let path = Self::below(conversation, &["members", &user.to_string()]);
        let request = self.http().delete(&path)?.query(&[("ban", true)]);
        self.done(request).await
    }

    /// Lets somebody be added again; of those who are not banned, that is so already.
    pub async fn lift_ban(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<(), ClientError> {
        let path = Self::below(conversation, &["bans", &user.to_string()]);
        self.done(self.http().delete(&path)?).await
    }

    /// A page of those who are banned; for admins and owners.
    pub async fn bans(
        &self,
        conversation: ConversationId,
        cursor: Option<&str>,
    ) -> Result<Page<Profile>, ClientError> {
        let request = self.http().get(&Self::below(conversation, &["bans"]))?;
        self.page(request, cursor).await
    }
}
