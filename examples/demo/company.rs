//! The people of the demo: real accounts and real sockets, through the client library.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chat_core::{
    NewGroup,
    client::{Client, ClientError, Event, Live, LiveEvents},
    model::{Change, ClientId, ConversationId, Draft, Message, Title, UserId},
};
use tokio::time::sleep;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::script::{
    ANSWERS, ANSWERS_TO_QUESTIONS, LUNCH, LUNCH_BEFORE, Line, NAMES, RELEASE, RELEASE_BEFORE,
    TO_YOU_BEFORE,
};

/// Everybody, signed in, with something to talk about behind them.
pub(crate) struct Company {
    you: Client,
    your_id: UserId,
    others: Vec<(UserId, Client)>,
    lunch: ConversationId,
    release: ConversationId,
    /// The direct conversation of you and each of the others, in their order.
    direct: Vec<ConversationId>,
}

impl Company {
    /// Makes the accounts and lets them say what was said before you came.
    pub(crate) async fn gather(server: &str) -> Result<Self, ClientError> {
        let (your_id, you) = sign_up(server, "you", "You").await?;
        let mut others = Vec::new();
        for (username, display_name) in NAMES {
            others.push(sign_up(server, username, display_name).await?);
        }
        let id = |who: usize| others[who].0;
        let release = group(&others[3].1, "Release 1.0", vec![id(0), id(1), your_id]).await?;
        let lunch = group(&others[0].1, "Lunch", vec![id(1), id(2), your_id]).await?;
        let mut direct = Vec::new();
        for (_, client) in &others {
            direct.push(client.direct(your_id).await?.conversation.id);
        }
        let company = Self {
            you,
            your_id,
            others,
            lunch,
            release,
            direct,
        };
        company.say_all(company.release, RELEASE_BEFORE).await?;
        company.say_all(company.lunch, LUNCH_BEFORE).await?;
        company.say_all(company.direct[0], TO_YOU_BEFORE).await?;
        Ok(company)
    }

    /// You, for the client.
    pub(crate) fn you(&self) -> Client {
        self.you.clone()
    }

    async fn say_all(
        &self,
        conversation: ConversationId,
        lines: &[Line],
    ) -> Result<(), ClientError> {
        for (who, text) in lines {
            self.others[*who].1.send(conversation, &draft(text)).await?;
        }
        Ok(())
    }

    /// Opens everybody's socket and lets them talk until told to stop.
    pub(crate) fn chat(self) -> Chatter {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let mut people = Vec::new();
        for (place, (id, client)) in self.others.iter().enumerate() {
            let (live, events) = client.live();
            let groups = [(self.lunch, LUNCH), (self.release, RELEASE)];
            let mine = groups
                .iter()
                .filter(|(_, script)| script.iter().any(|(who, _)| *who == place));
            let mut rooms: Vec<_> = mine.map(|(conversation, _)| *conversation).collect();
            rooms.push(self.direct[place]);
            for room in &rooms {
                live.open(*room, 0);
            }
            let person = Arc::new(Person {
                id: *id,
                live,
                direct: self.direct[place],
            });
            people.push(Arc::clone(&person));
            let listening = listen(person, events, self.your_id, self.answerers());
            tasks.spawn(stop.clone().run_until_cancelled_owned(listening));
        }
        for (conversation, script, pause) in [(self.lunch, LUNCH, 7), (self.release, RELEASE, 16)] {
            let talking = talk(
                people.clone(),
                conversation,
                script,
                Duration::from_secs(pause),
            );
            tasks.spawn(stop.clone().run_until_cancelled_owned(talking));
        }
        tasks.close();
        Chatter {
            people,
            tasks,
            stop,
        }
    }

    /// Who answers you in each conversation.
    fn answerers(&self) -> HashMap<ConversationId, UserId> {
        let mut answerers: HashMap<_, _> = self
            .direct
            .iter()
            .zip(&self.others)
            .map(|(room, (id, _))| (*room, *id))
            .collect();
        answerers.insert(self.lunch, self.others[2].0);
        answerers.insert(self.release, self.others[3].0);
        answerers
    }
}

/// People who talk.
pub(crate) struct Chatter {
    people: Vec<Arc<Person>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Chatter {
    /// Lets everybody say goodbye.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
        for person in self.people {
            person.live.clone().close().await;
        }
    }
}

/// One of the others, connected.
struct Person {
    id: UserId,
    live: Live,
    direct: ConversationId,
}

impl Person {
    /// Types for as long as it takes, and says it.
    async fn say(&self, conversation: ConversationId, text: &str) {
        let letters = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        let mut left = Duration::from_millis((letters * 45).clamp(900, 4_500));
        while !left.is_zero() {
            self.live.typing(conversation, true);
            let step = left.min(Duration::from_secs(1));
            sleep(step).await;
            left -= step;
        }
        self.live.send(conversation, draft(text));
    }
}

/// Says the lines of a script in turn, and begins anew.
async fn talk(
    people: Vec<Arc<Person>>,
    conversation: ConversationId,
    script: &[Line],
    pause: Duration,
) {
    for (who, text) in script.iter().cycle() {
        sleep(pause.mul_f64(0.5 + fraction())).await;
        people[*who].say(conversation, text).await;
    }
}

/// Reads what comes in, and answers you.
async fn listen(
    person: Arc<Person>,
    mut events: LiveEvents,
    you: UserId,
    answerers: HashMap<ConversationId, UserId>,
) {
    // What was said before this began has had its answer.
    let began = chat_core::model::Timestamp::now();
    while let Some(event) = events.next().await {
        let Event::Entry(entry) = event else { continue };
        let Change::NewMessage { message } = entry.change else {
            continue;
        };
        sleep(Duration::from_millis(300)).await;
        person.live.mark_read(message.conversation_id, message.seq);
        let asked = message.sender_id == you && message.created_at >= began;
        if asked && answerers.get(&message.conversation_id) == Some(&person.id) {
            sleep(Duration::from_millis(700)).await;
            person
                .say(message.conversation_id, answer_to(&message, &person))
                .await;
        }
    }
}

fn answer_to(message: &Message, person: &Person) -> &'static str {
    let bank = if message.body.contains('?') {
        ANSWERS_TO_QUESTIONS
    } else {
        ANSWERS
    };
    // In private nobody wonders what the others think.
    let bank = if message.conversation_id == person.direct {
        &bank[..3]
    } else {
        bank
    };
    let place = usize::try_from(message.seq).unwrap_or_default() % bank.len();
    bank[place]
}

async fn sign_up(
    server: &str,
    username: &str,
    display_name: &str,
) -> Result<(UserId, Client), ClientError> {
    let client = Client::new(server)?;
    let password = Uuid::new_v4().to_string();
    let profile = client
        .register(username, &password, Some(display_name))
        .await?;
    Ok((profile.id, client))
}

async fn group(
    owner: &Client,
    title: &str,
    members: Vec<UserId>,
) -> Result<ConversationId, ClientError> {
    let title =
        Title::try_from(title.to_owned()).map_err(|why| ClientError::Protocol(why.to_owned()))?;
    Ok(owner
        .create_group(NewGroup::new(title, members))
        .await?
        .conversation
        .id)
}

fn draft(text: &str) -> Draft {
    Draft {
        client_id: ClientId::new(),
        body: text.to_owned(),
        reply_to: None,
    }
}

/// A random number from 0 to 1.
fn fraction() -> f64 {
    let (_, low) = Uuid::new_v4().as_u64_pair();
    f64::from(u32::try_from(low & 0xffff).unwrap_or_default()) / 65_536.0
}
