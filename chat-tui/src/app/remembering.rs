//! What is kept on disk, taken into the state: at the start, and when a conversation is opened.

use chat_core::model::{ConversationId, Entry, UserId};

use super::{
    App, PAGE,
    chat::{Chat, Editing, ReplyTo},
    text::Plain,
    timeline::{Line, Pending, Sending},
};
use crate::{
    effect::Effect,
    kept::{Kept, KeptDraft, KeptEdit, KeptReply, Queued},
};

/// When no more entries than this were missed, what is held goes on; otherwise the newest are shown, and what is missing
/// can be scrolled to.
const CATCH_UP: u64 = 500;

impl App {
    /// Takes over what an earlier run left: what to send again is returned.
    pub(super) fn remember(&mut self, kept: Kept) -> Vec<Effect> {
        for person in kept.people {
            self.people.remember(person);
        }
        if !self.list.loaded() && kept.me.is_some() {
            for row in &kept.rows {
                if let Some(peer) = &row.conversation.peer {
                    self.people.remember(peer.clone());
                }
            }
            self.list.apply(&kept.rows, &[], true);
            self.list_changed = true;
        }
        let again = kept
            .outbox
            .into_iter()
            .filter_map(|queued| self.remember_queued(queued));
        let again = again.collect();
        for (id, draft) in kept.drafts {
            let chat = self.chats.entry(id).or_insert_with(|| Chat::new(id));
            if chat.composer.is_empty() && chat.editing.is_none() {
                chat.take_up(draft);
            }
        }
        again
    }

    fn remember_queued(&mut self, queued: Queued) -> Option<Effect> {
        let id = queued.conversation;
        let chat = self.chats.entry(id).or_insert_with(|| Chat::new(id));
        if chat.timeline.find_pending(queued.draft.client_id).is_some() {
            return None;
        }
        let mut pending = Pending::waiting(queued.draft.clone(), queued.at);
        if let Some(refusal) = &queued.refusal {
            pending.state = Sending::Failed {
                reason: Plain::line(&refusal.reason),
                needs_new_id: refusal.needs_new_id,
            };
        }
        chat.timeline.push_pending(pending);
        queued.refusal.is_none().then_some(Effect::Resend {
            conversation: id,
            draft: queued.draft,
            replaces: None,
        })
    }

    /// The newest of a conversation that are kept on disk are shown until the server tells what followed.
    pub(super) fn recalled(
        &mut self,
        id: ConversationId,
        entries: &[Entry],
        effects: &mut Vec<Effect>,
    ) {
        let me = self.me;
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        chat.recalling = false;
        if chat.timeline.lines().is_empty() && !chat.joined {
            for entry in entries {
                chat.apply(entry, me);
            }
        }
        let lines = chat.timeline.lines().iter();
        let people: Vec<UserId> = lines.flat_map(Line::people).collect();
        if self.fresh {
            self.ask_for(people, effects);
            self.follow(id, effects);
        }
    }

    /// Follows the log of a conversation after what is held of it.
    pub(super) fn follow(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        let (Some(item), Some(chat)) = (self.list.get(id), self.chats.get_mut(&id)) else {
            return;
        };
        if chat.joined || chat.recalling || !self.recent.contains(&id) {
            return;
        }
        let head = item.head_seq;
        let last = chat.timeline.live_seq();
        let goes_on = last.filter(|last| *last <= head && head - last <= CATCH_UP);
        if last.is_some() && goes_on.is_none() {
            chat.forget_log();
        }
        chat.joined = true;
        chat.closed = None;
        chat.marked = chat.marked.max(item.read_seq);
        if chat.ruler.is_none() && item.unread.count > 0 && chat.marked < head {
            chat.ruler = Some(chat.marked);
        }
        let after = goes_on.unwrap_or(head.saturating_sub(PAGE));
        effects.extend([Effect::Open(id, after), Effect::Members(id)]);
    }

    /// The list is the server's now: what is open is followed.
    pub(super) fn follow_all(&mut self, effects: &mut Vec<Effect>) {
        self.fresh = true;
        for id in self.recent.clone() {
            self.follow(id, effects);
        }
    }

    /// Whatever stands in the composer is kept on disk.
    pub(super) fn keep_draft(&mut self, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat_mut() else { return };
        if chat.is_kept() {
            return;
        }
        chat.kept = chat.to_keep();
        // Before all else: words that go from the outbox into the draft are in both for a moment, and never in none.
        effects.insert(0, Effect::KeepDraft(chat.id, Box::new(chat.kept.clone())));
    }
}

impl Chat {
    /// Puts what an earlier run left into the composer.
    fn take_up(&mut self, draft: KeptDraft) {
        self.composer.set(&draft.body);
        self.reply_to = draft.reply_to.as_ref().map(ReplyTo::from);
        self.editing = draft.editing.as_ref().map(|edit| Editing {
            id: edit.id,
            was: edit.was.clone(),
            draft: edit.draft.clone(),
            reply_to: edit.reply_to.as_ref().map(ReplyTo::from),
        });
        self.kept = draft;
    }

    /// Whether what stands in the composer is on disk; looked at after everything that happens.
    fn is_kept(&self) -> bool {
        let reply = |reply: &Option<ReplyTo>| reply.as_ref().map(|reply| reply.id);
        let kept = |reply: &Option<KeptReply>| reply.as_ref().map(|reply| reply.id);
        self.composer.text() == self.kept.body
            && reply(&self.reply_to) == kept(&self.kept.reply_to)
            && self.editing.as_ref().map(|edit| edit.id)
                == self.kept.editing.as_ref().map(|edit| edit.id)
    }

    fn to_keep(&self) -> KeptDraft {
        KeptDraft {
            body: self.composer.text().to_owned(),
            reply_to: self.reply_to.as_ref().map(KeptReply::from),
            editing: self.editing.as_ref().map(|edit| KeptEdit {
                id: edit.id,
                was: edit.was.clone(),
                draft: edit.draft.clone(),
                reply_to: edit.reply_to.as_ref().map(KeptReply::from),
            }),
        }
    }
}

impl From<&KeptReply> for ReplyTo {
    fn from(kept: &KeptReply) -> Self {
        Self {
            id: kept.id,
            sender: kept.sender,
            text: Plain::line(&kept.text),
        }
    }
}

impl From<&ReplyTo> for KeptReply {
    fn from(reply: &ReplyTo) -> Self {
        Self {
            id: reply.id,
            sender: reply.sender,
            text: reply.text.as_str().to_owned(),
        }
    }
}
