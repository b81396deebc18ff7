//! How much one user, address or socket may do: the numbers that `hello` announces, and their counting.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chat_core::{
    Limits,
    model::UserId,
    protocol::{Announced, ErrorCode, Problem},
};
use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;

use crate::{auth::Username, metrics::Metrics};

/// A rate of this many is none.
pub(crate) const UNLIMITED: u32 = u32::MAX;

const QUARTER_HOUR: Duration = Duration::from_mins(15);
/// An address may try this many times as often as one account from it.
const LOGINS_BY_ADDRESS: u32 = 6;
/// And make this many times as many accounts.
const REGISTRATIONS_BY_ADDRESS: u32 = 60;
/// Between two rounds of forgetting keys that were quiet for long.
const CHECKS_BETWEEN_TIDYING: u32 = 4_096;

/// What the server announces and holds its clients to, around an engine with these limits.
pub(crate) fn defaults(engine: &Limits) -> Announced {
    Announced {
        ping_interval_ms: 20_000,
        idle_timeout_ms: 45_000,
        max_body_chars: engine.max_body_chars,
        max_frame_bytes: 64 * 1024,
        typing_repeat_ms: 4_000,
        typing_expiry_ms: millis(engine.typing_expiry),
        max_watched_users: engine.max_watched_users,
        max_joined_conversations: engine.max_joined_conversations,
        max_replay: engine.max_replay,
        sends_per_second: 10,
        send_burst: 30,
        frames_per_second: 50,
        frame_burst: 100,
        requests_per_second: 20,
        request_burst: 100,
        logins_per_quarter_hour: 5,
        max_sockets_per_user: 20,
    }
}

/// The limits of an engine that keeps to what is announced.
pub(crate) fn engine_limits(announced: &Announced) -> Limits {
    Limits {
        max_body_chars: announced.max_body_chars,
        max_replay: announced.max_replay,
        max_joined_conversations: announced.max_joined_conversations,
        max_watched_users: announced.max_watched_users,
        typing_expiry: Duration::from_millis(announced.typing_expiry_ms),
        ..Limits::default()
    }
}

/// Changes some of the limits: `name=value,…` with their names in `hello`, and `off`, which lifts the rates.
pub(crate) fn change(announced: &mut Announced, changes: &str) -> Result<(), String> {
    for change in changes.split(',').map(str::trim) {
        if change == "off" {
            lift_rates(announced);
            continue;
        }
        let (name, value) = change
            .split_once('=')
            .ok_or_else(|| format!("`{change}` is neither `off` nor `name=value`"))?;
        set(announced, name.trim(), value.trim())?;
    }
    possible(announced)
}

fn lift_rates(announced: &mut Announced) {
    for rate in [
        &mut announced.sends_per_second,
        &mut announced.send_burst,
        &mut announced.frames_per_second,
        &mut announced.frame_burst,
        &mut announced.requests_per_second,
        &mut announced.request_burst,
        &mut announced.logins_per_quarter_hour,
    ] {
        *rate = UNLIMITED;
    }
}

fn set(announced: &mut Announced, name: &str, value: &str) -> Result<(), String> {
    let Ok(serde_json::Value::Object(mut limits)) = serde_json::to_value(&*announced) else {
        return Err("the limits cannot be listed".to_owned());
    };
    if !limits.contains_key(name) {
        let names: Vec<&str> = limits.keys().map(String::as_str).collect();
        return Err(format!(
            "there is no limit `{name}`; there are {}",
            names.join(", ")
        ));
    }
    let number: u64 = value
        .parse()
        .map_err(|_nan| format!("`{value}` is no number for the limit {name}"))?;
    if number == 0 {
        return Err(format!("the limit {name} must be at least 1"));
    }
    limits.insert(name.to_owned(), number.into());
    *announced = serde_json::from_value(serde_json::Value::Object(limits))
        .map_err(|_range| format!("{value} is too large for the limit {name}"))?;
    Ok(())
}

fn possible(announced: &Announced) -> Result<(), String> {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    if announced.idle_timeout_ms <= announced.ping_interval_ms {
        return Err("idle_timeout_ms must be longer than ping_interval_ms".to_owned());
    }
    if announced.idle_timeout_ms > DAY || announced.typing_expiry_ms > DAY {
        return Err("idle_timeout_ms and typing_expiry_ms are at most a day".to_owned());
    }
    if !(1_024..=1_048_576).contains(&announced.max_frame_bytes) {
        return Err("max_frame_bytes is from 1024 to 1048576".to_owned());
    }
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Too much in too little time; come back after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) retry_after: Duration,
}

impl TooMany {
    /// A user has too many sockets; one may close soon.
    pub(crate) const SOCKETS: Self = Self {
        retry_after: Duration::from_secs(10),
    };

    pub(crate) fn problem(self, of_what: &str) -> Problem {
        let mut problem = Problem::new(
            ErrorCode::RateLimited,
            format!("too many {of_what}: wait, then try again"),
        );
        problem.retry_after_ms = Some(millis(self.retry_after).max(1));
        problem
    }
}

/// Counters for everybody.
#[derive(Debug)]
pub(crate) struct RateLimits {
    pub(crate) sends: Keyed<UserId>,
    pub(crate) requests: Keyed<UserId>,
    /// Requests without a user, by the address they come from.
    pub(crate) anonymous: Keyed<IpAddr>,
    /// Attempts to sign in, by the account if there can be such a one, and the address they come from.
    pub(crate) logins: Keyed<(Option<Username>, IpAddr)>,
    pub(crate) logins_by_address: Keyed<IpAddr>,
    pub(crate) registrations: Keyed<IpAddr>,
    pub(crate) sockets: Sockets,
}

impl RateLimits {
    pub(crate) fn new(announced: &Announced, metrics: &Metrics) -> Self {
        let sends = per_second(announced.sends_per_second, announced.send_burst);
        let requests = per_second(announced.requests_per_second, announced.request_burst);
        let logins = announced.logins_per_quarter_hour;
        let by_address = per_quarter_hour(logins.saturating_mul(LOGINS_BY_ADDRESS));
        let registrations = per_quarter_hour(logins.saturating_mul(REGISTRATIONS_BY_ADDRESS));
        let refused = |kind| metrics.rate_limited(kind);
        Self {
            sends: Keyed::new(sends, refused("sends")),
            requests: Keyed::new(requests, refused("requests")),
            anonymous: Keyed::new(requests, refused("anonymous_requests")),
            logins: Keyed::new(per_quarter_hour(logins), refused("logins")),
            logins_by_address: Keyed::new(by_address, refused("logins_by_address")),
            registrations: Keyed::new(registrations, refused("registrations")),
            sockets: Sockets {
                most: announced.max_sockets_per_user,
                open: Arc::default(),
                refused: refused("sockets"),
            },
        }
    }
}

/// One counter for each key; keys that were quiet for long are forgotten.
#[derive(Debug)]
pub(crate) struct Keyed<K: Hash + Eq + Clone> {
    limiter: Option<DefaultKeyedRateLimiter<K>>,
    checks: AtomicU32,
    refused: Counter,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(quota: Option<Quota>, refused: Counter) -> Self {
        Self {
            limiter: quota.map(RateLimiter::keyed),
            checks: AtomicU32::new(0),
            refused,
        }
    }

    /// Counts one more of this key.
    pub(crate) fn check(&self, key: &K) -> Result<(), TooMany> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        if self.checks.fetch_add(1, Ordering::Relaxed) % CHECKS_BETWEEN_TIDYING
            == CHECKS_BETWEEN_TIDYING - 1
        {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        limiter.check_key(key).map_err(|early| {
            self.refused.inc();
            TooMany {
                retry_after: early.wait_time_from(DefaultClock::default().now()),
            }
        })
    }
}

/// What one socket may do.
#[derive(Debug)]
pub(crate) struct SocketLimits {
    frames: Option<DefaultDirectRateLimiter>,
    refused: Counter,
    /// Frames that cannot be read: ten a minute are borne.
    bad: DefaultDirectRateLimiter,
    /// Refusals that are borne from a client that does not slow down.
    patience: Option<DefaultDirectRateLimiter>,
}

impl SocketLimits {
    pub(crate) fn new(announced: &Announced, metrics: &Metrics) -> Self {
        let frames = per_second(announced.frames_per_second, announced.frame_burst);
        let six_seconds = Duration::from_secs(6);
        let bad = Quota::with_period(six_seconds).map_or_else(
            || Quota::per_minute(at_least_one(10)),
            |quota| quota.allow_burst(at_least_one(9)),
        );
        let patience = per_second(1, announced.frame_burst).filter(|_| frames.is_some());
        Self {
            frames: frames.map(RateLimiter::direct),
            refused: metrics.rate_limited("frames"),
            bad: RateLimiter::direct(bad),
            patience: patience.map(RateLimiter::direct),
        }
    }

    /// Counts a frame.
    pub(crate) fn frame(&self) -> Result<(), TooMany> {
        let Some(frames) = &self.frames else {
            return Ok(());
        };
        frames.check().map_err(|early| {
            self.refused.inc();
            TooMany {
                retry_after: early.wait_time_from(DefaultClock::default().now()),
            }
        })
    }

    /// Counts a frame that cannot be read; `false` at the tenth in a minute.
    pub(crate) fn bears_bad_frame(&self) -> bool {
        self.bad.check().is_ok()
    }

    /// Counts a refusal for being too fast; `false` when the client went on regardless.
    pub(crate) fn bears_haste(&self) -> bool {
        self.patience
            .as_ref()
            .is_none_or(|patience| patience.check().is_ok())
    }
}

/// How many sockets each user has open.
#[derive(Debug)]
pub(crate) struct Sockets {
    most: usize,
    open: Arc<Mutex<HashMap<UserId, usize>>>,
    refused: Counter,
}

impl Sockets {
    /// Room for one more socket of this user, given back when dropped; `None` when they have too many.
    pub(crate) fn open(&self, user: UserId) -> Option<OpenSocket> {
        let mut open = self.open.lock();
        let count = open.entry(user).or_default();
        if *count >= self.most {
            self.refused.inc();
            return None;
        }
        *count += 1;
        Some(OpenSocket {
            user,
            open: Arc::clone(&self.open),
        })
    }
}

/// One open socket of a user.
#[derive(Debug)]
pub(crate) struct OpenSocket {
    user: UserId,
    open: Arc<Mutex<HashMap<UserId, usize>>>,
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

/// The key under which an address is counted: IPv6 users have a whole /64 to themselves.
pub(crate) fn address_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

fn per_second(rate: u32, burst: u32) -> Option<Quota> {
    (rate != UNLIMITED)
        .then(|| Quota::per_second(at_least_one(rate)).allow_burst(at_least_one(burst)))
}

fn per_quarter_hour(count: u32) -> Option<Quota> {
    let quota = Quota::with_period(QUARTER_HOUR / count.max(1))?;
    (count != UNLIMITED).then(|| quota.allow_burst(at_least_one(count)))
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_change_by_their_names_and_impossible_ones_are_refused() {
        let mut limits = defaults(&Limits::default());
        change(&mut limits, "max_body_chars=100, send_burst=5").unwrap();
        assert_eq!((limits.max_body_chars, limits.send_burst), (100, 5));
        change(&mut limits, "off,max_sockets_per_user=1000").unwrap();
        assert_eq!(limits.requests_per_second, UNLIMITED);
        assert_eq!(limits.max_sockets_per_user, 1_000);
        for (bad, hint) in [
            ("max_body=1", "there is no limit `max_body`"),
            ("send_burst", "neither `off` nor `name=value`"),
            ("send_burst=many", "no number"),
            ("send_burst=0", "at least 1"),
            ("send_burst=5000000000", "too large"),
            ("idle_timeout_ms=10", "longer than ping_interval_ms"),
        ] {
            let error = change(&mut limits.clone(), bad).unwrap_err();
            assert!(error.contains(hint), "{bad}: {error}");
        }
    }

    #[test]
    fn whoever_was_quiet_for_a_moment_takes_no_memory() {
        let quick = Quota::per_second(at_least_one(1_000_000));
        let counted = Keyed::new(Some(quick), Counter::default());
        for caller in 0..20 * CHECKS_BETWEEN_TIDYING {
            assert!(counted.check(&caller).is_ok());
        }
        let kept = counted.limiter.unwrap().len();
        assert!(kept <= 2 * CHECKS_BETWEEN_TIDYING as usize, "{kept}");
    }

    #[test]
    fn users_of_one_ipv6_network_are_counted_together() {
        let key = |text: &str| address_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
    }
}
