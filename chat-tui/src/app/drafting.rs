//! Writing: what keys do to the draft.

use chat_core::model::{ConversationId, ConversationKind, Role};

use super::{
    App, Pane, chat::Editing, composer::Motion, keymap::Action, mention::Completion, text::Plain,
};
use crate::{deed::Deed, effect::Effect};

impl App {
    /// Puts text at the cursor of the draft.
    pub(super) fn write(&mut self, text: &str, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat_mut() else { return };
        let before = chat.composer.text().len();
        chat.composer.insert(text);
        let taken = chat.composer.text().len() - before;
        chat.unselect();
        self.pane = Pane::Composer;
        if taken == 0 && text.len() > 16 {
            self.tell_error("the draft is full");
        }
        self.draft_changed(effects);
    }

    /// Offers names, and tells the others that I am typing, or no longer.
    fn draft_changed(&mut self, effects: &mut Vec<Effect>) {
        self.completion = self.names_for_draft();
        let Some(chat) = self.chat_mut() else { return };
        if chat.composer.is_empty() {
            return self.stop_typing(effects);
        }
        // Changing what was said is not typing, and writing a command is not either.
        if chat.editing.is_none() && !chat.composer.text().starts_with('/') {
            chat.typing_told = true;
            effects.push(Effect::Typing(chat.id, true));
        }
    }

    fn names_for_draft(&self) -> Option<Completion> {
        let chat = self.chat()?;
        let before = &chat.composer.text()[..chat.composer.cursor()];
        if chat.editing.is_none() && before.starts_with('/') {
            return Completion::of_command(before, &self.people, &self.list);
        }
        let members = chat.members.iter().map(|member| member.id);
        let others = members.filter(|id| Some(*id) != self.me);
        let item = self.list.get(chat.id)?;
        let can_call_everyone = item.kind == ConversationKind::Group && item.role >= Role::Admin;
        Completion::of(before, others, &self.people, can_call_everyone)
    }

    /// What a key does while names are offered.
    pub(super) fn complete(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let Some(mut completion) = self.completion.take() else {
            return;
        };
        let last = completion.offers.len().saturating_sub(1);
        match action {
            Action::Up => completion.selected = completion.selected.saturating_sub(1),
            Action::Down => completion.selected = (completion.selected + 1).min(last),
            Action::Back => return,
            Action::Enter => {
                let (Some(offer), Some(chat)) = (
                    completion.offers.get(completion.selected),
                    self.open.and_then(|id| self.chats.get_mut(&id)),
                ) else {
                    return;
                };
                chat.composer
                    .replace_before(completion.letters, &format!("{} ", offer.username));
                return self.draft_changed(effects);
            }
            action => return self.act(action, effects),
        }
        self.completion = Some(completion);
    }

    pub(super) fn act_in_composer(&mut self, action: Action, effects: &mut Vec<Effect>) {
        if action == Action::Send && self.run_draft(effects) {
            return;
        }
        let columns = self.seen.draft_columns.max(1);
        let Some(chat) = self.chat_mut() else {
            if action == Action::Back {
                self.pane = Pane::List;
            }
            return;
        };
        let empty = chat.composer.is_empty();
        match action {
            Action::Send if chat.editing.is_some() => self.finish_editing(effects),
            Action::Send => self.send(effects),
            Action::Newline => self.write("\n", effects),
            Action::Undo if chat.composer.undo() => self.draft_changed(effects),
            Action::Undo => self.tell("nothing to undo"),
            Action::Redo if chat.composer.redo() => self.draft_changed(effects),
            Action::Redo => self.tell("nothing to do again"),
            Action::Editor => {
                let draft = chat.composer.text().to_owned();
                effects.push(Effect::Editor(chat.id, draft));
            }
            Action::Yank => {
                let killed = self.killed.clone();
                self.write(&killed, effects);
            }
            Action::Up => {
                if !chat.composer.go_row(false, columns) {
                    chat.select_by(0);
                }
                if chat.selected.is_some() {
                    self.pane = Pane::Messages;
                }
            }
            Action::Down => {
                chat.composer.go_row(true, columns);
            }
            Action::Move(Motion::Home) if empty => self.go_to_ruler(),
            Action::Move(Motion::End) if empty => self.go_to_latest(),
            Action::Move(motion) => chat.composer.go(motion),
            Action::Delete(motion) => {
                let killed = chat.composer.delete(motion);
                if !matches!(motion, Motion::Left | Motion::Right) && !killed.is_empty() {
                    self.killed = killed;
                }
                self.draft_changed(effects);
            }
            Action::Back | Action::ToMessages if chat.editing.is_some() => {
                chat.stop_editing();
                self.tell("not changed");
            }
            Action::Back if chat.reply_to.take().is_none() => self.go_to_list(),
            Action::ToMessages if chat.reply_to.take().is_none() => {
                chat.select_by(0);
                match chat.selected {
                    Some(_) => self.pane = Pane::Messages,
                    None => self.go_to_list(),
                }
            }
            _ => {}
        }
    }

    /// What became of the draft in the user's editor; whatever went wrong, the draft is still there.
    pub(super) fn edited(
        &mut self,
        id: ConversationId,
        text: Result<String, Plain>,
        effects: &mut Vec<Effect>,
    ) {
        match text {
            Ok(text) => {
                let Some(chat) = self.chats.get_mut(&id) else {
                    return;
                };
                let text = text.trim_end_matches(['\n', '\r']);
                if chat.composer.text() == text {
                    return;
                }
                chat.composer.replace(text);
                if chat.composer.text().len() < text.len() {
                    self.tell_error("the draft is full: the end of your text is left out");
                }
                if self.open == Some(id) {
                    self.draft_changed(effects);
                }
            }
            Err(why) => self.tell_error(why.as_str()),
        }
    }

    /// The draft as a message; says what is wrong with it if it cannot be one.
    pub(super) fn body_of_draft(&mut self) -> Option<String> {
        let max = self.max_body_chars;
        let chat = self.chat()?;
        let body = chat.composer.text().trim_end();
        let body = body.trim_start_matches('\n').to_owned();
        if body.is_empty() {
            return None;
        }
        if chat.closed.is_some() {
            self.tell_error("this conversation cannot be written to any more");
            return None;
        }
        let chars = body.chars().count();
        if chars > max {
            self.tell_error(&format!(
                "too long: {chars} characters, and a message has at most {max}"
            ));
            return None;
        }
        Some(body)
    }

    /// Puts a message of mine into the draft, to be changed there.
    pub(super) fn edit_selected(&mut self) {
        let me = self.me;
        let Some(chat) = self.chat_mut() else { return };
        let Some((_, said)) = chat.selected_said() else {
            return;
        };
        if Some(said.sender) != me || said.deleted {
            return self.tell_error("only what you said yourself can be changed");
        }
        let (id, was) = (said.id, said.raw().to_owned());
        chat.stop_editing();
        let editing = Editing {
            id,
            was,
            draft: chat.composer.take(),
            reply_to: chat.reply_to.take(),
        };
        chat.composer.set(&editing.was);
        chat.editing = Some(editing);
        chat.unselect();
    }

    /// Asks the server to change the message, and gives the draft from before back.
    fn finish_editing(&mut self, effects: &mut Vec<Effect>) {
        let Some(body) = self.body_of_draft() else {
            return;
        };
        let Some(chat) = self.chat_mut() else { return };
        let Some(editing) = chat.stop_editing() else {
            return;
        };
        if body == editing.was {
            return self.tell("nothing to change");
        }
        effects.push(Effect::Do(Deed::Edit {
            conversation: chat.id,
            message: editing.id,
            body,
        }));
    }
}
