//! C8 while a run lasts: whoever is there is seen to be there, and whoever is gone to be gone, at any time that is longer ago than
//! what is promised.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chat_core::model::{Status, UserId};

use super::{
    DEATH,
    check::{Promise, Verdict, broken},
    device::GOODBYE,
    record::{Line, What, Who},
    sight::{BOUND, bound, faults_of},
};

/// Of which two seconds are promised.
const SEEN: Duration = Duration::from_secs(5);
/// Somebody who does not say goodbye may come back.
const GRACE: Duration = Duration::from_secs(10);

/// Since when a user has a device that is connected, or has none.
#[derive(Clone, Copy, Debug)]
struct Truth {
    is_there: bool,
    since: Duration,
    said_goodbye: bool,
}

#[derive(Debug, Default)]
struct World {
    online: BTreeMap<UserId, BTreeSet<Who>>,
    signed_out: BTreeSet<(UserId, u32)>,
    truth: BTreeMap<UserId, Truth>,
    /// Since when somebody looks without a break.
    looking: BTreeMap<Who, Duration>,
    /// What they see, and since when.
    seen: BTreeMap<(Who, UserId), (Status, Duration)>,
}

pub fn check(lines: &[Line], verdict: &mut Verdict) {
    let faults = faults_of(lines);
    let mut world = World::default();
    for line in lines {
        let (Some(who), at) = (line.who, line.at()) else {
            continue;
        };
        match &line.what {
            What::Presence { of, status } => {
                world.judge(at, &faults, |it| it == (who, *of), verdict);
                world.seen.insert((who, *of), (*status, at));
            }
            What::SignOut { device } => {
                world.signed_out.insert((who.user, *device));
            }
            What::Link { online, detail } => {
                world.judge(at, &faults, |it| it.0 == who || it.1 == who.user, verdict);
                world.link(who, *online, detail, at);
            }
            _ => {}
        }
    }
    if let Some(last) = lines.last() {
        world.judge(last.at(), &faults, |_| true, verdict);
    }
}

impl World {
    fn link(&mut self, who: Who, online: bool, detail: &str, at: Duration) {
        let devices = self.online.entry(who.user).or_default();
        let was_there = !devices.is_empty();
        if online {
            devices.insert(who);
            self.looking.entry(who).or_insert(at);
        } else {
            devices.remove(&who);
            self.looking.remove(&who);
        }
        let is_there = !devices.is_empty();
        let is_out = self.signed_out.contains(&(who.user, who.device));
        if was_there != is_there || !self.truth.contains_key(&who.user) {
            let truth = Truth {
                is_there,
                since: at,
                said_goodbye: detail == GOODBYE || is_out,
            };
            self.truth.insert(who.user, truth);
        }
    }

    /// Looks at what these see of these users up to now.
    fn judge(
        &self,
        now: Duration,
        faults: &[(Duration, Duration)],
        concerns: impl Fn((Who, UserId)) -> bool,
        verdict: &mut Verdict,
    ) {
        let concerned = self.seen.iter().filter(|(pair, _)| concerns(**pair));
        for ((who, of), (status, told)) in concerned {
            let (Some(looking), Some(truth)) = (self.looking.get(who), self.truth.get(of)) else {
                continue;
            };
            let is_seen = *status != Status::Offline;
            if is_seen == truth.is_there {
                continue;
            }
            let since = truth.since.max(*looking).max(*told);
            let grace = if truth.is_there || truth.said_goodbye {
                Duration::ZERO
            } else {
                GRACE
            };
            let wrong = now.saturating_sub(since);
            // A node that has died may have left somebody behind, until its lease is over.
            let trouble = bound(faults, since.saturating_sub(DEATH), now);
            let most = if trouble == BOUND {
                SEEN + grace
            } else {
                DEATH + trouble
            };
            if wrong > most {
                broken!(
                    verdict,
                    Presence,
                    "{who:?} sees {of} as {status:?} for {wrong:?}, since {since:?}, and it is {truth:?}"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(who: Who, online: bool, seconds: u64, detail: &str) -> Line {
        let detail = detail.to_owned();
        line(who, seconds, What::Link { online, detail })
    }

    fn sees(who: Who, of: Who, status: Status, seconds: u64) -> Line {
        let of = of.user;
        line(who, seconds, What::Presence { of, status })
    }

    fn line(who: Who, seconds: u64, what: What) -> Line {
        Line {
            at_us: seconds * 1_000_000,
            who: Some(who),
            what,
        }
    }

    fn is_broken(lines: &[Line]) -> bool {
        let mut verdict = Verdict::default();
        check(lines, &mut verdict);
        !verdict.0.is_empty()
    }

    #[test]
    fn who_is_taken_for_gone_or_for_there_for_too_long_is_found() {
        let who = |device| Who {
            user: UserId::new(),
            device,
        };
        let (ada, ben) = (who(1), who(2));
        let mut lines = vec![
            link(ada, true, 0, ""),
            link(ben, true, 1, ""),
            sees(ben, ada, Status::Offline, 2),
            sees(ben, ada, Status::Online, 6),
            sees(ben, ada, Status::Online, 60),
        ];
        assert!(!is_broken(&lines), "late, but soon enough");
        lines[3].at_us = 9_000_000;
        assert!(is_broken(&lines), "seven seconds are too long");
        // Whoever was not connected could not see it.
        lines.insert(3, link(ben, false, 3, ""));
        lines.insert(4, link(ben, true, 7, ""));
        assert!(!is_broken(&lines));

        for (farewell, seconds, broken) in [
            (GOODBYE, 5, false),
            (GOODBYE, 7, true),
            ("lost", 14, false),
            ("lost", 17, true),
        ] {
            let lines = [
                link(ben, true, 0, ""),
                link(ada, true, 0, ""),
                sees(ben, ada, Status::Online, 1),
                link(ada, false, 100, farewell),
                sees(ben, ada, Status::Offline, 100 + seconds),
            ];
            assert_eq!(is_broken(&lines), broken, "{farewell} {seconds}");
        }
    }
}
