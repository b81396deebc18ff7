//! Who belongs to a conversation: adding, removing, banning, and who has read.

use super::Chat;
use crate::{
    engine::unknown_user,
    error::Error,
    hub::{are_apart, peer_of},
    model::{Change, ConversationId, Member, Membership, Profile, Role, Seq, UserId},
    store::{Act, Committed, Refusal},
};

impl Chat {
    /// Members of a conversation, ascending by id from after `after`, and whether there are more.
    pub async fn members(
        &self,
        reader: UserId,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<(Vec<Member>, bool), Error> {
        self.membership(reader, conversation).await?;
        let mut members = self
            .engine
            .store
            .members(conversation, after, limit + 1)
            .await?;
        let more = members.len() > limit;
        members.truncate(limit);
        Ok((self.shown(reader, conversation, members).await?, more))
    }

    /// Those who have read up to `seq`, as far as they tell, ascending by id from after `after`, and whether there are more.
    pub async fn readers(
        &self,
        reader: UserId,
        conversation: ConversationId,
        seq: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<(Vec<Member>, bool), Error> {
        self.membership(reader, conversation).await?;
        let store = &self.engine.store;
        let mut readers = store.readers(conversation, seq, after, limit + 1).await?;
        let more = readers.len() > limit;
        readers.truncate(limit);
        if readers.len() <= 2
            && let Some(peer) = self.hidden_peer(reader, conversation).await?
        {
            readers.retain(|member| member.user_id != peer);
        }
        Ok((self.shown(reader, conversation, readers).await?, more))
    }

    /// Members as the reader sees them.
    async fn shown(
        &self,
        reader: UserId,
        conversation: ConversationId,
        members: Vec<Membership>,
    ) -> Result<Vec<Member>, Error> {
        let hidden = if members.len() <= 2 {
            self.hidden_peer(reader, conversation).await?
        } else {
            None
        };
        let ids = members.iter().map(|member| member.user_id);
        let mut profiles = self.engine.profiles(reader, ids).await?;
        let members = members.into_iter().map(|member| {
            let is_hidden = hidden == Some(member.user_id);
            let seen = |seq| if is_hidden { 0 } else { seq };
            Member {
                user: profiles
                    .remove(&member.user_id)
                    .unwrap_or_else(|| unknown_user(member.user_id)),
                role: member.role,
                read_seq: seen(member.shown_seq),
                delivered_seq: seen(member.delivered_seq),
            }
        });
        Ok(members.collect())
    }

    /// The other one of a direct conversation in which one has blocked the other: neither learns how far the other has
    /// read.
    async fn hidden_peer(
        &self,
        reader: UserId,
        conversation: ConversationId,
    ) -> Result<Option<UserId>, Error> {
        let store = &self.engine.store;
        let peer = peer_of(store, reader, conversation).await?;
        let Some(peer) = peer.filter(|peer| *peer != reader) else {
            return Ok(None);
        };
        let apart = are_apart(store, reader, peer).await?;
        Ok(apart.then_some(peer))
    }

    /// Makes a user a member of a group, or gives a member another role; whether they are new.
    pub async fn put_member(
        &self,
        author: UserId,
        conversation: ConversationId,
        user: UserId,
        role: Option<Role>,
    ) -> Result<(Member, bool), Error> {
        self.membership(author, conversation).await?;
        self.check_users(&[user], "user_id").await?;
        let committed = self
            .append(
                author,
                conversation,
                Act::PutMember {
                    user_id: user,
                    role,
                },
            )
            .await?;
        let is_new = matches!(&committed, Committed::Appended(entries)
            if entries.iter().any(|entry| matches!(entry.change, Change::MemberJoined { .. })));
        let member = self
            .engine
            .store
            .membership(conversation, user)
            .await?
            .ok_or(Error::NotFound("no such member"))?;
        let member = self.shown(author, conversation, vec![member]).await?.pop();
        member
            .map(|member| (member, is_new))
            .ok_or(Error::NotFound("no such member"))
    }

    /// Ends a membership; of oneself, this is leaving. With `ban`, they are not to be added again until that is lifted.
    pub async fn remove_member(
        &self,
        author: UserId,
        conversation: ConversationId,
        user_id: UserId,
        ban: bool,
    ) -> Result<(), Error> {
        let act = Act::RemoveMember { user_id, ban };
        self.append(author, conversation, act).await?;
        Ok(())
    }

    /// Lets somebody be added again who was banned. Of those who are not, that is so already.
    pub async fn lift_ban(
        &self,
        author: UserId,
        conversation: ConversationId,
        user_id: UserId,
    ) -> Result<(), Error> {
        self.append(author, conversation, Act::LiftBan { user_id })
            .await?;
        Ok(())
    }

    /// Those who are banned, for admins and owners, ascending by id from after `after`, and whether there are more.
    pub async fn banned(
        &self,
        reader: UserId,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<(Vec<Profile>, bool), Error> {
        if self.membership(reader, conversation).await?.role < Role::Admin {
            return Err(Refusal::Forbidden.into());
        }
        let store = &self.engine.store;
        let banned = store.banned(conversation, after, limit + 1).await?;
        self.engine.page_of_profiles(banned, limit).await
    }
}
