//! Profiles, finding people, blocking them, and what I let others know.

use crate::{
    client::{Client, ClientError},
    model::{Profile, Settings, UserId},
    protocol::rest::{Page, PatchMe, PatchSettings},
};

impl Client {
    /// My own profile.
    pub async fn me(&self) -> Result<Profile, ClientError> {
        self.json(self.http().get(&["users", "me"])?).await
    }

    /// Changes how others see me.
    pub async fn rename_me(&self, display_name: &str) -> Result<Profile, ClientError> {
        let body = PatchMe {
            display_name: display_name.to_owned(),
        };
        self.json(self.http().patch(&["users", "me"])?.json(&body))
            .await
    }

    /// Somebody's profile.
    pub async fn user(&self, id: UserId) -> Result<Profile, ClientError> {
        self.json(self.http().get(&["users", &id.to_string()])?)
            .await
    }

    /// Users whose name matches; `cursor` is the last page's `next_cursor`.
    pub async fn find_users(
        &self,
        query: &str,
        cursor: Option<&str>,
    ) -> Result<Page<Profile>, ClientError> {
        let request = self.http().get(&["users"])?.query(&[("query", query)]);
        self.page(request, cursor).await
    }

    /// What I let others know.
    pub async fn settings(&self) -> Result<Settings, ClientError> {
        self.json(self.http().get(&["users", "me", "settings"])?)
            .await
    }

    /// Changes what I let others know; what is `None` stays as it is. `availability` is that of all my devices:
    /// [`Live::set_presence`](crate::client::Live::set_presence) sets it too.
    pub async fn update_settings(&self, changes: PatchSettings) -> Result<Settings, ClientError> {
        let request = self.http().patch(&["users", "me", "settings"])?;
        self.json(request.json(&changes)).await
    }

    /// Blocks somebody: they can neither open a direct conversation with me nor write in it, and are not told so. Again is
    /// the same.
    pub async fn block(&self, user: UserId) -> Result<(), ClientError> {
        let user = user.to_string();
        self.done(self.http().put(&["users", "me", "blocks", &user])?)
            .await
    }

    /// No longer blocks somebody; of whom I do not block, that is so already.
    pub async fn unblock(&self, user: UserId) -> Result<(), ClientError> {
        let user = user.to_string();
        self.done(self.http().delete(&["users", "me", "blocks", &user])?)
            .await
    }

    /// A page of those whom I block.
    pub async fn blocks(&self, cursor: Option<&str>) -> Result<Page<Profile>, ClientError> {
        let request = self.http().get(&["users", "me", "blocks"])?;
        self.page(request, cursor).await
    }
}
