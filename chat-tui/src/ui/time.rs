//! Times in words, in the user's own time zone.

use chat_core::model::Timestamp;
use jiff::{Zoned, civil::Date, tz::TimeZone};

fn local(at: Timestamp, zone: &TimeZone) -> Zoned {
    jiff::Timestamp::from_millisecond(at.as_millis())
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone())
}

/// The day on which something happened.
pub(super) fn day(at: Timestamp, zone: &TimeZone) -> Date {
    local(at, zone).date()
}

/// `14:02`.
pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    local(at, zone).strftime("%H:%M").to_string()
}

/// Short, for a list: `14:02` today, `Tue` within the week, else `3 Nov` or `2025`.
pub(super) fn short(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (then, today) = (local(at, zone), day(now, zone));
    let format = match days_between(then.date(), today) {
        0 => "%H:%M",
        1..7 => "%a",
        _ if then.date().year() == today.year() => "%-d %b",
        _ => "%Y",
    };
    then.strftime(format).to_string()
}

/// A day as a heading: `Today`, `Yesterday`, `Tuesday 3 November`, with the year if it is another.
pub(super) fn heading(date: Date, now: Timestamp, zone: &TimeZone) -> String {
    let today = day(now, zone);
    match days_between(date, today) {
        0 => "Today".to_owned(),
        1 => "Yesterday".to_owned(),
        _ if date.year() == today.year() => date.strftime("%A %-d %B").to_string(),
        _ => date.strftime("%A %-d %B %Y").to_string(),
    }
}

/// After "last seen": `14:02`, `yesterday 14:02`, `3 November`.
pub(super) fn seen(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (then, today) = (local(at, zone), day(now, zone));
    let format = match days_between(then.date(), today) {
        0 => "%H:%M",
        1 => "yesterday %H:%M",
        2..7 => "%A %H:%M",
        _ if then.date().year() == today.year() => "%-d %B",
        _ => "%-d %B %Y",
    };
    then.strftime(format).to_string()
}

/// To the second, with the time zone: `Sunday 22 November 2026, 14:02:11 (+00:00)`.
pub(super) fn exact(at: Timestamp, zone: &TimeZone) -> String {
    let then = local(at, zone);
    then.strftime("%A %-d %B %Y, %H:%M:%S (%:z)").to_string()
}

fn days_between(earlier: Date, later: Date) -> i32 {
    earlier.until(later).map_or(0, |span| span.get_days())
}
