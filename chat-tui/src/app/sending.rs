//! Sending: from the draft into the outbox, which keeps a message until the server has it.

use chat_core::model::{ClientId, ConversationId, Draft, Timestamp};

use super::{
    App, Screen,
    keymap::Action,
    text::Plain,
    timeline::{ItemId, Pending, Sending},
};
use crate::{effect::Effect, event::Event};

/// So many keys are held back at most; what is typed beyond them is a fault of the keyboard.
const MOST_HELD: usize = 10_000;

/// A draft that is on its way into the outbox. It stands in the composer until it is there.
#[derive(Debug)]
pub(super) struct Submitted {
    conversation: ConversationId,
    draft: Draft,
    at: Timestamp,
    /// The whole text of the composer.
    text: String,
}

impl Pending {
    /// A message that waits in the outbox.
    pub(super) fn waiting(draft: Draft, at: Timestamp) -> Self {
        Self {
            body: Plain::text(&draft.body),
            draft,
            at,
            state: Sending::Waiting,
        }
    }
}

impl App {
    /// Puts the draft into the outbox.
    pub(super) fn send(&mut self, effects: &mut Vec<Effect>) {
        let Some(mut body) = self.body_of_draft() else {
            return;
        };
        if body.starts_with("//") {
            body.remove(0);
        }
        let (client_id, at) = (self.next_client_id(), self.now);
        self.stop_typing(effects);
        let Some(chat) = self.chat() else { return };
        let draft = Draft {
            client_id,
            body,
            reply_to: chat.reply_to.as_ref().map(|reply| reply.id),
        };
        effects.push(Effect::Send(chat.id, draft.clone()));
        self.submitted = Some(Submitted {
            conversation: chat.id,
            draft,
            at,
            text: chat.composer.text().to_owned(),
        });
    }

    /// While a draft is on its way into the outbox, which takes a moment, what is typed waits; it comes after it then.
    pub(super) fn hold_back(&mut self, event: Event) -> Option<Event> {
        let waits = match &event {
            Event::Key(key) => {
                let action = self.keymap.lookup(self.contexts(), *key);
                !matches!(action, Some(Action::Quit | Action::Interrupt))
            }
            Event::Paste(_) | Event::Pointer(..) => true,
            _ => false,
        };
        let waits = waits && self.submitted.is_some() && matches!(self.screen, Screen::Main);
        if !waits || self.held.len() == MOST_HELD {
            return Some(event);
        }
        self.held.push_back(event);
        None
    }

    /// A message is in the outbox, or is not.
    pub(super) fn queued(
        &mut self,
        conversation: ConversationId,
        client_id: ClientId,
        outcome: Result<(), String>,
        effects: &mut Vec<Effect>,
    ) {
        let is_it = |submitted: &mut Submitted| submitted.draft.client_id == client_id;
        match (self.submitted.take_if(is_it), outcome) {
            (Some(submitted), Ok(())) => self.leave_composer(submitted),
            (Some(_), Err(reason)) => self.tell_error(&format!(
                "not sent, and still in your draft: the outbox cannot be written ({reason})"
            )),
            (None, Ok(())) => {}
            (None, Err(reason)) => self.not_queued(conversation, client_id, &reason),
        }
        for event in std::mem::take(&mut self.held) {
            self.apply(event, effects);
        }
    }

    /// The outbox has it: it leaves the composer, and is shown as a message that is not sent yet.
    fn leave_composer(&mut self, submitted: Submitted) {
        let Submitted {
            conversation,
            draft,
            at,
            text,
        } = submitted;
        let Some(chat) = self.chats.get_mut(&conversation) else {
            return;
        };
        if chat.composer.text() == text {
            chat.composer.take();
            chat.reply_to = None;
        }
        chat.timeline.push_pending(Pending::waiting(draft, at));
        chat.go_live();
    }

    fn not_queued(&mut self, conversation: ConversationId, client_id: ClientId, reason: &str) {
        if let Some(chat) = self.chats.get_mut(&conversation) {
            let failed = Sending::Failed {
                reason: Plain::line(&format!("the outbox cannot be written ({reason})")),
                needs_new_id: false,
            };
            chat.timeline.set_state(client_id, failed);
        }
    }

    /// Tries again to send the selected message.
    pub(super) fn resend(&mut self, effects: &mut Vec<Effect>) {
        let fresh = self.next_client_id();
        let online = self.link.is_online();
        let Some(chat) = self.chat_mut() else { return };
        let Some(ItemId::Pending(client_id)) = chat.selected else {
            return self.tell("this message was sent");
        };
        let Some(mut pending) = chat.timeline.remove_pending(client_id) else {
            return;
        };
        match pending.state {
            Sending::Failed { needs_new_id, .. } => {
                if needs_new_id {
                    pending.draft.client_id = fresh;
                }
                pending.state = Sending::Waiting;
                effects.push(Effect::Resend {
                    conversation: chat.id,
                    draft: pending.draft.clone(),
                    replaces: needs_new_id.then_some(client_id),
                });
            }
            _ if !online => effects.push(Effect::RetryNow),
            _ => {}
        }
        chat.selected = Some(ItemId::Pending(pending.draft.client_id));
        chat.timeline.push_pending(pending);
    }
}
