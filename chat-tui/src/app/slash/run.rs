//! What commands do.

use chat_core::{
    client::ClientError,
    model::{
        Availability, ConversationId, ConversationKind, MineChanges, Notify, Profile, Title, Topic,
        UserId,
    },
};

use super::{Argument, Command, Does, Errand, Written, no_such, read};
use crate::{
    app::{
        App, Dialog, Pane,
        ask::{Prompt, Question, Wanted},
        fault,
        keymap::{Action, Preset},
        new_conversation::NewConversation,
        search::Search,
    },
    deed::Deed,
    effect::Effect,
};

const PRESETS: [Preset; 3] = [Preset::Plain, Preset::Vim, Preset::Emacs];

impl App {
    /// Runs the draft if it is a command; false if it is a message. What cannot be run stays in the draft.
    pub(in crate::app) fn run_draft(&mut self, effects: &mut Vec<Effect>) -> bool {
        let Some(chat) = self.chat().filter(|chat| chat.editing.is_none()) else {
            return false;
        };
        let (id, draft) = (chat.id, chat.composer.text().to_owned());
        let outcome = match read(&draft) {
            Written::Text => return false,
            Written::Unknown(name) => Err(no_such(name)),
            Written::Command(command, argument) => {
                // What comes next may depend on the draft being what it will be.
                let before = self.chats.get_mut(&id).map(|chat| chat.composer.clone());
                if let Some(chat) = self.chats.get_mut(&id) {
                    chat.composer.clear();
                }
                let outcome = self.run_written(id, command, argument, effects);
                if let (Err(_), Some(chat), Some(before)) =
                    (&outcome, self.chats.get_mut(&id), before)
                {
                    chat.composer = before;
                }
                outcome
            }
        };
        match outcome {
            Ok(()) => {
                self.completion = None;
                if let Some(chat) = self.chats.get_mut(&id)
                    && std::mem::take(&mut chat.typing_told)
                {
                    effects.push(Effect::Typing(id, false));
                }
            }
            Err(why) => self.tell_error(&why),
        }
        true
    }

    fn run_written(
        &mut self,
        id: ConversationId,
        command: &Command,
        argument: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), String> {
        if command.argument == Argument::Nothing && !argument.is_empty() {
            return Err(format!("/{} stands alone", command.name));
        }
        match command.does {
            Does::Act(action) => {
                if !self.act_everywhere(action, false, effects) {
                    self.act(action, effects);
                }
            }
            Does::Conversation(Action::Leave) => {
                self.group_here(id, "leave")?;
                self.act_on_conversation(id, Action::Leave, effects);
            }
            Does::Conversation(action) => self.act_on_conversation(id, action, effects),
            Does::Switch => self.switch_to(argument, effects),
            Does::Direct if argument.is_empty() => self.open_switcher("@", effects),
            Does::Direct => self.errand(argument, Errand::Direct, effects)?,
            Does::Profile | Does::Block if argument.is_empty() => {
                let peer = self.list.get(id).and_then(|item| item.peer);
                let peer = peer.ok_or_else(|| format!("write /{} @name", command.name))?;
                let errand = match command.does {
                    Does::Block => Errand::Block,
                    _ => Errand::Profile,
                };
                self.run_errand(peer, errand, effects);
            }
            Does::Profile => self.errand(argument, Errand::Profile, effects)?,
            Does::Block => self.errand(argument, Errand::Block, effects)?,
            Does::Invite => {
                self.group_here(id, "be joined by more people")?;
                if argument.is_empty() {
                    let dialog = NewConversation::adding_to(id);
                    self.dialog = Some(Dialog::NewConversation(dialog));
                } else {
                    self.errand(argument, Errand::Invite(id), effects)?;
                }
            }
            Does::Topic => self.give_topic(id, argument, effects)?,
            Does::Rename => self.rename(id, argument, effects)?,
            Does::Search => {
                let mut search = Search::new(self.open);
                effects.extend(search.insert(argument));
                self.dialog = Some(Dialog::Search(search));
            }
            Does::MyName if argument.is_empty() => self.act_on_myself(Action::RenameMe, effects),
            Does::MyName => effects.push(Effect::Do(Deed::RenameMe(argument.to_owned()))),
            Does::Notify => {
                let levels = [Notify::All, Notify::Mentions, Notify::Nothing];
                let changes = MineChanges {
                    notify: Some(levels[choice(command, argument)?]),
                    ..MineChanges::default()
                };
                effects.push(Effect::Do(Deed::Mine(id, changes)));
            }
            Does::Status => {
                use Availability::{Dnd, Idle, Invisible, Online};
                let status = [Online, Idle, Dnd, Invisible][choice(command, argument)?];
                self.act_on_myself(Action::Available(status), effects);
            }
            Does::Keys => {
                let preset = PRESETS[choice(command, argument)?];
                self.use_keys(preset);
                effects.push(Effect::Keep(self.own.preferences));
                self.tell(&format!("{} keys", preset.name()));
            }
        }
        Ok(())
    }

    fn group_here(&self, id: ConversationId, what: &str) -> Result<(), String> {
        let item = self.list.get(id);
        if item.is_some_and(|item| item.kind == ConversationKind::Group) {
            return Ok(());
        }
        Err(format!("only a group can {what}"))
    }

    fn give_topic(
        &mut self,
        id: ConversationId,
        text: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), String> {
        self.group_here(id, "have a topic")?;
        if text.is_empty() {
            self.act_on_conversation(id, Action::Topic, effects);
            return Ok(());
        }
        let topic = Topic::try_from(text.to_owned()).map_err(str::to_owned)?;
        effects.push(Effect::Do(Deed::Topic(id, Some(topic))));
        Ok(())
    }

    fn rename(
        &mut self,
        id: ConversationId,
        text: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), String> {
        self.group_here(id, "have a name")?;
        if text.is_empty() {
            let name = self.list.get(id).map(|item| item.name.clone());
            let prompt = Prompt::new(Wanted::Title(id), name.unwrap_or_default().as_str());
            self.dialog = Some(Dialog::Prompt(prompt));
            return Ok(());
        }
        let title = Title::try_from(text.to_owned()).map_err(str::to_owned)?;
        effects.push(Effect::Do(Deed::Rename(id, title)));
        Ok(())
    }

    /// To the conversation of this name; where it is not clear which is meant, the popup asks.
    fn switch_to(&mut self, name: &str, effects: &mut Vec<Effect>) {
        let wanted = name.trim_start_matches('#').to_lowercase();
        let mut same = self
            .list
            .all()
            .filter(|item| item.name.as_str().to_lowercase() == wanted)
            .map(|item| item.id);
        let (first, second) = (same.next(), same.next());
        drop(same);
        if let (Some(id), None) = (first, second) {
            self.open_conversation(id, effects);
            self.pane = Pane::Composer;
            return;
        }
        self.open_switcher(name, effects);
    }

    /// Does something with somebody, who is looked for at the server if they were not met yet.
    fn errand(
        &mut self,
        name: &str,
        errand: Errand,
        effects: &mut Vec<Effect>,
    ) -> Result<(), String> {
        let username = name.trim_start_matches('@');
        if username.is_empty() || username.contains(char::is_whitespace) {
            return Err(format!("“{name}” is no user name; write it as in @ana"));
        }
        if let Some(id) = self.people.by_username(username) {
            self.run_errand(id, errand, effects);
            return Ok(());
        }
        if !self.link.is_online() {
            return Err(format!("who @{username} is can be found out when online"));
        }
        effects.push(Effect::Whois(username.to_owned(), errand));
        Ok(())
    }

    /// Who somebody is came, or did not.
    pub(in crate::app) fn take_whois(
        &mut self,
        username: &str,
        errand: Errand,
        answer: Result<Option<Profile>, ClientError>,
        effects: &mut Vec<Effect>,
    ) {
        match answer {
            Ok(Some(profile)) => {
                self.people.learn(&profile);
                self.run_errand(profile.id, errand, effects);
            }
            Ok(None) => self.tell_error(&format!("nobody has the user name @{username}")),
            Err(error) => {
                let why = fault::words(&error);
                self.tell_error(&format!("who @{username} is did not come: {why}"));
            }
        }
    }

    fn run_errand(&mut self, person: UserId, errand: Errand, effects: &mut Vec<Effect>) {
        match errand {
            Errand::Direct => self.write_to(person, effects),
            Errand::Profile => self.open_profile(person, effects),
            Errand::Invite(group) => effects.push(Effect::Do(Deed::Add(group, vec![person]))),
            Errand::Block => self.toggle_block_of(person, effects),
        }
    }

    pub(in crate::app) fn toggle_block_of(&mut self, person: UserId, effects: &mut Vec<Effect>) {
        if Some(person) == self.me {
            return self.tell_error("you cannot block yourself");
        }
        if self.blocked.contains(&person) {
            return effects.push(Effect::Do(Deed::Block(person, false)));
        }
        let text = format!(
            "Block {}? Neither of you can write to the other then, and they are not told.",
            self.people.name(person)
        );
        let question = Question::before(Deed::Block(person, true), &text);
        self.show_above(Dialog::Ask(question));
    }
}

fn choice(command: &Command, argument: &str) -> Result<usize, String> {
    let Argument::Choice(all) = command.argument else {
        return Ok(0);
    };
    let chosen = all.iter().position(|name| *name == argument);
    chosen.ok_or_else(|| format!("write /{} {}", command.name, all.join(", or ")))
}
