//! What came of what was asked for.

use std::collections::HashSet;

use chat_core::{
    client::ClientError,
    model::{ConversationId, Member, Message, Profile, UserId},
    protocol::rest::{Page, SignIn},
};

use super::{
    App, Dialog, fault,
    keymap::{Action, Context},
    panels::{Loading, Place},
    search::Hit,
};
use crate::{deed::Deed, effect::Effect, event::Source};

impl App {
    /// Something that was to be done is done, or is not.
    pub(super) fn done(
        &mut self,
        deed: &Deed,
        outcome: Result<(), ClientError>,
        effects: &mut Vec<Effect>,
    ) {
        if let Err(error) = outcome {
            return self.not_done(deed, &error);
        }
        match deed {
            Deed::Add(group, _) => {
                if self.is_adding() {
                    self.close_dialog();
                }
                effects.push(Effect::Members(*group));
            }
            Deed::Role(group, ..) => effects.push(Effect::Members(*group)),
            Deed::Remove(group, user) if Some(*user) != self.me => {
                effects.push(Effect::Members(*group));
            }
            Deed::Ban(group, _) | Deed::LiftBan(group, _) => {
                effects.extend([Effect::Members(*group), Effect::Bans(*group)]);
            }
            Deed::Block(user, true) => drop(self.blocked.insert(*user)),
            Deed::Block(user, false) => drop(self.blocked.remove(user)),
            Deed::Settings(_) => effects.push(Effect::Settings),
            Deed::EndSignIn(_) => effects.push(Effect::SignIns),
            Deed::RenameMe(_) => {
                if let Some(me) = self.me {
                    effects.push(Effect::Person(me));
                }
            }
            _ => {}
        }
        if let Some(text) = deed.done() {
            self.tell(text);
        }
    }

    fn not_done(&mut self, deed: &Deed, error: &ClientError) {
        if let Deed::Edit { body, .. } = deed {
            self.killed.clone_from(body);
        }
        match (&mut self.dialog, deed) {
            (Some(Dialog::NewConversation(dialog)), Deed::Add(..)) => dialog.failed(error),
            (_, Deed::Edit { .. }) => {
                let key = self.keymap.name_of(Context::Composer, Action::Yank);
                let (undone, why) = (deed.undone(), fault::words(error));
                self.tell_error(&format!("{undone} ({key} has your text): {why}"));
            }
            _ => self.tell_error(&format!("{}: {}", deed.undone(), fault::words(error))),
        }
    }

    fn is_adding(&self) -> bool {
        matches!(&self.dialog, Some(Dialog::NewConversation(dialog)) if dialog.group.is_some())
    }

    pub(super) fn found_message(
        &mut self,
        message: Result<Box<Message>, ClientError>,
        effects: &mut Vec<Effect>,
    ) {
        match message {
            Ok(message) if self.open == Some(message.conversation_id) => {
                self.go_to_message(message.conversation_id, message.seq, effects);
            }
            Ok(_) => {}
            Err(error) => self.tell_error(fault::words(&error).as_str()),
        }
    }

    pub(super) fn take_readers(&mut self, answer: Result<Vec<Member>, ClientError>) {
        for member in answer.iter().flatten() {
            self.people.learn(&member.user);
        }
        if let Some(Dialog::Readers(panel)) = &mut self.dialog {
            let sender = panel.sender;
            panel.readers = loaded(answer, |members| {
                let readers = members.iter().map(|member| member.user.id);
                readers.filter(|reader| *reader != sender).collect()
            });
        }
    }

    pub(super) fn searched(
        &mut self,
        ticket: u64,
        answer: Result<Page<Message>, ClientError>,
        source: Source,
        effects: &mut Vec<Effect>,
    ) {
        let found = answer.iter().flat_map(|page| &page.items);
        let senders: Vec<UserId> = found.map(|message| message.sender_id).collect();
        if let Some(Dialog::Search(search)) = &mut self.dialog {
            search.answer(ticket, answer, source);
        }
        self.ask_for(senders, effects);
    }

    pub(super) fn take_pins(
        &mut self,
        conversation: ConversationId,
        answer: Result<Vec<Message>, ClientError>,
        effects: &mut Vec<Effect>,
    ) {
        let senders = answer.iter().flatten().map(|message| message.sender_id);
        let senders: Vec<UserId> = senders.collect();
        if let Some(Dialog::Pins(panel)) = &mut self.dialog
            && panel.conversation == conversation
        {
            panel.pins = loaded(answer, |messages| messages.iter().map(Hit::new).collect());
        }
        self.ask_for(senders, effects);
    }

    pub(super) fn take_banned(
        &mut self,
        conversation: ConversationId,
        answer: Result<Vec<Profile>, ClientError>,
    ) {
        match answer {
            Ok(banned) => {
                for profile in &banned {
                    self.people.learn(profile);
                }
                let banned = banned.iter().map(|profile| profile.id).collect();
                self.take_bans(conversation, banned);
            }
            Err(error) => {
                let text = format!("who is banned did not come: {}", fault::words(&error));
                self.tell_error(&text);
            }
        }
    }

    /// Whom I have blocked; when it did not come, it is asked for again with the next connection.
    pub(super) fn take_blocks(&mut self, answer: Result<Vec<Profile>, ClientError>) {
        if let Ok(blocked) = answer {
            let blocked = blocked.iter().map(|profile| profile.id);
            self.blocked = blocked.collect::<HashSet<_>>();
        }
    }

    pub(super) fn take_sign_ins(&mut self, answer: Result<Vec<SignIn>, ClientError>) {
        let mut dialogs = self.dialog.iter_mut().chain(&mut self.beneath);
        let panel = dialogs.find_map(|dialog| match dialog {
            Dialog::SignIns(panel) => Some(panel),
            _ => None,
        });
        let Some(panel) = panel else { return };
        panel.places = loaded(answer, |places| places.iter().map(Place::new).collect());
        let last = panel.places.items().len().saturating_sub(1);
        panel.selected = panel.selected.min(last);
    }
}

fn loaded<T, U>(answer: Result<T, ClientError>, show: impl FnOnce(T) -> U) -> Loading<U> {
    match answer {
        Ok(answer) => Loading::Here(show(answer)),
        Err(error) => Loading::Failed(fault::words(&error)),
    }
}
