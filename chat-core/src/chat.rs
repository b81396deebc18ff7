//! The handle that an embedder holds: everything a chat can be asked.

use std::sync::Arc;

use crate::{
    builder::Builder,
    engine::{Engine, unknown_user},
    error::Error,
    limits::Limits,
    model::{
        Change, ConversationId, Draft, Member, Message, MessageId, NodeId, Profile, Role, Row, Seq,
        StoreEpoch, Timestamp, Title, UserId,
    },
    protocol::rest::{Events, RowChanges},
    session::Session,
    source::HashMap,
    store::{Act, Around, Committed, RowPlace, StoredRow, Write},
};

/// A running chat engine; clones are handles to the same one.
///
/// Every call is made in the name of a user and checks what that user may do; who is behind a [`UserId`] is the
/// embedder's to establish. Futures may be dropped at any await: a write that was queued by then still happens, whole.
///
/// Call [`shutdown`](Chat::shutdown) before the runtime ends.
#[derive(Clone, Debug)]
pub struct Chat {
    engine: Arc<Engine>,
}

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The message.
    pub message: Message,
    /// It had been accepted before, under the same `client_id`.
    pub repeated: bool,
}

impl Chat {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Chooses the parts of an engine.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The name of this running engine.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.engine.node
    }

    /// The life of the store; cursors of another one are void.
    #[must_use]
    pub fn epoch(&self) -> StoreEpoch {
        self.engine.epoch
    }

    /// The bounds and timers in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.engine.limits
    }

    /// Says something. When this returns, the message is durable; those who follow the conversation get it at once.
    ///
    /// The same `client_id` again has no second effect, for ever: it answers the first message, or
    /// [`Error::ClientIdReused`] if the content differs. After [`Error::Unavailable`], retry with the same one.
    pub async fn send(
        &self,
        sender: UserId,
        conversation: ConversationId,
        draft: Draft,
    ) -> Result<Sent, Error> {
        self.check_body(&draft.body)?;
        let draft = self
            .engine
            .policy
            .before_send(sender, conversation, draft)
            .await
            .map_err(Error::Refused)?;
        self.check_body(&draft.body)?;
        let act = Act::Send {
            id: MessageId::new(),
            draft,
        };
        match self.append(sender, conversation, act).await? {
            Committed::Appended(entries) => {
                let message = entries
                    .into_iter()
                    .find_map(|entry| entry.message().cloned());
                message
                    .map(|message| Sent {
                        message,
                        repeated: false,
                    })
                    .ok_or(Error::broken_store("a send left no message"))
            }
            Committed::Repeated(message) => Ok(Sent {
                message,
                repeated: true,
            }),
            other => Err(Error::broken_store(&format!("a send became {other:?}"))),
        }
    }

    fn check_body(&self, body: &str) -> Result<(), Error> {
        let invalid = |code, detail: String| {
            Err(Error::Invalid {
                field: "body",
                code,
                detail,
            })
        };
        let most = self.engine.limits.max_body_chars;
        if body.trim().is_empty() {
            return invalid(
                "blank",
                "a message needs at least one visible character".to_owned(),
            );
        }
        if body.contains('\0') {
            return invalid("nul", "a message has no NUL characters".to_owned());
        }
        // Most bodies are so short that their bytes already tell.
        if body.len() > most && body.chars().count() > most {
            return invalid(
                "too_long",
                format!("a message has at most {most} characters"),
            );
        }
        Ok(())
    }

    async fn append(
        &self,
        author: UserId,
        conversation_id: ConversationId,
        act: Act,
    ) -> Result<Committed, Error> {
        let write = Write {
            conversation_id,
            author,
            at: Timestamp::now(),
            act,
        };
        self.engine.appender.append(write).await
    }

    /// Messages of a conversation in their present state, ascending by `seq`.
    pub async fn messages(
        &self,
        reader: UserId,
        conversation: ConversationId,
        which: Around,
        limit: usize,
    ) -> Result<Vec<Message>, Error> {
        self.check_member(reader, conversation).await?;
        Ok(self
            .engine
            .store
            .messages(conversation, which, limit)
            .await?)
    }

    /// The log of a conversation after a cursor: at most `limit` entries, ascending without a hole.
    pub async fn events(
        &self,
        reader: UserId,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Events, Error> {
        self.check_member(reader, conversation).await?;
        let items = self
            .engine
            .store
            .entries_after(conversation, after, limit)
            .await?;
        let head = self
            .engine
            .store
            .head(conversation)
            .await?
            .unwrap_or_default();
        Ok(Events {
            head_seq: head.max(items.last().map_or(0, |entry| entry.seq)),
            items,
        })
    }

    /// Moves a read cursor forward, at most to the head, and answers where it is now. Never moves it back.
    pub async fn mark_read(
        &self,
        reader: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Seq, Error> {
        match self
            .append(reader, conversation, Act::MarkRead { seq })
            .await?
        {
            Committed::Read(cursor) => Ok(cursor.seq),
            other => Err(Error::broken_store(&format!("a cursor became {other:?}"))),
        }
    }

    /// Makes a group. Its owner need not be among `members`.
    pub async fn create_group(
        &self,
        owner: UserId,
        title: Title,
        members: Vec<UserId>,
    ) -> Result<Row, Error> {
        self.check_users(&members, "member_ids").await?;
        let conversation = ConversationId::new();
        self.append(owner, conversation, Act::CreateGroup { title, members })
            .await?;
        self.row(owner, conversation).await
    }

    /// The one direct conversation of two users (who may be the same), and whether this call made it. The peer sees it
    /// from its first message on.
    pub async fn direct(&self, user: UserId, peer: UserId) -> Result<(Row, bool), Error> {
        if self.engine.directory.profiles([peer]).await?.is_empty() {
            return Err(Error::NotFound("no such user"));
        }
        let (conversation, made) = self
            .engine
            .to_its_end(|engine| async move {
                let now = Timestamp::now();
                let (conversation, made) = engine.store.direct(user, peer, now).await?;
                engine.hub.row_changed(conversation, user);
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

    /// Gives a group another title.
    pub async fn rename(
        &self,
        author: UserId,
        conversation: ConversationId,
        title: Title,
    ) -> Result<Row, Error> {
        self.append(author, conversation, Act::Rename { title })
            .await?;
        self.row(author, conversation).await
    }

    /// Members of a conversation, ascending by id from after `after`, and whether there are more.
    pub async fn members(
        &self,
        reader: UserId,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<(Vec<Member>, bool), Error> {
        self.check_member(reader, conversation).await?;
        let mut members = self
            .engine
            .store
            .members(conversation, after, limit + 1)
            .await?;
        let more = members.len() > limit;
        members.truncate(limit);
        let profiles = self
            .engine
            .profiles(members.iter().map(|member| member.user_id))
            .await?;
        let shown = members.into_iter().map(|member| Member {
            user: profiles
                .get(&member.user_id)
                .cloned()
                .unwrap_or_else(|| unknown_user(member.user_id)),
            role: member.role,
            read_seq: member.read_seq,
        });
        Ok((shown.collect(), more))
    }

    /// Makes a user a member of a group, or gives a member another role; whether they are new.
    pub async fn put_member(
        &self,
        author: UserId,
        conversation: ConversationId,
        user: UserId,
        role: Option<Role>,
    ) -> Result<(Member, bool), Error> {
        self.check_member(author, conversation).await?;
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
        let profiles = self.engine.profiles([user]).await?;
        let profile = profiles
            .get(&user)
            .cloned()
            .unwrap_or_else(|| unknown_user(user));
        Ok((
            Member {
                user: profile,
                role: member.role,
                read_seq: member.read_seq,
            },
            is_new,
        ))
    }

    /// Ends a membership; of oneself, this is leaving.
    pub async fn remove_member(
        &self,
        author: UserId,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<(), Error> {
        self.append(author, conversation, Act::RemoveMember { user_id: user })
            .await?;
        Ok(())
    }

    /// Fills in the presence of those users who share a conversation with the viewer.
    pub async fn with_presence(
        &self,
        viewer: UserId,
        profiles: Vec<Profile>,
    ) -> Result<Vec<Profile>, Error> {
        let ids: Vec<_> = profiles.iter().map(|profile| profile.id).collect();
        let sharing = self.engine.store.sharing_with(viewer, &ids).await?;
        let presences: HashMap<_, _> = self
            .engine
            .presence
            .of(&sharing)
            .await?
            .into_iter()
            .map(|presence| (presence.user_id, presence))
            .collect();
        let fill = |profile: Profile| Profile {
            presence: presences.get(&profile.id).copied(),
            ..profile
        };
        Ok(profiles.into_iter().map(fill).collect())
    }

    /// Opens a session; the user is online from here on.
    #[expect(
        clippy::unused_async,
        reason = "with several nodes, coming online is made known before it is done"
    )]
    pub async fn connect(&self, user: UserId) -> Result<Session, Error> {
        if self.engine.stop.is_cancelled() {
            return Err(Error::ShuttingDown);
        }
        Ok(Session::open(Arc::clone(&self.engine), user))
    }

    /// Whether the store answers and new work is taken: what a load balancer asks.
    pub async fn check(&self) -> Result<(), Error> {
        if self.engine.stop.is_cancelled() || !self.engine.appender.is_open() {
            return Err(Error::ShuttingDown);
        }
        self.engine.store.epoch().await?;
        Ok(())
    }

    /// Stops: new writes are refused, those that were accepted are carried out and delivered, sessions end after their
    /// last frames, everybody is seen off, all tasks are joined. Doing it again waits for the same end.
    pub async fn shutdown(&self) {
        self.engine.appender.close();
        self.engine.stop.cancel();
        self.engine.tasks.close();
        self.engine.tasks.wait().await;
        self.engine.hub.close_sessions();
        if let Err(error) = self.engine.presence.leave_all().await {
            tracing::warn!(%error, "last-seen times cannot be written down");
        }
    }

    async fn check_member(&self, user: UserId, conversation: ConversationId) -> Result<(), Error> {
        self.engine
            .store
            .membership(conversation, user)
            .await?
            .map(|_| ())
            .ok_or(NO_CONVERSATION)
    }

    async fn check_users(&self, users: &[UserId], field: &'static str) -> Result<(), Error> {
        let known = self
            .engine
            .directory
            .profiles(users.iter().copied())
            .await?;
        match users.iter().find(|user| !known.contains_key(user)) {
            None => Ok(()),
            Some(user) => Err(Error::Invalid {
                field,
                code: "not_found",
                detail: format!("there is no user {user}"),
            }),
        }
    }
}

const NO_CONVERSATION: Error = Error::NotFound("no such conversation");
