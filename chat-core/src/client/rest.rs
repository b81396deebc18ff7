//! The calls of the REST interface, one method each.

use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;

use super::{
    Client, ClientError, http,
    sign_in::{self, Access},
};
use crate::{
    model::{ConversationId, Draft, Member, Message, Profile, Role, Row, Seq, Title, UserId},
    protocol::rest::{
        CreateGroup, Events, KnownRows, Login, MarkRead, Page, PatchConversation, PatchMe,
        PutMember, Refresh, Register, RowChanges, SignedIn,
    },
    store::Around,
};

const MAX_PAGE: usize = 200;

/// Calls. Each may be dropped at any time; whether a call that was dropped took effect is then not known.
impl Client {
    /// Makes an account and signs in.
    pub async fn register(
        &self,
        username: &str,
        password: &str,
        display_name: Option<&str>,
    ) -> Result<Profile, ClientError> {
        let body = Register {
            username: username.to_owned(),
            password: password.to_owned(),
            display_name: display_name.map(str::to_owned),
        };
        let request = self.http().post(&["auth", "register"])?.json(&body);
        let signed_in = http::decode(http::send(request).await?).await?;
        Ok(self.begin(signed_in))
    }

    /// Signs in.
    pub async fn login(&self, username: &str, password: &str) -> Result<Profile, ClientError> {
        let body = Login {
            username: username.to_owned(),
            password: password.to_owned(),
        };
        let request = self.http().post(&["auth", "login"])?.json(&body);
        let signed_in = http::decode(http::send(request).await?).await?;
        Ok(self.begin(signed_in))
    }

    /// Goes on with a sign-in of an earlier run. The token is spent by this: store the one that
    /// [`refresh_tokens`](Self::refresh_tokens) tells next. [`ClientError::SignedOut`] if it no longer holds.
    pub async fn resume(&self, refresh_token: &str) -> Result<Profile, ClientError> {
        match sign_in::request_tokens(self.http(), refresh_token.to_owned()).await {
            Ok(signed_in) => Ok(self.begin(signed_in)),
            Err(ClientError::Problem(problem)) if problem.status == 401 => {
                Err(ClientError::SignedOut)
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the sign-in, here and at the server. When the server cannot be reached it is kept.
    pub async fn logout(&self) -> Result<(), ClientError> {
        let Some(tokens) = self.sign_in().tokens() else {
            return Ok(());
        };
        let body = Refresh {
            refresh_token: tokens.refresh_token,
        };
        let request = self
            .http()
            .post(&["auth", "logout"])?
            .bearer_auth(tokens.access_token)
            .json(&body);
        match http::send(request).await {
            Err(ClientError::Problem(problem)) if problem.status == 401 => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        self.sign_in().end();
        Ok(())
    }

    /// My own profile.
    pub async fn me(&self) -> Result<Profile, ClientError> {
        self.json(self.http().get(&["users", "me"])?).await
    }

    /// Changes how others see me.
    pub async fn rename_me(&self, display_name: &str) -> Result<Profile, ClientError> {
        let body = PatchMe {
            display_name: display_name.to_owned(),
        };
        self.json(self.http().patch(&["users", "me"])?.json(&body))
            .await
    }

    /// Somebody's profile.
    pub async fn user(&self, id: UserId) -> Result<Profile, ClientError> {
        self.json(self.http().get(&["users", &id.to_string()])?)
            .await
    }

    /// Users whose name matches; `cursor` is the last page's `next_cursor`.
    pub async fn find_users(
        &self,
        query: &str,
        cursor: Option<&str>,
    ) -> Result<Page<Profile>, ClientError> {
        let request = self.http().get(&["users"])?.query(&[("query", query)]);
        self.json(at(request, cursor)).await
    }

    /// A page of my list, pinned first, then newest activity; at most 200 rows.
    pub async fn conversations(&self, cursor: Option<&str>) -> Result<Page<Row>, ClientError> {
        let request = self.http().get(&["conversations"])?;
        self.json(at(request, cursor).query(&[("limit", MAX_PAGE)]))
            .await
    }

    /// My row of a conversation.
    pub async fn conversation(&self, id: ConversationId) -> Result<Row, ClientError> {
        self.json(self.http().get(&["conversations", &id.to_string()])?)
            .await
    }

    /// What changed in my list since I knew these: `(id, head_seq, rev)` of each row I hold.
    pub async fn changes(
        &self,
        known: Vec<(ConversationId, Seq, u64)>,
    ) -> Result<RowChanges, ClientError> {
        let request = self.http().post(&["conversations", "changes"])?;
        self.json(request.json(&KnownRows { known })).await
    }

    /// Makes a group, with me as its owner.
    pub async fn create_group(
        &self,
        title: Title,
        members: Vec<UserId>,
    ) -> Result<Row, ClientError> {
        let body = CreateGroup {
            title: title.into(),
            member_ids: members,
        };
        self.json(self.http().post(&["conversations"])?.json(&body))
            .await
    }

    /// The one direct conversation with somebody; made if need be.
    pub async fn direct(&self, peer: UserId) -> Result<Row, ClientError> {
        self.json(self.http().put(&["direct", &peer.to_string()])?)
            .await
    }

    /// Gives a group another title.
    pub async fn rename(
        &self,
        conversation: ConversationId,
        title: Title,
    ) -> Result<Row, ClientError> {
        let request = self
            .http()
            .patch(&["conversations", &conversation.to_string()])?;
        let body = PatchConversation {
            title: title.into(),
        };
        self.json(request.json(&body)).await
    }

    /// A page of the members of a conversation.
    pub async fn members(
        &self,
        conversation: ConversationId,
        cursor: Option<&str>,
    ) -> Result<Page<Member>, ClientError> {
        let request = self
            .http()
            .get(&["conversations", &conversation.to_string(), "members"])?;
        self.json(at(request, cursor)).await
    }

    /// Adds somebody, or gives a member another role.
    pub async fn put_member(
        &self,
        conversation: ConversationId,
        user: UserId,
        role: Option<Role>,
    ) -> Result<Member, ClientError> {
        let (conversation, user) = (conversation.to_string(), user.to_string());
        let request = self
            .http()
            .put(&["conversations", &conversation, "members", &user])?;
        self.json(request.json(&PutMember { role })).await
    }

    /// Removes somebody; with my own id, I leave.
    pub async fn remove_member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<(), ClientError> {
        let (conversation, user) = (conversation.to_string(), user.to_string());
        let request = self
            .http()
            .delete(&["conversations", &conversation, "members", &user])?;
        self.authorized(request).await.map(drop)
    }

    /// Says something over REST; [`Live::send`](super::Live::send) is the way with an outbox. A retry with the same
    /// `client_id` has no second effect.
    pub async fn send(
        &self,
        conversation: ConversationId,
        draft: &Draft,
    ) -> Result<Message, ClientError> {
        let request =
            self.http()
                .post(&["conversations", &conversation.to_string(), "messages"])?;
        self.json(request.json(draft)).await
    }

    /// Messages as they are now, ascending by `seq`; at most 200.
    pub async fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        limit: usize,
    ) -> Result<Vec<Message>, ClientError> {
        let request = self
            .http()
            .get(&["conversations", &conversation.to_string(), "messages"])?
            .query(&[("limit", limit.clamp(1, MAX_PAGE))]);
        let request = match which {
            Around::Newest => request,
            Around::Before(seq) => request.query(&[("before_seq", seq)]),
            Around::After(seq) => request.query(&[("after_seq", seq)]),
            Around::Around(seq) => request.query(&[("around_seq", seq)]),
        };
        self.json::<Page<Message>>(request)
            .await
            .map(|page| page.items)
    }

    /// The log itself after a cursor; because `seq` is dense, any stretch of history can be asked for.
    pub async fn events(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Events, ClientError> {
        let request = self
            .http()
            .get(&["conversations", &conversation.to_string(), "events"])?
            .query(&[("after_seq", after)])
            .query(&[("limit", limit.clamp(1, MAX_PAGE))]);
        self.json(request).await
    }

    /// Moves my read cursor forward; answers where it is then.
    pub async fn mark_read(
        &self,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Seq, ClientError> {
        let request = self
            .http()
            .put(&["conversations", &conversation.to_string(), "read"])?;
        self.json::<MarkRead>(request.json(&MarkRead { seq }))
            .await
            .map(|mark| mark.seq)
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        http::decode(self.authorized(request).await?).await
    }

    /// Sends a request as the signed-in user; when the token has run out, once more with a new one.
    async fn authorized(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let access = self.sign_in().access()?;
        let again = request.try_clone();
        let answer = http::send(request.bearer_auth(&access.token)).await;
        match (answer, again) {
            (Err(error), Some(again)) if sign_in::wants_renewal(&error) => {
                let access = self.renew(&access.token).await?;
                http::send(again.bearer_auth(&access.token)).await
            }
            (answer, _) => answer,
        }
    }

    pub(super) async fn renew(&self, refused: &str) -> Result<Access, ClientError> {
        self.sign_in().renew(self.http(), refused).await
    }

    fn begin(&self, signed_in: SignedIn) -> Profile {
        self.sign_in().begin(&signed_in);
        signed_in.user
    }
}

fn at(request: RequestBuilder, cursor: Option<&str>) -> RequestBuilder {
    match cursor {
        Some(cursor) => request.query(&[("cursor", cursor)]),
        None => request,
    }
}
