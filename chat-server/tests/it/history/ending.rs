//! What there is when all has come to rest: in the database, over REST, on every device, and for whoever comes anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chat_core::{
    client::Client,
    model::{ClientId, ConversationId, History, MessageId, Row, Seq, UserId},
};
use sqlx::{
    PgPool, Row as _,
    postgres::{PgPoolOptions, PgRow},
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    check::{End, Log, Place, Promise, Stored, Verdict, View, check_view},
    device::Device,
    people::Town,
    proxy::Proxy,
    record::{Line, Said, Seen, What},
};
use crate::support::PASSWORD;

const POLL: Duration = Duration::from_millis(200);
const PAGE: usize = 200;
const THROUGH: Duration = Duration::from_mins(1);
/// Devices that were not there before have numbers from here on.
pub const NEWCOMERS: u32 = 1_000;

/// What an entry is, by the number that the database has for it.
const KINDS: [&str; 14] = [
    "new_message",
    "member_joined",
    "member_left",
    "member_role",
    "conversation_renamed",
    "message_edited",
    "message_deleted",
    "reaction_added",
    "reaction_removed",
    "message_pinned",
    "message_unpinned",
    "conversation_topic",
    "conversation_history",
    "conversation_deleted",
];

fn place(number: i64) -> Seq {
    Seq::try_from(number).unwrap()
}

fn stored(row: &PgRow) -> (ConversationId, Stored) {
    let kind: i64 = row.get("kind");
    let is_changed = |column| row.get::<Option<i64>, _>(column).is_some();
    let said = (kind == 0).then(|| Said {
        id: MessageId::from_uuid(row.get("message_id")),
        client_id: ClientId::from_uuid(row.get("client_id")),
        sender: UserId::from_uuid(row.get("author_id")),
        body: row.get("body"),
    });
    let member = matches!(kind, 1 | 2).then(|| UserId::from_uuid(row.get("user_id")));
    let stored = Stored {
        seen: Seen {
            seq: place(row.get("seq")),
            kind: KINDS[usize::try_from(kind).unwrap()].to_owned(),
            about: row.get::<Option<i64>, _>("target_seq").map(place),
            said,
            member,
        },
        changed: is_changed("edited_at") || is_changed("deleted_at"),
        deleted: is_changed("deleted_at"),
    };
    let id = ConversationId::from_uuid(row.get("conversation_id"));
    (id, stored)
}

/// All logs, as the database has them.
pub async fn logs(town: &Town) -> BTreeMap<ConversationId, Log> {
    let pool = PgPoolOptions::new().max_connections(1);
    let pool: PgPool = pool.connect(&town.cluster.database()).await.unwrap();
    let mut read = pool.begin().await.unwrap();
    // All at the same moment.
    let snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
    sqlx::query(snapshot).execute(&mut *read).await.unwrap();
    let heads = "SELECT id, head_seq FROM chat_conversations";
    let heads: Vec<(Uuid, i64)> = sqlx::query_as(heads).fetch_all(&mut *read).await.unwrap();
    let entries = "SELECT conversation_id, seq, kind, author_id, message_id, client_id, body, user_id, target_seq,
        edited_at, deleted_at FROM chat_entries ORDER BY conversation_id, seq";
    let entries = sqlx::query(entries).fetch_all(&mut *read).await.unwrap();
    let members =
        "SELECT conversation_id, user_id, active, read_seq, history_from FROM chat_members";
    let members: Vec<(Uuid, Uuid, bool, i64, i64)> =
        sqlx::query_as(members).fetch_all(&mut *read).await.unwrap();
    drop(read);
    pool.close().await;
    let mut logs: BTreeMap<_, Log> = BTreeMap::new();
    for (id, head) in heads {
        logs.entry(ConversationId::from_uuid(id)).or_default().head = place(head);
    }
    for (id, entry) in entries.iter().map(stored) {
        logs.entry(id).or_default().entries.push(entry);
    }
    for (id, user, active, read_seq, history_from) in members {
        let log = logs.entry(ConversationId::from_uuid(id)).or_default();
        let place = Place {
            active,
            read_seq: place(read_seq),
            history_from: place(history_from),
        };
        log.members.insert(UserId::from_uuid(user), place);
    }
    for group in &town.groups {
        if let Some(log) = logs.get_mut(&group.id) {
            log.from_join = group.history == History::FromJoin;
        }
    }
    logs
}

fn rows<'a>(rows: impl IntoIterator<Item = &'a Row>) -> BTreeMap<ConversationId, (Seq, u64)> {
    let row = |row: &Row| (row.conversation.id, (row.me.read_seq, row.unread.count));
    rows.into_iter().map(row).collect()
}

/// What a device shows.
pub fn view(device: &Device) -> View {
    let app = device.app.lock();
    View {
        name: format!("device {}", device.who.device),
        user: Some(device.who.user),
        cursors: Some(app.cursors.clone()),
        rows: Some(rows(app.rows.values())),
        presence: app.presence.clone(),
        logs: BTreeMap::new(),
    }
}

/// What the devices without the library were told.
fn bare_views(town: &Town) -> Vec<View> {
    let view = |device: &Arc<super::bare::Bare>| View {
        name: format!("bare device {}", device.who.device),
        user: Some(device.who.user),
        cursors: Some(device.app.lock().cursors.clone()),
        ..View::default()
    };
    town.bare.iter().map(view).collect()
}

/// The devices that are still in use.
pub fn devices_of<'a>(
    town: &'a Town,
    there: &'a BTreeSet<UserId>,
) -> impl Iterator<Item = &'a Arc<Device>> {
    town.devices().filter(|it| there.contains(&it.who.user))
}

/// What came of waiting for rest.
pub struct Rest {
    pub end: End,
    /// From when all was sent.
    pub took: Duration,
    /// What had not come true by the end.
    pub verdict: Verdict,
}

/// Waits until every device is online and knows the end of all it sent; then until it shows what is there, at most so long.
/// Presence is looked at if it is time for that.
pub async fn rest(town: &Town, there: &BTreeSet<UserId>, presence: bool, most: Duration) -> Rest {
    let (mut verdict, began) = (Verdict::default(), Instant::now());
    through(town, there, &mut verdict).await;
    let sent = began.elapsed();
    loop {
        let logs = logs(town).await;
        let mut views: Vec<_> = devices_of(town, there).map(|it| view(it)).collect();
        let bare = bare_views(town).into_iter();
        views.extend(bare.filter(|it| it.user.is_some_and(|it| there.contains(&it))));
        if !presence {
            for view in &mut views {
                view.presence.clear();
            }
        }
        let end = End {
            logs,
            views,
            there: there.clone(),
        };
        let mut seen = Verdict::default();
        for view in &end.views {
            check_view(view, &end, &mut seen);
        }
        let took = began.elapsed().saturating_sub(sent);
        if seen.0.is_empty() || took > most {
            verdict.0.extend(seen.0);
            return Rest { end, took, verdict };
        }
        sleep(POLL).await;
    }
}

/// Waits until every device is online and knows the end of all it sent. How long that takes depends on the machine; that it
/// comes does not.
async fn through(town: &Town, there: &BTreeSet<UserId>, verdict: &mut Verdict) {
    let until = Instant::now() + THROUGH;
    loop {
        let waits = |device: &Device| {
            let app = device.app.lock();
            let all_is_well = app.online && app.pending.is_empty();
            (!all_is_well).then(|| (device.who, app.online, app.pending.len()))
        };
        let waiting: Vec<_> = devices_of(town, there).filter_map(|it| waits(it)).collect();
        if waiting.is_empty() {
            return;
        }
        if Instant::now() > until {
            for (who, online, pending) in waiting {
                let what =
                    format_args!("{who:?}: {pending} sends without an end, online: {online}");
                verdict.broken(Promise::Budget, what);
            }
            return;
        }
        sleep(POLL).await;
    }
}

/// What a user sees over REST.
pub async fn rest_view(name: String, client: &Client) -> View {
    let listed = client.conversations(None).await.unwrap().items;
    let mut logs = BTreeMap::new();
    for row in &listed {
        let id = row.conversation.id;
        let (mut log, mut after) = (Vec::new(), 0);
        loop {
            let page = client.events(id, after, PAGE).await.unwrap();
            log.extend(page.items.iter().map(Seen::of));
            after = log.last().map_or(page.head_seq, |entry: &Seen| entry.seq);
            if after >= page.head_seq {
                break;
            }
        }
        logs.insert(id, log);
    }
    View {
        name,
        user: client.user_id(),
        logs,
        rows: Some(rows(&listed)),
        ..View::default()
    }
}

/// Lets everybody who is there come anew, at one node or another, and waits until they see what is there.
pub async fn newcomers(town: &Town, there: &BTreeSet<UserId>, end: &mut End) -> Vec<Arc<Device>> {
    let mut newcomers = Vec::new();
    let everybody: Vec<_> = town.users.iter().map(|user| user.id).collect();
    for (nth, user) in town.users.iter().enumerate() {
        if !there.contains(&user.id) {
            continue;
        }
        let route = town.cluster.route(nth % super::cluster::NODES);
        let proxy = Proxy::start(route).await;
        let client = Client::new(&format!("http://{}", proxy.address)).unwrap();
        client.login(&user.name, PASSWORD).await.unwrap();
        let number = NEWCOMERS + u32::try_from(nth).unwrap();
        let device = Device::start(client, proxy, number, &town.record);
        device.live.watch_presence(everybody.clone());
        newcomers.push(device);
    }
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let views: Vec<_> = newcomers.iter().map(|it| view(it)).collect();
        let mut verdict = Verdict::default();
        for view in &views {
            check_view(view, end, &mut verdict);
        }
        let all_seen = |it: &View| it.presence.len() == everybody.len();
        if (verdict.0.is_empty() && views.iter().all(all_seen)) || Instant::now() > until {
            end.views.extend(views);
            return newcomers;
        }
        sleep(POLL).await;
    }
}

/// The logs that a device was told, as whole logs.
pub fn told_to(device: &Device, lines: &[Line]) -> View {
    let mut logs: BTreeMap<_, Vec<Seen>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.who == Some(device.who)) {
        if let What::Told {
            conversation,
            entry,
        } = &line.what
        {
            logs.entry(*conversation).or_default().push(entry.clone());
        }
    }
    View {
        name: format!("newcomer {}", device.who.device),
        user: Some(device.who.user),
        logs,
        ..View::default()
    }
}
