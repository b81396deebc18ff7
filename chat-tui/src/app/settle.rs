//! What follows from the state as it is: reading, paging, whom to watch and whom to ask for.

use std::collections::HashSet;

use chat_core::model::{Seq, UserId};

use super::{
    App, PAGE, Screen,
    chat::More,
    timeline::{self, What},
};
use crate::effect::{Effect, Page};

impl App {
    /// What follows from the state as it now is, whatever led to it.
    pub(super) fn settle(&mut self, effects: &mut Vec<Effect>) {
        if !matches!(self.screen, Screen::Main) {
            return;
        }
        if self.resuming.is_none() && std::mem::take(&mut self.list_changed) {
            self.watch_others(effects);
        }
        self.keep_draft(effects);
        self.fill_inbox();
        self.page_older(effects);
        self.page_newer(effects);
        if self.link.is_online() {
            self.mark_read(effects);
        }
    }

    /// What stands before the user's eyes has been read.
    fn mark_read(&mut self, effects: &mut Vec<Effect>) {
        let (me, focused, seen) = (self.me, self.focused, self.seen);
        let Some(chat) = self.chat_mut() else { return };
        let in_view = seen.conversation == Some(chat.id) && seen.at_end && !chat.kept_unread;
        let (Some(last), true) = (chat.timeline.last_seq(), focused && in_view) else {
            return;
        };
        if last <= chat.marked {
            return;
        }
        // Only what others say is ever unread.
        let counts = |seq: Seq| match chat.timeline.line(seq).map(|line| &line.what) {
            Some(What::Said(said)) => Some(said.sender) != me,
            Some(_) => false,
            None => true,
        };
        let nothing_new = chat
            .timeline
            .first_seq()
            .is_some_and(|first| first <= chat.marked + 1)
            && !(chat.marked + 1..=last).any(counts);
        chat.marked = last;
        if !nothing_new {
            effects.push(Effect::MarkRead(chat.id, last));
            self.changed = true;
        }
    }

    /// Asks for older entries before the user gets to them.
    fn page_older(&mut self, effects: &mut Vec<Effect>) {
        let seen = self.seen;
        let from = self.open.and_then(|id| self.list.get(id));
        let from = from.map_or(1, |item| item.history_from.max(1));
        let Some(chat) = self.chat_mut() else { return };
        let Some(first) = chat.timeline.first_seq() else {
            return;
        };
        let wanted = seen.conversation == Some(chat.id) && seen.near_start;
        if wanted && first > from && chat.older == More::Idle {
            chat.older = More::Loading;
            let after = (first - 1).saturating_sub(PAGE).max(from - 1);
            effects.push(Effect::Page {
                conversation: chat.id,
                page: Page::Older,
                after,
                limit: usize::try_from(first - 1 - after).unwrap_or(1),
                is_kept_up: !chat.timeline.has_skipped(),
            });
        }
    }

    /// Asks for what follows an earlier stretch before the user gets to it.
    fn page_newer(&mut self, effects: &mut Vec<Effect>) {
        let seen = self.seen;
        let Some(chat) = self.chat_mut() else { return };
        let Some(last) = chat.timeline.last_seq() else {
            return;
        };
        let wanted = seen.conversation == Some(chat.id) && seen.near_end;
        if wanted && chat.timeline.is_aside() && chat.newer == More::Idle {
            chat.newer = More::Loading;
            effects.push(Effect::Page {
                conversation: chat.id,
                page: Page::Newer,
                after: last,
                limit: usize::try_from(PAGE).unwrap_or(50),
                is_kept_up: !chat.timeline.has_skipped(),
            });
        }
    }

    /// Watches those in direct conversations, and then those in the open group.
    fn watch_others(&mut self, effects: &mut Vec<Effect>) {
        let peers = self.list.iter().filter_map(|item| item.peer);
        let members = self.chat().map(|chat| chat.members.as_slice());
        let members = members.unwrap_or_default().iter().map(|member| member.id);
        let mut watched: Vec<UserId> = Vec::new();
        let mut known = HashSet::new();
        for id in peers.chain(members) {
            if watched.len() == self.max_watched {
                break;
            }
            if Some(id) != self.me && known.insert(id) {
                watched.push(id);
            }
        }
        watched.sort_unstable();
        if watched != self.watched {
            self.watched.clone_from(&watched);
            effects.push(Effect::Watch(watched));
        }
    }

    /// Asks for everybody whose name is needed and was not to be had.
    pub(super) fn ask_for_the_unknown(&mut self, effects: &mut Vec<Effect>) {
        let senders: Vec<UserId> = self
            .list
            .all()
            .filter_map(|item| Some(item.last_message?.1))
            .collect();
        let lines = self.chat().map(|chat| chat.timeline.lines());
        let in_view: Vec<UserId> = lines
            .into_iter()
            .flatten()
            .flat_map(timeline::Line::people)
            .collect();
        self.ask_for(senders.into_iter().chain(in_view), effects);
    }

    pub(super) fn ask_for(
        &mut self,
        people: impl IntoIterator<Item = UserId>,
        effects: &mut Vec<Effect>,
    ) {
        for id in people {
            if self.people.ask(id) {
                effects.push(Effect::Person(id));
            }
        }
    }
}
