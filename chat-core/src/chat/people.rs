//! What users let each other know: presence, settings, blocking.

use super::Chat;
use crate::{
    error::Error,
    model::{Availability, Profile, Settings, UserId},
    protocol::rest::PatchSettings,
    source::HashMap,
};

impl Chat {
    /// Fills in the presence of those users who share a conversation with the viewer. Who has blocked the viewer is seen as
    /// offline.
    pub async fn with_presence(
        &self,
        viewer: UserId,
        profiles: Vec<Profile>,
    ) -> Result<Vec<Profile>, Error> {
        let ids: Vec<_> = profiles.iter().map(|profile| profile.id).collect();
        let sharing = self.engine.store.sharing_with(viewer, &ids).await?;
        let presences: HashMap<_, _> = self
            .engine
            .presences(viewer, &sharing)
            .await?
            .into_iter()
            .map(|presence| (presence.user_id, presence))
            .collect();
        let fill = |profile: Profile| Profile {
            presence: presences.get(&profile.id).copied(),
            ..profile
        };
        Ok(profiles.into_iter().map(fill).collect())
    }

    /// What a user lets others know.
    pub async fn settings(&self, user: UserId) -> Result<Settings, Error> {
        Ok(self.engine.store.settings(user).await?)
    }

    /// Changes what a user lets others know.
    pub async fn update_settings(
        &self,
        user: UserId,
        changes: PatchSettings,
    ) -> Result<Settings, Error> {
        if changes.availability == Some(Availability::Idle) {
            return Err(Error::Invalid {
                field: "availability",
                code: "idle",
                detail: "only a device is idle: say so over its socket".to_owned(),
            });
        }
        self.engine
            .to_its_end(move |engine| async move { engine.update_settings(user, changes).await })
            .await
    }

    /// Blocks a user, or no longer; whether that changes anything.
    ///
    /// A blocked person cannot open a direct conversation with this user nor write in the one that is there, and sees them as
    /// offline; nothing tells them why. In groups both go on hearing each other.
    pub async fn set_blocked(
        &self,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> Result<bool, Error> {
        if user == other {
            return Err(Error::Conflict("nobody blocks themselves"));
        }
        if blocked && self.engine.directory.profiles([other]).await?.is_empty() {
            return Err(Error::NotFound("no such user"));
        }
        self.engine
            .to_its_end(move |engine| async move { engine.set_blocked(user, other, blocked).await })
            .await
    }

    /// Whom a user has blocked, ascending by id from after `after`, and whether there are more.
    pub async fn blocked(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<(Vec<Profile>, bool), Error> {
        let store = &self.engine.store;
        let blocked = store.blocked_by(user, after, limit + 1).await?;
        self.engine.page_of_profiles(blocked, limit).await
    }

    /// Those of `users` whose profile `viewer` may see: all but those who have blocked them and with whom they share no
    /// conversation.
    pub async fn visible_to(
        &self,
        viewer: UserId,
        users: Vec<UserId>,
    ) -> Result<Vec<UserId>, Error> {
        let store = &self.engine.store;
        let blockers = store.blockers_of(viewer, &users).await?;
        if blockers.is_empty() {
            return Ok(users);
        }
        let sharing = store.sharing_with(viewer, &blockers).await?;
        let hidden = |user: &UserId| blockers.contains(user) && !sharing.contains(user);
        Ok(users.into_iter().filter(|user| !hidden(user)).collect())
    }
}
