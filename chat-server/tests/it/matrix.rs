//! Who may do what: every call and every command, for everyone whom it concerns.
//!
//! The group of each try is new: Olga owns it, Adam is an admin, Mia a member who said something, Tom another one; Kurt was
//! removed and Bert banned; Bea is a member whom Olga has blocked, and the two have a direct conversation from before that.
//! Otto is nobody there. Nina is in no group and has blocked Bea.

use std::collections::{BTreeSet, HashMap};

use chat_core::protocol::ClientCommand;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    contract::Contract,
    support::{PASSWORD, Person, Running, open, start, text},
};

/// Those who try, in the order of the columns; the first has no token.
const WHO: [&str; 8] = [
    "anonymous",
    "otto",
    "mia",
    "kurt",
    "bert",
    "bea",
    "adam",
    "olga",
];

/// Done.
const OK: u16 = 200;
/// Not signed in.
const WHO_: u16 = 401;
/// Not for this role.
const NO: u16 = 403;
/// As if it did not exist.
const NONE: u16 = 404;
/// Not possible here.
const NOT: u16 = 409;

type Expected = [u16; 8];

const EVERYBODY: Expected = [OK; 8];
const SIGNED_IN: Expected = [WHO_, OK, OK, OK, OK, OK, OK, OK];
const MEMBERS: Expected = [WHO_, NONE, OK, NONE, NONE, OK, OK, OK];
const ADMINS: Expected = [WHO_, NONE, NO, NONE, NONE, NO, OK, OK];
const OWNERS: Expected = [WHO_, NONE, NO, NONE, NONE, NO, NO, OK];
/// The message in the group is Mia's.
const AUTHOR: Expected = [WHO_, NONE, OK, NONE, NONE, NO, NO, NO];
const AUTHOR_AND_ADMINS: Expected = [WHO_, NONE, OK, NONE, NONE, NO, OK, OK];
/// In the direct conversation of Bea and Olga, what needs no peace between them.
const BOTH: Expected = [WHO_, NONE, NONE, NONE, NONE, OK, NONE, OK];
/// And what does: Bea is blocked, Olga has blocked her.
const AT_ODDS: Expected = [WHO_, NONE, NONE, NONE, NONE, NO, NONE, NOT];
const NOT_IN_DIRECT: Expected = [WHO_, NONE, NONE, NONE, NONE, NOT, NONE, NOT];

/// The operation, what it is given besides the group, its message and Tom, and what comes of it for each of `WHO`.
#[rustfmt::skip]
const CALLS: &[(&str, &str, Expected)] = &[
    ("is_alive",      "{}", EVERYBODY),
    ("is_ready",      "{}", EVERYBODY),
    ("register",      r#"{"body": {"username": "{fresh}", "password": "correct horse battery"}}"#, EVERYBODY),
    ("login",         r#"{"body": {"username": "olga", "password": "correct horse battery"}}"#, EVERYBODY),
    ("refresh",       r#"{"body": {"refresh_token": "nobody's"}}"#, [WHO_; 8]),
    ("logout",        r#"{"body": {"refresh_token": "nobody's"}}"#, [WHO_; 8]),
    ("list_sign_ins", "{}", SIGNED_IN),
    ("end_sign_in",   r#"{"id": "{sign_in}"}"#, [WHO_, NONE, NONE, NONE, NONE, NONE, NONE, OK]),

    ("search_users",    r#"{"query": "query=tom"}"#, SIGNED_IN),
    ("get_me",          "{}", SIGNED_IN),
    ("update_me",       r#"{"body": {"display_name": "Me"}}"#, SIGNED_IN),
    ("get_user",        r#"{"id": "{tom}"}"#, SIGNED_IN),
    ("get_user",        r#"{"id": "{nina}"}"#, [WHO_, OK, OK, OK, OK, NONE, OK, OK]),
    ("get_settings",    "{}", SIGNED_IN),
    ("update_settings", r#"{"body": {"typing": true}}"#, SIGNED_IN),
    ("list_blocks",     "{}", SIGNED_IN),
    ("block",           "{}", SIGNED_IN),
    ("unblock",         "{}", SIGNED_IN),

    ("list_conversations",        "{}", SIGNED_IN),
    ("list_conversation_changes", r#"{"body": {"known": []}}"#, SIGNED_IN),
    ("create_group",              r#"{"body": {"title": "Mine", "member_ids": []}}"#, SIGNED_IN),
    ("open_direct",               r#"{"user_id": "{nina}"}"#, [WHO_, OK, OK, OK, OK, NONE, OK, OK]),
    ("open_direct",               r#"{"user_id": "{bea}"}"#, [WHO_, OK, OK, OK, OK, OK, OK, NOT]),
    ("get_conversation",          "{}", MEMBERS),
    ("get_conversation",          r#"{"id": "{direct}"}"#, BOTH),
    ("update_conversation",       r#"{"body": {"title": "Dinner"}}"#, ADMINS),
    ("update_conversation",       r#"{"body": {"topic": null}}"#, ADMINS),
    ("update_conversation",       r#"{"body": {}}"#, ADMINS),
    ("update_conversation",       r#"{"body": {"history": "from_join"}}"#, OWNERS),
    ("update_conversation",       r#"{"id": "{direct}", "body": {"title": "Us"}}"#, NOT_IN_DIRECT),
    ("update_my_conversation",    r#"{"body": {"pinned": true}}"#, MEMBERS),
    ("delete_conversation",       "{}", OWNERS),
    ("delete_conversation",       r#"{"id": "{direct}"}"#, NOT_IN_DIRECT),

    ("list_members",  "{}", MEMBERS),
    ("list_readers",  r#"{"query": "seq=1"}"#, MEMBERS),
    ("put_member",    r#"{"user_id": "{nina}"}"#, ADMINS),
    ("put_member",    r#"{"user_id": "{bert}"}"#, [WHO_, NONE, NO, NONE, NONE, NO, NOT, NOT]),
    ("put_member",    r#"{"user_id": "{nina}", "body": {"role": "admin"}}"#, OWNERS),
    ("put_member",    r#"{"body": {"role": "owner"}}"#, OWNERS),
    ("put_member",    r#"{"id": "{direct}", "user_id": "{nina}"}"#, NOT_IN_DIRECT),
    ("remove_member", "{}", ADMINS),
    ("remove_member", r#"{"query": "ban=true"}"#, ADMINS),
    ("remove_member", r#"{"user_id": "{adam}"}"#, [WHO_, NONE, NO, NONE, NONE, NO, OK, OK]),
    ("remove_member", r#"{"user_id": "{me}"}"#, [WHO_, NONE, OK, NONE, NONE, OK, OK, NOT]),
    ("remove_member", r#"{"id": "{direct}", "user_id": "{me}"}"#, NOT_IN_DIRECT),
    ("list_bans",     "{}", ADMINS),
    ("lift_ban",      r#"{"user_id": "{bert}"}"#, ADMINS),

    ("list_messages",   "{}", MEMBERS),
    ("list_events",     "{}", MEMBERS),
    ("list_pins",       "{}", MEMBERS),
    ("search_messages", r#"{"query": "q=soup&conversation_id={group}"}"#, MEMBERS),
    ("search_messages", r#"{"query": "q=soup"}"#, SIGNED_IN),
    ("get_message",     "{}", MEMBERS),
    ("send_message",    r#"{"body": {"client_id": "{uuid}", "body": "Hi"}}"#, MEMBERS),
    ("send_message",    r#"{"id": "{direct}", "body": {"client_id": "{uuid}", "body": "Hi"}}"#, AT_ODDS),
    ("edit_message",    r#"{"body": {"body": "Soup!"}}"#, AUTHOR),
    ("delete_message",  "{}", AUTHOR_AND_ADMINS),
    ("add_reaction",    "{}", MEMBERS),
    ("add_reaction",    r#"{"id": "{direct}", "message_id": "{said}"}"#, AT_ODDS),
    ("remove_reaction", "{}", MEMBERS),
    ("pin_message",     "{}", ADMINS),
    ("pin_message",     r#"{"id": "{direct}", "message_id": "{said}"}"#, AT_ODDS),
    ("unpin_message",   "{}", ADMINS),
    ("mark_read",       r#"{"body": {"seq": 1}}"#, MEMBERS),
    ("mark_read",       r#"{"id": "{direct}", "body": {"seq": 1}}"#, BOTH),
    ("mark_delivered",  r#"{"body": {"seq": 1}}"#, MEMBERS),

    // The upgrade itself: `COMMANDS` has what is said over it.
    ("open_socket", "{}", [400, 400, 400, 400, 400, 400, 400, 400]),
];

/// What anonymous sockets hear is the same for all: they say who they are first.
#[rustfmt::skip]
const COMMANDS: &[(&str, Expected)] = &[
    (r#"{"type": "authenticate", "token": "{token}"}"#, [WHO_, OK, OK, OK, OK, OK, OK, OK]),
    (r#"{"type": "join_conversation", "conversation_id": "{group}"}"#, MEMBERS),
    (r#"{"type": "join_conversation", "conversation_id": "{group}", "after_seq": 0}"#, MEMBERS),
    (r#"{"type": "join_conversation", "conversation_id": "{direct}"}"#, BOTH),
    (r#"{"type": "leave_conversation", "conversation_id": "{group}"}"#, SIGNED_IN),
    (r#"{"type": "send_message", "conversation_id": "{group}", "client_id": "{uuid}", "body": "Hi"}"#, MEMBERS),
    (r#"{"type": "send_message", "conversation_id": "{direct}", "client_id": "{uuid}", "body": "Hi"}"#, AT_ODDS),
    (r#"{"type": "mark_read", "conversation_id": "{group}", "seq": 1}"#, MEMBERS),
    (r#"{"type": "mark_read", "conversation_id": "{group}", "seq": 1, "unread": true}"#, MEMBERS),
    (r#"{"type": "mark_delivered", "conversation_id": "{group}", "seq": 1}"#, MEMBERS),
    (r#"{"type": "typing_start", "conversation_id": "{group}"}"#, MEMBERS),
    (r#"{"type": "typing_stop", "conversation_id": "{group}"}"#, MEMBERS),
    (r#"{"type": "watch_presence", "user_ids": ["{tom}"]}"#, SIGNED_IN),
    (r#"{"type": "set_presence", "status": "online"}"#, SIGNED_IN),
    (r#"{"type": "ping"}"#, SIGNED_IN),
];

pub struct Town {
    pub running: Running,
    pub people: HashMap<&'static str, Person>,
    direct: String,
    said: String,
}

impl Town {
    pub async fn on(running: Running) -> Self {
        let mut people = HashMap::new();
        for name in WHO[1..].iter().chain(&["tom", "nina"]) {
            people.insert(*name, running.person(name).await);
        }
        let (olga, bea) = (&people["olga"], &people["bea"]);
        let row = bea.put(&format!("/direct/{}", olga.id), json!({})).await;
        let direct = text(&row.body["conversation"]["id"]);
        let said = text(&bea.say(&direct, "Why?").await["id"]);
        let blocks = format!("/users/me/blocks/{}", bea.id);
        for blocker in [olga, &people["nina"]] {
            assert_eq!(
                blocker.request(Method::PUT, &blocks, None).await.status,
                204
            );
        }
        Self {
            running,
            people,
            direct,
            said,
        }
    }

    /// A new group, and what the words in braces stand for in it.
    async fn scene(&self) -> HashMap<String, String> {
        let person = |name: &str| &self.people[name];
        let (olga, mia) = (person("olga"), person("mia"));
        let members = ["adam", "mia", "kurt", "bert", "bea", "tom"].map(person);
        let group = olga.group("Lunch", &members).await;
        let path = format!("/conversations/{group}/members");
        let member = |name: &str| format!("{path}/{}", person(name).id);
        let admin = olga.put(&member("adam"), json!({"role": "admin"})).await;
        assert_eq!(admin.status, 200);
        for removed in [member("kurt"), format!("{}?ban=true", member("bert"))] {
            assert_eq!(
                olga.request(Method::DELETE, &removed, None).await.status,
                204
            );
        }
        let message = mia.say(&group, "Soup?").await;
        let mut words: HashMap<String, String> = [
            ("group", group),
            ("message", text(&message["id"])),
            ("direct", self.direct.clone()),
            ("said", self.said.clone()),
        ]
        .map(|(word, meaning)| (word.to_owned(), meaning))
        .into();
        for (name, person) in &self.people {
            words.insert((*name).to_owned(), person.id.clone());
        }
        words
    }

    /// What is new for each try in a scene.
    fn try_by(&self, who: &str, words: &mut HashMap<String, String>) {
        let me = self.people.get(who);
        let new = [
            (
                "me",
                me.map_or(Uuid::now_v7().to_string(), |me| me.id.clone()),
            ),
            ("token", me.map_or("none".to_owned(), |me| me.token.clone())),
            ("uuid", Uuid::new_v4().to_string()),
            ("fresh", Uuid::new_v4().simple().to_string()),
        ];
        words.extend(new.map(|(word, meaning)| (word.to_owned(), meaning)));
    }

    /// A further sign-in of Olga's.
    async fn sign_in_of_olga(&self) -> String {
        let olga = json!({"username": "olga", "password": PASSWORD});
        let answer = self.running.post("/api/v1/auth/login", olga).await;
        let elsewhere = self.running.signed_in(&answer.body);
        let sign_ins = elsewhere.get("/auth/sessions").await.body;
        let mut sign_ins = sign_ins["items"].as_array().unwrap().iter();
        text(&sign_ins.find(|it| it["current"] == true).unwrap()["id"])
    }
}

fn fill(template: &str, words: &HashMap<String, String>) -> String {
    words
        .iter()
        .fold(template.to_owned(), |text, (word, meaning)| {
            text.replace(&format!("{{{word}}}"), meaning)
        })
}

/// The path of an operation: what is not given is the group, its message, Tom, and a thumb.
fn path(template: &str, given: &Value, words: &HashMap<String, String>) -> String {
    let defaults = [
        ("id", "group"),
        ("message_id", "message"),
        ("user_id", "tom"),
    ];
    let mut path = template.replace("{emoji}", "%F0%9F%91%8D");
    for (parameter, word) in defaults {
        let value = given[parameter].as_str().unwrap_or(&words[word]);
        path = path.replace(&format!("{{{parameter}}}"), value);
    }
    match given["query"].as_str() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}

/// What a status is called in the problem that comes with it.
fn code_of(status: u16) -> &'static str {
    match status {
        400 => "malformed",
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "not_found",
        409 => "conflict",
        _ => "none",
    }
}

#[tokio::test]
async fn every_call_answers_everyone_as_it_should() {
    let town = Town::on(start().await).await;
    let contract = Contract::of(&town.running.http, &town.running.url("")).await;
    let described = contract.operations().into_iter().map(|it| it.id);
    let described: BTreeSet<_> = described.collect();
    let tried: BTreeSet<_> = CALLS.iter().map(|(operation, ..)| *operation).collect();
    assert_eq!(tried, described, "every operation has a row");

    let wrong = calls_by(&WHO, &town).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not answered to these as it should.
pub async fn calls_by(whom: &[&str], town: &Town) -> Vec<String> {
    let contract = Contract::of(&town.running.http, &town.running.url("")).await;
    let operations = contract.operations().into_iter();
    let operations: HashMap<_, _> = operations.map(|it| (it.id, it)).collect();
    let mut wrong = Vec::new();
    for (operation, given, expected) in CALLS {
        let operation = &operations[operation];
        let mut words = town.scene().await;
        if operation.id == "end_sign_in" {
            words.insert("sign_in".to_owned(), town.sign_in_of_olga().await);
        }
        let all = WHO.into_iter().zip(expected);
        for (who, expected) in all.filter(|(who, _)| whom.contains(who)) {
            town.try_by(who, &mut words);
            let given: Value = serde_json::from_str(&fill(given, &words)).unwrap();
            let path = path(operation.path, &given, &words);
            let (method, body) = (operation.method.clone(), given.get("body").cloned());
            let below = path.strip_prefix("/api/v1");
            let answer = match (town.people.get(who), below) {
                (Some(person), Some(below)) => person.request(method, below, body).await,
                _ => town.running.request(method, &path, body).await,
            };
            let status = answer.status.as_u16();
            let as_expected = match *expected {
                OK => (200..300).contains(&status),
                refused => (status, answer.code()) == (refused, code_of(refused)),
            };
            // What somebody changed, the next one finds as it was.
            if status < 300 && operation.method != Method::GET {
                let sign_in = words.remove("sign_in");
                words = town.scene().await;
                words.extend(sign_in.map(|it| ("sign_in".to_owned(), it)));
            }
            if !as_expected {
                wrong.push(format!(
                    "{} {given} by {who}: {status}, not {expected}",
                    operation.id
                ));
            }
        }
    }
    wrong
}

#[tokio::test]
async fn every_command_answers_everyone_as_it_should() {
    let town = Town::on(start().await).await;
    let tried: BTreeSet<_> = COMMANDS
        .iter()
        .map(|(command, _)| serde_json::from_str::<Value>(command).unwrap()["type"].clone())
        .map(|kind| text(&kind))
        .collect();
    let known = ClientCommand::TYPES.map(str::to_owned);
    assert_eq!(tried, BTreeSet::from(known), "every command has a row");

    let wrong = commands_by(&WHO, &town).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not answered to these as it should.
pub async fn commands_by(whom: &[&str], town: &Town) -> Vec<String> {
    let mut wrong = Vec::new();
    for (command, expected) in COMMANDS {
        let mut words = town.scene().await;
        let all = WHO.into_iter().zip(expected);
        for (who, expected) in all.filter(|(who, _)| whom.contains(who)) {
            town.try_by(who, &mut words);
            let command: Value = serde_json::from_str(&fill(command, &words)).unwrap();
            let mut socket = match town.people.get(who) {
                Some(person) => person.connect().await,
                None => open(&town.running.url("/api/v1"), "/ws", &[])
                    .await
                    .unwrap(),
            };
            if town.people.contains_key(who)
                && command["type"].as_str().unwrap().starts_with("typing")
            {
                let join = json!({"type": "join_conversation", "conversation_id": words["group"]});
                socket.call(join).await;
            }
            let answer = socket.call(command.clone()).await;
            let heard = match answer["type"].as_str() {
                Some("ack") => OK,
                _ => u16::try_from(answer["problem"]["status"].as_u64().unwrap()).unwrap(),
            };
            let code = answer["problem"]["code"].as_str().unwrap_or("none");
            if (heard, code) != (*expected, code_of(*expected)) {
                wrong.push(format!(
                    "{command} by {who}: {heard} {code}, not {expected}"
                ));
            }
            if heard == WHO_ {
                assert_eq!(socket.closed().await, 4500);
            }
        }
    }
    wrong
}
