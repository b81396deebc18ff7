//! `/auth`: register, sign in, refresh, sign out, and where I am signed in.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Json,
    extract::{ConnectInfo, FromRef, FromRequestParts, State},
    http::{StatusCode, header, request::Parts},
};
use chat_core::{
    model::{SignInId, UserId},
    protocol::{
        ErrorCode,
        rest::{Login, Page, Refresh, Register, SignIn, SignedIn},
    },
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::ApiError,
    extract::{Anonymous, Body, NoQuery, identify},
    path::Path,
};
use crate::{
    auth::{Accounts, Device, Session, Username},
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

impl<S: Send + Sync> FromRequestParts<S> for Device {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let user_agent = parts.headers.get(header::USER_AGENT);
        Ok(Self::new(
            peer.map(|peer| peer.0.ip()),
            user_agent.map(axum::http::HeaderValue::as_bytes),
        ))
    }
}

/// Who sent the request, and by which of their sign-ins.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedInCaller {
    user_id: UserId,
    sign_in: SignInId,
}

impl FromRequestParts<Desk> for SignedInCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, ApiError> {
        let identity = identify(&desk.state, parts).await?;
        let sign_in = identity.sign_in.parse().map_err(|_other_issuer| {
            ApiError::new(ErrorCode::Unauthenticated, "this token has no sign-in here")
        })?;
        Ok(Self {
            user_id: identity.user_id,
            sign_in,
        })
    }
}

/// Make an account, and sign in
///
/// Can be switched off (`registration_closed`). The user name is unique without regard to case. The password has 12 to 256 bytes and
/// is none of the commonest.
#[utoipa::path(
    post, path = "/auth/register", operation_id = "register", tag = "auth", security(()),
    request_body = Register,
    responses((status = CREATED, body = SignedIn, description = "The account is made, and I am signed in.")),
    extensions(("x-errors" = json!([ErrorCode::UsernameTaken, ErrorCode::RegistrationClosed]))),
)]
pub(super) async fn register(
    State(desk): State<Desk>,
    _: NoQuery,
    Anonymous(address): Anonymous,
    device: Device,
    Body(body): Body<Register>,
) -> Result<(StatusCode, Json<SignedIn>), ApiError> {
    let limited = desk.state.limits.registrations.check(&address);
    limited.map_err(|too_many| ApiError::too_many(too_many, "new accounts"))?;
    let name = body.display_name.as_deref();
    let session = desk
        .accounts
        .register(&body.username, body.password, name, &device)
        .await?;
    Ok((StatusCode::CREATED, Json(desk.signed_in(session).await?)))
}

/// Sign in
#[utoipa::path(
    post, path = "/auth/login", operation_id = "login", tag = "auth", security(()),
    request_body = Login,
    responses((status = OK, body = SignedIn, description = "I am signed in.")),
    extensions(("x-errors" = json!([ErrorCode::WrongCredentials]))),
)]
pub(super) async fn login(
    State(desk): State<Desk>,
    _: NoQuery,
    Anonymous(address): Anonymous,
    device: Device,
    Body(body): Body<Login>,
) -> Result<Json<SignedIn>, ApiError> {
    let limits = &desk.state.limits;
    let account = (Username::parse(&body.username).ok(), address);
    limits
        .logins_by_address
        .check(&address)
        .and_then(|()| limits.logins.check(&account))
        .map_err(|too_many| ApiError::too_many(too_many, "attempts to sign in"))?;
    let session = desk
        .accounts
        .login(&body.username, body.password, &device)
        .await?;
    Ok(Json(desk.signed_in(session).await?))
}

/// Get a new access token
///
/// The refresh token is used up by this, and another one is given. One that was used before ends the whole sign-in
/// (`refresh_reused`).
#[utoipa::path(
    post, path = "/auth/refresh", operation_id = "refresh", tag = "auth", security(()),
    request_body = Refresh,
    responses((status = OK, body = SignedIn, description = "Two new tokens.")),
    extensions(("x-errors" = json!([ErrorCode::Unauthenticated, ErrorCode::RefreshReused]))),
)]
pub(super) async fn refresh(
    State(desk): State<Desk>,
    _: NoQuery,
    _: Anonymous,
    Body(body): Body<Refresh>,
) -> Result<Json<SignedIn>, ApiError> {
    let session = desk.accounts.refresh(&body.refresh_token).await?;
    Ok(Json(desk.signed_in(session).await?))
}

/// Sign out here
///
/// Ends the sign-in that the refresh token belongs to, and closes its sockets within seconds.
#[utoipa::path(
    post, path = "/auth/logout", operation_id = "logout", tag = "auth", security(()),
    request_body = Refresh,
    responses((status = NO_CONTENT, description = "I am signed out, from now on or already.")),
    extensions(("x-errors" = json!([ErrorCode::Unauthenticated]))),
)]
pub(super) async fn logout(
    State(desk): State<Desk>,
    _: NoQuery,
    _: Anonymous,
    Body(body): Body<Refresh>,
) -> Result<StatusCode, ApiError> {
    desk.accounts.logout(&body.refresh_token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where I am signed in
///
/// The last used first. There are at most 50: for one more, the one that was not used for longest is ended. One that was not used
/// for 14 days is over, and so is each after 90 days.
#[utoipa::path(
    get, path = "/auth/sessions", operation_id = "list_sign_ins", tag = "auth",
    responses((status = OK, body = Page<SignIn>, description = "All of them, on one page.")),
)]
pub(super) async fn sign_ins(
    State(desk): State<Desk>,
    caller: SignedInCaller,
    _: NoQuery,
) -> Result<Json<Page<SignIn>>, ApiError> {
    let sign_ins = desk.accounts.sign_ins(caller.user_id, caller.sign_in);
    Ok(Json(Page {
        items: sign_ins.await?,
        next_cursor: None,
    }))
}

/// Which sign-in.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfSignIn {
    /// Which of my sign-ins.
    id: SignInId,
}

/// Sign out there
///
/// Its tokens are void from now on, and its sockets are closed within seconds.
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", operation_id = "end_sign_in", tag = "auth",
    params(OfSignIn),
    responses((status = NO_CONTENT, description = "It is no more.")),
)]
pub(super) async fn end_sign_in(
    State(desk): State<Desk>,
    caller: SignedInCaller,
    Path(OfSignIn { id }): Path<OfSignIn>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    if desk.accounts.end_sign_in(caller.user_id, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::new(ErrorCode::NotFound, "no such sign-in"))
    }
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
}

pub(super) fn no_such_user() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "no such user")
}
