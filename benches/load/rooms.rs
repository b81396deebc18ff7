//! Many small rooms, in each of which somebody says the next thing as soon as all have heard the last one.

use std::{
    io::Read,
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::{
    crowd::{Crowd, Tally},
    ours::{Ours, Store},
    peers::{Dialect, payload},
    report::Report,
    room::{millis, publisher, send_message, write_all},
};

const BYTES: usize = 128;
const WARM_UP: Duration = Duration::from_secs(1);

/// Rooms in which people talk.
pub(crate) struct Talk {
    crowd: Crowd,
    rooms: Vec<Room>,
    /// In which room each of the crowd is.
    room_of: Vec<usize>,
}

struct Room {
    conversation: String,
    publisher: TcpStream,
    members: usize,
    said_at: Instant,
    heard: usize,
}

/// A socket that has joined a room.
pub(crate) struct Member {
    pub(crate) stream: TcpStream,
    /// The number of the next entry.
    pub(crate) next: u64,
    /// What was read beyond the answer.
    pub(crate) early: Vec<u8>,
}

impl Talk {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            crowd: Crowd::new(Dialect::Ours)?,
            rooms: Vec::new(),
            room_of: Vec::new(),
        })
    }

    /// One more room; who says something there says it through `publisher`.
    pub(crate) fn add_room(
        &mut self,
        conversation: String,
        publisher: TcpStream,
        members: Vec<Member>,
    ) -> anyhow::Result<()> {
        let index = self.rooms.len();
        self.crowd.watch(&publisher, index)?;
        self.rooms.push(Room {
            conversation,
            publisher,
            members: members.len(),
            said_at: Instant::now(),
            heard: 0,
        });
        for Member {
            stream,
            next,
            early,
        } in members
        {
            self.crowd.add(stream, next, &early)?;
            self.room_of.push(index);
        }
        Ok(())
    }

    /// Says the first thing in each room.
    pub(crate) fn begin(&mut self) -> anyhow::Result<()> {
        self.rooms.iter_mut().try_for_each(Room::say)
    }

    /// Goes on; how long it took until all had each message.
    pub(crate) fn go_on_for(&mut self, duration: Duration) -> anyhow::Result<Vec<Duration>> {
        let end = Instant::now() + duration;
        let (mut delays, mut buffer) = (Vec::new(), vec![0; 64 * 1_024]);
        let Self {
            crowd,
            rooms,
            room_of,
        } = self;
        while Instant::now() < end {
            let (mut through, mut ready) = (Vec::new(), Vec::new());
            let something = crowd.poll(
                Duration::from_secs(3),
                |delivery| {
                    let index = room_of[delivery.receiver];
                    rooms[index].heard += 1;
                    if rooms[index].heard == rooms[index].members {
                        through.push(index);
                    }
                },
                |other| ready.push(other),
            )?;
            ensure!(something, "nothing arrived for a while");
            for index in ready {
                // What a publisher is told is of no interest.
                let _nothing_new = rooms[index].publisher.read(&mut buffer);
            }
            for index in through {
                delays.push(rooms[index].said_at.elapsed());
                rooms[index].say()?;
            }
        }
        Ok(delays)
    }

    pub(crate) fn tally(&self) -> Tally {
        self.crowd.tally
    }
}

impl Room {
    fn say(&mut self) -> anyhow::Result<()> {
        self.heard = 0;
        self.said_at = Instant::now();
        let frame = send_message(&self.conversation, &payload(0, BYTES));
        write_all(&mut self.publisher, &frame)
    }
}

/// So many rooms of so many people in one server; people have a socket for each of their rooms.
pub(crate) fn run(
    program: &Path,
    rooms: usize,
    members: usize,
    people: usize,
    duration: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    ensure!(members <= people, "a room has at most {people} members");
    let ours = Ours::start(program, &Store::Memory, people, true)?;
    let mut talk = Talk::new()?;
    for index in 0..rooms {
        let first = (index * members) % (people / members * members);
        let those = &ours.people[first..first + members];
        let conversation = ours.group(those)?;
        let mut sockets = Vec::with_capacity(members);
        for person in those {
            let (stream, next, early) = ours.join(person, &conversation)?;
            sockets.push(Member {
                stream,
                next,
                early,
            });
        }
        talk.add_room(conversation, publisher(&ours, &those[0])?, sockets)?;
    }
    talk.begin()?;
    talk.go_on_for(WARM_UP)?;
    let (cpu, tally, began) = (ours.server.cpu()?, talk.tally(), Instant::now());
    let mut delays = talk.go_on_for(duration)?;
    let elapsed = began.elapsed().as_secs_f64();
    let cpu = ours.server.cpu()?.since(cpu).total();
    let deliveries = (talk.tally().deliveries - tally.deliveries) as f64;
    delays.sort_unstable();
    report.line(&format!(
        "{rooms} rooms of {members}: {:.0} messages/s, {:.0} k deliveries/s, {:.2} µs of the server's processor a delivery, all have it after \
         p50 {:.1} ms, p99 {:.1} ms, {} missing, {} late",
        delays.len() as f64 / elapsed,
        deliveries / elapsed / 1e3,
        cpu.as_secs_f64() * 1e6 / deliveries,
        millis(&delays, 0.5),
        millis(&delays, 0.99),
        talk.tally().missing,
        talk.tally().late,
    ))
}
