//! A device: the real client library between a simulated network and an application that notes what it sees.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{
    gateway::{self, problem},
    history::{Author, Promise},
    pipe::{self, Socket},
    world::{CutOff, World},
};
use crate::{
    Chat, Error,
    client::{
        ClientError, Event, Link,
        simulated::{self, Ask},
    },
    model::{
        Change, ClientId, ConversationId, Draft, Entry, Message, Presence, Row, Seq, Timestamp,
        UserId,
    },
    protocol::rest::{Events, Page, RowChanges},
    store::RowPlace,
};

/// How a device reaches the nodes: any of them, each time another.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    world: Arc<World>,
    author: Author,
    user: UserId,
}

impl Network {
    pub(crate) async fn connect(&self) -> Result<Socket, ClientError> {
        let latency = self.world.random().millis(50);
        sleep(latency).await;
        let Some(node) = self.world.any_node() else {
            return Err(ClientError::Unreachable("no node is up".to_owned()));
        };
        let (device, server) = pipe::connect(&self.world);
        self.world.spawn(gateway::serve(
            Arc::clone(&self.world),
            node,
            (self.author, self.user),
            server,
        ));
        Ok(device)
    }

    pub(crate) async fn page(&self, cursor: Option<String>) -> Result<Page<Row>, ClientError> {
        let after = cursor.as_deref().and_then(parse_place);
        let limit = 1 + self.world.random().below(4);
        let user = self.user;
        let rows = self.call(|chat| async move { chat.rows(user, after, limit).await });
        let (items, next) = rows.await?;
        let next_cursor = next.map(print_place);
        Ok(Page { items, next_cursor })
    }

    pub(crate) async fn changes(
        &self,
        known: Vec<(ConversationId, Seq, u64)>,
    ) -> Result<RowChanges, ClientError> {
        let user = self.user;
        self.call(|chat| async move { chat.row_changes(user, &known).await })
            .await
    }

    pub(crate) async fn events(
        &self,
        conversation: ConversationId,
        after: Seq,
    ) -> Result<Events, ClientError> {
        let (user, limit) = (self.user, 1 + self.world.random().below(20));
        self.call(|chat| async move { chat.events(user, conversation, after, limit).await })
            .await
    }

    async fn call<T, F>(&self, call: impl FnOnce(Chat) -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let unreachable = |why: &str| ClientError::Unreachable(why.to_owned());
        let latency = self.world.random().millis(50);
        sleep(latency).await;
        let Some(node) = self.world.any_node() else {
            return Err(unreachable("no node is up"));
        };
        let asked = node.ask(call(node.chat.clone()));
        match timeout(Duration::from_secs(10), asked).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(ClientError::Problem(Box::new(problem(&error)))),
            Ok(Err(CutOff)) => Err(unreachable("the node is gone")),
            Err(_) => Err(unreachable("it does not answer in time")),
        }
    }
}

fn print_place(place: RowPlace) -> String {
    let (at, id) = (place.last_activity_at.as_millis(), place.id);
    format!("{} {at} {id}", place.pinned)
}

fn parse_place(text: &str) -> Option<RowPlace> {
    let (pinned, rest) = text.split_once(' ')?;
    let (at, id) = rest.split_once(' ')?;
    Some(RowPlace {
        pinned: pinned.parse().ok()?,
        last_activity_at: Timestamp::from_millis(at.parse().ok()?),
        id: id.parse().ok()?,
    })
}

/// A device and the application on it.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) author: Author,
    pub(super) user: UserId,
    asks: mpsc::UnboundedSender<Ask>,
    pub(super) app: Arc<Mutex<App>>,
    stuck_until: Instant,
}

/// What an application makes of what it is told.
#[derive(Debug)]
pub(super) struct App {
    world: Arc<World>,
    author: Author,
    user: UserId,
    asks: mpsc::UnboundedSender<Ask>,
    pub(super) online: bool,
    pub(super) rows: BTreeMap<ConversationId, Row>,
    pub(super) kept: Kept,
    open: BTreeSet<ConversationId>,
    /// As told on the present connection.
    pub(super) presence: BTreeMap<UserId, Presence>,
}

/// What is kept when an application starts anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Up to where it has read each log.
    pub(super) cursors: BTreeMap<ConversationId, Seq>,
    /// The messages, as what it read has made them.
    pub(super) messages: BTreeMap<ConversationId, BTreeMap<Seq, Message>>,
    pub(super) unsent: VecDeque<(ConversationId, Draft)>,
}

impl Kept {
    fn apply(&mut self, entry: &Entry) {
        let messages = self.messages.entry(entry.conversation_id).or_default();
        if let Some(message) = entry.message() {
            messages.insert(message.seq, message.clone());
        } else if let Some(message) = entry.about().and_then(|about| messages.get_mut(&about)) {
            entry.apply_to(message);
        }
    }
}

impl Device {
    /// Starts an application, with what it kept of its former life.
    pub(super) fn start(world: &Arc<World>, author: Author, user: UserId, kept: Kept) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let unsent = kept.unsent.clone();
        let app = Arc::new(Mutex::new(App {
            world: Arc::clone(world),
            author,
            user,
            asks: asks.clone(),
            online: false,
            rows: BTreeMap::new(),
            kept,
            open: BTreeSet::new(),
            presence: BTreeMap::new(),
        }));
        let network = Network {
            world: Arc::clone(world),
            author,
            user,
        };
        let seed = world.random().next();
        let hearing = Arc::clone(&app);
        world.spawn(async move {
            simulated::run(network, seed, asked, |event| hearing.lock().hear(event)).await;
        });
        let device = Self {
            author,
            user,
            asks,
            app,
            stuck_until: Instant::now(),
        };
        device.ask(Ask::Watch(world.users.clone()));
        for (conversation, draft) in unsent {
            device.ask(Ask::Send(conversation, draft));
        }
        device
    }

    pub(super) fn ask(&self, ask: Ask) {
        let _ = self.asks.send(ask);
    }

    pub(super) fn send(&self, world: &World, conversation: ConversationId, draft: Draft) {
        world
            .history()
            .sends(self.author, self.user, conversation, &draft);
        let mut app = self.app.lock();
        app.kept.unsent.push_back((conversation, draft.clone()));
        self.ask(Ask::Send(conversation, draft));
    }

    /// Nothing is read or done for this long.
    pub(super) fn freeze(&mut self, time: Duration) {
        self.stuck_until = self.stuck_until.max(Instant::now()) + time;
        self.ask(Ask::Freeze(time));
    }

    pub(super) fn is_stuck(&self) -> bool {
        Instant::now() <= self.stuck_until
    }

    /// Opens what is in the list and was closed.
    pub(super) fn reopen(&self) {
        self.app.lock().open_what_is_listed();
    }
}

impl App {
    fn hear(&mut self, event: Event) {
        match event {
            Event::Link(link) => {
                self.online = matches!(link, Link::Online(_));
                self.presence.clear();
                let name = self.to_string();
                self.world.note(|| match link {
                    Link::Online(_) => format!("{name} is online"),
                    other => format!("{name} is {other:?}"),
                });
            }
            Event::Rows {
                rows,
                gone,
                snapshot,
            } => self.list(rows, &gone, snapshot),
            Event::Entry(entry) => {
                let name = self.to_string();
                self.kept.apply(&entry);
                let cursors = &mut self.kept.cursors;
                let cursor = cursors.entry(entry.conversation_id).or_default();
                // With one's joining a history begins, whatever one had of an earlier one.
                let begins = matches!(entry.change, Change::MemberJoined { user_id, .. } if user_id == self.user);
                let before = if begins { entry.seq - 1 } else { *cursor };
                self.world.history().delivered(&name, before, &entry);
                *cursor = entry.seq;
            }
            Event::Sent(message) => {
                self.no_longer_waits(message.client_id);
                self.world.history().acknowledged(&message);
            }
            Event::SendFailed {
                client_id, problem, ..
            } => {
                self.no_longer_waits(client_id);
                self.world
                    .note(|| format!("refused {client_id}: {problem}"));
            }
            Event::Restored => self.world.violation(
                Promise::NoGap,
                format!("{self} is told that the store was restored, which it was not"),
            ),
            Event::Closed {
                conversation_id, ..
            } => {
                self.open.remove(&conversation_id);
                let name = self.to_string();
                self.world
                    .note(|| format!("{name} no longer follows {conversation_id}"));
            }
            Event::Presence(presence) => {
                self.presence.insert(presence.user_id, presence);
            }
            _ => {}
        }
    }

    fn list(&mut self, rows: Vec<Row>, gone: &[ConversationId], snapshot: bool) {
        if snapshot {
            self.rows.clear();
        }
        for row in rows {
            let id = row.conversation.id;
            let backwards = self.rows.get(&id).is_some_and(|old| !row.supersedes(old));
            if backwards {
                let what = format!("the row of {id} goes backwards on {self}");
                self.world.violation(Promise::Rows, what);
            }
            self.rows.insert(id, row);
        }
        for id in gone {
            self.rows.remove(id);
        }
        self.open_what_is_listed();
    }

    fn open_what_is_listed(&mut self) {
        for id in self.rows.keys() {
            if self.open.insert(*id) {
                let after = self.kept.cursors.get(id).copied().unwrap_or(0);
                let _ = self.asks.send(Ask::Open(*id, after));
            }
        }
    }

    fn no_longer_waits(&mut self, client_id: ClientId) {
        self.kept
            .unsent
            .retain(|(_, draft)| draft.client_id != client_id);
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {}", self.author)
    }
}
