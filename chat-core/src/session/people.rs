//! What a session says of its user, and asks of others: presence and typing.

use super::Session;
use crate::{
    bus::Notice,
    engine::is_typing_told,
    error::Error,
    model::{Availability, ConversationId, UserId},
    presence::hidden,
    protocol::rest::PatchSettings,
    source::HashSet,
};

impl Session {
    /// How the user wants to be seen while connected, on all devices; never idle.
    #[must_use]
    pub fn availability(&self) -> Availability {
        self.engine.presence.settings(self.user_id()).availability
    }

    /// Says how the user wants to be seen.
    ///
    /// `Idle` is this session's: nobody sits there; `Online` takes that back and says nothing else. The others, and `Online`
    /// from a session that is not idle, are the user's from here on, durably and on all devices. What was begun when this
    /// is dropped still happens, whole.
    pub async fn set_presence(&mut self, availability: Availability) -> Result<(), Error> {
        let user = self.user_id();
        match availability {
            Availability::Idle => self.set_idle(true),
            Availability::Online if self.idle => self.set_idle(false),
            availability => {
                let changes = PatchSettings {
                    availability: Some(availability),
                    ..PatchSettings::default()
                };
                self.engine
                    .to_its_end(
                        move |engine| async move { engine.update_settings(user, changes).await },
                    )
                    .await?;
            }
        }
        Ok(())
    }

    fn set_idle(&mut self, idle: bool) {
        if self.idle != idle {
            self.idle = idle;
            self.engine.presence.set_idle(self.user_id(), idle);
        }
    }

    /// Tells of the presence of these users from here on, and of no others. Those who share no conversation with this
    /// user are left out in silence; those who have blocked them look as if they were never there. When dropped before it returns, and when it fails, the new ones may be told of beside
    /// the former ones.
    pub async fn watch_presence(&mut self, users: Vec<UserId>) -> Result<(), Error> {
        let limit = self.engine.limits.max_watched_users;
        if users.len() > limit {
            return Err(Error::LimitExceeded(format!(
                "at most {limit} watched users"
            )));
        }
        let known = self
            .engine
            .store
            .sharing_with(self.user_id(), &users)
            .await?;
        let mut wanted: HashSet<UserId> = known.into_iter().collect();
        let blockers = self.watch(&wanted).await?;
        wanted.retain(|user| !blockers.contains(user));
        let ids: Vec<UserId> = wanted.iter().copied().collect();
        let snapshot = self.engine.presence.of(&ids).await?;
        for user in self.watched.extract_if(|user| !wanted.contains(user)) {
            self.engine.presence.unwatch(user, &self.inbox);
        }
        let blockers = blockers.into_iter().map(hidden);
        self.signals().presence.extend(
            snapshot
                .into_iter()
                .chain(blockers)
                .map(|presence| (presence.user_id, presence)),
        );
        Ok(())
    }

    /// Watches those of these users who have not blocked this one, and answers the others. Watched before it is read: what
    /// changes meanwhile leaves a mark, which is told after the snapshot.
    async fn watch(&mut self, wanted: &HashSet<UserId>) -> Result<Vec<UserId>, Error> {
        let presence = &self.engine.presence;
        let ids: Vec<UserId> = wanted.iter().copied().collect();
        loop {
            let as_of = presence.blocks_seen();
            let store = &self.engine.store;
            let blockers = store.blockers_of(self.user_id(), &ids).await?;
            let new = ids.iter().copied();
            let new: Vec<_> = new
                .filter(|user| !self.watched.contains(user) && !blockers.contains(user))
                .collect();
            if presence.watch(&new, &self.inbox, as_of) {
                self.watched.extend(new);
                return Ok(blockers);
            }
        }
    }

    /// Says that this user types, or stopped typing, in a joined conversation.
    ///
    /// To be repeated while it lasts (see [`Limits::typing_expiry`](crate::Limits)); ends by itself with a send, `leave`
    /// and the end of the session. It is heard by nobody in conversations of many members, in direct ones where one has
    /// blocked the other, and where the user does not want it to be or is invisible.
    pub async fn typing(
        &mut self,
        conversation: ConversationId,
        typing: bool,
    ) -> Result<(), Error> {
        let joined = self.joined.get(&conversation);
        let Some(attachment) = joined.filter(|it| !it.is_detached()).cloned() else {
            return Err(Error::NotFound("join the conversation first"));
        };
        let user = self.user_id();
        let is_told = typing && {
            let company = self.engine.hub.company(&attachment.room).await?;
            company.members <= self.engine.limits.max_members_for_typing && !company.apart
        };
        if !is_told || !is_typing_told(self.engine.presence.settings(user)) {
            self.stop_typing(conversation);
            return Ok(());
        }
        self.typing_in.insert(conversation);
        let (typing, hub) = (&self.engine.typing, &self.engine.hub);
        typing.start(conversation, user, hub);
        self.tell_others_of_typing(conversation, true);
        // Whoever is removed at this moment was taken out before, or is seen here.
        if attachment.is_detached() {
            self.stop_typing(conversation);
        }
        Ok(())
    }

    pub(super) fn stop_typing(&mut self, conversation: ConversationId) {
        if self.typing_in.remove(&conversation) {
            self.engine
                .typing
                .stop(conversation, self.user_id(), &self.engine.hub);
            self.tell_others_of_typing(conversation, false);
        }
    }

    pub(super) fn tell_others_of_typing(&self, conversation_id: ConversationId, typing: bool) {
        self.engine.bus.tell(Notice::Typing {
            conversation_id,
            user_id: self.user_id(),
            typing,
        });
    }
}
