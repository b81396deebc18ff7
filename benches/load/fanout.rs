//! Fan-out side by side: the same room in each server, in turns, so that a slow moment of the machine meets all of them.

use std::{path::Path, time::Duration};

use anyhow::Context;

use crate::{
    peers::{Peer, Places},
    report::{Bar, Report, median},
    room::{Cost, Load, Room},
};

/// What goes through the rooms, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) receivers: usize,
    pub(crate) people: usize,
    pub(crate) bytes: usize,
    pub(crate) rounds: usize,
    pub(crate) duration: Duration,
}

/// One who is measured, and what was measured.
struct Lane {
    name: String,
    room: Room,
    bytes: usize,
    is_ours: bool,
    burst: Vec<Cost>,
    single: Vec<Cost>,
}

/// Under way at once in a burst.
const BURST: u64 = 16;

/// Runs all, and tells what each costs; the bars of a chart of bursts, and of one of single messages.
pub(crate) fn run(
    program: &Path,
    places: &Places,
    peers: &[Peer],
    plan: Plan,
    report: &mut Report,
) -> anyhow::Result<(Vec<Bar>, Vec<Bar>)> {
    let mut ours = Lane::new(
        "ours",
        Room::of_ours(program, plan.people, plan.receivers)?,
        plan.bytes,
    );
    ours.is_ours = true;
    // Ours tells more than the bytes that were sent: who said what, where and when. Those that come closest run with as much, too.
    let probe = ours.room.run(plan.load(BURST, plan.bytes))?;
    let envelope = probe.bytes_per_delivery.round() as usize;
    let mut lanes = vec![ours];
    for peer in peers {
        let sizes: &[usize] = match peer {
            Peer::BareEach | Peer::BareMerged | Peer::Bun => &[plan.bytes, envelope],
            _ => &[plan.bytes],
        };
        for bytes in sizes {
            let name = if *bytes == plan.bytes {
                peer.name().to_owned()
            } else {
                format!("{}, {bytes} bytes", peer.name())
            };
            match Room::of_peer(*peer, places, plan.receivers) {
                Ok(room) => lanes.push(Lane::new(&name, room, *bytes)),
                Err(error) => report.line(&format!("{name} is left out: {error:#}"))?,
            }
        }
    }
    for _round in 0..plan.rounds {
        for lane in &mut lanes {
            for (under_way, costs) in [(BURST, &mut lane.burst), (1, &mut lane.single)] {
                let cost = lane.room.run(plan.load(under_way, lane.bytes));
                costs.push(cost.with_context(|| lane.name.clone())?);
            }
        }
    }
    let title = format!(
        "{} receivers, {} bytes, {} rounds",
        plan.receivers, plan.bytes, plan.rounds
    );
    let burst = tell(
        &format!("In bursts: {title}"),
        &lanes,
        |lane| &lane.burst,
        report,
    )?;
    let single = tell(
        &format!("One at a time: {title}"),
        &lanes,
        |lane| &lane.single,
        report,
    )?;
    Ok((burst, single))
}

impl Plan {
    fn load(self, under_way: u64, bytes: usize) -> Load {
        Load {
            under_way,
            bytes,
            duration: self.duration,
        }
    }
}

impl Lane {
    fn new(name: &str, room: Room, bytes: usize) -> Self {
        Self {
            name: name.to_owned(),
            room,
            bytes,
            is_ours: false,
            burst: Vec::new(),
            single: Vec::new(),
        }
    }
}

fn tell(
    title: &str,
    lanes: &[Lane],
    costs: fn(&Lane) -> &Vec<Cost>,
    report: &mut Report,
) -> anyhow::Result<Vec<Bar>> {
    report.line(&format!("\n{title}"))?;
    report.heading(&[
        "server",
        "deliveries/s",
        "CPU µs",
        "user",
        "system",
        "ours ÷ this",
        "frames a read",
        "bytes",
        "p50 ms",
        "p99 ms",
        "missing",
        "late",
    ])?;
    let ours = costs(&lanes[0]);
    let mut bars = Vec::new();
    for lane in lanes {
        let theirs = costs(lane);
        let of = |pick: fn(&Cost) -> f64| median(theirs.iter().map(pick).collect());
        // Round by round: the machine is as fast for both.
        let ratios = ours.iter().zip(theirs).map(|(a, b)| a.cpu() / b.cpu());
        report.row(&[
            lane.name.clone(),
            format!("{:.0} k", of(|it| it.deliveries_per_second) / 1e3),
            format!("{:.2}", of(Cost::cpu)),
            format!("{:.2}", of(|it| it.user)),
            format!("{:.2}", of(|it| it.system)),
            format!("{:.2}", median(ratios.collect())),
            format!("{:.1}", of(|it| it.frames_per_read)),
            format!("{:.0}", of(|it| it.bytes_per_delivery)),
            format!("{:.1}", of(|it| it.p50)),
            format!("{:.1}", of(|it| it.p99)),
            theirs.iter().map(|it| it.missing).sum::<u64>().to_string(),
            theirs.iter().map(|it| it.late).sum::<u64>().to_string(),
        ])?;
        bars.push(Bar {
            name: lane.name.clone(),
            value: of(Cost::cpu),
            is_ours: lane.is_ours,
        });
    }
    Ok(bars)
}

/// What a delivery costs in rooms of several sizes, ours alone.
pub(crate) fn sizes(
    program: &Path,
    sizes: &[usize],
    plan: Plan,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut rooms = Vec::new();
    for receivers in sizes {
        rooms.push(Room::of_ours(program, plan.people, *receivers)?);
    }
    let mut costs = vec![[Vec::new(), Vec::new()]; sizes.len()];
    for _round in 0..plan.rounds {
        for (room, costs) in rooms.iter_mut().zip(&mut costs) {
            costs[0].push(room.run(plan.load(BURST, plan.bytes))?);
            costs[1].push(room.run(plan.load(1, plan.bytes))?);
        }
    }
    report.heading(&[
        "receivers",
        "burst, CPU µs",
        "one at a time, CPU µs",
        "missing",
        "late",
    ])?;
    for (receivers, [burst, single]) in sizes.iter().zip(&costs) {
        let cpu = |costs: &[Cost]| median(costs.iter().map(Cost::cpu).collect());
        let all = || burst.iter().chain(single);
        report.row(&[
            receivers.to_string(),
            format!("{:.2}", cpu(burst)),
            format!("{:.2}", cpu(single)),
            all().map(|it| it.missing).sum::<u64>().to_string(),
            all().map(|it| it.late).sum::<u64>().to_string(),
        ])?;
    }
    Ok(())
}

/// The delay of those who read at once, without and with a fifth who read slowly.
pub(crate) fn slow(program: &Path, plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut costs = [Vec::new(), Vec::new()];
    for _round in 0..plan.rounds {
        for (some_slow, costs) in [false, true].into_iter().zip(&mut costs) {
            let mut room = Room::of_ours(program, plan.people, plan.receivers)?;
            if some_slow {
                room.make_some_slow()?;
            }
            costs.push(room.run(plan.load(1, plan.bytes))?);
        }
    }
    let p99 = |costs: &[Cost]| median(costs.iter().map(|it| it.p99).collect());
    let missing: u64 = costs.iter().flatten().map(|it| it.missing + it.late).sum();
    report.line(&format!(
        "{} receivers, one message at a time: p99 {:.1} ms; where a fifth of them read 1 KiB each 20 ms, {:.1} ms for the others; {missing} missing or late",
        plan.receivers,
        p99(&costs[0]),
        p99(&costs[1]),
    ))
}
