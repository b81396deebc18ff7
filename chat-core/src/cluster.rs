//! What an engine says to those on other nodes, and does with what they say.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    bus::{Incoming, Notice, Topic},
    engine::{Engine, in_a_while},
    model::{ConversationId, NodeId, UserId},
    nodes::{self, Heard},
    presence::Part,
    store::StoreError,
};

/// For how long a node that goes waits until that is on its way to the others.
const GOODBYE: Duration = Duration::from_secs(1);

impl Engine {
    /// Starts what keeps this node together with others on the same store.
    pub(crate) fn join_others(self: &Arc<Self>) {
        self.bus.follow(Topic::Nodes);
        self.bus.follow(Topic::Node(self.node));
        let (hub, stop) = (Arc::clone(&self.hub), self.stop.clone());
        self.tasks
            .spawn(async move { hub.run_comparisons(stop).await });
        self.tasks.spawn(listen_to_bus(Arc::downgrade(self)));
        self.tasks.spawn(give_signs_of_life(Arc::downgrade(self)));
        self.tasks.spawn(keep_lease(Arc::downgrade(self)));
    }

    /// Tells the others that this node goes.
    pub(crate) async fn leave_others(&self) {
        if !self.bus.is_shared() {
            return;
        }
        self.bus.tell(Notice::Leaving);
        let _ = timeout(GOODBYE, self.bus.flush()).await;
        if let Err(error) = self.store.end_lease(self.node).await {
            tracing::warn!(%error, "the lease of this node ends by itself");
        }
    }

    /// What another node tells.
    fn hear(&self, origin: NodeId, notice: Notice) {
        match notice {
            Notice::Entry { entry } => {
                self.counters
                    .heard(self.hub.is_followed(entry.conversation_id));
                self.hub.deliver(&[*entry]);
            }
            Notice::Cursors {
                conversation_id,
                user_id,
                cursors,
            } => self.hub.cursors_moved(conversation_id, user_id, cursors),
            Notice::Rows {
                conversation_id,
                user_ids,
            } => {
                for user in user_ids {
                    self.hub.row_changed(conversation_id, user);
                }
            }
            Notice::Settings { user_id } => self.doubts.add(user_id),
            Notice::Blocked {
                user_id,
                other_id,
                blocked,
            } => self.blocks_changed(user_id, other_id, blocked),
            Notice::Joined {
                conversation_id,
                user_id,
            } => self.hub.joined(conversation_id, user_id),
            Notice::Typing {
                conversation_id,
                user_id,
                typing,
            } => self.hear_typing(conversation_id, user_id, typing),
            Notice::Alive { number, presence } => self.hear_sign_of_life(origin, number, presence),
            Notice::Leaving => {
                self.nodes.forget(origin);
                self.presence.is_leaving(origin);
            }
            // Of a node that was not heard before, all will be asked.
            Notice::Presence { .. } | Notice::AllPresences { .. } | Notice::AskPresence { .. }
                if !self.nodes.are_with(origin) => {}
            Notice::Presence { version, changes } => {
                self.presence.changed_elsewhere(origin, version, changes);
            }
            Notice::AskPresence { .. } => self.presence.tell_all(origin),
            Notice::AllPresences {
                version,
                part,
                parts,
                users,
                ..
            } => {
                let part = Part {
                    version,
                    number: part,
                    of: parts,
                    users,
                };
                self.presence.all_elsewhere(origin, part);
            }
        }
    }

    fn hear_typing(&self, conversation: ConversationId, user: UserId, typing: bool) {
        if !typing {
            self.typing.stop(conversation, user, &self.hub);
        } else if self.hub.is_followed(conversation) {
            self.typing.start(conversation, user, &self.hub);
        }
    }

    fn hear_sign_of_life(&self, origin: NodeId, number: u64, presence: u64) {
        match self.nodes.heard(origin, number) {
            Heard::Again => {}
            Heard::New => tracing::info!(node = %origin, "another node is there"),
            Heard::AfterAGap => {
                tracing::warn!(node = %origin, "something that a node said is missing: it is read from the store");
                self.suspect_all();
            }
        }
        if self.presence.must_ask(origin, presence) {
            self.bus.tell(Notice::AskPresence { node_id: origin });
        }
    }

    /// Something that others said may be missing.
    fn suspect_all(&self) {
        self.hub.suspect_all();
        for user in self.presence.users() {
            self.doubts.add(user);
        }
    }

    /// Says that this node is there, and sees whether the others are heard.
    fn give_sign_of_life(&self) {
        let presence = self.presence.tell_others();
        let number = self.nodes.next_beat(self.bus.take_dropped());
        self.bus.tell(Notice::Alive { number, presence });
        let is_in_doubt = !self.nodes.are_all_heard();
        if self.hub.set_in_doubt(is_in_doubt) {
            if is_in_doubt {
                self.counters.doubted();
                tracing::warn!(
                    "the bus may not carry what others say: it is read from the store meanwhile"
                );
            } else {
                tracing::info!("the bus carries what others say");
                self.suspect_all();
            }
        }
    }

    /// Holds this node's lease, and lets those go whose lease is over.
    async fn renew_lease(&self) -> Result<(), StoreError> {
        self.store.renew_lease(self.node).await?;
        let leases = self.store.leases().await?;
        let dead: Vec<NodeId> = match leases {
            Some(leases) => {
                let silent = self.nodes.long_silent().into_iter();
                let dead = silent.filter(|node| !leases.contains(node)).collect();
                // One that was never heard may be beyond a bus that is split.
                let others = leases.into_iter().filter(|node| *node != self.node);
                self.nodes.wait_for(others);
                dead
            }
            None => self.nodes.given_up(),
        };
        for node in dead {
            tracing::warn!(%node, "a node is gone: its users are taken for gone, too");
            self.nodes.forget(node);
            self.presence.is_dead(node);
            // Of what it stored last, it may have told nobody.
            self.suspect_all();
        }
        Ok(())
    }
}

/// Brings in what other nodes tell. Ends with the engine.
async fn listen_to_bus(engine: Weak<Engine>) {
    let Some((bus, stop)) = engine
        .upgrade()
        .map(|engine| (engine.bus.clone(), engine.stop.clone()))
    else {
        return;
    };
    loop {
        let incoming = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            incoming = bus.receive() => incoming,
        };
        let Some(engine) = engine.upgrade() else {
            return;
        };
        match incoming {
            Incoming::Suspect => engine.suspect_all(),
            Incoming::Envelope(envelope) if envelope.origin == engine.node => {}
            Incoming::Envelope(envelope) => engine.hear(envelope.origin, envelope.notice),
        }
    }
}

/// Says several times a second that this node is there. Ends with the engine.
async fn give_signs_of_life(engine: Weak<Engine>) {
    while let Some(engine) = in_a_while(&engine, nodes::BEAT).await {
        engine.give_sign_of_life();
    }
}

/// Renews the lease of this node. Ends with the engine.
async fn keep_lease(engine: Weak<Engine>) {
    let mut pause = Duration::ZERO;
    while let Some(engine) = in_a_while(&engine, pause).await {
        if let Err(error) = engine.renew_lease().await {
            tracing::warn!(%error, "the lease of this node is renewed later");
        }
        pause = nodes::BETWEEN_RENEWALS;
    }
}
