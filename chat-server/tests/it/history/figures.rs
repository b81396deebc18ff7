//! What a run came to in figures: how much happened, and how long it took.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use super::record::{Lane, Line, Outcome, What, Who};

#[derive(Debug, Default)]
pub struct Figures {
    pub sends: usize,
    pub acknowledged: usize,
    pub refused: usize,
    /// Sends of which nobody knows.
    pub unknown: usize,
    pub other_acts: usize,
    pub other_acts_unknown: usize,
    pub deliveries: usize,
    pub breaks: usize,
    pub faults: usize,
    /// From a send to its acknowledgement, through outages and all.
    pub acks: Vec<Duration>,
    /// From the acknowledgement to the last of those who are told live.
    pub told: Vec<Duration>,
    /// The longest time that each device was not connected, once it had been.
    pub gaps: BTreeMap<Who, Duration>,
}

impl Figures {
    pub fn of(lines: &[Line]) -> Self {
        let mut figures = Self::default();
        let mut sent_at = BTreeMap::new();
        let mut acknowledged_at = BTreeMap::new();
        let mut ended = BTreeSet::new();
        let mut offline_since: BTreeMap<Who, Duration> = BTreeMap::new();
        let mut opened_at = BTreeMap::new();
        for line in lines {
            match &line.what {
                What::Send { client_id, .. } => {
                    figures.sends += 1;
                    sent_at.insert(*client_id, line.at());
                }
                What::Sent { message, .. } if ended.insert(message.client_id) => {
                    figures.acknowledged += 1;
                    let began = sent_at.get(&message.client_id);
                    let took = began.map(|began| line.at().saturating_sub(*began));
                    figures.acks.extend(took);
                    acknowledged_at.insert(message.client_id, line.at());
                }
                What::SendFailed { client_id, .. } if ended.insert(*client_id) => {
                    figures.refused += 1;
                }
                What::Asked { .. } => figures.other_acts += 1,
                What::Answered {
                    outcome: Outcome::Info(_),
                    ..
                } => figures.other_acts_unknown += 1,
                What::Open { conversation, .. } => {
                    opened_at.insert((line.who, *conversation), line.at());
                }
                What::Told {
                    entry,
                    conversation,
                } => {
                    figures.deliveries += 1;
                    let said = entry.said.as_ref();
                    let told = said.and_then(|said| acknowledged_at.get(&said.client_id));
                    // Whoever comes anew, or was invited again, is told what is old.
                    let since = opened_at.get(&(line.who, *conversation));
                    let told = told.filter(|told| since.is_some_and(|since| since <= *told));
                    figures
                        .told
                        .extend(told.map(|since| line.at().saturating_sub(*since)));
                }
                What::Fault { begins: true, .. } => figures.faults += 1,
                What::Link { online, .. } => {
                    let Some(who) = line.who else { continue };
                    figures.link(who, *online, line.at(), &mut offline_since);
                }
                _ => {}
            }
        }
        figures.unknown = figures.sends - ended.len();
        figures
    }

    /// After how long so many of a hundred were acknowledged.
    pub fn acknowledged_after(&self, of_hundred: usize) -> Duration {
        quantile(&mut self.acks.clone(), of_hundred)
    }

    /// And how long after that they were told.
    pub fn told_after(&self, of_hundred: usize) -> Duration {
        quantile(&mut self.told.clone(), of_hundred)
    }

    fn link(
        &mut self,
        who: Who,
        online: bool,
        at: Duration,
        offline_since: &mut BTreeMap<Who, Duration>,
    ) {
        if !online {
            // Before it was online for the first time, nothing broke.
            if self.gaps.contains_key(&who) {
                offline_since.entry(who).or_insert(at);
            }
            return;
        }
        let longest = self.gaps.entry(who).or_default();
        if let Some(since) = offline_since.remove(&who) {
            self.breaks += 1;
            *longest = (*longest).max(at.saturating_sub(since));
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sends,
            acknowledged,
            refused,
            unknown,
            other_acts,
            other_acts_unknown,
            deliveries,
            breaks,
            faults,
            acks,
            told,
            gaps,
        } = self;
        writeln!(
            f,
            "{sends} sends ({acknowledged} acknowledged, {refused} refused, {unknown} unknown), {other_acts} other acts \
             ({other_acts_unknown} unknown), {deliveries} deliveries to {} devices, {breaks} breaks, {faults} faults",
            gaps.len()
        )?;
        let mut all: Vec<_> = gaps.values().copied().collect();
        write!(
            f,
            "acknowledged after: {}; told after the acknowledgement: {}; the longest gap of each device: {}",
            spread(&mut acks.clone()),
            spread(&mut told.clone()),
            spread(&mut all)
        )
    }
}

fn spread(times: &mut [Duration]) -> String {
    let [half, most, all] = [50, 99, 100].map(|it| quantile(times, it).as_millis());
    format!("p50 {half} ms, p99 {most} ms, most {all} ms")
}

fn quantile(times: &mut [Duration], of_hundred: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * of_hundred / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}

/// Sends by way of a lane that nobody knows the end of are worth a look.
pub fn without_end(lines: &[Line]) -> Vec<(Who, Lane)> {
    let mut open = BTreeMap::new();
    for line in lines {
        match (&line.what, line.who) {
            (
                What::Send {
                    client_id, lane, ..
                },
                Some(who),
            ) => {
                open.insert(*client_id, (who, *lane));
            }
            (What::Sent { message, .. }, _) => {
                open.remove(&message.client_id);
            }
            (What::SendFailed { client_id, .. }, _) => {
                open.remove(client_id);
            }
            _ => {}
        }
    }
    open.into_values().collect()
}
