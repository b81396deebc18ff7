//! Signing in and out: from the form to the conversations, and back.

use chat_core::{client::ClientError, model::Profile};

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
        if self.me != Some(profile.id) {
            self.chats.clear();
            self.people = People::default();
        }
        self.me = Some(profile.id);
        self.people.learn(profile);
        self.list = ConversationList::default();
        self.blocked.clear();
        self.own = Own::new(self.own.preferences, self.now);
        self.link = LinkState::Connecting;
        self.screen = Screen::Main;
        self.pane = Pane::List;
        self.open = None;
        self.recent.clear();
        self.watched.clear();
        for chat in self.chats.values_mut() {
            chat.forget_log();
            for pending in chat.timeline.pending() {
                if pending.state == Sending::Waiting {
                    effects.push(Effect::Send(chat.id, pending.draft.clone()));
                }
            }
        }
    }

    pub(super) fn ask_to_sign_in(&mut self, reason: Option<Plain>) {
        let username = self
            .me
            .and_then(|me| self.people.get(me))
            .map_or(String::new(), |person| person.username.as_str().to_owned());
        self.screen = Screen::SignIn(SignIn::new(&self.server_address, &username, reason));
        self.close_dialogs();
        self.completion = None;
        self.notice = None;
    }
}
