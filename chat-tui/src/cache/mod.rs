//! What this client keeps on disk, in two SQLite files for each account: the user's own words, which nothing may lose, and what
//! was heard from the server, so that it is there at once and without a connection.

mod file;
mod heard;
mod queue;
mod reader;
#[cfg(test)]
mod tests;
mod words;

use std::{fs, path::Path};

use anyhow::Context;
use chat_core::model::UserId;
use uuid::Uuid;

pub(crate) use self::{
    heard::HeardWriter,
    reader::Reader,
    words::{Put, WordsWriter},
};
use crate::kept::Kept;

/// The files of one account, open.
#[derive(Debug)]
pub(crate) struct Cache {
    /// Whose.
    pub(crate) user: UserId,
    /// In which life of the server's store the logs were heard.
    pub(crate) epoch: Option<Uuid>,
    /// Writes the user's own words.
    pub(crate) words: WordsWriter,
    /// Writes what was heard.
    pub(crate) heard: HeardWriter,
    /// Reads what was heard.
    pub(crate) reader: Reader,
}

/// Which account was open last.
const ACCOUNT: &str = "account";

impl Cache {
    /// Whose files were open last in this directory.
    pub(crate) fn last_user(directory: &Path) -> Option<UserId> {
        let account = fs::read_to_string(directory.join(ACCOUNT)).ok()?;
        account.trim().parse().ok()
    }

    /// Opens the files of this account in a directory, and gives what is in them.
    ///
    /// What was heard is begun anew if its file is damaged or of another version. The file of the user's words never is:
    /// fails if that one cannot be used.
    pub(crate) async fn open(directory: &Path, user: UserId) -> anyhow::Result<(Self, Kept)> {
        fs::write(directory.join(ACCOUNT), user.to_string())
            .with_context(|| format!("cannot write into {}", directory.display()))?;
        let path = directory.join(format!("{user}.words.db"));
        let (words, outbox, drafts) = WordsWriter::open(&path).await.with_context(|| {
            format!(
                "{} holds what you wrote and did not send yet, and cannot be used; move it away to go on without",
                path.display()
            )
        })?;
        let path = directory.join(format!("{user}.cache.db"));
        let (heard, reader) = HeardWriter::open(&path)
            .await
            .with_context(|| format!("cannot use {}; it may be removed", path.display()))?;
        let mut kept = reader.all().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was heard cannot be read");
            Kept::default()
        });
        (kept.outbox, kept.drafts) = (outbox, drafts);
        let cache = Self {
            user,
            epoch: reader.epoch().await.unwrap_or_default(),
            words,
            heard,
            reader,
        };
        Ok((cache, kept))
    }

    /// Writes what is still to be written, and closes the files.
    pub(crate) async fn close(self) {
        self.words.close().await;
        self.heard.close().await;
        self.reader.close().await;
    }
}
