//! What happens in a run: people who chat, and everything that goes wrong meanwhile.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    device::{Device, Kept},
    gateway::GiveUp,
    history::{Author, Promise},
    store::Weather,
    world::World,
};
use crate::{
    Chat, Error, NewGroup,
    client::simulated::Ask,
    model::{ClientId, ConversationId, Draft, History, Title, UserId},
    source::Simulated,
};

/// Nobody waits longer than this for everything to come to rest.
const PATIENCE: Duration = Duration::from_mins(5);

/// What a node may need beside its store.
const SLACK: Duration = Duration::from_millis(50);

/// A run: a world, the people in it, and what they are up to.
pub(super) struct Script {
    pub(super) world: Arc<World>,
    pub(super) devices: Vec<Device>,
    /// Everybody belongs to this one, always.
    pub(super) lobby: ConversationId,
    /// Their members come and go, and see of the second one only what happens while they are there; the second user owns
    /// both.
    pub(super) coming_and_going: [ConversationId; 2],
    pub(super) callers: JoinSet<()>,
    authors: Author,
    bodies: u64,
}

impl Script {
    /// A few nodes, five people with seven devices, three groups and a direct conversation.
    pub(super) async fn begin(world: Arc<World>) -> Self {
        let count = 1 + world.random().below(3);
        world.nodes.lock().resize(count, None);
        for index in 0..count {
            world.start(index).await;
        }
        let users = world.users.clone();
        let chat = world.any_node().unwrap().chat;
        let group = async |owner: usize, members: &[UserId], history: History| {
            let title = Title::try_from("group".to_owned()).unwrap();
            let group = NewGroup {
                history,
                ..NewGroup::new(title, members.to_vec())
            };
            let row = chat.create_group(users[owner], group).await.unwrap();
            let id = row.conversation.id;
            world.history().sight.founded(id, history);
            id
        };
        let lobby = group(0, &users[1..], History::Shared).await;
        let side = group(1, &users[2..4], History::Shared).await;
        let club = group(1, &users[2..4], History::FromJoin).await;
        chat.direct(users[0], users[1]).await.unwrap();
        let mut script = Self {
            world,
            devices: Vec::new(),
            lobby,
            coming_and_going: [side, club],
            callers: JoinSet::new(),
            authors: 0,
            bodies: 0,
        };
        for user in users.iter().chain(&users[..2]) {
            script.add_device(*user);
        }
        script
    }

    fn add_device(&mut self, user: UserId) {
        self.authors += 1;
        let world = &self.world;
        let device = Device::start(world, self.authors, user, Kept::default());
        self.devices.push(device);
    }

    pub(super) async fn play(&mut self, clock: &Simulated) {
        let steps = 45 + self.world.random().below(45);
        for _ in 0..steps {
            self.step(clock).await;
            let pause = self.pause();
            sleep(pause).await;
        }
    }

    /// Bursts and lulls.
    fn pause(&self) -> Duration {
        let mut random = self.world.random();
        match random.below(10) {
            0..4 => Duration::ZERO,
            4..9 => random.millis(300),
            _ => random.millis(4_000),
        }
    }

    async fn step(&mut self, clock: &Simulated) {
        let kind = self.world.random().below(120);
        match kind {
            0..30 => self.send_from_device(),
            30..45 => self.send_directly(),
            45..57 => self.mark_read(),
            57..60 => self.type_something(),
            60..66 => self.change_membership(),
            66..74 => self.break_connection(),
            74..77 => self.freeze(),
            77..80 => self.start_application_anew(),
            80..84 => self.kill_or_stop_node(),
            84..88 => self.start_node().await,
            88..95 => self.change_weather(),
            95..98 => self.part_or_rejoin(),
            98..108 => self.change_message(),
            108..110 => self.mark_unread(),
            110..112 => self.change_settings(),
            112..114 => self.change_availability(),
            114..116 => self.change_group(),
            116..118 => self.found_or_delete_group(),
            118.. => {
                let skew = self.world.random().millis(7_200_000);
                let skew = i64::try_from(skew.as_millis()).unwrap() - 3_600_000;
                clock.set_skew(skew);
                self.world.note(|| format!("the clock is off by {skew} ms"));
            }
        }
    }

    fn any_device(&self) -> &Device {
        let index = self.world.random().below(self.devices.len());
        &self.devices[index]
    }

    fn draft(&mut self) -> Draft {
        Draft {
            client_id: ClientId::new(),
            body: self.text(),
            reply_to: None,
        }
    }

    /// Never twice the same; some of it calls somebody.
    pub(super) fn text(&mut self) -> String {
        self.bodies += 1;
        let mut random = self.world.random();
        let long = "x".repeat(random.below(300));
        let call = match random.below(12) {
            0..5 => " @everyone".to_owned(),
            user @ 5..10 => format!(" @u{}", user - 5),
            _ => String::new(),
        };
        format!("{:04}{call} {long}", self.bodies)
    }

    fn send_from_device(&mut self) {
        let count = 1 + self.world.random().below(4);
        let index = self.world.random().below(self.devices.len());
        let conversations = self.world.listed(self.devices[index].user);
        for _ in 0..count {
            let conversation = self.world.random().pick(&conversations);
            let draft = self.draft();
            if let Some(conversation) = conversation {
                self.devices[index].send(&self.world, conversation, draft);
            }
        }
    }

    /// A caller of [`Chat`] inside the server's process: gives up at any await, and tries again elsewhere.
    fn send_directly(&mut self) {
        let users = self.world.users.clone();
        let user = self.world.random().pick(&users).unwrap_or(users[0]);
        let conversations = self.world.listed(user);
        let conversation = self.world.random().pick(&conversations);
        if let Some(conversation) = conversation {
            self.send_directly_to(user, conversation);
        }
    }

    fn send_directly_to(&mut self, user: UserId, conversation: ConversationId) {
        self.authors += 1;
        let draft = self.draft();
        let world = Arc::clone(&self.world);
        world
            .history()
            .sends(self.authors, user, conversation, &draft);
        self.callers
            .spawn(send_until_it_is_known(world, user, conversation, draft));
    }

    fn mark_read(&mut self) {
        let directly = self.world.random().chance(50);
        let device = self.any_device();
        let user = device.user;
        let cursors: Vec<_> = device.app.lock().kept.cursors.clone().into_iter().collect();
        let Some((conversation, seq)) = self.world.random().pick(&cursors) else {
            return;
        };
        let seq = seq.saturating_sub(self.world.random().below(3) as u64);
        if !directly {
            return device.ask(Ask::MarkRead(conversation, seq));
        }
        let world = Arc::clone(&self.world);
        self.callers.spawn(async move {
            let read = attempt(&world, |chat| async move {
                chat.mark_read(user, conversation, seq).await
            });
            if let Some(Ok(seq)) = read.await {
                world.history().read(conversation, user, seq);
            }
        });
    }

    fn type_something(&self) {
        let typing = self.world.random().chance(70);
        self.any_device().ask(Ask::Typing(self.lobby, typing));
    }

    fn break_connection(&self) {
        let mut random = self.world.random();
        let longest = if random.chance(50) { 0 } else { 20_000 };
        let unnoticed = random.millis(longest);
        drop(random);
        let device = self.any_device();
        self.world
            .note(|| format!("device {} breaks off", device.author));
        device.ask(Ask::Break(unnoticed));
    }

    fn freeze(&mut self) {
        let time = self.world.random().millis(30_000);
        let index = self.world.random().below(self.devices.len());
        let device = &mut self.devices[index];
        self.world
            .note(|| format!("device {} is stuck for {time:?}", device.author));
        device.freeze(time);
    }

    /// The application goes on from what it had kept: its cursors, and what was not sent.
    fn start_application_anew(&mut self) {
        let index = self.world.random().below(self.devices.len());
        let former = &self.devices[index];
        former.ask(Ask::Quit);
        let kept = former.app.lock().kept.clone();
        let (author, user) = (former.author, former.user);
        self.world.note(|| format!("device {author} starts anew"));
        self.devices[index] = Device::start(&self.world, author, user, kept);
    }

    fn kill_or_stop_node(&self) {
        let index = {
            let count = self.world.nodes.lock().len();
            self.world.random().below(count)
        };
        if self.world.random().chance(70) {
            self.world.kill(index);
        } else {
            self.world.stop(index);
        }
    }

    async fn start_node(&self) {
        let down = self.world.nodes.lock().iter().position(Option::is_none);
        if let Some(index) = down {
            self.world.start(index).await;
        }
    }

    fn change_weather(&self) {
        let Some(node) = self.world.any_node() else {
            return;
        };
        let weather = {
            let mut random = self.world.random();
            let time = random.millis(5_000);
            let all = [
                Weather::Calm,
                Weather::Calm,
                Weather::Slow,
                Weather::Flaky,
                Weather::Flaky,
                Weather::Down,
                Weather::Hung(time),
            ];
            random.pick(&all).unwrap_or(Weather::Calm)
        };
        self.world
            .note(|| format!("n{} has {weather:?}", node.index));
        node.line.set_weather(weather);
    }

    fn part_or_rejoin(&self) {
        let count = self.world.nodes.lock().len();
        let index = self.world.random().below(count);
        if self.world.random().chance(50) {
            self.world.note(|| format!("n{index} is isolated"));
            self.world.wires.lock().isolate(index);
        } else {
            self.world.wires.lock().rejoin(&self.world, index);
        }
    }

    /// Somebody goes away with all devices, for good.
    pub(super) fn somebody_leaves(&mut self) {
        let user = self.world.users[self.world.random().below(4) + 1];
        let (gone, stay) = self.devices.drain(..).partition(|it| it.user == user);
        self.devices = stay;
        let gone: Vec<Device> = gone;
        for device in gone {
            let goodbye = self.world.random().chance(30);
            self.world
                .note(|| format!("device {} leaves", device.author));
            if !goodbye {
                device.ask(Ask::Break(Duration::ZERO));
            }
            device.ask(Ask::Quit);
        }
    }

    /// Waits until everybody is online, all is sent, and every session has a device.
    pub(super) async fn rest(&mut self) {
        let began = Instant::now();
        loop {
            for device in &self.devices {
                device.ask(Ask::Retry);
                device.reopen();
            }
            sleep(Duration::from_millis(500)).await;
            while self.callers.try_join_next().is_some() {}
            let settled = self.devices.iter().all(|device| {
                let app = device.app.lock();
                app.online && app.kept.unsent.is_empty() && !device.is_stuck()
            });
            let sessions = self.connected();
            let mut devices: Vec<_> = self.devices.iter().map(|it| it.author).collect();
            devices.sort_unstable();
            if settled && self.callers.is_empty() && sessions == devices {
                break;
            }
            if began.elapsed() > PATIENCE {
                let what = format!(
                    "settled: {settled}, {} callers wait, sessions of {sessions:?}, devices {devices:?}",
                    self.callers.len()
                );
                return self.world.violation(Promise::Rest, what);
            }
        }
        self.world.note(|| "everybody is back".to_owned());
        // Losses are reported, rooms repaired, graces over.
        sleep(Duration::from_secs(5) + self.world.limits.presence_grace).await;
    }

    /// The devices that a session is open for.
    fn connected(&self) -> Vec<Author> {
        let sessions = self.world.sessions.lock();
        let mut authors: Vec<_> = sessions.values().map(|open| open.author).collect();
        authors.sort_unstable();
        authors
    }

    /// Something is said everywhere, when nothing goes wrong any more.
    pub(super) async fn say_something_everywhere(&mut self) {
        for conversation in self.conversations() {
            let members: Vec<_> = self.world.users.clone();
            let speaker = members
                .into_iter()
                .find(|user| self.world.listed(*user).contains(&conversation));
            if let Some(speaker) = speaker {
                self.send_directly_to(speaker, conversation);
            }
        }
        while self.callers.join_next().await.is_some() {}
    }

    pub(super) fn conversations(&self) -> Vec<ConversationId> {
        let users = self.world.users.iter();
        let mut all: Vec<_> = users.flat_map(|user| self.world.listed(*user)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Tries a call at any node a few times; `None` if it is not known whether it took effect.
pub(super) async fn attempt<T, F>(
    world: &Arc<World>,
    call: impl Fn(Chat) -> F,
) -> Option<Result<T, Error>>
where
    F: Future<Output = Result<T, Error>>,
{
    for _ in 0..5 {
        match once(world, &call).await {
            None | Some(Err(Error::Unavailable(_) | Error::ShuttingDown)) => {}
            done => return done,
        }
        let pause = world.random().millis(500);
        sleep(pause).await;
    }
    None
}

/// One try, which may end at any await.
async fn once<T, F>(world: &Arc<World>, call: &impl Fn(Chat) -> F) -> Option<Result<T, Error>>
where
    F: Future<Output = Result<T, Error>>,
{
    let node = world.any_node()?;
    let (polls, patience) = {
        let mut random = world.random();
        let hasty = !world.is_healed() && random.chance(40);
        let polls = if hasty {
            1 + random.below(10)
        } else {
            usize::MAX
        };
        (polls, Duration::from_secs(3) + random.millis(3_000))
    };
    let asked = node.ask(call(node.chat.clone()));
    match timeout(patience, GiveUp::after(polls, asked)).await {
        Ok(Some(Ok(done))) => Some(done),
        _ => None,
    }
}

async fn send_until_it_is_known(
    world: Arc<World>,
    user: UserId,
    conversation: ConversationId,
    draft: Draft,
) {
    loop {
        let call = |chat: Chat| {
            let draft = draft.clone();
            async move { chat.send(user, conversation, draft).await }
        };
        let began = Instant::now();
        let sent = once(&world, &call).await;
        let longest = world.limits.store_patience + SLACK;
        if sent.is_some() && began.elapsed() > longest {
            let what = format!("{sent:?} after {:?}", began.elapsed());
            world.violation(Promise::InTime, what);
        }
        match sent {
            Some(Ok(sent)) => {
                world.history().acknowledged(&sent.message);
                if !world.random().chance(30) {
                    return;
                }
            }
            None | Some(Err(Error::Unavailable(_) | Error::ShuttingDown)) => {}
            Some(Err(error)) => {
                return world.note(|| format!("refused {}: {error}", draft.client_id));
            }
        }
        let pause = world.random().millis(1_000);
        sleep(pause).await;
    }
}
