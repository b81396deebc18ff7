//! What is said to the server and heard from it, kept on disk on its way.

use std::{collections::VecDeque, future::pending, path::PathBuf};

use anyhow::Context;
use chat_core::{
    client::{Client, ClientError, Event as LiveEvent, Link},
    model::{ClientId, ConversationId, Draft, Profile as Person, Timestamp, UserId},
    protocol::{ErrorCode, Hello},
};
use tokio::sync::oneshot;

use super::{Outcome, SignedIn, World};
use crate::{
    app::problem_words,
    cache::{Cache, Put},
    config::Profile,
    effect::Effect,
    event::Event,
    kept::{Heard, Kept, Refusal},
};

/// So many entries of a conversation are shown before the server is asked.
const RECALLED: u64 = 100;

/// A message on its way into the outbox.
#[derive(Debug)]
pub(super) struct Putting {
    conversation: ConversationId,
    draft: Draft,
    kept: oneshot::Receiver<Result<(), String>>,
}

/// Where accounts are kept.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// None: nothing is kept.
    directory: Option<PathBuf>,
    /// Which is open already.
    open: Option<UserId>,
}

impl Account {
    /// What is kept of this account, unless it is open.
    pub(super) async fn open(self, user: UserId) -> anyhow::Result<Option<(Cache, Kept)>> {
        match self.directory {
            Some(directory) if self.open != Some(user) => {
                Cache::open(&directory, user).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What came of an attempt to sign in, with what is kept of whoever it was.
    pub(super) async fn signed_in(
        self,
        client: Client,
        server: String,
        outcome: Result<Person, ClientError>,
    ) -> Outcome {
        let opened = match &outcome {
            Ok(me) => self.open(me.id).await,
            Err(_) => Ok(None),
        };
        Outcome::SignedIn(Box::new(SignedIn {
            client,
            server,
            outcome,
            opened,
        }))
    }
}

impl World {
    /// Whose screen this was in the last run, if it can go on.
    pub(super) fn last_user(&self) -> Option<UserId> {
        let profile = self.profile.as_ref()?;
        let goes_on = profile.can_resume(&self.server);
        Cache::last_user(profile.directory()).filter(|_| goes_on)
    }

    /// Whether this is whose sign-in the profile has: somebody else may have signed in without a screen since.
    pub(super) fn is_of_last_sign_in(&self, kept: &Kept) -> bool {
        let username = self.profile.as_ref().map(Profile::username);
        kept.me.as_ref().map(|me| me.username.as_str()) == username
    }

    /// Where an account is kept, and which one is open.
    pub(super) fn account(&self) -> Account {
        let profile = self.profile.as_ref();
        Account {
            directory: profile.map(|profile| profile.directory().to_owned()),
            open: self.cache.as_ref().map(|cache| cache.user),
        }
    }

    /// Goes over to another account; what is kept of it is returned.
    pub(super) fn take_account(&mut self, opened: Option<(Cache, Kept)>) -> Option<Event> {
        let (cache, kept) = opened?;
        self.logs_are_void = false;
        if let Some(earlier) = self.cache.replace(cache) {
            self.tasks.spawn(async move {
                earlier.close().await;
                Outcome::Nothing
            });
        }
        Some(Event::Remembered(Box::new(kept)))
    }

    /// Signed out: what the server told is not left behind. What the user wrote and did not send is theirs.
    pub(super) fn forget_account(&mut self) {
        if let Some(cache) = self.cache.take() {
            cache.heard.forget_all();
            self.tasks.spawn(async move {
                cache.close().await;
                Outcome::Nothing
            });
        }
    }

    /// A draft, or a message that was refused before, goes onto the disk and then to the server.
    pub(super) fn put(
        &mut self,
        conversation: ConversationId,
        draft: Draft,
        replaces: Option<ClientId>,
        was_draft: bool,
    ) {
        let client_id = draft.client_id;
        let Some(cache) = &self.cache else {
            self.send(conversation, draft);
            return self
                .ready
                .push_back(Event::Queued(conversation, client_id, Ok(())));
        };
        let kept = cache.words.put(Put {
            conversation,
            draft: draft.clone(),
            at: Timestamp::now(),
            replaces,
            was_draft,
        });
        self.puttings.push_back(Putting {
            conversation,
            draft,
            kept,
        });
    }

    /// The first of what was on its way into the outbox is there, and is sent, or is not.
    pub(super) fn queued(&mut self, outcome: Result<(), String>) {
        let Some(Putting {
            conversation,
            draft,
            ..
        }) = self.puttings.pop_front()
        else {
            return;
        };
        let client_id = draft.client_id;
        if outcome.is_ok() {
            self.send(conversation, draft);
        }
        let event = Event::Queued(conversation, client_id, outcome);
        self.ready.push_back(event);
    }

    fn send(&self, conversation: ConversationId, draft: Draft) {
        if let Some(live) = &self.live {
            live.send(conversation, draft);
        }
    }

    /// What is kept of a conversation, if anything of it may be believed.
    pub(super) fn recall(&mut self, id: ConversationId) {
        let Some(cache) = self.cache.as_ref().filter(|_| !self.logs_are_void) else {
            return self.ready.push_back(Event::Recalled(id, Vec::new()));
        };
        let reader = cache.reader.clone();
        self.recalling += 1;
        self.tasks.spawn(async move {
            let entries = reader.tail(id, RECALLED).await;
            Outcome::Recalled(id, logged(entries).unwrap_or_default())
        });
    }

    /// Waits until what the user wrote is on disk.
    pub(crate) async fn words_are_kept(&self) {
        if let Some(cache) = &self.cache {
            cache.words.are_kept().await;
        }
    }

    /// An answer that the user waits for comes within a moment, because only the disk has to give it.
    pub(crate) fn has_awaited(&self) -> bool {
        self.recalling > 0 || !self.puttings.is_empty()
    }

    /// Keeps what the server tells, and what becomes of the outbox by it.
    pub(super) fn hear(&mut self, event: &LiveEvent) {
        if let LiveEvent::Link(link) = event {
            self.is_online = matches!(link, Link::Online(_));
        }
        if let LiveEvent::Link(Link::Online(hello)) = event {
            self.compare_epoch(hello);
        }
        let Some(cache) = &self.cache else { return };
        match event {
            LiveEvent::Rows {
                rows,
                gone,
                snapshot,
            } => {
                cache.heard.keep(Heard::Rows {
                    rows: rows.clone(),
                    gone: gone.clone(),
                    snapshot: *snapshot,
                });
            }
            LiveEvent::Entry(entry) => {
                cache.heard.keep(Heard::Entries(vec![(**entry).clone()]));
            }
            LiveEvent::Sent(message) => cache.words.remove(message.client_id),
            LiveEvent::SendFailed {
                client_id, problem, ..
            } => {
                let refusal = Refusal {
                    reason: problem_words(problem).as_str().to_owned(),
                    needs_new_id: problem.code == ErrorCode::ClientIdReused,
                };
                cache.words.refused(*client_id, refusal);
            }
            _ => {}
        }
    }

    /// When the server's store has begun a new life since something was kept, that is void: the state hears of it like of
    /// a restore that happens while connected.
    fn compare_epoch(&mut self, hello: &Hello) {
        let Some(cache) = &mut self.cache else { return };
        let epoch = hello.epoch.as_uuid();
        let earlier = cache.epoch.replace(epoch);
        if earlier == Some(epoch) {
            return;
        }
        cache.heard.begin_epoch(epoch);
        if earlier.is_some() {
            self.logs_are_void = true;
            self.ready.push_back(Event::Live(LiveEvent::Restored));
        }
    }

    /// Keeps what an answer of the server tells.
    pub(super) fn keep_answer(&self, event: &Event) {
        let Some(cache) = &self.cache else { return };
        match event {
            Event::Page(_, _, Ok(entries)) => {
                cache.heard.keep(Heard::Entries(entries.clone()));
            }
            Event::Person(_, Ok(person)) => {
                cache.heard.keep(Heard::People(vec![person.clone()]));
            }
            Event::Members(_, Ok(members)) => {
                let people = members.iter().map(|member| member.user.clone());
                cache.heard.keep(Heard::People(people.collect()));
            }
            _ => {}
        }
    }

    pub(super) fn keep_me(&self, me: &Person) {
        if let Some(cache) = &self.cache {
            cache.heard.keep(Heard::Me(me.clone()));
        }
    }

    /// What concerns only the disk.
    pub(super) fn keep(&mut self, effect: Effect) -> anyhow::Result<()> {
        match effect {
            Effect::Recall(id) => self.recall(id),
            Effect::Send(conversation, draft) => self.put(conversation, draft, None, true),
            Effect::Resend {
                conversation,
                draft,
                replaces,
            } => self.put(conversation, draft, replaces, false),
            Effect::KeepDraft(conversation, draft) => {
                if let Some(cache) = &self.cache {
                    cache.words.draft(conversation, *draft);
                }
            }
            Effect::Discard(client_id) => {
                if let Some(cache) = &self.cache {
                    cache.words.remove(client_id);
                }
                if let Some(live) = &self.live {
                    live.discard(client_id);
                }
            }
            Effect::Keep(preferences) => {
                if let Some(profile) = &mut self.profile {
                    profile
                        .set_preferences(preferences)
                        .context("the preferences are not kept")?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether the first of these is in the outbox, as soon as it is known. Cancellation safe.
pub(super) async fn first(puttings: &mut VecDeque<Putting>) -> Result<(), String> {
    match puttings.front_mut() {
        Some(putting) => (&mut putting.kept)
            .await
            .unwrap_or_else(|_| Err("nothing is written to the disk any more".to_owned())),
        None => pending().await,
    }
}

/// What was read from the disk; that it cannot be is no more than a reason to ask the server.
pub(super) fn logged<T>(read: Result<T, sqlx::Error>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(%error, "what was heard cannot be read"))
        .ok()
}
