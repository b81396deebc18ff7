//! What follows from the state as it is: reading, paging, whom to watch and whom to ask for.

use chat_core::model::{Seq, UserId};

use super::{
    App, PAGE, Screen,
    chat::Older,
    timeline::{self, What},
};
use crate::effect::Effect;

impl App {
    /// What follows from the state as it now is, whatever led to it.
    pub(super) fn settle(&mut self, effects: &mut Vec<Effect>) {
        if !matches!(self.screen, Screen::Main) {
            return;
        }
        if std::mem::take(&mut self.list_changed) {
            self.watch_peers(effects);
        }
        if self.link.is_online() {
            self.mark_read(effects);
            self.page(effects);
        }
    }

    /// What stands before the user's eyes has been read.
    pub(super) fn mark_read(&mut self, effects: &mut Vec<Effect>) {
        let (me, focused, seen) = (self.me, self.focused, self.seen);
        let Some(chat) = self.chat_mut() else { return };
        let in_view = seen.conversation == Some(chat.id) && seen.at_end;
        let (Some(last), true) = (chat.timeline.last_seq(), focused && in_view) else {
            return;
        };
        if last <= chat.marked {
            return;
        }
        let mine = |seq: Seq| match chat.timeline.line(seq).map(|line| &line.what) {
            Some(What::Said(said)) => Some(said.sender) == me,
            _ => false,
        };
        let all_mine = chat
            .timeline
            .first_seq()
            .is_some_and(|first| first <= chat.marked + 1)
            && (chat.marked + 1..=last).all(mine);
        chat.marked = last;
        if !all_mine {
            effects.push(Effect::MarkRead(chat.id, last));
            self.changed = true;
        }
    }

    /// Asks for older entries before the user gets to them.
    pub(super) fn page(&mut self, effects: &mut Vec<Effect>) {
        let seen = self.seen;
        let Some(chat) = self.chat_mut() else { return };
        let Some(first) = chat.timeline.first_seq() else {
            return;
        };
        let wanted = seen.conversation == Some(chat.id) && seen.near_start;
        if wanted && first > 1 && chat.older == Older::Idle {
            chat.older = Older::Loading;
            let after = (first - 1).saturating_sub(PAGE);
            effects.push(Effect::Older {
                conversation: chat.id,
                after,
                limit: usize::try_from(first - 1 - after).unwrap_or(1),
            });
        }
    }

    pub(super) fn watch_peers(&mut self, effects: &mut Vec<Effect>) {
        let mut peers: Vec<UserId> = self
            .list
            .iter()
            .filter_map(|item| item.peer)
            .take(self.max_watched)
            .collect();
        peers.sort_unstable();
        if peers != self.watched {
            self.watched.clone_from(&peers);
            effects.push(Effect::Watch(peers));
        }
    }

    /// Asks for everybody whose name is needed and was not to be had.
    pub(super) fn ask_for_the_unknown(&mut self, effects: &mut Vec<Effect>) {
        let senders: Vec<UserId> = self
            .list
            .iter()
            .filter_map(|item| item.last_sender)
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
