//! Conversations and the lists they are in.

use super::{Chat, NO_CONVERSATION};
use crate::{
    bus::Notice,
    error::Error,
    model::{ConversationId, History, MineChanges, Row, Seq, Timestamp, Title, Topic, UserId},
    protocol::rest::RowChanges,
    source::HashMap,
    store::{Act, Refusal, RowPlace, StoredRow},
};

/// A group that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGroup {
    /// Its title.
    pub title: Title,
    /// What it is about.
    pub topic: Option<Topic>,
    /// What those see who join later.
    pub history: History,
    /// Who belongs to it besides the owner.
    pub members: Vec<UserId>,
}

impl NewGroup {
    /// A group without a topic whose history all members see.
    #[must_use]
    pub fn new(title: Title, members: Vec<UserId>) -> Self {
        Self {
            title,
            topic: None,
            history: History::Shared,
            members,
        }
    }
}

impl Chat {
    /// Makes a group. Its owner need not be among the members.
    pub async fn create_group(&self, owner: UserId, group: NewGroup) -> Result<Row, Error> {
        let NewGroup {
            title,
            topic,
            history,
            members,
        } = group;
        self.check_users(&members, "member_ids").await?;
        let conversation = ConversationId::new();
        let act = Act::CreateGroup {
            title,
            topic,
            history,
            members,
        };
        self.append(owner, conversation, act).await?;
        self.row(owner, conversation).await
    }

    /// The one direct conversation of two users (who may be the same), and whether this call made it. The peer sees it
    /// from its first message on.
    pub async fn direct(&self, user: UserId, peer: UserId) -> Result<(Row, bool), Error> {
        self.check_peer(user, peer).await?;
        let (conversation, made) = self
            .engine
            .to_its_end(|engine| async move {
                let now = Timestamp::now();
                let (conversation, made) = engine.store.direct(user, peer, now).await?;
                engine.hub.joined(conversation, user);
                engine.bus.tell(Notice::Joined {
                    conversation_id: conversation,
                    user_id: user,
                });
                Ok((conversation, made))
            })
            .await?;
        Ok((self.row(user, conversation).await?, made))
    }

    /// One row of a user's list.
    pub async fn row(&self, user: UserId, conversation: ConversationId) -> Result<Row, Error> {
        self.engine
            .rows_of(user, &[conversation])
            .await?
            .pop()
            .ok_or(NO_CONVERSATION)
    }

    /// A page of a user's list (pinned first, then newest activity), and where the next one starts, if there is one.
    pub async fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Result<(Vec<Row>, Option<RowPlace>), Error> {
        let mut rows = self.engine.store.rows(user, after, limit + 1).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let place = rows
            .last()
            .filter(|_| more)
            .map(|StoredRow { row, .. }| RowPlace {
                pinned: row.me.pinned,
                last_activity_at: row.conversation.last_activity_at,
                id: row.conversation.id,
            });
        Ok((self.engine.with_peers(user, rows).await?, place))
    }

    /// What differs between a user's list and what they know of it: `(id, head_seq, rev)` of each row.
    pub async fn row_changes(
        &self,
        user: UserId,
        known: &[(ConversationId, Seq, u64)],
    ) -> Result<RowChanges, Error> {
        let mut known: HashMap<_, _> = known
            .iter()
            .map(|(id, head, rev)| (*id, (*head, *rev)))
            .collect();
        let heads = self.engine.store.row_heads(user).await?;
        let differing: Vec<_> = heads
            .into_iter()
            .filter(|(id, head, rev)| known.remove(id) != Some((*head, *rev)))
            .map(|(id, ..)| id)
            .collect();
        Ok(RowChanges {
            rows: self.engine.rows_of(user, &differing).await?,
            gone: known.into_keys().collect(),
        })
    }

    /// Whether these two may have a direct conversation. Whoever is blocked hears that there is no such user.
    async fn check_peer(&self, user: UserId, peer: UserId) -> Result<(), Error> {
        let profiles = self.engine.directory.profiles([peer]).await?;
        let store = &self.engine.store;
        if profiles.is_empty() || !store.blockers_of(user, &[peer]).await?.is_empty() {
            return Err(Error::NotFound("no such user"));
        }
        if !store.blockers_of(peer, &[user]).await?.is_empty() {
            return Err(Refusal::Blocking.into());
        }
        Ok(())
    }

    /// Changes what a group is called and how it is; what is `None` stays as it is, `Some(None)` takes the topic away.
    pub async fn update(
        &self,
        author: UserId,
        conversation: ConversationId,
        title: Option<Title>,
        topic: Option<Option<Topic>>,
        history: Option<History>,
    ) -> Result<Row, Error> {
        let act = Act::Update {
            title,
            topic,
            history,
        };
        self.append(author, conversation, act).await?;
        self.row(author, conversation).await
    }

    /// Changes one's own settings of a conversation.
    pub async fn update_mine(
        &self,
        user: UserId,
        conversation: ConversationId,
        changes: MineChanges,
    ) -> Result<Row, Error> {
        self.append(user, conversation, Act::UpdateMine { changes })
            .await?;
        self.row(user, conversation).await
    }

    /// Ends a group for everyone: from here on it is as if it were not there.
    pub async fn delete_conversation(
        &self,
        author: UserId,
        conversation: ConversationId,
    ) -> Result<(), Error> {
        self.engine.hub.prepare_for_the_end(conversation).await?;
        self.append(author, conversation, Act::DeleteConversation)
            .await?;
        Ok(())
    }
}
