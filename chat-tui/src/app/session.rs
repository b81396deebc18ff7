//! Signing in and out: from the form to the conversations, and back.

use chat_core::{
    client::ClientError,
    model::{Profile, UserId},
};

use super::{
    App, Pane, Screen,
    conversations::ConversationList,
    link::LinkState,
    own::Own,
    people::People,
    sign_in::{self, SignIn},
    text::Plain,
    timeline::Sending,
};
use crate::effect::Effect;

impl App {
    pub(super) fn signed_in(
        &mut self,
        outcome: Result<Profile, ClientError>,
        effects: &mut Vec<Effect>,
    ) {
        match outcome {
            Ok(profile) => self.enter(&profile, effects),
            Err(error) => match &mut self.screen {
                Screen::SignIn(form) => form.failed(&error),
                Screen::Resuming(resuming) if error.retryable() => {
                    resuming.failed(&error, self.now);
                }
                Screen::Main if error.retryable() => self.not_resumed(&error),
                _ => {
                    let reason = match error {
                        ClientError::SignedOut => {
                            Plain::line("the earlier sign-in is no longer valid")
                        }
                        error => Plain::line(&error.to_string()),
                    };
                    self.ask_to_sign_in(Some(reason));
                }
            },
        }
    }

    /// Shows the conversations of this user, with what they still had to say if it is the same one as before.
    pub(super) fn enter(&mut self, profile: &Profile, effects: &mut Vec<Effect>) {
        if let Screen::SignIn(form) = &self.screen {
            self.server_address = form.value(sign_in::Field::Server).text().trim().to_owned();
            self.server = Plain::line(&self.server_address);
        }
        let was_shown = self.me == Some(profile.id) && matches!(self.screen, Screen::Main);
        if !was_shown {
            self.begin_for(profile.id);
        }
        self.me = Some(profile.id);
        self.people.learn(profile);
        self.resuming = None;
        self.fresh = false;
        self.blocked.clear();
        self.own = Own::new(self.own.preferences, self.now);
        self.link = LinkState::Connecting;
        self.watched.clear();
        self.list_changed = true;
        for chat in self.chats.values() {
            for pending in chat.timeline.pending() {
                if pending.state == Sending::Waiting {
                    effects.push(Effect::Resend {
                        conversation: chat.id,
                        draft: pending.draft.clone(),
                        replaces: None,
                    });
                }
            }
        }
    }

    /// Nothing but the words of this user goes on from before.
    fn begin_for(&mut self, user: UserId) {
        if self.me != Some(user) {
            self.chats.clear();
            self.people = People::default();
        }
        self.list = ConversationList::default();
        self.screen = Screen::Main;
        self.pane = Pane::List;
        self.open = None;
        self.recent.clear();
        for chat in self.chats.values_mut() {
            chat.forget_log();
        }
    }

    /// The server could not be asked whether the earlier sign-in still holds; it is asked again later.
    fn not_resumed(&mut self, error: &ClientError) {
        let resuming = self.resuming.get_or_insert_default();
        resuming.failed(error, self.now);
        let reason = match error {
            // That it is offline is said already.
            ClientError::Unreachable(reason) | ClientError::Interrupted(reason) => reason.clone(),
            error => error.to_string(),
        };
        if let Some(until) = resuming.retry_at {
            let reason = Plain::line(&reason);
            self.link = LinkState::Waiting { until, reason };
        }
    }

    /// Asks the server again whether the earlier sign-in still holds, if it is time to, or at once.
    pub(super) fn resume_again(&mut self, at_once: bool, effects: &mut Vec<Effect>) -> bool {
        let now = self.now;
        let retry = self
            .resuming
            .as_mut()
            .and_then(|resuming| resuming.retry(now, at_once));
        let Some(retry) = retry else { return false };
        effects.push(retry);
        self.link = LinkState::Connecting;
        true
    }

    /// Connects instead of waiting.
    pub(super) fn connect_now(&mut self, effects: &mut Vec<Effect>) {
        if self.resuming.is_none() {
            effects.push(Effect::RetryNow);
        } else {
            self.resume_again(true, effects);
        }
    }

    pub(super) fn ask_to_sign_in(&mut self, reason: Option<Plain>) {
        let me = self.me.and_then(|me| self.people.get(me));
        let username = me.map_or(self.username.as_str(), |me| me.username.as_str());
        let username = username.to_owned();
        self.resuming = None;
        self.screen = Screen::SignIn(SignIn::new(&self.server_address, &username, reason));
        self.close_dialogs();
        self.completion = None;
        self.notice = None;
    }
}
