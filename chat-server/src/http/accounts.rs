//! `/auth`: register, sign in, refresh, sign out.

use axum::{
    Json,
    extract::{FromRef, State},
    http::StatusCode,
};
use chat_core::{
    model::Profile,
    protocol::{
        ErrorCode,
        rest::{Login, Refresh, Register, SignedIn},
    },
};

use super::{
    error::ApiError,
    extract::{Anonymous, Body, NoQuery},
};
use crate::{
    auth::{Accounts, Session},
    state::Shared,
};

/// The state behind the account routes.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) accounts: Accounts,
    pub(crate) state: Shared,
}

impl FromRef<Desk> for Shared {
    fn from_ref(desk: &Desk) -> Self {
        Self::clone(&desk.state)
    }
}

pub(super) async fn register(
    State(desk): State<Desk>,
    _: NoQuery,
    _: Anonymous,
    Body(body): Body<Register>,
) -> Result<(StatusCode, Json<SignedIn>), ApiError> {
    let name = body.display_name.as_deref();
    let session = desk
        .accounts
        .register(&body.username, body.password, name)
        .await?;
    Ok((StatusCode::CREATED, Json(desk.signed_in(session).await?)))
}

pub(super) async fn login(
    State(desk): State<Desk>,
    _: NoQuery,
    Anonymous(address): Anonymous,
    Body(body): Body<Login>,
) -> Result<Json<SignedIn>, ApiError> {
    let limits = &desk.state.limits;
    let account = (body.username.to_ascii_lowercase(), address);
    limits
        .logins_by_address
        .check(&address)
        .and_then(|()| limits.logins.check(&account))
        .map_err(|too_many| ApiError::too_many(too_many, "attempts to sign in"))?;
    let session = desk.accounts.login(&body.username, body.password).await?;
    Ok(Json(desk.signed_in(session).await?))
}

pub(super) async fn refresh(
    State(desk): State<Desk>,
    _: NoQuery,
    _: Anonymous,
    Body(body): Body<Refresh>,
) -> Result<Json<SignedIn>, ApiError> {
    let session = desk.accounts.refresh(&body.refresh_token).await?;
    Ok(Json(desk.signed_in(session).await?))
}

pub(super) async fn logout(
    State(desk): State<Desk>,
    _: NoQuery,
    _: Anonymous,
    Body(body): Body<Refresh>,
) -> Result<StatusCode, ApiError> {
    desk.accounts.logout(&body.refresh_token).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Desk {
    async fn signed_in(&self, session: Session) -> Result<SignedIn, ApiError> {
        let user = self.accounts.profile(session.user_id).await?;
        Ok(SignedIn {
            user: user.ok_or_else(no_such_user)?,
            access_token: session.access_token,
            refresh_token: session.refresh_token,
            expires_in: session.expires_in.as_secs(),
        })
    }

    /// The profiles with the presence that `viewer` may know of.
    pub(super) async fn seen_by(
        &self,
        viewer: chat_core::model::UserId,
        profiles: Vec<Profile>,
    ) -> Result<Vec<Profile>, ApiError> {
        Ok(self.state.chat.with_presence(viewer, profiles).await?)
    }
}

pub(super) fn no_such_user() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "no such user")
}
