//! Sockets that do nothing: what each costs in memory, and how long it takes until all are back after they were cut.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    ours::{Ours, Store},
    report::Report,
};

/// What freed memory a server gives back takes it a moment.
const SETTLE: Duration = Duration::from_secs(2);

/// Opens so many sockets, half of them twice, and tells what the second half cost: what a server needs to start, and to hash
/// passwords, is in the first one.
pub(crate) fn memory(
    program: &Path,
    connections: usize,
    people: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let ours = Ours::start(program, &Store::Memory, people, true)?;
    let conversation = ours.group(&ours.people)?;
    let mut sockets = Vec::new();
    let mut resident = Vec::new();
    for _half in 0..2 {
        for index in 0..connections / 2 {
            let person = &ours.people[index % people];
            sockets.push(ours.join(person, &conversation)?);
        }
        std::thread::sleep(SETTLE);
        resident.push(ours.server.resident()?);
    }
    let each = resident[1].saturating_sub(resident[0]) as f64 / (connections / 2) as f64;
    report.line(&format!(
        "{connections} idle sockets, signed in, one room joined: {each:.0} bytes each (of the second half); {:.1} MB in all",
        resident[1] as f64 / 1e6
    ))
}

/// Cuts all connections and opens them again at once.
pub(crate) fn reconnect(
    program: &Path,
    connections: usize,
    people: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let ours = Ours::start(program, &Store::Memory, people, true)?;
    let conversation = ours.group(&ours.people)?;
    let mut sockets = Vec::new();
    for index in 0..connections {
        sockets.push(ours.join(&ours.people[index % people], &conversation)?);
    }
    let resident = ours.server.resident()?;
    drop(sockets);
    let (cpu, began) = (ours.server.cpu()?, Instant::now());
    // All connect before any says a word, as they do when a network comes back.
    let streams = (0..connections).map(|_| ours.connect());
    let streams: Vec<_> = streams.collect::<anyhow::Result<_>>()?;
    let connected = began.elapsed();
    let mut back = Vec::new();
    let mut refused = 0;
    for (index, mut stream) in streams.into_iter().enumerate() {
        let token = Some(ours.people[index % people].token.as_str());
        let joined = crate::http::upgrade(&mut stream, "/api/v1/ws", token)
            .and_then(|early| crate::ours::join(stream, early, &conversation));
        match joined {
            Ok(joined) => back.push(joined),
            Err(_) => refused += 1,
        }
    }
    let cpu = ours.server.cpu()?.since(cpu).total();
    report.line(&format!(
        "{connections} connections cut and opened at once: connected after {:.2} s, all signed in and joined after {:.2} s, {refused} \
         refused, {:.0} µs of the server's processor each, memory {:.1} MB before and {:.1} MB after",
        connected.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / connections as f64,
        resident as f64 / 1e6,
        ours.server.resident()? as f64 / 1e6,
    ))
}
