//! Each check says nothing about a history that is right, and finds what is wrong in one that is not.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::model::{ClientId, ConversationId, MessageId, Seq, Status, UserId};

use super::{
    check::{End, Log, Place, Promise, Stored, View, check},
    record::{Act, Lane, Line, Outcome, Said, Seen, What, Who},
};

/// A conversation of ada (device 1) and ben (device 2), in which ada speaks.
struct Scene {
    place: ConversationId,
    ada: Who,
    ben: Who,
    said: Vec<Said>,
    lines: Vec<Line>,
    end: End,
}

impl Scene {
    /// Two messages are sent, acknowledged and told to ben; all is as it should be.
    fn new() -> Self {
        let who = |device| Who {
            user: UserId::new(),
            device,
        };
        let mut scene = Self {
            place: ConversationId::new(),
            ada: who(1),
            ben: who(2),
            said: Vec::new(),
            lines: Vec::new(),
            end: End::default(),
        };
        let log = Log {
            head: 2,
            entries: vec![
                scene.member(1, "member_joined", 1),
                scene.member(2, "member_joined", 2),
            ],
            ..Log::default()
        };
        scene.end.logs.insert(scene.place, log);
        for user in [scene.ada.user, scene.ben.user] {
            let place = Place {
                active: true,
                read_seq: 2,
                history_from: 1,
            };
            scene.log().members.insert(user, place);
            scene.end.there.insert(user);
        }
        let conversation = scene.place;
        scene.note(
            scene.ben,
            What::Open {
                conversation,
                after: 2,
            },
        );
        scene.says("one");
        scene.says("two");
        scene
    }

    fn member(&self, seq: Seq, kind: &str, device: u32) -> Stored {
        let of = if device == 1 { self.ada } else { self.ben };
        Stored {
            seen: Seen {
                seq,
                kind: kind.to_owned(),
                about: None,
                said: None,
                member: Some(of.user),
            },
            changed: false,
            deleted: false,
        }
    }

    fn log(&mut self) -> &mut Log {
        self.end.logs.get_mut(&self.place).unwrap()
    }

    /// What is noted comes a second after what was noted before.
    fn note(&mut self, who: Who, what: What) {
        let at_us = 1_000_000 * self.lines.len() as u64;
        let who = Some(who);
        self.lines.push(Line { at_us, who, what });
    }

    fn sends(&mut self, body: &str) -> Said {
        let said = Said {
            id: MessageId::new(),
            client_id: ClientId::new(),
            sender: self.ada.user,
            body: body.to_owned(),
        };
        let what = What::Send {
            conversation: self.place,
            client_id: said.client_id,
            body: body.to_owned(),
            lane: Lane::Outbox,
        };
        self.note(self.ada, what);
        said
    }

    fn stores(&mut self, said: &Said) -> Seen {
        let log = self.log();
        log.head += 1;
        let seen = Seen {
            seq: log.head,
            kind: "new_message".to_owned(),
            about: None,
            said: Some(said.clone()),
            member: None,
        };
        log.entries.push(Stored {
            seen: seen.clone(),
            changed: false,
            deleted: false,
        });
        seen
    }

    fn acknowledges(&mut self, said: &Said, seq: Seq) {
        let what = What::Sent {
            message: said.clone(),
            conversation: self.place,
            seq,
            lane: Lane::Outbox,
        };
        self.note(self.ada, what);
    }

    fn tells(&mut self, who: Who, entry: &Seen) {
        let what = What::Told {
            conversation: self.place,
            entry: entry.clone(),
        };
        self.note(who, what);
    }

    fn says(&mut self, body: &str) {
        let said = self.sends(body);
        let entry = self.stores(&said);
        self.acknowledges(&said, entry.seq);
        self.tells(self.ben, &entry);
        self.said.push(said);
    }

    fn view(&self) -> View {
        let log = &self.end.logs[&self.place];
        View {
            name: "ben".to_owned(),
            user: Some(self.ben.user),
            logs: BTreeMap::from([(
                self.place,
                log.entries.iter().map(|it| it.seen.clone()).collect(),
            )]),
            cursors: Some(BTreeMap::from([(self.place, log.head)])),
            rows: Some(BTreeMap::from([(self.place, (2, log.head - 2))])),
            presence: BTreeMap::from([(self.ada.user, Status::Online)]),
        }
    }

    fn broken(&self) -> BTreeSet<Promise> {
        let verdict = check(&self.lines, &self.end);
        verdict.0.iter().map(|it| it.promise).collect()
    }

    fn breaks(&self, promise: Promise) {
        let verdict = check(&self.lines, &self.end);
        assert!(self.broken().contains(&promise), "{verdict:?}");
    }
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let mut scene = Scene::new();
    scene.end.views.push(scene.view());
    // Nobody knows what became of this one: it may be there or not.
    scene.sends("unknown");
    let unknown = scene.sends("unknown, but there");
    scene.stores(&unknown);
    scene.end.views.clear();
    assert_eq!(scene.broken(), BTreeSet::new());
    scene.end.views.push(scene.view());
    assert_eq!(scene.broken(), BTreeSet::new());
}

#[test]
fn an_acknowledged_message_that_is_lost_or_elsewhere_or_another_one() {
    let mut scene = Scene::new();
    scene.log().entries.pop();
    scene.log().head = 3;
    scene.breaks(Promise::Durable);

    let mut scene = Scene::new();
    let said = scene.sends("elsewhere");
    let entry = scene.stores(&said);
    scene.acknowledges(&said, entry.seq + 1);
    scene.breaks(Promise::Durable);

    let mut scene = Scene::new();
    let last = scene.log().entries.last_mut().unwrap();
    last.seen.said.as_mut().unwrap().body = "other".to_owned();
    scene.breaks(Promise::Durable);
    scene.breaks(Promise::Once);
}

#[test]
fn a_change_that_was_acknowledged_and_is_lost() {
    let mut scene = Scene::new();
    let (conversation, message) = (scene.place, scene.said[0].id);
    let act = Act::Edit { message };
    let asked = What::Asked {
        call: 1,
        conversation,
        act,
    };
    scene.note(scene.ada, asked);
    assert_eq!(scene.broken(), BTreeSet::new());
    let outcome = Outcome::Ok;
    scene.note(scene.ada, What::Answered { call: 1, outcome });
    scene.breaks(Promise::Durable);
    scene.log().entries[2].changed = true;
    assert_eq!(scene.broken(), BTreeSet::new());
}

#[test]
fn a_message_that_is_there_twice_or_was_never_sent() {
    let mut scene = Scene::new();
    let said = scene.said[0].clone();
    scene.stores(&said);
    scene.breaks(Promise::Once);

    let mut scene = Scene::new();
    let mut said = scene.said[0].clone();
    said.client_id = ClientId::new();
    scene.stores(&said);
    scene.breaks(Promise::Once);
}

#[test]
fn a_message_that_failed_and_is_there() {
    let fails = |scene: &mut Scene, doubtful| {
        let said = scene.sends("fails");
        scene.stores(&said);
        let what = What::SendFailed {
            conversation: scene.place,
            client_id: said.client_id,
            why: "not here".to_owned(),
            doubtful,
        };
        scene.note(scene.ada, what);
    };
    let leaves = |scene: &mut Scene| {
        let seq = scene.log().head + 1;
        let left = scene.member(seq, "member_left", 1);
        scene.log().entries.push(left);
        scene.log().head = seq;
    };
    let mut scene = Scene::new();
    fails(&mut scene, true);
    scene.breaks(Promise::Once);
    // An attempt without an answer was heard, the one with the answer came after the sender had left.
    leaves(&mut scene);
    assert_eq!(scene.broken(), BTreeSet::new());

    let mut scene = Scene::new();
    fails(&mut scene, false);
    leaves(&mut scene);
    scene.breaks(Promise::Once);
}

#[test]
fn a_log_with_a_hole_and_logs_that_differ() {
    let mut scene = Scene::new();
    scene.log().entries.remove(1);
    scene.breaks(Promise::OneLog);

    let mut scene = Scene::new();
    scene.log().head += 1;
    scene.breaks(Promise::OneLog);

    let mut scene = Scene::new();
    let mut view = scene.view();
    view.logs.get_mut(&scene.place).unwrap().pop();
    scene.end.views.push(view);
    scene.breaks(Promise::OneLog);

    // Told before it was committed, which it never was.
    let mut scene = Scene::new();
    let (sent, other) = (scene.sends("early"), scene.sends("instead"));
    let mut entry = scene.stores(&other);
    entry.said = Some(sent);
    scene.tells(scene.ben, &entry);
    scene.breaks(Promise::OneLog);
}

#[test]
fn a_stream_with_a_gap_or_a_duplicate_or_without_an_end() {
    let mut scene = Scene::new();
    let said = scene.sends("missed");
    scene.stores(&said);
    scene.says("after it");
    scene.breaks(Promise::NoGap);

    let mut scene = Scene::new();
    let again = scene.log().entries[3].seen.clone();
    scene.tells(scene.ben, &again);
    scene.breaks(Promise::NoGap);

    let mut scene = Scene::new();
    let mut view = scene.view();
    view.cursors.as_mut().unwrap().insert(scene.place, 3);
    scene.end.views.push(view);
    scene.breaks(Promise::NoGap);

    let mut scene = Scene::new();
    let conversation = scene.place;
    scene.note(scene.ben, What::Closed { conversation });
    scene.says("unasked");
    scene.breaks(Promise::NoGap);
}

#[test]
fn an_order_that_is_not_that_of_time_or_of_the_device() {
    // Acknowledged with a place that is no later than one that was known before it was sent.
    let mut scene = Scene::new();
    let log = scene.log();
    log.entries.swap(2, 3);
    (log.entries[2].seen.seq, log.entries[3].seen.seq) = (3, 4);
    scene.breaks(Promise::InOrder);

    let mut scene = Scene::new();
    let (first, second) = (scene.sends("first"), scene.sends("second"));
    scene.stores(&second);
    scene.stores(&first);
    assert_eq!(scene.broken(), BTreeSet::from([Promise::InOrder]));
}

#[test]
fn another_answer_to_the_same_send() {
    let mut scene = Scene::new();
    let said = scene.said[0].clone();
    scene.acknowledges(&said, 3);
    assert_eq!(scene.broken(), BTreeSet::new());
    scene.acknowledges(&said, 5);
    assert_eq!(scene.broken(), BTreeSet::from([Promise::SameAnswer]));
}

#[test]
fn an_unread_count_that_is_not_its_definition() {
    let mut scene = Scene::new();
    let mut view = scene.view();
    view.rows.as_mut().unwrap().insert(scene.place, (2, 4));
    scene.end.views.push(view);
    assert_eq!(scene.broken(), BTreeSet::from([Promise::Unread]));
    // Deleted messages do not count, nor do one's own.
    let mut scene = Scene::new();
    let last = scene.log().entries.last_mut().unwrap();
    (last.changed, last.deleted) = (true, true);
    let mut view = scene.view();
    view.rows.as_mut().unwrap().insert(scene.place, (2, 1));
    scene.end.views.push(view);
    assert_eq!(scene.broken(), BTreeSet::new());
}

#[test]
fn a_ghost_and_somebody_who_is_overlooked() {
    let mut scene = Scene::new();
    scene.end.views.push(scene.view());
    let ada = scene.ada.user;
    scene.end.there.remove(&ada);
    assert_eq!(scene.broken(), BTreeSet::from([Promise::Presence]));
    scene.end.there.insert(ada);
    scene.end.views[0].presence.insert(ada, Status::Offline);
    assert_eq!(scene.broken(), BTreeSet::from([Promise::Presence]));
}

#[test]
fn somebody_who_was_removed_and_still_is_told_things() {
    let removes = |scene: &mut Scene, pause: u64| {
        let (conversation, target) = (scene.place, scene.ben.user);
        let act = Act::Remove { target };
        scene.note(
            scene.ada,
            What::Asked {
                call: 1,
                conversation,
                act,
            },
        );
        let outcome = Outcome::Ok;
        scene.note(scene.ada, What::Answered { call: 1, outcome });
        let seq = scene.log().head + 1;
        let left = scene.member(seq, "member_left", 2);
        scene.tells(scene.ben, &left.seen);
        scene.log().entries.push(left);
        scene.log().head = seq;
        scene.log().members.get_mut(&target).unwrap().active = false;
        let said = scene.sends("behind their back");
        let entry = scene.stores(&said);
        scene.acknowledges(&said, entry.seq);
        scene.tells(scene.ben, &entry);
        // How long after the removal was acknowledged.
        let acknowledged = scene.lines[scene.lines.len() - 5].at_us;
        scene.lines.last_mut().unwrap().at_us = acknowledged + pause;
    };
    let mut scene = Scene::new();
    removes(&mut scene, 900_000);
    assert_eq!(scene.broken(), BTreeSet::new(), "that soon it is no wonder");
    let mut scene = Scene::new();
    removes(&mut scene, 1_100_000);
    assert_eq!(scene.broken(), BTreeSet::from([Promise::Sight]));
    // While something is broken it may take longer.
    let fault = What::Fault {
        number: 1,
        what: "all".to_owned(),
        begins: true,
    };
    let line = Line {
        at_us: 0,
        who: None,
        what: fault,
    };
    scene.lines.insert(0, line);
    assert_eq!(scene.broken(), BTreeSet::new());
    // Whoever is listed where they do not belong sees too much as well.
    let view = scene.view();
    scene.end.views.push(view);
    scene.breaks(Promise::Sight);
}

#[test]
fn a_device_that_was_signed_out_and_still_is_told_things() {
    let mut scene = Scene::new();
    let device = scene.ben.device;
    scene.note(scene.ben, What::SignOut { device });
    scene.says("a moment later");
    let out = scene.lines[scene.lines.len() - 4].at_us;
    scene.lines.last_mut().unwrap().at_us = out + 1_900_000;
    assert_eq!(scene.broken(), BTreeSet::new());
    scene.lines.last_mut().unwrap().at_us = out + 2_100_000;
    assert_eq!(scene.broken(), BTreeSet::from([Promise::Sight]));
}

#[test]
fn somebody_who_is_told_what_happened_before_they_came() {
    let mut scene = Scene::new();
    let log = scene.log();
    log.from_join = true;
    let about = log.entries[0].seen.seq;
    log.head += 1;
    let entry = Seen {
        seq: log.head,
        kind: "message_edited".to_owned(),
        about: Some(about),
        said: None,
        member: None,
    };
    log.entries.push(Stored {
        seen: entry.clone(),
        changed: false,
        deleted: false,
    });
    let mut open = Scene { ..scene };
    open.tells(open.ben, &entry);
    assert_eq!(open.broken(), BTreeSet::from([Promise::Sight]));
    let hidden = Seen {
        kind: "hidden".to_owned(),
        about: None,
        ..entry
    };
    open.lines.pop();
    open.tells(open.ben, &hidden);
    assert_eq!(open.broken(), BTreeSet::new());
}
