//! What can be done with the selected message.

use chat_core::model::{ConversationKind, Emoji, Role, Seq};

use super::{
    App, Dialog, Pane,
    address::Address,
    ask::Question,
    chat::{Chat, More, ReplyTo},
    input::HALF_A_PAGE,
    keymap::{Action, Preset},
    menu::{Menu, Subject},
    panels::Readers,
    reactions::Picker,
    timeline::{ItemId, Said, Sending, excerpt},
};
use crate::{
    deed::Deed,
    effect::{Effect, Page},
};

/// Of a message that is gone to, so many entries before it are shown too.
const BEFORE: u64 = 25;

impl Chat {
    /// The selected message, if it is in the log.
    #[must_use]
    pub fn selected_said(&self) -> Option<(Seq, &Said)> {
        let ItemId::Entry(seq) = self.selected? else {
            return None;
        };
        Some((seq, self.timeline.line(seq)?.said()?))
    }

    fn reply_to_selected(&self) -> Option<ReplyTo> {
        let (_, said) = self.selected_said()?;
        (!said.deleted).then(|| ReplyTo {
            id: said.id,
            sender: said.sender,
            text: excerpt(said.body.as_str()),
        })
    }
}

impl App {
    pub(super) fn act_on_message(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let letters_command = self.keymap.preset() == Preset::Vim;
        let Some(chat) = self.chat_mut() else {
            self.pane = Pane::List;
            return;
        };
        let is_pending = matches!(chat.selected, Some(ItemId::Pending(_)));
        match action {
            Action::Up => chat.select_by(-1),
            Action::Down => chat.select_by(1),
            Action::Back => chat.unselect(),
            Action::Newer => chat.select_within(1),
            Action::HalfUp => chat.select_within(-HALF_A_PAGE),
            Action::HalfDown => chat.select_within(HALF_A_PAGE),
            Action::First => chat.select_within(isize::MIN),
            Action::Last if letters_command => {
                chat.go_live();
                chat.select_by(0);
            }
            Action::Last => return self.go_to_latest(),
            Action::ToList => return self.go_to_list(),
            Action::Menu => return self.open_message_menu(),
            Action::Unfold => {
                if let Some(selected) = chat.selected
                    && !chat.unfolded.remove(&selected)
                {
                    chat.unfolded.insert(selected);
                }
                return;
            }
            Action::Reply => match chat.reply_to_selected() {
                Some(reply) => {
                    chat.stop_editing();
                    chat.reply_to = Some(reply);
                    chat.unselect();
                }
                None => self.tell("only a message that was sent can be replied to"),
            },
            Action::Resend => self.resend(effects),
            Action::Edit if is_pending => self.take_back(true, effects),
            Action::Edit => self.edit_selected(),
            Action::Discard if is_pending => self.take_back(false, effects),
            Action::Copy => self.copy_selected(effects),
            action => self.act_on_said(action, effects),
        }
        if self.chat().is_none_or(|chat| chat.selected.is_none()) {
            self.pane = Pane::Composer;
        }
    }

    /// What can be done only with a message that is in the log, and is not deleted.
    fn act_on_said(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat() else { return };
        let Some((seq, said)) = chat.selected_said() else {
            return self.tell("this message was not sent yet");
        };
        let (conversation, id) = (chat.id, said.id);
        match action {
            Action::MarkUnread => self.mark_unread_from(seq, effects),
            _ if said.deleted => self.tell("this message was deleted"),
            Action::React => self.dialog = Some(Dialog::React(Picker::new(id))),
            Action::Unreact => self.unreact(effects),
            Action::PinMessage => {
                let deed = Deed::Pin(conversation, id, !said.pinned);
                effects.push(Effect::Do(deed));
            }
            Action::Discard => {
                let deed = Deed::Delete(conversation, id);
                let question = Question::before(deed, "Delete this message for everyone?");
                self.dialog = Some(Dialog::Ask(question));
            }
            Action::Readers => {
                let readers = Readers::new(seq, said.sender);
                self.dialog = Some(Dialog::Readers(readers));
                effects.push(Effect::Readers(conversation, seq));
            }
            Action::Answered => self.go_to_answered(effects),
            Action::OpenLink => self.open_addresses(),
            Action::Details => self.open_details(),
            Action::Sender => {
                let sender = said.sender;
                self.open_profile(sender, effects);
            }
            _ => {}
        }
    }

    pub(super) fn open_message_menu(&mut self) {
        let items = self.message_items();
        if items.is_empty() {
            return;
        }
        let items = items
            .into_iter()
            .map(|(action, text)| (action, text.to_owned()));
        let menu = Menu::new(Subject::Message, "Message", items.collect());
        self.dialog = Some(Dialog::Menu(menu));
    }

    /// All that can be done with the selected message.
    pub(super) fn message_items(&self) -> Vec<(Action, &'static str)> {
        let Some(chat) = self.chat() else {
            return Vec::new();
        };
        match (chat.selected, chat.selected_said()) {
            (Some(ItemId::Pending(id)), _) => {
                let pending = chat.timeline.find_pending(id);
                match pending.map(|pending| &pending.state) {
                    Some(Sending::Accepted(_)) | None => Vec::new(),
                    Some(_) => vec![
                        (Action::Resend, "try again"),
                        (Action::Edit, "edit"),
                        (Action::Discard, "discard"),
                        (Action::Copy, "copy the text"),
                    ],
                }
            }
            (_, Some((_, said))) => self.can_be_done_with(said),
            _ => Vec::new(),
        }
    }

    fn can_be_done_with(&self, said: &Said) -> Vec<(Action, &'static str)> {
        if said.deleted {
            return vec![(Action::MarkUnread, "mark unread from here")];
        }
        let mine = Some(said.sender) == self.me;
        let item = self.open.and_then(|id| self.list.get(id));
        let direct = item.is_some_and(|item| item.kind == ConversationKind::Direct);
        let moderates = item.is_some_and(|item| !direct && item.role >= Role::Admin);
        let has_my_reaction = said.reactions_of(self.me).next().is_some();
        let has_link = !Address::all_in(&said.body).is_empty();
        let offered = [
            (true, Action::Reply, "reply"),
            (true, Action::React, "react"),
            (has_my_reaction, Action::Unreact, "take your reaction away"),
            (mine, Action::Edit, "edit"),
            (mine || moderates, Action::Discard, "delete for everyone"),
            (
                direct || moderates,
                Action::PinMessage,
                if said.pinned {
                    "take the pin away"
                } else {
                    "pin"
                },
            ),
            (true, Action::Copy, "copy the text"),
            (has_link, Action::OpenLink, "open a link in it"),
            (true, Action::Readers, "who has read it"),
            (true, Action::Details, "details"),
            (!mine, Action::Sender, "who said it"),
            (true, Action::MarkUnread, "mark unread from here"),
            (
                said.reply_to.is_some(),
                Action::Answered,
                "go to what it answers",
            ),
            (true, Action::Unfold, "unfold or fold"),
        ];
        let offered = offered.into_iter().filter(|(may, ..)| *may);
        offered.map(|(_, action, text)| (action, text)).collect()
    }

    /// Takes a message that was not sent off the screen: into the draft, or away.
    fn take_back(&mut self, edit: bool, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat_mut() else { return };
        let pending = match chat.selected {
            Some(ItemId::Pending(client_id)) => chat.timeline.remove_pending(client_id),
            _ => None,
        };
        let Some(pending) = pending else { return };
        effects.push(Effect::Discard(pending.draft.client_id));
        chat.unselect();
        if edit {
            let draft = chat.composer.take();
            let gap = if draft.is_empty() { "" } else { "\n" };
            chat.composer
                .set(&format!("{}{gap}{draft}", pending.draft.body));
        } else {
            self.killed = pending.draft.body;
            self.tell_with_yank("discarded · {} brings it back");
        }
    }

    fn copy_selected(&mut self, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat() else { return };
        let text = match chat.selected {
            Some(ItemId::Pending(id)) => chat.timeline.find_pending(id).map(|p| &p.body),
            _ => chat.selected_said().map(|(_, said)| &said.body),
        };
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return self.tell("there is nothing to copy");
        };
        // What was seen is copied, and not what somebody hid in it.
        let text = text.as_str().to_owned();
        self.killed.clone_from(&text);
        effects.push(Effect::Copy(text));
        self.tell_with_yank("copied · {} puts it into the draft");
    }

    /// Puts an emoji on a message, or takes it away if it is mine already.
    pub(super) fn react(&mut self, picker: &Picker, effects: &mut Vec<Effect>) {
        let Some(emoji) = picker.chosen().cloned() else {
            return;
        };
        let me = self.me;
        let Some(chat) = self.chat() else { return };
        let said = chat.timeline.message(picker.message);
        let is_mine = said.is_some_and(|said| said.reactions_of(me).any(|c| c.emoji == emoji));
        effects.push(Effect::Do(Deed::React {
            conversation: chat.id,
            message: picker.message,
            emoji,
            on: picker.only.is_none() && !is_mine,
        }));
    }

    fn unreact(&mut self, effects: &mut Vec<Effect>) {
        let me = self.me;
        let Some(chat) = self.chat() else { return };
        let Some((_, said)) = chat.selected_said() else {
            return;
        };
        let mine: Vec<Emoji> = said.reactions_of(me).map(|c| c.emoji.clone()).collect();
        match mine.as_slice() {
            [] => self.tell("no reaction of yours is on it"),
            [one] => effects.push(Effect::Do(Deed::React {
                conversation: chat.id,
                message: said.id,
                emoji: one.clone(),
                on: false,
            })),
            _ => self.dialog = Some(Dialog::React(Picker::of(said.id, mine))),
        }
    }

    fn mark_unread_from(&mut self, seq: Seq, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat_mut() else { return };
        chat.keep_unread(seq - 1);
        effects.push(Effect::MarkUnread(chat.id, seq - 1));
        chat.unselect();
        self.tell("unread from there on, until you come back");
    }

    fn go_to_answered(&mut self, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat() else { return };
        let Some(id) = chat.selected_said().and_then(|(_, said)| said.reply_to) else {
            return self.tell("this message answers none");
        };
        let conversation = chat.id;
        match chat.timeline.place_of(id) {
            Some(seq) => self.go_to_message(conversation, seq, effects),
            None => effects.push(Effect::Find(conversation, id)),
        }
    }

    /// Shows a message in its conversation, and selects it; what is around it is asked for if need be.
    pub(super) fn go_to_message(
        &mut self,
        conversation: chat_core::model::ConversationId,
        seq: Seq,
        effects: &mut Vec<Effect>,
    ) {
        if self.open != Some(conversation) {
            self.open_conversation(conversation, effects);
        }
        let rows = self.seen.page;
        let Some(chat) = self.chat_mut().filter(|chat| chat.id == conversation) else {
            return self.tell_error("that conversation is no longer in your list");
        };
        if chat.timeline.line(seq).is_none() && chat.timeline.live_holds(seq) {
            chat.go_live();
        }
        if chat.timeline.line(seq).is_some() {
            chat.show_in_middle(seq, rows);
            self.pane = Pane::Messages;
            return;
        }
        chat.older = More::Loading;
        effects.push(Effect::Page {
            conversation,
            page: Page::At(seq),
            after: seq.saturating_sub(BEFORE),
            limit: usize::try_from(super::PAGE).unwrap_or(50),
            is_kept_up: false,
        });
        self.tell("going there…");
    }
}
