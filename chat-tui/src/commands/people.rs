//! Who people are, asked for once.

use std::collections::HashMap;

use chat_core::{
    client::Client,
    model::{Profile, Row, UserId},
};

use crate::app::text::Plain;

/// Profiles by id, as they were when they were first needed.
#[derive(Debug)]
pub(super) struct People {
    client: Client,
    me: UserId,
    known: HashMap<UserId, Profile>,
}

impl People {
    pub(super) fn new(client: Client, me: Profile) -> Self {
        Self {
            client,
            me: me.id,
            known: HashMap::from([(me.id, me)]),
        }
    }

    pub(super) fn is_me(&self, id: UserId) -> bool {
        self.me == id
    }

    /// Takes over what a row of the list says of whom it is with.
    pub(super) fn learn_peer(&mut self, row: &Row) {
        if let Some(peer) = &row.conversation.peer {
            self.known.insert(peer.id, peer.clone());
        }
    }

    /// Asks for those who are not known yet. One of whom the server does not tell stays unknown for now.
    pub(super) async fn ask(&mut self, ids: impl IntoIterator<Item = UserId>) {
        for id in ids {
            if !self.known.contains_key(&id)
                && let Ok(person) = self.client.user(id).await
            {
                self.known.insert(id, person);
            }
        }
    }

    pub(super) fn get(&self, id: UserId) -> Option<&Profile> {
        self.known.get(&id)
    }

    /// As the subject of a sentence.
    pub(super) fn name(&self, id: UserId) -> Plain {
        if self.is_me(id) {
            return Plain::line("You");
        }
        match self.get(id) {
            Some(person) if person.display_name.trim().is_empty() => Plain::line(&person.username),
            Some(person) => Plain::line(&person.display_name),
            None => Plain::line("Somebody"),
        }
    }

    /// As its object.
    pub(super) fn whom(&self, id: UserId) -> Plain {
        if self.is_me(id) {
            return Plain::line("you");
        }
        match self.get(id) {
            Some(_) => self.name(id),
            None => Plain::line("somebody"),
        }
    }
}
