//! C9: nobody is told what happens where they no longer belong, nor what is hidden from them.

use std::{collections::BTreeMap, time::Duration};

use chat_core::model::{ConversationId, Seq, UserId};

use super::{
    check::{End, Promise, Verdict, broken},
    record::{Act, Line, Outcome, What},
    stays::{Stay, Stays},
};

/// After a removal was acknowledged, nothing more is delivered on any node after this time.
pub const BOUND: Duration = Duration::from_secs(1);
/// So much longer it may take after a sign-out, of which nodes hear by asking the database every half second.
const SIGN_OUT_LATER: Duration = Duration::from_secs(1);
/// The same while something is broken: nodes may have to ask the database.
const BOUND_IN_TROUBLE: Duration = Duration::from_secs(5);
/// What was broken a moment ago may not have healed yet.
const HEALING: Duration = Duration::from_secs(3);

/// Changes of membership by those who asked for them: when, and when it was done.
type Asked = BTreeMap<(ConversationId, UserId, bool), Vec<(Duration, Option<Duration>)>>;

pub fn check(
    lines: &[Line],
    end: &End,
    stays: &BTreeMap<ConversationId, Stays>,
    verdict: &mut Verdict,
) {
    let (asked, faults) = (asked_of(lines), faults_of(lines));
    check_signed_out(lines, &faults, verdict);
    let mut first_told: BTreeMap<(ConversationId, Seq), Duration> = BTreeMap::new();
    for line in lines {
        if let What::Told {
            conversation,
            entry,
        } = &line.what
        {
            let key = (*conversation, entry.seq);
            first_told.entry(key).or_insert(line.at());
        }
    }
    for line in lines {
        let (
            Some(who),
            What::Told {
                conversation,
                entry,
            },
        ) = (line.who, &line.what)
        else {
            continue;
        };
        let Some(places) = stays.get(conversation).filter(|it| !it.is_direct()) else {
            continue;
        };
        let (id, at) = (*conversation, line.at());
        let of_user = places.of_user(who.user);
        // Invited again later, they may see what was said meanwhile, but not before they were invited.
        let began = |stay: &Stay| {
            let told = first_told.get(&(id, stay.joined)).copied().unwrap_or(at);
            latest(&asked, (id, who.user, true), told).map_or(Duration::ZERO, |it| it.0)
        };
        let mut there = of_user
            .iter()
            .filter(|it| it.holds(entry.seq) && began(it) <= at);
        if let Some(stay) = there.next_back() {
            let log = &end.logs[&id];
            let index = usize::try_from(entry.seq - 1).unwrap();
            let about = log.entries.get(index).and_then(|it| it.seen.about);
            if entry.kind != "hidden" && about.is_some_and(|about| about < stay.from) {
                broken!(
                    verdict,
                    Sight,
                    "{who:?} is told {entry:?} of {id}, which is before {stay:?}"
                );
            }
            continue;
        }
        let left = of_user.iter().filter_map(|stay| stay.until);
        let Some(left) = left.filter(|left| *left < entry.seq).max() else {
            broken!(
                verdict,
                Sight,
                "{who:?} is told {entry:?} of {id}, where they did not belong"
            );
            continue;
        };
        let told = first_told.get(&(id, left)).copied().unwrap_or(at);
        let removal = latest(&asked, (id, who.user, false), told);
        let gone = removal.and_then(|it| it.1).unwrap_or(told);
        let late = at.saturating_sub(gone);
        if late > bound(&faults, gone, at) {
            broken!(
                verdict,
                Sight,
                "{who:?} left {id} with {left}, and is told {entry:?} {late:?} later"
            );
        }
    }
}

/// A device that is signed out is told nothing more.
fn check_signed_out(lines: &[Line], faults: &[(Duration, Duration)], verdict: &mut Verdict) {
    let mut gone = BTreeMap::new();
    for line in lines {
        let Some(who) = line.who else { continue };
        match &line.what {
            What::SignOut { device } => {
                gone.insert((who.user, *device), line.at());
            }
            What::Told { .. } | What::Presence { .. } => {
                let Some(since) = gone.get(&(who.user, who.device)) else {
                    continue;
                };
                let late = line.at().saturating_sub(*since);
                if late > bound(faults, *since, line.at()) + SIGN_OUT_LATER {
                    let what = &line.what;
                    broken!(
                        verdict,
                        Sight,
                        "{who:?} was signed out, and is told {what:?} {late:?} later"
                    );
                }
            }
            _ => {}
        }
    }
}

/// The last time that this was asked for before something was seen of it.
fn latest(
    asked: &Asked,
    what: (ConversationId, UserId, bool),
    before: Duration,
) -> Option<(Duration, Option<Duration>)> {
    let times = asked.get(&what)?;
    times.iter().rfind(|it| it.0 <= before).copied()
}

fn asked_of(lines: &[Line]) -> Asked {
    let mut asked = Asked::new();
    let mut calls = BTreeMap::new();
    for line in lines {
        match &line.what {
            What::Asked {
                call,
                conversation,
                act,
            } => {
                let what = match act {
                    Act::Invite { target } => (*conversation, *target, true),
                    Act::Remove { target } | Act::Ban { target } => (*conversation, *target, false),
                    _ => continue,
                };
                let times = asked.entry(what).or_default();
                times.push((line.at(), None));
                calls.insert(call, (what, times.len() - 1));
            }
            What::Answered {
                call,
                outcome: Outcome::Ok,
            } => {
                if let Some((what, nth)) = calls.get(call) {
                    asked.get_mut(what).unwrap()[*nth].1 = Some(line.at());
                }
            }
            _ => {}
        }
    }
    asked
}

/// From when to when something was broken.
pub fn faults_of(lines: &[Line]) -> Vec<(Duration, Duration)> {
    let mut faults = BTreeMap::new();
    for line in lines {
        if let What::Fault { number, begins, .. } = &line.what {
            let fault = faults.entry(number).or_insert((line.at(), Duration::MAX));
            if !begins {
                fault.1 = line.at();
            }
        }
    }
    faults.into_values().collect()
}

pub fn bound(faults: &[(Duration, Duration)], from: Duration, until: Duration) -> Duration {
    let healed = |fault: &(Duration, Duration)| fault.1.saturating_add(HEALING);
    let mut of_now = faults
        .iter()
        .filter(|it| it.0 <= until && healed(it) >= from);
    if of_now.clone().next().is_none() {
        return BOUND;
    }
    // Whoever is frozen does nothing, in time or late.
    let overlap = |fault: &(Duration, Duration)| {
        let end = healed(fault).min(until);
        end.saturating_sub(fault.0.max(from))
    };
    BOUND_IN_TROUBLE + of_now.by_ref().map(overlap).sum::<Duration>()
}
