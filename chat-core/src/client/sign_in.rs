//! Who I am at the server: tokens, and their renewal one at a time.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::Shared};
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use super::{
    ClientError, TokenStore,
    http::{self, Http},
    token_store,
};
use crate::{
    model::UserId,
    protocol::{
        ErrorCode,
        rest::{Refresh, SignedIn},
    },
};

/// What identifies a sign-in; to be kept safe, and kept up to date, by the application.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// For `Authorization: Bearer`; lives for minutes.
    pub access_token: String,
    /// For [`Client::resume`](super::Client::resume), once: each use brings another one.
    pub refresh_token: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// An access token, and when it runs out by this machine's monotonic clock.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) token: String,
    pub(super) expires_at: Instant,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

type Renewal = Shared<Pin<Box<dyn Future<Output = Result<Access, ClientError>> + Send>>>;

/// The present sign-in, shared by all clones of a client.
pub(super) struct SignIn {
    state: Mutex<State>,
    refresh_token: watch::Sender<Option<String>>,
    /// Where the refresh token is taken from instead, if other processes use it too.
    store: Option<Arc<dyn TokenStore>>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// The renewal under way, if there is one: whoever needs a token meanwhile waits for this one.
    renewal: Option<Renewal>,
    /// Rises with each sign-in and sign-out, so that a renewal which was overtaken does not undo them.
    era: u64,
}

struct Held {
    user: UserId,
    tokens: Tokens,
    expires_at: Instant,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").finish_non_exhaustive()
    }
}

impl SignIn {
    pub(super) fn new(store: Option<Arc<dyn TokenStore>>) -> Self {
        Self {
            state: Mutex::default(),
            refresh_token: watch::Sender::new(None),
            store,
        }
    }

    pub(super) fn store(&self) -> Option<Arc<dyn TokenStore>> {
        self.store.clone()
    }

    pub(super) fn refresh_tokens(&self) -> watch::Receiver<Option<String>> {
        self.refresh_token.subscribe()
    }

    pub(super) fn tokens(&self) -> Option<Tokens> {
        let state = self.state.lock();
        state.held.as_ref().map(|held| held.tokens.clone())
    }

    pub(super) fn user(&self) -> Option<UserId> {
        self.state.lock().held.as_ref().map(|held| held.user)
    }

    pub(super) fn access(&self) -> Result<Access, ClientError> {
        self.state.lock().access().ok_or(ClientError::SignedOut)
    }

    /// Takes over a new sign-in.
    pub(super) fn begin(&self, signed_in: &SignedIn) {
        let mut state = self.state.lock();
        state.era += 1;
        state.renewal = None;
        self.hold(&mut state, signed_in);
    }

    /// Forgets the sign-in.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.era += 1;
        state.renewal = None;
        state.held = None;
        self.refresh_token.send_replace(None);
    }

    fn hold(&self, state: &mut State, signed_in: &SignedIn) -> Access {
        let access = Access {
            token: signed_in.access_token.clone(),
            expires_at: Instant::now() + expiry(signed_in),
        };
        let tokens = Tokens {
            access_token: signed_in.access_token.clone(),
            refresh_token: signed_in.refresh_token.clone(),
        };
        self.refresh_token
            .send_replace(Some(tokens.refresh_token.clone()));
        state.held = Some(Held {
            user: signed_in.user.id,
            tokens,
            expires_at: access.expires_at,
        });
        access
    }

    /// An access token other than the `refused` one. Those who ask at once share one request: a refresh token must not be sent
    /// twice. The request goes on if the callers are dropped, so that the token it brings is not lost.
    pub(super) async fn renew(
        self: &Arc<Self>,
        http: &Http,
        refused: &str,
    ) -> Result<Access, ClientError> {
        let renewal = {
            let mut state = self.state.lock();
            let access = state.access().ok_or(ClientError::SignedOut)?;
            if access.token != refused {
                return Ok(access);
            }
            if let Some(renewal) = &state.renewal {
                renewal.clone()
            } else {
                let renewal = self.start_renewal(http.clone(), &state);
                state.renewal = Some(renewal.clone());
                renewal
            }
        };
        renewal.await
    }

    fn start_renewal(self: &Arc<Self>, http: Http, state: &State) -> Renewal {
        let (this, era) = (Arc::clone(self), state.era);
        let refresh_token = state
            .held
            .as_ref()
            .map(|held| held.tokens.refresh_token.clone())
            .unwrap_or_default();
        let task = tokio::spawn(async move {
            let answer = match this.store() {
                Some(store) => token_store::renew(store, &http).await,
                None => request_tokens(&http, refresh_token).await,
            };
            this.finish_renewal(era, answer)
        });
        async move {
            task.await
                .unwrap_or_else(|error| Err(ClientError::Interrupted(error.to_string())))
        }
        .boxed()
        .shared()
    }

    fn finish_renewal(
        &self,
        era: u64,
        answer: Result<SignedIn, ClientError>,
    ) -> Result<Access, ClientError> {
        let mut state = self.state.lock();
        if state.era != era {
            return state.access().ok_or(ClientError::SignedOut);
        }
        state.renewal = None;
        let me = state.held.as_ref().map(|held| held.user);
        match answer {
            Ok(signed_in) if me == Some(signed_in.user.id) => {
                return Ok(self.hold(&mut state, &signed_in));
            }
            // Another process has signed in somebody else meanwhile.
            Ok(_) | Err(ClientError::SignedOut) => {}
            Err(ClientError::Problem(problem)) if problem.status == 401 => {}
            Err(error) => return Err(error),
        }
        state.era += 1;
        state.held = None;
        self.refresh_token.send_replace(None);
        Err(ClientError::SignedOut)
    }
}

impl State {
    fn access(&self) -> Option<Access> {
        self.held.as_ref().map(|held| Access {
            token: held.tokens.access_token.clone(),
            expires_at: held.expires_at,
        })
    }
}

/// Asks for new tokens. When the answer is lost, once more at once: the server takes the same token again for 10 s.
pub(super) async fn request_tokens(
    http: &Http,
    refresh_token: String,
) -> Result<SignedIn, ClientError> {
    let body = Refresh { refresh_token };
    let request = http
        .post(&["auth", "refresh"])?
        .json(&body)
        .timeout(Duration::from_secs(4));
    let again = request.try_clone();
    let answer = match (http::exchange(request).await, again) {
        (Err(ClientError::Unreachable(_) | ClientError::Interrupted(_)), Some(again)) => {
            http::exchange(again).await?
        }
        (answer, _) => answer?,
    };
    http::decode(&answer)
}

/// Whether an answer means that a newer access token would help.
pub(super) fn wants_renewal(error: &ClientError) -> bool {
    matches!(error, ClientError::Problem(problem) if problem.status == 401
        && matches!(problem.code, ErrorCode::TokenExpired | ErrorCode::Unauthenticated))
}

fn expiry(signed_in: &SignedIn) -> Duration {
    Duration::from_secs(signed_in.expires_in.min(365 * 24 * 3_600))
}
