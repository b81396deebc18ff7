//! The sign-ins that ended before their access tokens did.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use chat_core::model::SignInId;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Remembers a revoked sign-in for as long as an access token of it could live, and tells its sockets.
#[derive(Debug)]
pub(super) struct Revocations {
    keep: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    revoked: HashMap<SignInId, Instant>,
    watched: HashMap<SignInId, Weak<CancellationToken>>,
    /// At this many watched sign-ins, those whose sockets are gone are forgotten.
    tidy_at: usize,
}

impl Revocations {
    pub(super) fn new(keep: Duration, revoked: impl IntoIterator<Item = SignInId>) -> Self {
        let now = Instant::now();
        let state = State {
            revoked: revoked.into_iter().map(|id| (id, now)).collect(),
            ..State::default()
        };
        Self {
            keep,
            state: Mutex::new(state),
        }
    }

    /// Revokes them; those that were revoked before may be among them.
    pub(super) fn revoke(&self, sign_ins: impl IntoIterator<Item = SignInId>) {
        let mut state = self.state.lock();
        let now = Instant::now();
        state
            .revoked
            .retain(|_, since| now.duration_since(*since) < self.keep);
        let mut watched = Vec::new();
        for sign_in in sign_ins {
            state.revoked.entry(sign_in).or_insert(now);
            watched.extend(state.watched.remove(&sign_in));
        }
        drop(state);
        for token in watched.iter().filter_map(Weak::upgrade) {
            token.cancel();
        }
    }

    pub(super) fn contains(&self, sign_in: SignInId) -> bool {
        self.state.lock().revoked.contains_key(&sign_in)
    }

    /// Completes when the sign-in is revoked; at once if it is already.
    pub(super) async fn of(&self, sign_in: SignInId) {
        let Some(token) = self.watch(sign_in) else {
            return;
        };
        token.cancelled().await;
    }

    fn watch(&self, sign_in: SignInId) -> Option<Arc<CancellationToken>> {
        let mut state = self.state.lock();
        if state.revoked.contains_key(&sign_in) {
            return None;
        }
        if let Some(token) = state.watched.get(&sign_in).and_then(Weak::upgrade) {
            return Some(token);
        }
        if state.watched.len() >= state.tidy_at {
            state.watched.retain(|_, token| token.strong_count() > 0);
            state.tidy_at = 2 * state.watched.len() + 64;
        }
        let token = Arc::new(CancellationToken::new());
        state.watched.insert(sign_in, Arc::downgrade(&token));
        Some(token)
    }
}
