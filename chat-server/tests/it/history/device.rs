//! One device of somebody: an application on the real client library, which opens whatever is in its list.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use chat_core::{
    client::{Client, ClientError, Event, Link, Live, LiveEvents},
    model::{ClientId, ConversationId, Draft, MessageId, Row, Seq, Status, UserId},
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    proxy::Proxy,
    record::{Act, Lane, Outcome, Record, Said, Seen, What, Who},
};

/// Longer than this nobody looks at a screen that says "waiting": they ask it to try again.
const PATIENCE_OF_PEOPLE: Duration = Duration::from_secs(2);
/// What is repeated until there is an answer is given up after this.
pub const GIVE_UP: Duration = Duration::from_mins(1);
/// Why a device is not online that was closed.
pub const GOODBYE: &str = "goodbye";
const OWN_MESSAGES: usize = 20;

#[derive(Debug)]
pub struct Device {
    pub who: Who,
    pub client: Client,
    pub live: Live,
    pub proxy: Proxy,
    pub app: Mutex<App>,
    record: Arc<Record>,
}

/// What an application holds.
#[derive(Debug, Default)]
pub struct App {
    pub rows: BTreeMap<ConversationId, Row>,
    pub cursors: BTreeMap<ConversationId, Seq>,
    pub presence: BTreeMap<UserId, Status>,
    pub online: bool,
    /// Sends without an end.
    pub pending: BTreeSet<ClientId>,
    open: BTreeSet<ConversationId>,
    /// Not edited, and not deleted.
    mine: VecDeque<(ConversationId, MessageId)>,
    newest: VecDeque<(ConversationId, MessageId)>,
    /// When somebody presses the button.
    retry_at: Option<Instant>,
}

impl Device {
    /// A device that is online and tells the record all that its application hears.
    pub fn start(client: Client, proxy: Proxy, number: u32, record: &Arc<Record>) -> Arc<Self> {
        let (live, events) = client.live();
        let who = Who {
            user: client.user_id().expect("signed in"),
            device: number,
        };
        let device = Arc::new(Self {
            who,
            client,
            live,
            proxy,
            app: Mutex::default(),
            record: Arc::clone(record),
        });
        tokio::spawn(Arc::clone(&device).listen(events));
        device
    }

    async fn listen(self: Arc<Self>, mut events: LiveEvents) {
        loop {
            let retry_at = self.app.lock().retry_at;
            let far = Instant::now() + Duration::from_hours(1);
            match timeout_at(retry_at.unwrap_or(far), events.next()).await {
                Ok(Some(event)) => self.hear(event),
                Ok(None) => return,
                Err(_) => {
                    self.app.lock().retry_at = None;
                    self.live.retry_now();
                }
            }
        }
    }

    fn note(&self, what: What) {
        self.record.note(Some(self.who), what);
    }

    fn hear(&self, event: Event) {
        let mut app = self.app.lock();
        match event {
            Event::Link(link) => self.hear_link(&mut app, &link),
            Event::Rows {
                rows,
                gone,
                snapshot,
            } => {
                if snapshot {
                    app.rows.clear();
                }
                for id in gone {
                    app.rows.remove(&id);
                }
                for row in rows {
                    app.rows.insert(row.conversation.id, row);
                }
                self.open_what_is_listed(&mut app);
            }
            Event::Entry(entry) => {
                let conversation = entry.conversation_id;
                app.cursors.insert(conversation, entry.seq);
                if let Some(message) = entry.message() {
                    let is_mine = message.sender_id == self.who.user;
                    let App { mine, newest, .. } = &mut *app;
                    let kept = if is_mine { mine } else { newest };
                    kept.push_back((conversation, message.id));
                    if kept.len() > OWN_MESSAGES {
                        kept.pop_front();
                    }
                }
                let entry = Seen::of(&entry);
                self.note(What::Told {
                    conversation,
                    entry,
                });
            }
            Event::Closed {
                conversation_id, ..
            } => {
                app.open.remove(&conversation_id);
                self.note(What::Closed {
                    conversation: conversation_id,
                });
                self.open_what_is_listed(&mut app);
            }
            Event::Restored => {
                let phase = format!("{:?} was told that the store is another one", self.who);
                self.record.phase(&phase);
            }
            Event::Sent(message) => {
                app.pending.remove(&message.client_id);
                self.note(What::Sent {
                    message: Said::of(&message),
                    conversation: message.conversation_id,
                    seq: message.seq,
                    lane: Lane::Outbox,
                });
            }
            Event::SendFailed {
                conversation_id,
                client_id,
                problem,
            } => {
                app.pending.remove(&client_id);
                self.note(What::SendFailed {
                    conversation: conversation_id,
                    client_id,
                    why: problem.to_string(),
                    // The library does not tell whether an attempt before this was without an answer.
                    doubtful: true,
                });
            }
            Event::Presence(presence) => {
                app.presence.insert(presence.user_id, presence.status);
                self.note(What::Presence {
                    of: presence.user_id,
                    status: presence.status,
                });
            }
            _ => {}
        }
    }

    fn hear_link(&self, app: &mut App, link: &Link) {
        app.online = matches!(link, Link::Online(_));
        app.retry_at = match link {
            Link::Waiting { retry_in, .. } if *retry_in > PATIENCE_OF_PEOPLE => {
                Some(Instant::now() + PATIENCE_OF_PEOPLE)
            }
            _ => None,
        };
        let detail = match link {
            Link::Online(hello) => format!("online at {}", hello.node_id),
            Link::Waiting { retry_in, reason } => format!("again in {retry_in:?}: {reason}"),
            other => format!("{other:?}"),
        };
        self.note(What::Link {
            online: app.online,
            detail,
        });
    }

    fn open_what_is_listed(&self, app: &mut App) {
        let App {
            rows,
            open,
            cursors,
            ..
        } = app;
        for conversation in rows.keys().filter(|id| !open.contains(id)).copied() {
            let after = cursors.get(&conversation).copied().unwrap_or(0);
            self.note(What::Open {
                conversation,
                after,
            });
            self.live.open(conversation, after);
        }
        open.extend(rows.keys());
    }

    /// Says something by way of the outbox.
    pub fn say(&self, conversation: ConversationId, body: String) {
        let draft = self.begin(conversation, body, Lane::Outbox);
        self.app.lock().pending.insert(draft.client_id);
        self.live.send(conversation, draft);
    }

    fn begin(&self, conversation: ConversationId, body: String, lane: Lane) -> Draft {
        let draft = Draft {
            client_id: ClientId::new(),
            body,
            reply_to: None,
        };
        self.note(What::Send {
            conversation,
            client_id: draft.client_id,
            body: draft.body.clone(),
            lane,
        });
        draft
    }

    /// Says something over REST, as often as it takes; and so often once more.
    pub async fn say_over_rest(&self, conversation: ConversationId, body: String, more: usize) {
        let draft = self.begin(conversation, body, Lane::Rest);
        let mut doubtful = false;
        for _ in 0..=more {
            let until = Instant::now() + GIVE_UP;
            loop {
                match self.client.send(conversation, &draft).await {
                    Ok(message) => {
                        self.note(What::Sent {
                            message: Said::of(&message),
                            conversation,
                            seq: message.seq,
                            lane: Lane::Rest,
                        });
                        doubtful = true;
                        break;
                    }
                    Err(error) if error.retryable() && Instant::now() < until => {
                        doubtful |= !matches!(error, ClientError::Unreachable(_));
                        sleep(Duration::from_millis(150)).await;
                    }
                    Err(error) if error.retryable() => return,
                    Err(error) => {
                        return self.note(What::SendFailed {
                            conversation,
                            client_id: draft.client_id,
                            why: error.to_string(),
                            doubtful,
                        });
                    }
                }
            }
        }
    }

    /// Does something that may be done twice, as often as it takes.
    pub async fn insist<T, F: Future<Output = Result<T, ClientError>>>(
        &self,
        conversation: ConversationId,
        act: Act,
        ask: impl Fn(Client) -> F,
    ) {
        let call = self.record.asks(self.who, conversation, act);
        let until = Instant::now() + GIVE_UP;
        let outcome = loop {
            match ask(self.client.clone()).await {
                Ok(_) => break Outcome::Ok,
                Err(error) if error.retryable() && Instant::now() < until => {
                    sleep(Duration::from_millis(150)).await;
                }
                Err(error) if error.retryable() => break Outcome::Info(error.to_string()),
                Err(error) => break Outcome::Fail(error.to_string()),
            }
        };
        self.record.answered(self.who, call, outcome);
    }

    /// One of the conversations in the list.
    pub fn some_place(&self, dice: usize) -> Option<(ConversationId, Seq)> {
        let app = self.app.lock();
        let place = app.rows.keys().nth(dice % app.rows.len().max(1))?;
        Some((*place, app.cursors.get(place).copied().unwrap_or(0)))
    }

    /// A message of mine that was neither edited nor deleted; it is not told again.
    pub fn take_one_of_mine(&self) -> Option<(ConversationId, MessageId)> {
        self.app.lock().mine.pop_front()
    }

    /// A message of somebody else.
    pub fn one_of_theirs(&self) -> Option<(ConversationId, MessageId)> {
        self.app.lock().newest.back().copied()
    }

    /// Says goodbye, and is gone.
    pub async fn close(&self) {
        self.live.clone().close().await;
        self.app.lock().online = false;
        self.note(What::Link {
            online: false,
            detail: GOODBYE.to_owned(),
        });
    }
}
