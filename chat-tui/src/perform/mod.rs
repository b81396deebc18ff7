//! Carries out what the state asks for; what comes of it comes back as events.

mod calls;
mod keeping;

use std::{collections::VecDeque, future::pending, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use chat_core::{
    NewGroup,
    client::{Client, ClientError, Event as LiveEvent, Live, LiveEvents},
    model::{ConversationId, Entry, Message, Profile as Person},
    protocol::rest::Page as RestPage,
    store,
};
use tokio::{
    sync::Semaphore,
    task::{AbortHandle, JoinError, JoinSet},
};

use self::keeping::Putting;
use crate::{
    cache::Cache,
    config::{Preferences, Profile},
    effect::{Credentials, Effect, Page},
    event::{Event, Source},
    kept::Kept,
};

/// So many people are asked for at a time.
const PEOPLE_AT_A_TIME: usize = 4;
/// A search waits this long for the next letter.
const NEXT_LETTER: Duration = Duration::from_millis(150);
/// At the end, the connection may take this long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// The server, the profile on disk, and what is under way.
#[derive(Debug)]
pub(crate) struct World {
    client: Client,
    server: String,
    profile: Option<Profile>,
    cache: Option<Cache>,
    /// The kept logs are of an earlier life.
    logs_are_void: bool,
    is_online: bool,
    /// What has happened already.
    ready: VecDeque<Event>,
    /// What is on its way into the outbox, in order: nothing overtakes anything on its way to the server.
    puttings: VecDeque<Putting>,
    /// So many logs are being recalled.
    recalling: usize,
    live: Option<Live>,
    events: Option<LiveEvents>,
    tasks: JoinSet<Outcome>,
    signing_in: Option<AbortHandle>,
    searching: Option<AbortHandle>,
    people: Arc<Semaphore>,
}

/// What a task comes back with.
#[derive(Debug)]
enum Outcome {
    Event(Box<Event>),
    /// The same from the disk: it is kept already.
    Kept(Box<Event>),
    /// An attempt to sign in to this server is over.
    SignedIn(Box<SignedIn>),
    /// The newest that is kept of a log.
    Recalled(ConversationId, Vec<Entry>),
    /// Nothing that anybody waits for.
    Nothing,
}

/// An attempt to sign in.
#[derive(Debug)]
struct SignedIn {
    client: Client,
    server: String,
    outcome: Result<Person, ClientError>,
    /// What is kept of this account, unless it is open already.
    opened: anyhow::Result<Option<(Cache, Kept)>>,
}

impl World {
    /// The world as it is at the start, and what an earlier run left on disk.
    pub(crate) async fn open(
        client: Client,
        server: String,
        profile: Option<Profile>,
    ) -> anyhow::Result<(Self, Kept)> {
        let mut world = Self {
            client,
            server,
            profile,
            cache: None,
            logs_are_void: false,
            is_online: false,
            ready: VecDeque::new(),
            puttings: VecDeque::new(),
            recalling: 0,
            live: None,
            events: None,
            tasks: JoinSet::new(),
            signing_in: None,
            searching: None,
            people: Arc::new(Semaphore::new(PEOPLE_AT_A_TIME)),
        };
        let opened = match world.last_user() {
            Some(user) => world.account().open(user).await?,
            None => None,
        };
        let Some((cache, kept)) = opened else {
            return Ok((world, Kept::default()));
        };
        if !world.is_of_last_sign_in(&kept) {
            cache.close().await;
            return Ok((world, Kept::default()));
        }
        world.cache = Some(cache);
        Ok((world, kept))
    }

    /// How the user wants this client to be.
    pub(crate) fn preferences(&self) -> Preferences {
        let profile = self.profile.as_ref();
        profile.map_or_else(Preferences::default, Profile::preferences)
    }

    /// Begins what is asked for; returns at once. Fails if something cannot be kept on disk.
    pub(crate) fn perform(&mut self, effect: Effect) -> anyhow::Result<()> {
        match effect {
            Effect::SignIn(credentials) => self.sign_in(credentials),
            Effect::Resume => self.resume(),
            Effect::Forget => self.forget(),
            effect @ (Effect::Recall(_)
            | Effect::Send(..)
            | Effect::Resend { .. }
            | Effect::KeepDraft(..)
            | Effect::Discard(_)
            | Effect::Keep(_)) => self.keep(effect)?,
            Effect::Person(id) => {
                let (client, turn) = (self.client.clone(), Arc::clone(&self.people));
                self.spawn(async move {
                    let _turn = turn.acquire_owned().await;
                    Event::Person(id, client.user(id).await)
                });
            }
            Effect::FindUsers { query, ticket } => {
                let client = self.client.clone();
                self.search(async move {
                    let found = client.find_users(&query, None).await;
                    Event::Found(ticket, found.map(|page| page.items))
                });
            }
            Effect::Search {
                query,
                conversation,
                cursor,
                ticket,
            } => self.search_messages(query, conversation, cursor, ticket),
            effect => self.call_or_tell(effect),
        }
        Ok(())
    }

    /// One call to the server whose answer is an event, or a word to the live connection.
    fn call_or_tell(&mut self, effect: Effect) {
        let client = self.client.clone();
        match effect {
            Effect::SignOut => {
                self.spawn(async move { Event::SignedOut(client.logout().await) });
            }
            Effect::Page {
                conversation,
                page,
                after,
                limit,
                is_kept_up,
            } => self.page(conversation, page, after, limit, is_kept_up),
            Effect::Members(id) => {
                self.spawn(async move { Event::Members(id, calls::members(&client, id).await) });
            }
            Effect::Readers(id, seq) => {
                self.spawn(async move { Event::Readers(calls::readers(&client, id, seq).await) });
            }
            Effect::Pins(id) => {
                self.spawn(async move { Event::Pins(id, calls::pins(&client, id).await) });
            }
            Effect::Bans(id) => {
                self.spawn(async move { Event::Bans(id, calls::bans(&client, id).await) });
            }
            Effect::Blocks => {
                self.spawn(async move { Event::Blocks(calls::blocks(&client).await) });
            }
            Effect::Settings => {
                self.spawn(async move { Event::Settings(client.settings().await) });
            }
            Effect::SignIns => {
                self.spawn(async move { Event::SignIns(client.sessions().await) });
            }
            Effect::Find(id, message) => {
                self.spawn(async move {
                    Event::Message(client.message(id, message).await.map(Box::new))
                });
            }
            Effect::Do(deed) => {
                self.spawn(async move {
                    let outcome = calls::carry_out(&client, &deed).await;
                    Event::Done(deed, outcome)
                });
            }
            Effect::Whois(username, errand) => {
                self.spawn(async move {
                    let found = calls::whois(&client, &username).await;
                    Event::Whois(username, errand, found)
                });
            }
            Effect::Direct(peer) => {
                self.spawn(async move { Event::Started(client.direct(peer).await.map(Box::new)) });
            }
            Effect::CreateGroup { title, members } => {
                self.spawn(async move {
                    let group = NewGroup::new(title, members);
                    Event::Started(client.create_group(group).await.map(Box::new))
                });
            }
            effect => self.tell_live(effect),
        }
    }

    /// A stretch of a log: from the disk where it can be had there, else from the server.
    fn page(&mut self, id: ConversationId, page: Page, after: u64, limit: usize, is_kept_up: bool) {
        let client = self.client.clone();
        // Of what was not followed, only the server knows what became of it.
        let from_disk = is_kept_up || !self.is_online;
        let cache = self
            .cache
            .as_ref()
            .filter(|_| from_disk && !self.logs_are_void);
        let reader = cache.map(|cache| cache.reader.clone());
        self.tasks.spawn(async move {
            if let Some(reader) = reader {
                let kept = keeping::logged(reader.stretch(id, after, limit).await);
                if let Some(entries) = kept.flatten() {
                    return Outcome::Kept(Box::new(Event::Page(id, page, Ok(entries))));
                }
            }
            let events = client.events(id, after, limit).await;
            let events = events.map(|events| events.items);
            Outcome::Event(Box::new(Event::Page(id, page, events)))
        });
    }

    /// Messages by their words: the server's, or without it those that are kept.
    fn search_messages(
        &mut self,
        query: String,
        conversation: Option<ConversationId>,
        cursor: Option<String>,
        ticket: u64,
    ) {
        let client = self.client.clone();
        // What goes on from a page of the server's does not go on from the disk.
        let cache = self.cache.as_ref().filter(|_| cursor.is_none());
        let reader = cache.map(|cache| cache.reader.clone());
        let is_online = self.is_online;
        self.search(async move {
            let answer = if is_online || reader.is_none() {
                calls::search(&client, query.clone(), conversation, cursor).await
            } else {
                Err(ClientError::Unreachable("not connected".to_owned()))
            };
            match (answer, reader) {
                (Err(error), Some(reader)) if error.retryable() => {
                    let found = reader.search(&store::words(&query), conversation).await;
                    let found = keeping::logged(found).ok_or(error);
                    Event::Searched(ticket, found.map(one_page), Source::Disk)
                }
                (answer, _) => Event::Searched(ticket, answer, Source::Server),
            }
        });
    }

    /// Only the answer to the newest letters is of use.
    fn search(&mut self, answer: impl Future<Output = Event> + Send + 'static) {
        if let Some(earlier) = self.searching.take() {
            earlier.abort();
        }
        let task = self.spawn(async move {
            tokio::time::sleep(NEXT_LETTER).await;
            answer.await
        });
        self.searching = Some(task);
    }

    /// What the live connection does by itself.
    fn tell_live(&self, effect: Effect) {
        let Some(live) = &self.live else { return };
        match effect {
            Effect::Open(conversation, after) => live.open(conversation, after),
            Effect::Leave(conversation) => live.leave(conversation),
            Effect::MarkRead(conversation, seq) => live.mark_read(conversation, seq),
            Effect::MarkUnread(conversation, seq) => live.mark_unread(conversation, seq),
            Effect::SetPresence(availability) => live.set_presence(availability),
            Effect::Typing(conversation, typing) => live.typing(conversation, typing),
            Effect::Watch(users) => live.watch_presence(users),
            Effect::RetryNow => live.retry_now(),
            _ => {}
        }
    }

    fn spawn(&mut self, task: impl Future<Output = Event> + Send + 'static) -> AbortHandle {
        self.tasks
            .spawn(async move { Outcome::Event(Box::new(task.await)) })
    }

    fn sign_in(&mut self, credentials: Credentials) {
        let (client, server) = (self.client.clone(), self.server.clone());
        let account = self.account();
        let address = credentials.server.clone();
        let there = if address == server {
            Ok(client.clone())
        } else {
            let profile = self.profile.as_ref();
            profile.map_or_else(|| Client::new(&address), |it| it.client(&address))
        };
        let kept = self.profile.as_ref().map(Profile::credentials);
        let task = self.tasks.spawn(async move {
            let client = match there {
                Ok(client) => client,
                Err(error) => return account.signed_in(client, server, Err(error)).await,
            };
            let outcome = if credentials.register {
                let name = credentials.display_name.as_deref();
                client
                    .register(&credentials.username, &credentials.password, name)
                    .await
            } else {
                client
                    .login(&credentials.username, &credentials.password)
                    .await
            };
            let outcome = match (outcome, kept) {
                (Ok(me), Some(kept)) => kept.keep(&client, &address, &me).await.map(|()| me),
                (outcome, _) => outcome,
            };
            account.signed_in(client, address, outcome).await
        });
        self.signing_in = Some(task);
    }

    fn resume(&mut self) {
        let (client, server) = (self.client.clone(), self.server.clone());
        let account = self.account();
        let kept = self.profile.as_ref().map(Profile::credentials);
        let task = self.tasks.spawn(async move {
            let outcome = match (client.tokens(), kept) {
                (Some(_), _) => client.me().await,
                (None, Some(kept)) => kept.resume(&client, &server).await,
                (None, None) => Err(ClientError::SignedOut),
            };
            account.signed_in(client, server, outcome).await
        });
        self.signing_in = Some(task);
    }

    fn forget(&mut self) {
        if let Some(attempt) = self.signing_in.take() {
            attempt.abort();
        }
        self.events = None;
        if let Some(live) = self.live.take() {
            self.tasks.spawn(async move {
                live.close().await;
                Outcome::Nothing
            });
        }
    }

    /// The next thing that happened. Cancellation safe.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            tokio::select! {
                kept = keeping::first(&mut self.puttings) => self.queued(kept),
                Some(outcome) = self.tasks.join_next() => {
                    self.take(outcome)?;
                }
                event = next_of(&mut self.events) => {
                    let event = event.ok_or_else(|| anyhow!("the connection ended unexpectedly"))?;
                    self.hear(&event);
                    self.ready.push_back(Event::Live(event));
                }
                else => pending().await,
            }
        }
    }

    fn take(&mut self, outcome: Result<Outcome, JoinError>) -> anyhow::Result<()> {
        match outcome {
            Ok(Outcome::Event(event)) => {
                self.keep_answer(&event);
                if matches!(*event, Event::SignedOut(Ok(()))) {
                    self.forget_account();
                }
                self.ready.push_back(*event);
            }
            Ok(Outcome::Kept(event)) => self.ready.push_back(*event),
            Ok(Outcome::Nothing) => {}
            Ok(Outcome::Recalled(id, entries)) => {
                self.recalling = self.recalling.saturating_sub(1);
                self.ready.push_back(Event::Recalled(id, entries));
            }
            Ok(Outcome::SignedIn(attempt)) => {
                self.signing_in = None;
                let SignedIn {
                    client,
                    server,
                    outcome,
                    opened,
                } = *attempt;
                let kept = self.take_account(opened?);
                if let Ok(me) = &outcome {
                    self.keep_me(me);
                    self.enter(client, server);
                }
                self.ready.push_back(Event::SignedIn(outcome));
                self.ready.extend(kept);
            }
            Err(error) if error.is_cancelled() => {}
            Err(error) => return Err(error).context("a task ended unexpectedly"),
        }
        Ok(())
    }

    /// Opens the live connection.
    fn enter(&mut self, client: Client, server: String) {
        let (live, events) = client.live();
        (self.live, self.events) = (Some(live), Some(events));
        (self.client, self.server) = (client, server);
    }

    /// Ends what is under way, and closes the connection properly if that does not take long.
    pub(crate) async fn close(mut self) {
        self.events = None;
        if let Some(live) = self.live.take() {
            // A server that hangs must not keep the user in the program.
            drop(tokio::time::timeout(GOODBYE, live.close()).await);
        }
        self.tasks.shutdown().await;
        if let Some(cache) = self.cache.take() {
            cache.close().await;
        }
    }
}

async fn next_of(events: &mut Option<LiveEvents>) -> Option<LiveEvent> {
    match events {
        Some(events) => events.next().await,
        None => pending().await,
    }
}

/// All that was found, at once.
fn one_page(items: Vec<Message>) -> RestPage<Message> {
    RestPage {
        items,
        next_cursor: None,
    }
}
