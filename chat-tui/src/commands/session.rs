//! What every command begins with: which server, and who is signed in there.

use std::sync::Arc;

use chat_core::{client::Client, model::Profile};

use super::Failure;
use crate::config::{Config, Credentials};

/// A server, and the sign-in of a profile.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) server: String,
    pub(super) credentials: Arc<Credentials>,
}

impl Session {
    pub(super) fn new(
        credentials: Credentials,
        server: Option<String>,
        config: &Config,
    ) -> Result<Self, Failure> {
        let server = config.server(server, credentials.server()?);
        Ok(Self {
            server,
            credentials: Arc::new(credentials),
        })
    }

    /// A client that is signed in, and as whom.
    pub(super) async fn sign_in(&self) -> Result<(Client, Profile), Failure> {
        let client = self.credentials.client(&self.server)?;
        let me = self.credentials.resume(&client, &self.server).await?;
        Ok((client, me))
    }
}
