//! Many small rooms in one server, in each of which somebody says the next thing as soon as all have heard the last one.

use std::{
    io::Read,
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::{
    crowd::Crowd,
    ours::{Ours, Store},
    peers::{Dialect, payload},
    report::Report,
    room::{millis, publisher, send_message, write_all},
};

const BYTES: usize = 128;
const WARM_UP: Duration = Duration::from_secs(1);

struct Small {
    conversation: String,
    publisher: TcpStream,
    said_at: Instant,
    heard: usize,
}

/// So many rooms of so many people, who have a socket for each of their rooms.
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
    let mut crowd = Crowd::new(Dialect::Ours)?;
    let mut small = Vec::with_capacity(rooms);
    for index in 0..rooms {
        let first = (index * members) % (people / members * members);
        let those = &ours.people[first..first + members];
        let conversation = ours.group(those)?;
        for person in those {
            let (stream, next, early) = ours.join(person, &conversation)?;
            crowd.add(stream, next, &early)?;
        }
        let publisher = publisher(&ours, &those[0])?;
        crowd.watch(&publisher, index)?;
        small.push(Small {
            conversation,
            publisher,
            said_at: Instant::now(),
            heard: 0,
        });
    }
    for room in &mut small {
        room.say()?;
    }
    let mut delays = Vec::new();
    go_on_until(
        &mut crowd,
        &mut small,
        members,
        Instant::now() + WARM_UP,
        &mut delays,
    )?;
    delays.clear();
    let (cpu, tally, began) = (ours.server.cpu()?, crowd.tally, Instant::now());
    go_on_until(
        &mut crowd,
        &mut small,
        members,
        began + duration,
        &mut delays,
    )?;
    let elapsed = began.elapsed().as_secs_f64();
    let cpu = ours.server.cpu()?.since(cpu).total();
    let deliveries = (crowd.tally.deliveries - tally.deliveries) as f64;
    delays.sort_unstable();
    report.line(&format!(
        "{rooms} rooms of {members}: {:.0} messages/s, {:.0} k deliveries/s, {:.2} µs of the server's processor a delivery, all have it after \
         p50 {:.1} ms, p99 {:.1} ms, {} missing, {} late",
        delays.len() as f64 / elapsed,
        deliveries / elapsed / 1e3,
        cpu.as_secs_f64() * 1e6 / deliveries,
        millis(&delays, 0.5),
        millis(&delays, 0.99),
        crowd.tally.missing,
        crowd.tally.late,
    ))
}

fn go_on_until(
    crowd: &mut Crowd,
    small: &mut [Small],
    members: usize,
    end: Instant,
    delays: &mut Vec<Duration>,
) -> anyhow::Result<()> {
    let mut buffer = vec![0; 64 * 1_024];
    while Instant::now() < end {
        let (mut through, mut ready) = (Vec::new(), Vec::new());
        let something = crowd.poll(
            Duration::from_secs(3),
            |delivery| {
                let index = delivery.receiver / members;
                small[index].heard += 1;
                if small[index].heard == members {
                    through.push(index);
                }
            },
            |other| ready.push(other),
        )?;
        ensure!(something, "nothing arrived for a while");
        for index in ready {
            // What a publisher is told is of no interest.
            let _nothing_new = small[index].publisher.read(&mut buffer);
        }
        for index in through {
            delays.push(small[index].said_at.elapsed());
            small[index].say()?;
        }
    }
    Ok(())
}

impl Small {
    fn say(&mut self) -> anyhow::Result<()> {
        self.heard = 0;
        self.said_at = Instant::now();
        let frame = send_message(&self.conversation, &payload(0, BYTES));
        write_all(&mut self.publisher, &frame)
    }
}
