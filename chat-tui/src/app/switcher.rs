//! The popup that leads everywhere: conversations, people and commands by a few letters.

use std::collections::HashSet;

use chat_core::{
    client::ClientError,
    model::{ConversationId, ConversationKind, Profile, UserId},
};
use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{AtomKind, CaseMatching, Normalization, Pattern},
};

use super::{
    App, Pane,
    composer::Composer,
    keymap::{Action, Code, Context, Key},
    people::Person,
    text::Plain,
};
use crate::effect::Effect;

/// From so many letters on people are looked for at the server too, and commands are offered without their `>`.
const ENOUGH_LETTERS: usize = 2;

/// Where the popup leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A conversation.
    Conversation(ConversationId),
    /// The direct conversation with somebody, which need not be there yet.
    Person {
        /// Who.
        id: UserId,
        /// The name they are shown by.
        name: Plain,
        /// The unique name.
        username: Plain,
    },
    /// Something that can be done.
    Command(Command),
}

/// Something that can be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Where its key holds.
    pub context: Context,
    /// What.
    pub action: Action,
    /// What it is done to; nothing if that need not be said.
    pub about: Plain,
    /// In words that say how things are.
    pub text: String,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Everything,
    People,
    Groups,
    Commands,
}

/// The dialog. What matches is found out when a letter is written, not when it is drawn.
#[derive(Debug, Default)]
pub struct Switcher {
    /// The letters; `@`, `#` or `>` before them looks only for people, groups or commands.
    pub query: Composer,
    /// What matches, the better first.
    pub targets: Vec<Target>,
    /// Which of it, from the top.
    pub selected: usize,
    found: Vec<Profile>,
    commands: Vec<Command>,
    ticket: u64,
    answered: u64,
}

impl Switcher {
    /// Whether the server was asked for people and has not answered yet.
    #[must_use]
    pub fn searching(&self) -> bool {
        self.answered < self.ticket
    }

    fn kind_and_letters(&self) -> (Kind, &str) {
        let text = self.query.text().trim_start();
        let mut letters = text.chars();
        let kind = match letters.next() {
            Some('@') => Kind::People,
            Some('#') => Kind::Groups,
            Some('>') => Kind::Commands,
            _ => return (Kind::Everything, text.trim_end()),
        };
        (kind, letters.as_str().trim())
    }

    /// The letters, if people are to be looked for at the server by them.
    fn asked_of_server(&self) -> Option<String> {
        let (kind, letters) = self.kind_and_letters();
        let enough = letters.chars().count() >= ENOUGH_LETTERS;
        match kind {
            Kind::People if !letters.is_empty() => Some(letters.to_owned()),
            Kind::Everything if enough => Some(letters.to_owned()),
            _ => None,
        }
    }

    /// Finds out what matches.
    fn refresh(&mut self, app: &App) {
        let (kind, letters) = self.kind_and_letters();
        let is = |wanted| kind == wanted || kind == Kind::Everything;
        let mut scale = Scale::new(letters);
        // What is equally near stands in the order of the list, people and commands after conversations.
        let mut scored: Vec<(u32, Target)> = Vec::new();
        if is(Kind::Groups) {
            for item in app.list.all() {
                if kind == Kind::Groups && item.kind != ConversationKind::Group {
                    continue;
                }
                let username = item.peer.and_then(|peer| app.people.get(peer));
                let username = username.map_or("", |person| person.username.as_str());
                if let Some(score) = scale.nearest(&[item.name.as_str(), username]) {
                    scored.push((score, Target::Conversation(item.id)));
                }
            }
        }
        if is(Kind::People) && (kind == Kind::People || !letters.is_empty()) {
            scored.extend(self.people(app, kind, &mut scale));
        }
        let enough = letters.chars().count() >= ENOUGH_LETTERS;
        if kind == Kind::Commands || (kind == Kind::Everything && enough) {
            for command in &self.commands {
                if let Some(score) = scale.nearest(&[&command.text, command.action.name()]) {
                    scored.push((score, Target::Command(command.clone())));
                }
            }
        }
        if !letters.is_empty() {
            scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        }
        self.targets = scored.into_iter().map(|(_, target)| target).collect();
    }

    /// Those who were met, and those whom the server found.
    fn people(&self, app: &App, kind: Kind, scale: &mut Scale) -> Vec<(u32, Target)> {
        let have_rows: HashSet<UserId> = app.list.all().filter_map(|item| item.peer).collect();
        let known = app.people.iter().map(|(id, person)| (id, person.clone()));
        let unknown = self.found.iter();
        let unknown = unknown.filter(|profile| app.people.get(profile.id).is_none());
        let unknown = unknown.map(|profile| (profile.id, Person::new(profile)));
        let mut near: Vec<(u32, UserId, Person)> = known
            .chain(unknown)
            // Who has a row of their own is found by it.
            .filter(|(id, _)| kind == Kind::People || !have_rows.contains(id))
            .filter_map(|(id, person)| {
                let names = [person.name.as_str(), person.username.as_str()];
                Some((scale.nearest(&names)?, id, person))
            })
            .collect();
        near.sort_by(|(.., one), (.., other)| one.name.as_str().cmp(other.name.as_str()));
        let targets = near.into_iter().map(|(score, id, person)| {
            let Person { name, username, .. } = person;
            (score, Target::Person { id, name, username })
        });
        targets.collect()
    }

    fn go(&mut self, by: isize) {
        let last = self.targets.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
    }
}

/// How near names are to some letters.
struct Scale {
    pattern: Pattern,
    matcher: Matcher,
    buffer: Vec<char>,
}

impl Scale {
    fn new(letters: &str) -> Self {
        let (case, marks) = (CaseMatching::Ignore, Normalization::Smart);
        let mut config = Config::DEFAULT;
        config.prefer_prefix = true;
        Self {
            pattern: Pattern::new(letters, case, marks, AtomKind::Fuzzy),
            matcher: Matcher::new(config),
            buffer: Vec::new(),
        }
    }

    /// How near the nearest of these names is; none if the letters are in none of them.
    fn nearest(&mut self, names: &[&str]) -> Option<u32> {
        let mut best = None;
        for name in names.iter().filter(|name| !name.is_empty()) {
            let name = Utf32Str::new(name, &mut self.buffer);
            best = best.max(self.pattern.score(name, &mut self.matcher));
        }
        best
    }
}

impl App {
    pub(super) fn open_switcher(&mut self, so_far: &str, effects: &mut Vec<Effect>) {
        let mut switcher = Switcher {
            commands: self.commands(),
            ..Switcher::default()
        };
        switcher.query.insert(so_far);
        self.show_switcher(switcher, effects);
    }

    /// Shows what matches the letters as they now are, and asks the server for people if need be.
    fn show_switcher(&mut self, mut switcher: Switcher, effects: &mut Vec<Effect>) {
        switcher.selected = 0;
        switcher.found.clear();
        self.tickets += 1;
        switcher.ticket = self.tickets;
        switcher.answered = switcher.ticket;
        if self.link.is_online()
            && let Some(query) = switcher.asked_of_server()
        {
            let ticket = switcher.ticket;
            switcher.answered = ticket - 1;
            effects.push(Effect::FindUsers { query, ticket });
        }
        switcher.refresh(self);
        self.dialog = Some(super::Dialog::Switcher(switcher));
    }

    /// People whom the server found; an answer to an earlier question is passed over.
    pub(super) fn found_for_switcher(
        &mut self,
        ticket: u64,
        found: Result<Vec<Profile>, ClientError>,
    ) {
        let Some(super::Dialog::Switcher(mut switcher)) = self.dialog.take() else {
            return;
        };
        if ticket == switcher.ticket {
            switcher.answered = ticket;
            let me = self.me;
            // Without the answer those who were met are still there.
            let found = found.unwrap_or_default().into_iter();
            switcher.found = found.filter(|p| Some(p.id) != me).collect();
            let selected = switcher.targets.get(switcher.selected).cloned();
            switcher.refresh(self);
            let place = |wanted| switcher.targets.iter().position(|t| *t == wanted);
            switcher.selected = selected.and_then(place).unwrap_or(0);
        }
        self.dialog = Some(super::Dialog::Switcher(switcher));
    }

    pub(super) fn write_in_switcher(&mut self, text: &str, effects: &mut Vec<Effect>) {
        if let Some(super::Dialog::Switcher(mut switcher)) = self.dialog.take() {
            switcher.query.insert(text);
            self.show_switcher(switcher, effects);
        }
    }

    pub(super) fn key_in_switcher(
        &mut self,
        key: Key,
        action: Option<Action>,
        by: isize,
        effects: &mut Vec<Effect>,
    ) {
        let Some(super::Dialog::Switcher(switcher)) = &mut self.dialog else {
            return;
        };
        match action {
            _ if by != 0 => switcher.go(by),
            Some(Action::Move(motion)) => switcher.query.go(motion),
            Some(Action::Delete(motion)) => {
                switcher.query.delete(motion);
                self.write_in_switcher("", effects);
            }
            Some(Action::Enter) => {
                if let Some(target) = switcher.targets.get(switcher.selected).cloned() {
                    self.close_dialogs();
                    self.go_to_target(target, effects);
                }
            }
            Some(_) => {}
            None => {
                if let Code::Char(letter) = key.code
                    && !key.ctrl
                    && !key.alt
                {
                    self.write_in_switcher(letter.encode_utf8(&mut [0; 4]), effects);
                }
            }
        }
    }

    pub(super) fn go_to_target(&mut self, target: Target, effects: &mut Vec<Effect>) {
        match target {
            Target::Conversation(id) => {
                self.open_conversation(id, effects);
                self.pane = Pane::Composer;
            }
            Target::Person { id, .. } => self.write_to(id, effects),
            Target::Command(command) => self.run_command(&command, effects),
        }
    }

    /// Opens the direct conversation with somebody, and starts it if there is none.
    pub(super) fn write_to(&mut self, person: UserId, effects: &mut Vec<Effect>) {
        let row = self.list.all().find(|item| item.peer == Some(person));
        match row.map(|item| item.id) {
            Some(id) => {
                self.close_dialogs();
                self.open_conversation(id, effects);
                self.pane = Pane::Composer;
            }
            None => effects.push(Effect::Direct(person)),
        }
    }

    /// All that can be done now, in the order of the help.
    fn commands(&self) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        let mut offer = |context, action, about: &str, text: &str| {
            if !commands.iter().any(|command| command.action == action) {
                let (about, text) = (Plain::line(about), text.to_owned());
                commands.push(Command {
                    context,
                    action,
                    about,
                    text,
                });
            }
        };
        for binding in self.keymap.bindings() {
            let is_one = match (binding.context, binding.action) {
                (Context::Everywhere, action) => action != Action::Interrupt,
                (Context::Composer, Action::Undo | Action::Redo | Action::Editor) => {
                    self.open.is_some()
                }
                (
                    Context::Main,
                    Action::Switcher
                    | Action::Commands
                    | Action::NextPane
                    | Action::PreviousPane
                    | Action::PageUp
                    | Action::PageDown,
                ) => false,
                (Context::Main, _) => true,
                _ => false,
            };
            if is_one {
                offer(binding.context, binding.action, "", binding.help);
            }
        }
        for (action, text) in self.message_items() {
            offer(Context::Messages, action, "this message", text);
        }
        if let Some(item) = self.meant() {
            for (action, text) in self.conversation_items(item) {
                offer(Context::Conversation, action, item.name.as_str(), &text);
            }
        }
        for (action, text) in self.own_menu().items {
            offer(Context::Own, action, "you", &text);
        }
        commands
    }

    fn run_command(&mut self, command: &Command, effects: &mut Vec<Effect>) {
        let action = command.action;
        match command.context {
            Context::Messages => self.act_on_message(action, effects),
            Context::Composer => self.act_in_composer(action, effects),
            Context::Own => self.act_on_myself(action, effects),
            Context::Conversation => {
                if let Some(id) = self.meant().map(|item| item.id) {
                    self.act_on_conversation(id, action, effects);
                }
            }
            Context::Everywhere => {
                self.act_everywhere(action, false, effects);
            }
            _ => self.act(action, effects),
        }
    }
}
