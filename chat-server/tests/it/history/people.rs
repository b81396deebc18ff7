//! People with their devices, and what they do all day: they talk, change what they said, come, go, and are thrown out.

use std::{sync::Arc, time::Duration};

use chat_core::{
    NewGroup,
    client::Client,
    model::{ConversationId, Emoji, History, Title, UserId},
};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Dice,
    bare::Bare,
    cluster::{Cluster, NODES},
    device::Device,
    proxy::Proxy,
    record::{Act, Record},
    visitor::Visitor,
};
use crate::support::PASSWORD;

/// How many people there are, and what they have.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub users: usize,
    /// So many of them have a second device.
    pub second_devices: usize,
    pub bare_devices: usize,
    pub groups: usize,
    /// So many come and go.
    pub visitors: usize,
    /// Milliseconds between two acts of a device, on average.
    pub pace: usize,
}

pub struct Town {
    pub cluster: Arc<Cluster>,
    pub record: Arc<Record>,
    pub users: Vec<User>,
    pub bare: Vec<Arc<Bare>>,
    pub groups: Vec<Group>,
    pub directs: Vec<(ConversationId, [usize; 2])>,
    /// They belong to the first group.
    pub visitors: Vec<Visitor>,
    size: Size,
}

pub struct User {
    pub id: UserId,
    pub name: String,
    pub devices: Vec<Arc<Device>>,
}

pub struct Group {
    pub id: ConversationId,
    pub history: History,
    /// The first is the owner.
    pub members: Vec<usize>,
}

impl Town {
    pub async fn found(cluster: &Arc<Cluster>, record: &Arc<Record>, size: Size) -> Self {
        let mut town = Self {
            cluster: Arc::clone(cluster),
            record: Arc::clone(record),
            users: Vec::new(),
            bare: Vec::new(),
            groups: Vec::new(),
            directs: Vec::new(),
            visitors: Vec::new(),
            size,
        };
        let mut clients = Vec::new();
        for nth in 0..size.users {
            let (client, proxy) = town.connection(nth).await;
            let name = format!("user{nth}");
            let me = client.register(&name, PASSWORD, None).await.unwrap();
            town.users.push(User {
                id: me.id,
                name,
                devices: Vec::new(),
            });
            clients.push((nth, client, proxy));
        }
        for nth in 0..size.visitors {
            let (desk, proxy) = town.connection(nth + 1).await;
            let name = format!("visitor{nth}");
            let me = desk.register(&name, PASSWORD, None).await.unwrap();
            town.visitors.push(Visitor {
                id: me.id,
                name,
                desk,
                _proxy: proxy,
            });
        }
        town.make_places(&clients).await;
        for nth in 0..size.second_devices {
            let (client, proxy) = town.connection(nth + 1).await;
            client.login(&town.users[nth].name, PASSWORD).await.unwrap();
            clients.push((nth, client, proxy));
        }
        let mut number = 0;
        for (nth, client, proxy) in clients {
            number += 1;
            let device = Device::start(client, proxy, number, record);
            town.users[nth].devices.push(device);
        }
        for nth in 0..size.bare_devices {
            let (client, proxy) = town.connection(nth).await;
            let user = &town.users[nth % size.users];
            client.login(&user.name, PASSWORD).await.unwrap();
            number += 1;
            town.bare.push(Bare::start(client, proxy, number, record));
        }
        let everybody = town.users.iter().map(|user| user.id);
        let everybody = everybody.chain(town.visitors.iter().map(|it| it.id));
        let everybody: Vec<_> = everybody.collect();
        for device in town.devices() {
            device.live.watch_presence(everybody.clone());
        }
        town
    }

    /// A client whose first choice is this node.
    async fn connection(&self, node: usize) -> (Client, Proxy) {
        let proxy = Proxy::start(self.cluster.route(node % NODES)).await;
        let client = Client::new(&format!("http://{}", proxy.address)).unwrap();
        (client, proxy)
    }

    /// A hall for all, rooms for some, and some who talk to each other.
    async fn make_places(&mut self, clients: &[(usize, Client, Proxy)]) {
        let users = self.size.users;
        for nth in 0..self.size.groups {
            let members: Vec<_> = match nth {
                0 => (0..users).collect(),
                _ => (0..=(users / 2)).map(|it| (nth + it * 2) % users).collect(),
            };
            let mut members = members;
            members.sort_unstable();
            members.dedup();
            let history = if nth % 3 == 2 {
                History::FromJoin
            } else {
                History::Shared
            };
            let mut ids: Vec<_> = members[1..].iter().map(|it| self.users[*it].id).collect();
            if nth == 0 {
                ids.extend(self.visitors.iter().map(|it| it.id));
            }
            let title = Title::try_from(format!("Room {nth}")).unwrap();
            let mut group = NewGroup::new(title, ids);
            group.history = history;
            let owner = &clients[members[0]].1;
            let row = owner.create_group(group).await.unwrap();
            self.groups.push(Group {
                id: row.conversation.id,
                history,
                members,
            });
        }
        for nth in 0..users / 3 {
            let pair = [nth, users - 1 - nth];
            let (one, other) = (&clients[pair[0]].1, self.users[pair[1]].id);
            let row = one.direct(other).await.unwrap();
            self.directs.push((row.conversation.id, pair));
        }
    }

    pub fn devices(&self) -> impl Iterator<Item = &Arc<Device>> {
        self.users.iter().flat_map(|user| &user.devices)
    }

    /// Lets everybody do what they do until they are told to stop. What they began by then, they see through.
    pub fn live(self: &Arc<Self>, dice: &mut Dice, stop: &CancellationToken) -> JoinSet<()> {
        let mut lives = JoinSet::new();
        for device in self.devices() {
            let (town, device) = (Arc::clone(self), Arc::clone(device));
            let (dice, other_dice) = (dice.fork(), dice.fork());
            let talking = Arc::clone(&town).talk(Arc::clone(&device), dice);
            lives.spawn(until(stop.clone(), talking));
            lives.spawn(town.work(device, other_dice, stop.clone()));
        }
        for nth in 0..self.visitors.len() {
            let town = Arc::clone(self);
            lives.spawn(Visitor::come_and_go(town, nth, dice.fork(), stop.clone()));
        }
        for nth in 1..self.groups.len() {
            let town = Arc::clone(self);
            lives.spawn(town.keep_door(nth, dice.fork(), stop.clone()));
        }
        lives
    }

    /// What is said at once and goes by way of the live connection.
    async fn talk(self: Arc<Self>, device: Arc<Device>, mut dice: Dice) {
        for nth in 0.. {
            sleep(dice.up_to_ms(2 * self.size.pace)).await;
            let Some((place, cursor)) = device.some_place(dice.number()) else {
                continue;
            };
            match dice.up_to(20) {
                0..=11 => device.say(place, format!("{}/{nth}", device.who.device)),
                12..=14 => device.live.mark_read(place, cursor),
                15 => device.live.mark_unread(place, cursor / 2),
                16 => device.live.typing(place, true),
                17 => {
                    for (direct, pair) in &self.directs {
                        if pair.iter().any(|it| self.users[*it].id == device.who.user) {
                            device.say(*direct, format!("{}/{nth} in private", device.who.device));
                        }
                    }
                }
                _ => {
                    let first = dice.up_to(NODES);
                    device.proxy.point_at(self.cluster.route(first));
                }
            }
        }
    }

    /// What has an answer that is waited for.
    async fn work(self: Arc<Self>, device: Arc<Device>, mut dice: Dice, stop: CancellationToken) {
        for nth in 0.. {
            sleep(dice.up_to_ms(4 * self.size.pace)).await;
            if stop.is_cancelled() {
                return;
            }
            match dice.up_to(8) {
                0..=3 => {
                    if let Some((place, _)) = device.some_place(dice.number()) {
                        let body = format!("{}/{nth} by hand", device.who.device);
                        device.say_over_rest(place, body, dice.up_to(2)).await;
                    }
                }
                4 => {
                    if let Some((place, message)) = device.take_one_of_mine() {
                        let act = Act::Edit { message };
                        let body = format!("{}/{nth} edited", device.who.device);
                        device
                            .insist(place, act, |client| {
                                let body = body.clone();
                                async move { client.edit_message(place, message, &body).await }
                            })
                            .await;
                    }
                }
                5 => {
                    if let Some((place, message)) = device.take_one_of_mine() {
                        let act = Act::Delete { message };
                        device
                            .insist(place, act, |client| async move {
                                client.delete_message(place, message).await
                            })
                            .await;
                    }
                }
                6 => {
                    if let Some((place, message)) = device.one_of_theirs() {
                        let act = Act::React { message };
                        let emoji = Emoji::try_from("👍".to_owned()).unwrap();
                        device
                            .insist(place, act, |client| {
                                let emoji = emoji.clone();
                                async move { client.react(place, message, &emoji).await }
                            })
                            .await;
                    }
                }
                _ => {
                    if let Some((place, seq)) = device.some_place(dice.number()) {
                        let act = Act::MarkRead { seq };
                        device
                            .insist(place, act, async |client| {
                                client.mark_read(place, seq).await
                            })
                            .await;
                    }
                }
            }
        }
    }

    /// Of each group, one after the other goes, or is removed, and is invited again.
    async fn keep_door(self: Arc<Self>, nth: usize, mut dice: Dice, stop: CancellationToken) {
        let group = &self.groups[nth];
        let place = group.id;
        let owner = &self.users[group.members[0]].devices[0];
        while !stop.is_cancelled() {
            sleep(dice.up_to_ms(4_000)).await;
            let guest = &self.users[group.members[1 + dice.up_to(group.members.len() - 1)]];
            let target = guest.id;
            let who = if dice.up_to(3) == 0 {
                &guest.devices[0]
            } else {
                owner
            };
            let is_banned = who.who.user != target && dice.up_to(2) == 0;
            if is_banned {
                let ask = |client: Client| async move { client.ban(place, target).await };
                who.insist(place, Act::Ban { target }, ask).await;
            } else {
                let ask = |client: Client| async move { client.remove_member(place, target).await };
                who.insist(place, Act::Remove { target }, ask).await;
            }
            sleep(dice.up_to_ms(4_000) + Duration::from_millis(500)).await;
            if is_banned {
                let ask = |client: Client| async move { client.lift_ban(place, target).await };
                owner.insist(place, Act::LiftBan { target }, ask).await;
            }
            let act = Act::Invite { target };
            let ask = |client: Client| async move { client.put_member(place, target, None).await };
            owner.insist(place, act, ask).await;
        }
    }
}

async fn until(stop: CancellationToken, life: impl Future<Output = ()>) {
    stop.run_until_cancelled(life).await;
}
