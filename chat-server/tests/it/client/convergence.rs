//! Whatever people do, and however their connections break: who listens ends with what the server holds.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use chat_core::{
    NewGroup,
    client::{Client, ClientError, Event, Link, Live, LiveEvents, Messages},
    model::{
        Availability, ConversationId, Draft, Emoji, Entry, History, Message, MineChanges, Role,
        Row, Seq, UserId,
    },
    protocol::rest::PatchConversation,
    store::Around,
};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::stage::{Breaker, Home, draft, title};
use crate::support::{PASSWORD, PATIENCE};

const ACTS: usize = 250;
const PAGE: usize = 200;

/// What a person sees of the chat.
#[derive(Debug, Default, PartialEq)]
struct View {
    rows: BTreeMap<ConversationId, Row>,
    messages: BTreeMap<ConversationId, Vec<Message>>,
    /// The places of all entries, and what each was.
    entries: BTreeMap<ConversationId, Vec<(Seq, String)>>,
}

impl View {
    /// As somebody sees it who comes anew.
    async fn fresh(client: &Client) -> Self {
        let mut view = Self::default();
        for row in client.conversations(None).await.unwrap().items {
            let id = row.conversation.id;
            let messages = client.messages(id, Around::Newest, PAGE).await.unwrap();
            view.messages.insert(id, messages);
            let (mut entries, mut after) = (Vec::new(), 0);
            while after < row.conversation.head_seq {
                let page = client.events(id, after, PAGE).await.unwrap();
                after = page.items.last().unwrap().seq;
                entries.extend(page.items.iter().map(|entry| (entry.seq, kind(entry))));
            }
            view.entries.insert(id, entries);
            view.rows.insert(id, without_presence(row));
        }
        view
    }
}

/// Presence is as it was when the row was told; whoever wants more watches it.
fn without_presence(mut row: Row) -> Row {
    if let Some(peer) = &mut row.conversation.peer {
        peer.presence = None;
    }
    row
}

fn kind(entry: &Entry) -> String {
    serde_json::to_value(entry).unwrap()["type"].to_string()
}

/// An application on a connection that breaks, which opens whatever is in its list.
struct Listener {
    client: Client,
    live: Live,
    events: LiveEvents,
    _breaker: Breaker,
    rows: BTreeMap<ConversationId, Row>,
    open: BTreeSet<ConversationId>,
    messages: HashMap<ConversationId, Messages>,
    entries: HashMap<ConversationId, BTreeMap<Seq, String>>,
    /// Messages of the outbox that were accepted or refused.
    ended: usize,
    breaks: usize,
}

impl Listener {
    async fn start(home: &Home, username: &str, mut dice: Dice) -> Self {
        let bytes = move |nth| (nth <= 150).then(|| 500 + dice.up_to(15_000));
        let breaker = Breaker::with(home.address, bytes).await;
        let client = Client::new(&format!("http://{}", breaker.address)).unwrap();
        while client.login(username, PASSWORD).await.is_err() {}
        let (live, events) = client.live();
        Self {
            client,
            live,
            events,
            _breaker: breaker,
            rows: BTreeMap::new(),
            open: BTreeSet::new(),
            messages: HashMap::new(),
            entries: HashMap::new(),
            ended: 0,
            breaks: 0,
        }
    }

    /// Listens until it is told to stop.
    fn listen(mut self) -> (Live, oneshot::Sender<()>, JoinHandle<Self>) {
        let live = self.live.clone();
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = &mut stopped => return self,
                    event = self.events.next() => self.hear(event.unwrap()).await,
                }
            }
        });
        (live, stop, task)
    }

    async fn hear(&mut self, event: Event) {
        match event {
            Event::Link(Link::Waiting { .. }) => {
                self.breaks += 1;
                self.live.retry_now();
            }
            Event::Rows {
                rows,
                gone,
                snapshot,
            } => {
                let named: BTreeSet<_> = rows.iter().map(|row| row.conversation.id).collect();
                let unnamed = self.rows.keys().filter(|id| !named.contains(id)).copied();
                let gone = if snapshot { unnamed.collect() } else { gone };
                for id in gone {
                    self.rows.remove(&id);
                    self.messages.remove(&id);
                    self.entries.remove(&id);
                }
                for row in rows {
                    let (id, from) = (row.conversation.id, row.me.history_from);
                    if let Some(older) = self.rows.get(&id) {
                        assert!(row.supersedes(older), "the list went backwards");
                    }
                    if let Some(messages) = self.messages.get_mut(&id) {
                        messages.retain(from..);
                    }
                    if let Some(entries) = self.entries.get_mut(&id) {
                        entries.retain(|seq, _| *seq >= from);
                    }
                    self.rows.insert(id, row);
                }
                self.open_what_is_listed().await;
            }
            Event::Entry(entry) => {
                let id = entry.conversation_id;
                self.messages.entry(id).or_default().apply(&entry);
                let entries = self.entries.entry(id).or_default();
                let last = entries.last_key_value().map_or(0, |(seq, _)| *seq);
                assert!(entry.seq > last, "a duplicate");
                entries.insert(entry.seq, kind(&entry));
            }
            Event::Closed {
                conversation_id, ..
            } => {
                self.open.remove(&conversation_id);
                self.open_what_is_listed().await;
            }
            Event::Sent(message) => {
                self.ended += 1;
                let id = message.conversation_id;
                if self.rows.contains_key(&id) {
                    self.messages.entry(id).or_default().put([*message]);
                }
            }
            Event::SendFailed { .. } => self.ended += 1,
            _ => {}
        }
    }

    async fn open_what_is_listed(&mut self) {
        let listed: Vec<_> = self.rows.keys().copied().collect();
        for id in listed {
            if !self.open.insert(id) {
                continue;
            }
            let heard = self.entries.get(&id).and_then(|it| it.last_key_value());
            self.live.open(id, heard.map_or(0, |(seq, _)| *seq));
            let page = loop {
                match self.client.messages(id, Around::Newest, PAGE).await {
                    Err(error) if error.retryable() => {}
                    Err(_gone) => break Vec::new(),
                    Ok(page) => break page,
                }
            };
            self.messages.entry(id).or_default().put(page);
        }
    }

    fn view(&self) -> View {
        let mut view = View::default();
        for (id, row) in &self.rows {
            view.rows.insert(*id, without_presence(row.clone()));
            let messages = self.messages.get(id);
            let messages = messages.into_iter().flat_map(Messages::iter).cloned();
            view.messages.insert(*id, messages.collect());
            let entries = self.entries.get(id).cloned().unwrap_or_default();
            view.entries.insert(*id, entries.into_iter().collect());
        }
        view
    }

    /// Hears one more event, if one comes in this time.
    async fn hear_next(&mut self, within: Duration) -> Option<()> {
        let event = timeout(within, self.events.next()).await.ok()?;
        self.hear(event.unwrap()).await;
        Some(())
    }

    /// Listens on until it sees this, or nothing happens for a while.
    async fn comes_to_see(&mut self, fresh: &View) -> bool {
        while self.view() != *fresh {
            if self.hear_next(Duration::from_millis(500)).await.is_none() {
                return false;
            }
        }
        true
    }
}

/// Chance that can be repeated.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % most as u64).unwrap()
    }

    fn one_of<T: Clone>(&mut self, things: &[T]) -> Option<T> {
        let nth = self.up_to(things.len().max(1));
        things.get(nth).cloned()
    }
}

/// People, and what they do.
struct Company {
    dice: Dice,
    people: Vec<(Client, UserId)>,
    conversations: Vec<ConversationId>,
}

impl Company {
    async fn make(&mut self, history: History) {
        let (owner, _) = self.dice.one_of(&self.people).unwrap();
        let members = self.people.iter().map(|(_, id)| *id).collect();
        let group = NewGroup {
            history,
            ..NewGroup::new(title("Garden"), members)
        };
        let row = owner.create_group(group).await.unwrap();
        self.conversations.push(row.conversation.id);
    }

    /// Somebody does something, which may not be allowed.
    async fn act(&mut self) {
        let dice = &mut self.dice;
        let (who, me) = dice.one_of(&self.people).unwrap();
        let (_, other) = dice.one_of(&self.people).unwrap();
        let place = dice.one_of(&self.conversations).unwrap();
        let newest = who.messages(place, Around::Newest, 12).await;
        let message = dice.one_of(&newest.unwrap_or_default());
        let text = format!("words {}", dice.up_to(1_000));
        let emoji = dice.one_of(&["👍", "🎉", "✅"]).unwrap_or_default();
        let emoji = Emoji::try_from(emoji.to_owned()).unwrap();
        let seq = message.as_ref().map_or(0, |message| message.seq);
        let outcome = match (dice.up_to(32), message) {
            (0..=7, _) => who.send(place, &draft(text)).await.map(drop),
            (8..=10, Some(it)) => who.edit_message(place, it.id, &text).await.map(drop),
            (11, Some(it)) => who.delete_message(place, it.id).await,
            (12..=14, Some(it)) => who.react(place, it.id, &emoji).await,
            (15..=16, Some(it)) => who.unreact(place, it.id, &emoji).await,
            (17, Some(it)) => who.pin(place, it.id).await,
            (18, Some(it)) => who.unpin(place, it.id).await,
            (19, Some(it)) => {
                let answer = Draft {
                    reply_to: Some(it.id),
                    ..draft(text)
                };
                who.send(place, &answer).await.map(drop)
            }
            (20, _) => {
                let changes = PatchConversation {
                    title: Some(text),
                    ..PatchConversation::default()
                };
                who.update(place, changes).await.map(drop)
            }
            (21, _) => who.mark_read(place, seq).await.map(drop),
            (22, _) => who
                .mark_unread(place, seq.saturating_sub(1))
                .await
                .map(drop),
            (23, _) => {
                let changes = MineChanges {
                    muted: Some(seq.is_multiple_of(2)),
                    archived: Some(seq.is_multiple_of(3)),
                    ..MineChanges::default()
                };
                who.update_mine(place, changes).await.map(drop)
            }
            (24..=26, _) => who.put_member(place, other, None).await.map(drop),
            (27, _) => {
                let role = Some(Role::Admin);
                who.put_member(place, other, role).await.map(drop)
            }
            (28, _) if other != me => who.remove_member(place, other).await,
            (29, _) if other != me => {
                let banned = who.ban(place, other).await;
                banned.and(who.lift_ban(place, other).await)
            }
            (30, _) => match who.direct(other).await {
                Ok(row) => {
                    let direct = row.conversation.id;
                    who.send(direct, &draft(text)).await.map(drop)
                }
                Err(error) => Err(error),
            },
            _ => Ok(()),
        };
        if let Err(error) = outcome {
            assert!(matches!(error, ClientError::Problem(_)), "{error:?}");
            assert!(!error.retryable(), "{error:?}");
        }
    }
}

/// Whose listener it is, how to ask it for things, and how to stop it.
type Listening = (usize, (Live, oneshot::Sender<()>, JoinHandle<Listener>));

async fn converge(seed: u64) {
    let home = Home::start(&["--limits", "off"]).await;
    let mut dice = Dice(seed);
    let mut company = Company {
        dice: dice.clone(),
        people: Vec::new(),
        conversations: Vec::new(),
    };
    let mut listening = Vec::new();
    for username in ["ada", "bob", "cyd"] {
        let person = home.client();
        let profile = person.register(username, PASSWORD, None).await.unwrap();
        company.people.push((person, profile.id));
    }
    for (nth, username) in ["ada", "bob", "bob"].into_iter().enumerate() {
        dice.up_to(1_000);
        let listener = Listener::start(&home, username, dice.clone()).await;
        listening.push((nth.min(1), listener.listen()));
    }
    company.make(History::Shared).await;
    company.make(History::FromJoin).await;
    let mut put_in = vec![0; listening.len()];
    for nth in 0..ACTS {
        company.act().await;
        if nth == ACTS / 3 {
            company.make(History::Shared).await;
        }
        if nth == ACTS / 2 {
            let owned = company.conversations[0];
            for (person, _) in &company.people {
                let _only_owners_can = person.delete_conversation(owned).await;
            }
        }
        // The listeners have their say over their own connections.
        let which = dice.up_to(listening.len());
        let (_, (live, ..)) = &listening[which];
        let place = company.conversations[1 + dice.up_to(company.conversations.len() - 1)];
        let seq = dice.up_to(nth + 1) as Seq;
        match dice.up_to(12) {
            0..=2 => {
                live.send(place, draft(format!("live {nth}")));
                put_in[which] += 1;
            }
            3 => live.mark_read(place, seq),
            4 => live.mark_unread(place, seq),
            5 => live.typing(place, true),
            6 => live.set_presence(Availability::Idle),
            7 => live.set_presence(Availability::Online),
            _ => {}
        }
    }
    finish(&company, listening, put_in).await;
}

/// Everything that was sent is accepted or refused; then each listener comes to see what a newcomer sees.
async fn finish(company: &Company, listening: Vec<Listening>, put_in: Vec<usize>) {
    for ((person, (_, stop, task)), put_in) in listening.into_iter().zip(put_in) {
        stop.send(()).unwrap();
        let mut listener = task.await.unwrap();
        while listener.ended < put_in {
            listener
                .hear_next(PATIENCE)
                .await
                .expect("a send without an end");
        }
        assert!(listener.breaks > 5, "{} breaks only", listener.breaks);
        let (client, _) = &company.people[person];
        // Read cursors may still be on their way.
        let deadline = Instant::now() + 2 * PATIENCE;
        while !listener.comes_to_see(&View::fresh(client).await).await {
            if Instant::now() < deadline {
                continue;
            }
            let (view, fresh) = (listener.view(), View::fresh(client).await);
            assert_eq!(view.rows, fresh.rows, "not the list of the server");
            assert_eq!(view.entries, fresh.entries, "not the entries of the server");
            assert_eq!(
                view.messages, fresh.messages,
                "not the messages of the server"
            );
        }
    }
}

/// `CHAT_CONVERGE_SEED=1234` runs another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_through_breaks_ends_with_what_the_server_holds() {
    let chosen = std::env::var("CHAT_CONVERGE_SEED").ok();
    let seed = chosen.map_or(1, |seed| seed.parse().unwrap());
    converge(seed).await;
}
