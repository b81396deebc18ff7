//! Carries out what the state asks for; what comes of it comes back as events.

use std::{future::pending, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use chat_core::{
    client::{Client, ClientError, Event as LiveEvent, Live, LiveEvents},
    model::{ConversationId, Entry, Member, Profile as Person, Seq},
};
use tokio::{
    sync::{Semaphore, watch},
    task::{AbortHandle, JoinError, JoinSet},
};

use crate::{
    config::Profile,
    effect::{Credentials, Effect},
    event::Event,
};

/// So many people are asked for at a time.
const PEOPLE_AT_A_TIME: usize = 4;
/// Members beyond so many pages are not asked for.
const MEMBER_PAGES: usize = 5;
/// At the end, the connection may take this long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// The server, the profile on disk, and what is under way.
#[derive(Debug)]
pub(crate) struct World {
    client: Client,
    server: String,
    profile: Option<Profile>,
    tokens: watch::Receiver<Option<String>>,
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
    /// An attempt to sign in to this server is over.
    SignedIn(Client, String, Result<Person, ClientError>),
    /// Nothing that anybody waits for.
    Nothing,
}

impl World {
    pub(crate) fn new(client: Client, server: String, profile: Option<Profile>) -> Self {
        Self {
            tokens: client.refresh_tokens(),
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

    /// Begins what is asked for; returns at once.
    pub(crate) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::SignIn(credentials) => self.sign_in(credentials),
            Effect::Resume => self.resume(),
            Effect::SignOut => {
                let client = self.client.clone();
                self.spawn(async move { Event::SignedOut(client.logout().await) });
            }
            Effect::Forget => self.forget(),
            Effect::Older {
                conversation,
                after,
                limit,
            } => {
                let client = self.client.clone();
                self.spawn(async move {
                    let entries = older(&client, conversation, after, limit).await;
                    Event::Older(conversation, entries)
                });
            }
            Effect::Members(conversation) => {
                let client = self.client.clone();
                self.spawn(async move {
                    Event::Members(conversation, members(&client, conversation).await)
                });
            }
            Effect::Person(id) => {
                let (client, turn) = (self.client.clone(), Arc::clone(&self.people));
                self.spawn(async move {
                    let _turn = turn.acquire_owned().await;
                    Event::Person(id, client.user(id).await)
                });
            }
            Effect::FindUsers { query, ticket } => {
                // Only the answer to the newest letters is of use.
                if let Some(earlier) = self.searching.take() {
                    earlier.abort();
                }
                let client = self.client.clone();
                let task = self.spawn(async move {
                    let found = client.find_users(&query, None).await;
                    Event::Found(ticket, found.map(|page| page.items))
                });
                self.searching = Some(task);
            }
            Effect::Direct(peer) => {
                let client = self.client.clone();
                self.spawn(async move { Event::Started(client.direct(peer).await.map(Box::new)) });
            }
            Effect::CreateGroup { title, members } => {
                let client = self.client.clone();
                self.spawn(async move {
                    Event::Started(client.create_group(title, members).await.map(Box::new))
                });
            }
            effect => self.tell_live(effect),
        }
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
            Effect::Typing(conversation, typing) => live.typing(conversation, typing),
            Effect::Watch(users) => live.watch(users),
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
        let task = self.tasks.spawn(async move {
            let address = credentials.server.clone();
            let client = if address == server {
                client
            } else {
                match Client::new(&address) {
                    Ok(client) => client,
                    Err(error) => return Outcome::SignedIn(client, server, Err(error)),
                }
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
            Outcome::SignedIn(client, address, outcome)
        });
        self.signing_in = Some(task);
    }

    fn resume(&mut self) {
        let (client, server) = (self.client.clone(), self.server.clone());
        let stored = self
            .profile
            .as_ref()
            .and_then(|profile| profile.refresh_token(&server))
            .map(str::to_owned);
        let task = self.tasks.spawn(async move {
            let outcome = match (client.tokens(), stored) {
                (Some(_), _) => client.me().await,
                (None, Some(token)) => client.resume(&token).await,
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
                Ok(()) = self.tokens.changed() => self.keep_token()?,
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
                if let Ok(me) = &outcome {
                    self.enter(client, server, me)?;
                }
                Ok(Some(Event::SignedIn(outcome)))
            }
            Err(error) if error.is_cancelled() => Ok(None),
            Err(error) => Err(error).context("a task ended unexpectedly"),
        }
    }

    /// Keeps the sign-in, and opens the live connection.
    fn enter(&mut self, client: Client, server: String, me: &Person) -> anyhow::Result<()> {
        self.tokens = client.refresh_tokens();
        let token = self.tokens.borrow_and_update().clone();
        if let Some(profile) = &mut self.profile {
            profile.signed_in(&server, &me.username, token)?;
        }
        let (live, events) = client.live();
        (self.live, self.events) = (Some(live), Some(events));
        (self.client, self.server) = (client, server);
        Ok(())
    }

    fn keep_token(&mut self) -> anyhow::Result<()> {
        let token = self.tokens.borrow_and_update().clone();
        match &mut self.profile {
            Some(profile) => profile.set_refresh_token(token),
            None => Ok(()),
        }
    }

    /// Ends what is under way, and closes the connection properly if that does not take long.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.events = None;
        if let Some(live) = self.live.take() {
            // A server that hangs must not keep the user in the program.
            drop(tokio::time::timeout(GOODBYE, live.close()).await);
        }
        self.tasks.shutdown().await;
        self.keep_token()
    }
}

async fn next_of(events: &mut Option<LiveEvents>) -> Option<LiveEvent> {
    match events {
        Some(events) => events.next().await,
        None => pending().await,
    }
}

async fn older(
    client: &Client,
    conversation: ConversationId,
    after: Seq,
    limit: usize,
) -> Result<Vec<Entry>, ClientError> {
    Ok(client.events(conversation, after, limit).await?.items)
}

async fn members(
    client: &Client,
    conversation: ConversationId,
) -> Result<Vec<Member>, ClientError> {
    let mut all = Vec::new();
    let mut cursor = None;
    for _ in 0..MEMBER_PAGES {
        let page = client.members(conversation, cursor.as_deref()).await?;
        all.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(all)
}
