//! Carries out what the state asks for; what comes of it comes back as events.

mod calls;

use std::{future::pending, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use chat_core::{
    NewGroup,
    client::{Client, ClientError, Event as LiveEvent, Live, LiveEvents},
    model::Profile as Person,
};
use tokio::{
    sync::Semaphore,
    task::{AbortHandle, JoinError, JoinSet},
};

use crate::{
    config::{Preferences, Profile},
    effect::{Credentials, Effect},
    event::Event,
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
    /// An attempt to sign in to this server is over; what came of it is kept already.
    SignedIn(Client, String, Result<Person, ClientError>),
    /// Nothing that anybody waits for.
    Nothing,
}

impl World {
    pub(crate) fn new(client: Client, server: String, profile: Option<Profile>) -> Self {
        Self {
            client,
            server,
            profile,
            live: None,
            events: None,
            tasks: JoinSet::new(),
            signing_in: None,
            searching: None,
            people: Arc::new(Semaphore::new(PEOPLE_AT_A_TIME)),
        }
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
            Effect::Keep(preferences) => {
                if let Some(profile) = &mut self.profile {
                    profile.set_preferences(preferences)?;
                }
            }
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
            } => {
                let client = self.client.clone();
                self.search(async move {
                    let found = calls::search(&client, query, conversation, cursor).await;
                    Event::Searched(ticket, found)
                });
            }
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
            } => {
                self.spawn(async move {
                    let events = client.events(conversation, after, limit).await;
                    Event::Page(conversation, page, events.map(|events| events.items))
                });
            }
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
            Effect::Send(conversation, draft) => live.send(conversation, draft),
            Effect::Discard(client_id) => live.discard(client_id),
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
                Err(error) => return Outcome::SignedIn(client, server, Err(error)),
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
            Outcome::SignedIn(client, address, outcome)
        });
        self.signing_in = Some(task);
    }

    fn resume(&mut self) {
        let (client, server) = (self.client.clone(), self.server.clone());
        let kept = self.profile.as_ref().map(Profile::credentials);
        let task = self.tasks.spawn(async move {
            let outcome = match (client.tokens(), kept) {
                (Some(_), _) => client.me().await,
                (None, Some(kept)) => kept.resume(&client, &server).await,
                (None, None) => Err(ClientError::SignedOut),
            };
            Outcome::SignedIn(client, server, outcome)
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
            tokio::select! {
                Some(outcome) = self.tasks.join_next() => {
                    if let Some(event) = self.take(outcome)? {
                        return Ok(event);
                    }
                }
                event = next_of(&mut self.events) => {
                    return event.map(Event::Live).ok_or_else(|| anyhow!("the connection ended unexpectedly"));
                }
                else => pending().await,
            }
        }
    }

    fn take(&mut self, outcome: Result<Outcome, JoinError>) -> anyhow::Result<Option<Event>> {
        match outcome {
            Ok(Outcome::Event(event)) => Ok(Some(*event)),
            Ok(Outcome::Nothing) => Ok(None),
            Ok(Outcome::SignedIn(client, server, outcome)) => {
                self.signing_in = None;
                if outcome.is_ok() {
                    self.enter(client, server);
                }
                Ok(Some(Event::SignedIn(outcome)))
            }
            Err(error) if error.is_cancelled() => Ok(None),
            Err(error) => Err(error).context("a task ended unexpectedly"),
        }
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
    }
}

async fn next_of(events: &mut Option<LiveEvents>) -> Option<LiveEvent> {
    match events {
        Some(events) => events.next().await,
        None => pending().await,
    }
}
