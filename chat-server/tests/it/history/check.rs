//! What must be true of a history and of what is there in the end. Pure functions: the same history gives the same verdict.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use chat_core::model::{ClientId, ConversationId, Seq, Status, Unread, UserId};

use super::{
    record::{Act, Lane, Line, Outcome, Said, Seen, What, Who},
    stays::Stays,
};

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// C1: what was acknowledged is there, at its place, as it was said.
    Durable,
    /// C2: a send has one effect at most; what failed has none; nothing is invented.
    Once,
    /// C3: places are dense, and the log is the same on every path.
    OneLog,
    /// C4: an application is told everything, in order, and once.
    NoGap,
    /// C5: what was acknowledged before something else was sent comes before it; a device's sends keep their order.
    InOrder,
    /// C6: the same send has the same answer.
    SameAnswer,
    /// C7: unread is what its definition says.
    Unread,
    /// C8: who is there is seen to be there, and nobody else.
    Presence,
    /// C9: who no longer belongs somewhere is told nothing more of it; nor what is hidden from them.
    Sight,
    /// C10: it was not too long, and not too much is left.
    Budget,
}

#[derive(Clone, Debug)]
pub struct Violation {
    pub promise: Promise,
    pub what: String,
}

/// The list of what is violated.
#[derive(Debug, Default)]
pub struct Verdict(pub Vec<Violation>);

impl Verdict {
    pub fn broken(&mut self, promise: Promise, what: fmt::Arguments<'_>) {
        let what = what.to_string();
        self.0.push(Violation { promise, what });
    }
}

macro_rules! broken {
    ($verdict:expr, $promise:ident, $($what:tt)*) => {
        $verdict.broken(Promise::$promise, format_args!($($what)*))
    };
}
pub(super) use broken;

/// What is there when all has come to rest.
#[derive(Debug, Default)]
pub struct End {
    pub logs: BTreeMap<ConversationId, Log>,
    pub views: Vec<View>,
    /// Who has a device that is connected.
    pub there: BTreeSet<UserId>,
}

/// A conversation as it is in the database.
#[derive(Debug, Default)]
pub struct Log {
    pub head: Seq,
    pub entries: Vec<Stored>,
    pub members: BTreeMap<UserId, Place>,
    /// Those who join see nothing from before.
    pub from_join: bool,
}

#[derive(Clone, Debug)]
pub struct Stored {
    pub seen: Seen,
    /// A message that was edited or deleted since.
    pub changed: bool,
    pub deleted: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub active: bool,
    pub read_seq: Seq,
    pub history_from: Seq,
}

/// What somebody sees in the end, by one of the ways there are.
#[derive(Debug, Default)]
pub struct View {
    pub name: String,
    pub user: Option<UserId>,
    /// Whole logs, where they were read.
    pub logs: BTreeMap<ConversationId, Vec<Seen>>,
    /// How far an application was told of each.
    pub cursors: Option<BTreeMap<ConversationId, Seq>>,
    /// Read cursor and unread count of each.
    pub rows: Option<BTreeMap<ConversationId, (Seq, u64)>>,
    pub presence: BTreeMap<UserId, Status>,
}

/// A send, as its sender saw it.
#[derive(Debug)]
struct Send<'a> {
    who: Who,
    body: &'a str,
    /// The furthest place that anybody had been told of a send when this one began.
    floor: Seq,
    sent: Vec<(Seq, &'a Said)>,
    failed: Option<bool>,
}

type Sends<'a> = BTreeMap<(ConversationId, ClientId), Send<'a>>;

/// Everything that is wrong.
pub fn check(lines: &[Line], end: &End) -> Verdict {
    let mut verdict = Verdict::default();
    let (sends, order) = sends_of(lines, &mut verdict);
    for (id, log) in &end.logs {
        check_log(*id, log, &sends, &mut verdict);
    }
    check_answers(&sends, end, &mut verdict);
    check_order(&sends, &order, end, &mut verdict);
    let stays = end.logs.iter().map(|(id, log)| (*id, Stays::of(log)));
    let stays: BTreeMap<_, _> = stays.collect();
    check_streams(lines, end, &stays, &mut verdict);
    super::sight::check(lines, end, &stays, &mut verdict);
    super::presence::check(lines, &mut verdict);
    check_edits(lines, end, &mut verdict);
    for view in &end.views {
        check_view(view, end, &mut verdict);
    }
    verdict
}

type Order = BTreeMap<(Who, Lane, ConversationId), Vec<ClientId>>;

fn sends_of<'a>(lines: &'a [Line], verdict: &mut Verdict) -> (Sends<'a>, Order) {
    let (mut sends, mut order) = (Sends::new(), Order::new());
    let mut acknowledged: BTreeMap<ConversationId, Seq> = BTreeMap::new();
    for line in lines {
        match (&line.what, line.who) {
            (
                What::Send {
                    conversation,
                    client_id,
                    body,
                    lane,
                },
                Some(who),
            ) => {
                let send = Send {
                    who,
                    body,
                    floor: acknowledged.get(conversation).copied().unwrap_or(0),
                    sent: Vec::new(),
                    failed: None,
                };
                sends.insert((*conversation, *client_id), send);
                let of_device = order.entry((who, *lane, *conversation)).or_default();
                of_device.push(*client_id);
            }
            (
                What::Sent {
                    message,
                    conversation,
                    seq,
                    ..
                },
                Some(who),
            ) => {
                let known = acknowledged.entry(*conversation).or_default();
                *known = (*known).max(*seq);
                match sends.get_mut(&(*conversation, message.client_id)) {
                    Some(send) => send.sent.push((*seq, message)),
                    None => broken!(verdict, Once, "{who:?} never sent {message:?}"),
                }
            }
            (
                What::SendFailed {
                    conversation,
                    client_id,
                    doubtful,
                    ..
                },
                _,
            ) => {
                if let Some(send) = sends.get_mut(&(*conversation, *client_id)) {
                    send.failed = Some(*doubtful);
                }
            }
            _ => {}
        }
    }
    (sends, order)
}

/// C2 and C3 of what is in the database.
fn check_log(id: ConversationId, log: &Log, sends: &Sends<'_>, verdict: &mut Verdict) {
    let places = log.entries.iter().map(|it| it.seen.seq);
    if !places.eq(1..=log.head) {
        let places: Vec<_> = log.entries.iter().map(|it| it.seen.seq).collect();
        broken!(
            verdict,
            OneLog,
            "{id} has the head {} and {places:?}",
            log.head
        );
    }
    let mut seen: HashMap<(UserId, ClientId), Seq> = HashMap::new();
    for Stored {
        seen: entry,
        changed,
        ..
    } in &log.entries
    {
        let Some(said) = &entry.said else { continue };
        if let Some(first) = seen.insert((said.sender, said.client_id), entry.seq) {
            broken!(
                verdict,
                Once,
                "{said:?} is in {id} at {first} and at {}",
                entry.seq
            );
        }
        match sends.get(&(id, said.client_id)) {
            Some(send) if send.who.user != said.sender => {
                broken!(verdict, Once, "{said:?} was sent by {:?}", send.who);
            }
            Some(send) if !changed && send.body != said.body => {
                broken!(verdict, Once, "{said:?} was sent as {:?}", send.body);
            }
            Some(send) if send.failed.is_some() => {
                // Who was refused after an attempt without an answer may have been heard at that attempt, if they belonged
                // there then and no longer do.
                let left = log.entries.iter().any(|later| {
                    later.seen.seq > entry.seq
                        && later.seen.kind == "member_left"
                        && later.seen.member == Some(said.sender)
                });
                if send.failed == Some(false) || !left {
                    broken!(
                        verdict,
                        Once,
                        "{said:?} failed, and is in {id} at {}",
                        entry.seq
                    );
                }
            }
            Some(_) => {}
            None => broken!(verdict, Once, "nobody sent {said:?}, which is in {id}"),
        }
    }
}

/// C1 and C6.
fn check_answers(sends: &Sends<'_>, end: &End, verdict: &mut Verdict) {
    for ((id, client_id), send) in sends {
        let Some((first, said)) = send.sent.first() else {
            continue;
        };
        for (seq, again) in &send.sent[1..] {
            if (seq, again.id) != (first, said.id) {
                broken!(
                    verdict,
                    SameAnswer,
                    "{said:?} at {first} of {id} is {again:?} at {seq} when sent again"
                );
            }
        }
        let log = end.logs.get(id);
        let stored = log.and_then(|log| {
            // Where it should be, else wherever it is.
            let place = usize::try_from(first - 1).ok();
            let there = place.and_then(|place| log.entries.get(place));
            let there = there.filter(|it| is(it, *client_id));
            there.or_else(|| log.entries.iter().find(|it| is(it, *client_id)))
        });
        let Some(stored) = stored else {
            let head = log.map_or(0, |log| log.head);
            let place = match *first {
                first if first > head => "after all there is",
                1 => "at the beginning",
                _ => "in the middle",
            };
            broken!(
                verdict,
                Durable,
                "{said:?} was acknowledged at {first} of {id}, and is lost ({place}, the head is {head})"
            );
            continue;
        };
        let same = stored.seen.said.as_ref().is_some_and(|it| {
            it.id == said.id && (stored.changed || it.body == said.body) && said.body == send.body
        });
        // A retry may be answered after an edit: then it is answered with the message as it is.
        if stored.seen.seq != *first || !(same || stored.changed) {
            let what = &stored.seen;
            broken!(
                verdict,
                Durable,
                "{said:?} was acknowledged at {first} of {id}, which has {what:?}"
            );
        }
    }
}

fn is(stored: &Stored, client_id: ClientId) -> bool {
    let said = stored.seen.said.as_ref();
    said.is_some_and(|said| said.client_id == client_id)
}

/// C5.
fn check_order(sends: &Sends<'_>, order: &Order, end: &End, verdict: &mut Verdict) {
    let mut places: HashMap<(ConversationId, ClientId), Seq> = HashMap::new();
    for (id, log) in &end.logs {
        for Stored { seen, .. } in &log.entries {
            if let Some(said) = &seen.said {
                places.entry((*id, said.client_id)).or_insert(seen.seq);
            }
        }
    }
    for (key, send) in sends {
        if let Some(place) = places.get(key)
            && *place <= send.floor
        {
            broken!(
                verdict,
                InOrder,
                "{:?} sent {:?} after {} was acknowledged, and it is at {place} of {}",
                send.who,
                send.body,
                send.floor,
                key.0
            );
        }
    }
    for ((who, lane, id), sent) in order {
        let kept = sent
            .iter()
            .filter_map(|it| places.get(&(*id, *it)).copied());
        let kept: Vec<_> = kept.collect();
        if !kept.is_sorted() {
            broken!(
                verdict,
                InOrder,
                "{who:?} sent by {lane:?} to {id}, which has it as {kept:?}"
            );
        }
    }
}

/// C4 and C3: what each device was told, one after the other.
fn check_streams(
    lines: &[Line],
    end: &End,
    stays: &BTreeMap<ConversationId, Stays>,
    verdict: &mut Verdict,
) {
    let mut cursors: BTreeMap<(Who, ConversationId), Seq> = BTreeMap::new();
    for line in lines {
        let Some(who) = line.who else { continue };
        match &line.what {
            What::Open {
                conversation,
                after,
            } => {
                cursors.insert((who, *conversation), *after);
            }
            What::Closed { conversation } => {
                cursors.remove(&(who, *conversation));
            }
            What::Told {
                conversation,
                entry,
            } => {
                let at = line.at();
                let Some(cursor) = cursors.insert((who, *conversation), entry.seq) else {
                    broken!(
                        verdict,
                        NoGap,
                        "{who:?} is told of {conversation} unasked at {at:?}: {entry:?}"
                    );
                    continue;
                };
                let begins = |stays: &Stays| stays.begins_at(who.user, entry.seq);
                let may_begin = stays.get(conversation).is_some_and(begins);
                if entry.seq <= cursor || (entry.seq > cursor + 1 && !may_begin) {
                    let seq = entry.seq;
                    broken!(
                        verdict,
                        NoGap,
                        "{who:?} is told {seq} of {conversation} after {cursor}, at {at:?}"
                    );
                }
                let log = end.logs.get(conversation);
                let index = usize::try_from(entry.seq - 1).unwrap();
                let stored = log.and_then(|log| log.entries.get(index));
                if !stored.is_some_and(|stored| agrees(entry, stored)) {
                    broken!(
                        verdict,
                        OneLog,
                        "{who:?} is told {entry:?} of {conversation}, which has {stored:?}"
                    );
                }
            }
            _ => {}
        }
    }
}

/// Whether what somebody was told is what is there. Messages in the log are as they are now.
pub fn agrees(told: &Seen, stored: &Stored) -> bool {
    let is = &stored.seen;
    if told.kind == "hidden" {
        return told.seq == is.seq && is.about.is_some();
    }
    let same_message = match (&told.said, &is.said) {
        (Some(told), Some(is)) => {
            (told.id, told.client_id, told.sender) == (is.id, is.client_id, is.sender)
                && (stored.changed || told.body == is.body)
        }
        (told, is) => told.is_none() && is.is_none(),
    };
    let place = |it: &Seen| (it.seq, it.about, it.member);
    told.kind == is.kind && place(told) == place(is) && same_message
}

/// C1 of what is changed: where one edit was all that ever happened to a message, it shows.
fn check_edits(lines: &[Line], end: &End, verdict: &mut Verdict) {
    let mut calls = BTreeMap::new();
    for line in lines {
        match &line.what {
            What::Asked {
                call,
                conversation,
                act: Act::Edit { message } | Act::Delete { message },
            } => {
                calls.insert(call, (*conversation, *message));
            }
            What::Answered {
                call,
                outcome: Outcome::Ok,
            } => {
                let Some((id, message)) = calls.get(call) else {
                    continue;
                };
                let entries = end.logs.get(id).into_iter().flat_map(|log| &log.entries);
                let is_it =
                    |it: &&Stored| it.seen.said.as_ref().is_some_and(|it| it.id == *message);
                if !entries.clone().any(|it| is_it(&it) && it.changed) {
                    broken!(
                        verdict,
                        Durable,
                        "{message} of {id} was changed, and is as it was"
                    );
                }
            }
            _ => {}
        }
    }
}

/// C3, C4, C7 and C8 of what somebody sees in the end.
pub fn check_view(view: &View, end: &End, verdict: &mut Verdict) {
    let (name, Some(user)) = (&view.name, view.user) else {
        return;
    };
    for (id, log) in &end.logs {
        let Some(place) = log.members.get(&user).filter(|it| it.active) else {
            if view.rows.as_ref().is_some_and(|rows| rows.contains_key(id)) {
                broken!(
                    verdict,
                    Sight,
                    "{name} lists {id}, and does not belong there"
                );
            }
            continue;
        };
        let is_listed = log.head > 0;
        if let Some(told) = view.logs.get(id) {
            let from = usize::try_from(place.history_from.max(1) - 1).unwrap();
            let is = &log.entries[from.min(log.entries.len())..];
            let hidden = |it: &Stored| it.seen.about.is_some_and(|it| it < place.history_from);
            let same = |(told, is): (&Seen, &Stored)| {
                agrees(told, is) && (told.kind == "hidden") == hidden(is)
            };
            if told.len() != is.len() || !told.iter().zip(is).all(same) {
                let wrong = told.iter().zip(is).find(|(told, is)| !same((told, is)));
                let (told, is) = (told.len(), is.len());
                broken!(
                    verdict,
                    OneLog,
                    "{name} sees {told} entries of {id}, not {is}; first: {wrong:?}"
                );
            }
        }
        if let Some(cursors) = &view.cursors
            && is_listed
        {
            let cursor = cursors.get(id).copied().unwrap_or(0);
            if cursor != log.head {
                broken!(
                    verdict,
                    NoGap,
                    "{name} was told up to {cursor} of {id}, which has {}",
                    log.head
                );
            }
        }
        if let Some(rows) = &view.rows
            && is_listed
        {
            let row = rows.get(id);
            let is = (place.read_seq, unread(log, user, *place));
            // A direct conversation in which nothing was said is listed for whoever opened it.
            if row != Some(&is) {
                broken!(
                    verdict,
                    Unread,
                    "{name} sees {row:?} (read up to, unread) of {id}, and it is {is:?}"
                );
            }
        }
    }
    for (of, status) in &view.presence {
        let is_there = end.there.contains(of);
        if (*status != Status::Offline) != is_there {
            let is = if is_there { "there" } else { "gone" };
            broken!(
                verdict,
                Presence,
                "{name} sees {of} as {status:?}, who is {is}"
            );
        }
    }
}

/// What is unread, from its definition; nobody counts for ever.
pub fn unread(log: &Log, user: UserId, place: Place) -> u64 {
    let after = log.entries.iter().filter(|it| it.seen.seq > place.read_seq);
    let visible = after.filter(|it| it.seen.seq >= place.history_from && !it.deleted);
    let said = visible.filter_map(|it| it.seen.said.as_ref());
    let others = said.filter(|said| said.sender != user).count() as u64;
    others.min(Unread::CAP)
}
