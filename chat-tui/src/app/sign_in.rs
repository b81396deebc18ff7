//! Getting in: the sign-in form, and waiting for a server that cannot be reached yet.

use std::time::Duration;

use chat_core::{
    client::ClientError,
    model::Timestamp,
    protocol::{ErrorCode, Problem},
};

use super::{
    composer::{Composer, Motion},
    keymap::{Action, Code, Key},
    text::Plain,
};
use crate::effect::{Credentials, Effect};

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The address of the server.
    Server,
    /// The user name.
    Username,
    /// How others see me; only for a new account.
    DisplayName,
    /// The password.
    Password,
}

impl Field {
    /// What stands beside it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Username => "User name",
            Self::DisplayName => "Your name",
            Self::Password => "Password",
        }
    }
}

/// The form.
#[derive(Debug, Default)]
pub struct SignIn {
    /// A new account is to be made.
    pub registering: bool,
    /// The server was asked and has not answered yet.
    pub busy: bool,
    /// Why one is asked to sign in.
    pub reason: Option<Plain>,
    /// What is wrong, and with which field.
    pub error: Option<(Field, Plain)>,
    server: Composer,
    username: Composer,
    display_name: Composer,
    password: Composer,
    focus: usize,
}

impl SignIn {
    /// An empty form for this server.
    #[must_use]
    pub fn new(server: &str, username: &str, reason: Option<Plain>) -> Self {
        let mut form = Self {
            reason,
            ..Self::default()
        };
        form.server.set(server);
        form.username.set(username);
        form.focus = if username.is_empty() { 1 } else { 2 };
        form
    }

    /// The fields, from the top.
    #[must_use]
    pub fn fields(&self) -> &'static [Field] {
        if self.registering {
            &[
                Field::Server,
                Field::Username,
                Field::Password,
                Field::DisplayName,
            ]
        } else {
            &[Field::Server, Field::Username, Field::Password]
        }
    }

    /// The field in which one writes.
    #[must_use]
    pub fn focused(&self) -> Field {
        self.fields()
            .get(self.focus)
            .copied()
            .unwrap_or(Field::Username)
    }

    /// What stands in a field.
    #[must_use]
    pub fn value(&self, field: Field) -> &Composer {
        match field {
            Field::Server => &self.server,
            Field::Username => &self.username,
            Field::DisplayName => &self.display_name,
            Field::Password => &self.password,
        }
    }

    fn value_mut(&mut self) -> &mut Composer {
        match self.focused() {
            Field::Server => &mut self.server,
            Field::Username => &mut self.username,
            Field::DisplayName => &mut self.display_name,
            Field::Password => &mut self.password,
        }
    }

    /// A pressed key.
    pub fn key(&mut self, key: Key, action: Option<Action>) -> Vec<Effect> {
        if self.busy {
            return Vec::new();
        }
        let fields = self.fields().len();
        match action {
            Some(Action::Down) => self.focus = (self.focus + 1) % fields,
            Some(Action::Up) => self.focus = (self.focus + fields - 1) % fields,
            Some(Action::OtherForm) => {
                self.registering = !self.registering;
                self.focus = self.focus.min(self.fields().len() - 1);
                self.error = None;
            }
            Some(Action::Move(motion)) => self.value_mut().go(motion),
            Some(Action::Delete(motion)) => drop(self.value_mut().delete(motion)),
            Some(Action::Enter) => return self.submit(),
            Some(_) => {}
            None => {
                if let Code::Char(letter) = key.code
                    && !key.ctrl
                    && !key.alt
                {
                    self.insert(letter.encode_utf8(&mut [0; 4]));
                }
            }
        }
        Vec::new()
    }

    /// Typed or pasted text.
    pub fn insert(&mut self, text: &str) {
        if !self.busy {
            let line = text.lines().next().unwrap_or_default();
            self.value_mut().insert(line);
        }
    }

    /// Asks the server, once everything is filled in.
    fn submit(&mut self) -> Vec<Effect> {
        for field in [Field::Server, Field::Username, Field::Password] {
            if self.value(field).text().trim().is_empty() {
                self.focus_on(field);
                self.error = Some((field, Plain::line("is needed")));
                return Vec::new();
            }
        }
        self.busy = true;
        self.error = None;
        let own = |field: &Composer| field.text().trim().to_owned();
        vec![Effect::SignIn(Credentials {
            server: own(&self.server),
            username: own(&self.username),
            password: self.password.text().to_owned(),
            register: self.registering,
            display_name: Some(own(&self.display_name)).filter(|name| !name.is_empty()),
        })]
    }

    fn focus_on(&mut self, field: Field) {
        self.focus = self.fields().iter().position(|f| *f == field).unwrap_or(0);
    }

    /// It did not work: says so beside the field that has to change.
    pub fn failed(&mut self, error: &ClientError) {
        self.busy = false;
        let (field, text) = match error {
            ClientError::Address(_) | ClientError::Unreachable(_) | ClientError::Protocol(_) => {
                (Field::Server, error.to_string())
            }
            ClientError::Problem(problem) => fault(problem, self.registering),
            _ => (Field::Password, error.to_string()),
        };
        self.focus_on(field);
        if problem_code(error) == Some(ErrorCode::WrongCredentials) {
            self.password.go(Motion::End);
            self.password.delete(Motion::Home);
        }
        self.error = Some((field, Plain::line(&text)));
    }
}

fn problem_code(error: &ClientError) -> Option<ErrorCode> {
    match error {
        ClientError::Problem(problem) => Some(problem.code),
        _ => None,
    }
}

/// Which field a problem is about, and what to say there.
fn fault(problem: &Problem, registering: bool) -> (Field, String) {
    if let Some(error) = problem.errors.first() {
        let field = match error.field.as_str() {
            "password" => Some(Field::Password),
            "username" => Some(Field::Username),
            "display_name" if registering => Some(Field::DisplayName),
            _ => None,
        };
        if let Some(field) = field {
            return (field, error.detail.clone());
        }
    }
    let field = match problem.code {
        ErrorCode::UsernameTaken => Field::Username,
        ErrorCode::RegistrationClosed | ErrorCode::Unavailable | ErrorCode::ShuttingDown => {
            Field::Server
        }
        _ => Field::Password,
    };
    (field, problem.detail.clone())
}

/// Going on with an earlier sign-in.
#[derive(Debug)]
pub struct Resuming {
    /// Why it did not work yet.
    pub reason: Option<Plain>,
    /// When the next try is due; none while one is under way.
    pub retry_at: Option<Timestamp>,
    attempts: u32,
}

impl Resuming {
    /// The first try is under way.
    #[must_use]
    pub fn new() -> Self {
        Self {
            reason: None,
            retry_at: None,
            attempts: 0,
        }
    }

    /// A try failed in a way that may pass.
    pub fn failed(&mut self, error: &ClientError, now: Timestamp) {
        let wait = Duration::from_secs(1 << self.attempts.min(5)).min(Duration::from_secs(30));
        self.attempts += 1;
        self.reason = Some(Plain::line(&error.to_string()));
        let millis = i64::try_from(wait.as_millis()).unwrap_or(30_000);
        self.retry_at = Some(Timestamp::from_millis(now.as_millis() + millis));
    }

    /// The next try, if it is due or asked for.
    pub fn retry(&mut self, now: Timestamp, at_once: bool) -> Option<Effect> {
        let due = self.retry_at.is_some_and(|at| at_once || at <= now);
        due.then(|| {
            self.retry_at = None;
            Effect::Resume
        })
    }
}

impl Default for Resuming {
    fn default() -> Self {
        Self::new()
    }
}
