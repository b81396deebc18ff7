//! Compares what this node knows with the store, wherever the bus may not have told it.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Hub, STORE_RETRY, interest::Reading};
use crate::{
    model::{ConversationId, UserId},
    store::StoreError,
};

/// The rows of how many users are read at once.
const PAGE: usize = 200;
/// While the bus may not carry, others see a message after this and the time that reading takes.
const BETWEEN_READINGS_IN_DOUBT: Duration = Duration::from_millis(250);
/// Nothing is missing, as far as anybody knows; should it be all the same, it is found by then.
const BETWEEN_READINGS: Duration = Duration::from_mins(1);
/// The pause between two pages, where nobody waits for them.
const PAUSE: Duration = Duration::from_millis(100);

impl Hub {
    /// Reads the rows of a user who is connected from here on, and follows what they belong to.
    pub(crate) async fn learn_rows(&self, user: UserId) -> Result<(), StoreError> {
        while self.interest.is_unread(user) {
            self.compare(&[user]).await?;
        }
        Ok(())
    }

    /// A user has this conversation in their list from here on.
    pub(crate) fn joined(&self, conversation: ConversationId, user: UserId) {
        self.interest.joined(conversation, user);
        self.row_changed(conversation, user);
    }

    /// Whether anybody here belongs to this conversation.
    pub(crate) fn is_followed(&self, conversation: ConversationId) -> bool {
        self.interest.is_followed(conversation)
    }

    /// Something may have been lost on the way here: everything is compared with the store.
    pub(crate) fn suspect_all(&self) {
        for room in self.rooms.read().values() {
            room.doubt_apart();
        }
        self.interest.doubt_all();
    }

    /// Whether the bus may not carry what others say: then the store is asked for it, until it does. Whether that is news.
    pub(crate) fn set_in_doubt(&self, is_in_doubt: bool) -> bool {
        self.interest.set_in_doubt(is_in_doubt)
    }

    /// Whether the bus may not carry now.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.interest.is_in_doubt()
    }

    /// Compares until told to stop. Owned by the engine, which joins it.
    pub(crate) async fn run_comparisons(&self, stop: CancellationToken) {
        let mut next = Instant::now() + BETWEEN_READINGS;
        while !stop.is_cancelled() {
            let compared = self.compare_due(&stop, &mut next).await;
            if let Err(error) = &compared {
                tracing::warn!(%error, "what may have been missed is read later");
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(STORE_RETRY), if compared.is_err() => {}
                () = self.interest.called_until(next), if compared.is_ok() => {}
            }
        }
    }

    async fn compare_due(
        &self,
        stop: &CancellationToken,
        next: &mut Instant,
    ) -> Result<(), StoreError> {
        let is_urgent = self.interest.take_all_are_due();
        if (is_urgent || *next <= Instant::now())
            && let Err(error) = self.compare_all(stop, is_urgent).await
        {
            self.interest.doubt_all();
            return Err(error);
        }
        *next = Instant::now()
            + if self.interest.is_in_doubt() {
                BETWEEN_READINGS_IN_DOUBT
            } else {
                BETWEEN_READINGS
            };
        loop {
            let users = self.interest.take_due(PAGE);
            if users.is_empty() || stop.is_cancelled() {
                return Ok(());
            }
            if let Err(error) = self.compare(&users).await {
                self.interest.put_back(&users);
                return Err(error);
            }
        }
    }

    async fn compare_all(
        &self,
        stop: &CancellationToken,
        is_urgent: bool,
    ) -> Result<(), StoreError> {
        let mut last = None;
        loop {
            let users = self.interest.users_after(last, PAGE);
            let Some(&end) = users.last() else {
                return Ok(());
            };
            let begun = Instant::now();
            self.compare(&users).await?;
            if users.len() < PAGE || stop.is_cancelled() {
                return Ok(());
            }
            // Other nodes may be at it as well: half of the time is left to those who send.
            let is_urgent = is_urgent || self.interest.is_in_doubt();
            sleep(if is_urgent { begun.elapsed() } else { PAUSE }).await;
            last = Some(end);
        }
    }

    /// Compares what is known of these users' rows with the store.
    async fn compare(&self, users: &[UserId]) -> Result<(), StoreError> {
        let reading: Reading = self.interest.read(users);
        let read = self.store.row_heads_of(users).await?;
        let differences = self.interest.note(&reading, &read);
        for (conversation, user) in differences.rows {
            self.row_changed(conversation, user);
        }
        for conversation in differences.left {
            self.suspect(conversation);
        }
        let mut changed = Vec::new();
        for (conversation, head, is_news) in differences.heads {
            let room = self.existing_room(conversation);
            match room.as_ref().map(|room| (room, room.head())) {
                Some((room, Some(known))) if known < head => self.suspect_room(room),
                _ if is_news => changed.push(conversation),
                _ => {}
            }
        }
        if !changed.is_empty() {
            self.rows.changed(changed);
        }
        Ok(())
    }
}
