//! Many at once: one dense order, cursors that only rise, pages that fit together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::{task::JoinSet, time::Instant};

use super::{create, group, mark_read, put, random::Random, remove, rename, say, send};
use crate::{
    model::{Change, ConversationId, Entry, Role, Seq, UserId},
    store::{AnyStore, Around, Committed, ReadCursor, Refusal, RowPlace, Store, Write},
};

/// Sixty-four writers at once, with batches of everything in several conversations: every log is dense, it holds what was
/// acknowledged and nothing else, and replaying it gives the members and the counts that the store tells.
pub async fn sixty_four_writers_leave_dense_logs(store: impl Store) {
    const WRITERS: usize = 64;
    const BATCHES: usize = 6;
    let people: Vec<UserId> = (0..WRITERS).map(|_| UserId::new()).collect();
    let mut conversations = Vec::new();
    for _ in 0..4 {
        conversations.push(group(&store, people[0], &people).await);
    }
    let store = AnyStore::new(store);
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let (store, people, conversations) = (store.clone(), people.clone(), conversations.clone());
        writers.spawn(async move {
            let mut random = Random::new(n as u64);
            let mut acknowledged = Vec::new();
            for _ in 0..BATCHES {
                let batch: Vec<Write> = (0..=random.below(5))
                    .map(|_| any_write(&mut random, &conversations, &people, people[n]))
                    .collect();
                let results = store.commit(&batch, Instant::now()).await.unwrap();
                assert_eq!(results.len(), batch.len());
                for committed in results.into_iter().flatten() {
                    if let Committed::Appended(entries) = committed {
                        acknowledged.extend(entries);
                    }
                }
            }
            acknowledged
        });
    }
    let mut acknowledged: HashMap<ConversationId, BTreeMap<Seq, Entry>> = HashMap::new();
    while let Some(writer) = writers.join_next().await {
        for entry in writer.unwrap() {
            let log = acknowledged.entry(entry.conversation_id).or_default();
            let twice = log.insert(entry.seq, entry);
            assert_eq!(twice, None, "a place is given once");
        }
    }
    for id in conversations {
        let log = store.entries_after(id, 0, 10_000).await.unwrap();
        let seqs: Vec<Seq> = log.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=log.len() as Seq).collect::<Vec<_>>());
        assert_eq!(store.head(id).await.unwrap(), Some(log.len() as Seq));
        let (joins, rest) = log.split_at(WRITERS);
        let expected: Vec<Entry> = acknowledged.remove(&id).unwrap().into_values().collect();
        assert_eq!(rest, expected);
        assert_eq!(replay(joins, rest), members(&store, id).await);
    }
}

fn any_write(
    random: &mut Random,
    conversations: &[ConversationId],
    people: &[UserId],
    author: UserId,
) -> Write {
    let id = conversations[random.below(conversations.len())];
    // The first owns the groups, and stays.
    let somebody = people[1 + random.below(people.len() - 1)];
    match random.below(10) {
        0 => put(id, people[0], somebody, None),
        1 => remove(id, people[0], somebody),
        2 => put(id, people[0], somebody, Some(Role::Admin)),
        3 => rename(id, author, &random.below(3).to_string()),
        4 | 5 => mark_read(id, author, random.below(500) as Seq),
        _ => send(id, author, "hi"),
    }
}

/// Who belongs to a conversation by its log; whoever writes in it must belong to it then.
fn replay(joins: &[Entry], rest: &[Entry]) -> BTreeMap<UserId, Role> {
    let mut members = BTreeMap::new();
    for entry in joins.iter().chain(rest) {
        match &entry.change {
            Change::NewMessage { message } => {
                assert!(members.contains_key(&message.sender_id), "{entry:?}");
            }
            Change::MemberJoined { user_id, role, .. } => {
                assert_eq!(members.insert(*user_id, *role), None, "{entry:?}");
            }
            Change::MemberLeft { user_id, .. } => {
                assert!(members.remove(user_id).is_some(), "{entry:?}");
            }
            Change::MemberRole { user_id, role, .. } => {
                let before = members.insert(*user_id, *role);
                assert!(before.is_some_and(|before| before != *role), "{entry:?}");
            }
            Change::ConversationRenamed { by, .. } => {
                assert!(members[by] >= Role::Admin, "{entry:?}");
            }
            _ => {}
        }
    }
    members
}

async fn members(store: &AnyStore, id: ConversationId) -> BTreeMap<UserId, Role> {
    let members = store.members(id, None, 10_000).await.unwrap();
    let by_id: BTreeMap<_, _> = members.iter().map(|it| (it.user_id, it.role)).collect();
    let (_, ids) = store.member_ids(id).await.unwrap().unwrap();
    assert_eq!(ids.len(), by_id.len());
    assert!(ids.iter().all(|id| by_id.contains_key(id)));
    by_id
}

/// Of those who make the same group at once, one succeeds, and the others are told that the id is taken.
pub async fn racing_creators_make_one_group(store: impl Store) {
    let store = AnyStore::new(store);
    for _ in 0..10 {
        let id = ConversationId::new();
        let mut creators = JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            creators.spawn(async move {
                let me = UserId::new();
                // Others share the transaction, and are not disturbed.
                let other = ConversationId::new();
                let batch = [
                    create(other, me, &[]),
                    create(id, me, &[]),
                    send(id, me, "mine"),
                ];
                let results = store.commit(&batch, Instant::now()).await.unwrap();
                assert!(results[0].is_ok());
                assert_eq!(results[1].is_ok(), results[2].is_ok());
                if results[1].is_err() {
                    let taken = Err(Refusal::ConversationNotFound);
                    assert_eq!(results[1..], [taken.clone(), taken]);
                }
                results[1].is_ok()
            });
        }
        let made = creators.join_all().await;
        assert_eq!(made.iter().filter(|made| **made).count(), 1);
        assert_eq!(store.head(id).await.unwrap(), Some(2));
    }
}

/// Marks of several devices at once, while others write: no cursor is ever seen to fall, and it ends at the furthest mark.
pub async fn racing_marks_never_move_a_cursor_back(store: impl Store) {
    const SAID: Seq = 60;
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, other, &[me]).await;
    let batch: Vec<Write> = (0..SAID).map(|_| send(id, other, "read me")).collect();
    store.commit(&batch).await.unwrap();
    let store = AnyStore::new(store);
    let mut devices = JoinSet::new();
    for device in 0..8 {
        let store = store.clone();
        devices.spawn(async move {
            let mut random = Random::new(device);
            let mut moves = Vec::new();
            let mut last = 0;
            for _ in 0..15 {
                let asked = 2 + random.below(40) as Seq;
                let batch = [mark_read(id, me, asked), send(id, other, "more")];
                let results = store.commit(&batch, Instant::now()).await.unwrap();
                let Ok(Committed::Read(ReadCursor { seq, moved, .. })) = results[0] else {
                    panic!("a member may read: {results:?}");
                };
                assert!(seq >= asked && seq >= last, "{seq} after {last}");
                assert!(!moved || seq == asked);
                let seen = store.membership(id, me).await.unwrap().unwrap().read_seq;
                assert!(seen >= seq, "{seen} after {seq}");
                last = seen;
                if moved {
                    moves.push(seq);
                }
            }
            moves
        });
    }
    let moves: Vec<Seq> = devices.join_all().await.into_iter().flatten().collect();
    let distinct: BTreeSet<Seq> = moves.iter().copied().collect();
    assert_eq!(distinct.len(), moves.len(), "a place is moved to once");
    let row = only_row(&store, me).await;
    assert_eq!(Some(&row.me.read_seq), distinct.last());
    assert!(row.me.rev >= moves.len() as u64, "each move raises rev");
    let expected = row.conversation.head_seq - row.me.read_seq;
    assert_eq!(row.unread.count, expected);
}

/// Somebody is added and removed again and again while they write: what they say is in the log only where they belonged,
/// they see the conversation only while they belong, and what was said while they were away is not unread.
pub async fn those_who_come_and_go_write_only_while_they_belong(store: impl Store) {
    const ROUNDS: usize = 25;
    let [owner, guest] = [UserId::new(), UserId::new()];
    let id = group(&store, owner, &[]).await;
    let store = AnyStore::new(store);
    let mut writers = JoinSet::new();
    for author in [guest, guest, owner] {
        let store = store.clone();
        writers.spawn(async move {
            let mut accepted = 0;
            for _ in 0..ROUNDS * 3 {
                let results = store
                    .commit(&[send(id, author, "hi")], Instant::now())
                    .await
                    .unwrap();
                match &results[0] {
                    Ok(_) => accepted += 1,
                    Err(refusal) => assert_eq!(*refusal, Refusal::ConversationNotFound),
                }
            }
            accepted
        });
    }
    let mut last_rev = 0;
    for _ in 0..ROUNDS {
        let joined = store
            .commit(&[put(id, owner, guest, None)], Instant::now())
            .await
            .unwrap();
        let Ok(Committed::Appended(entries)) = &joined[0] else {
            panic!("the guest was away: {joined:?}");
        };
        let joined_at = entries[0].seq;
        let row = only_row(&store, guest).await;
        assert!(row.me.rev > last_rev);
        last_rev = row.me.rev;
        assert!(row.me.read_seq >= joined_at - 1, "what came before is read");
        assert!(row.unread.count <= row.conversation.head_seq - row.me.read_seq);
        assert_eq!(store.row_heads(guest).await.unwrap().len(), 1);

        let left = store
            .commit(&[remove(id, owner, guest)], Instant::now())
            .await
            .unwrap();
        assert!(left[0].is_ok(), "{left:?}");
        assert_eq!(store.membership(id, guest).await.unwrap(), None);
        assert_eq!(store.rows(guest, None, 10).await.unwrap(), []);
        assert_eq!(store.rows_of(guest, &[id]).await.unwrap(), []);
        assert_eq!(store.row_heads(guest).await.unwrap(), []);
    }
    let accepted: usize = writers.join_all().await.into_iter().sum();
    let log = store.entries_after(id, 0, 10_000).await.unwrap();
    let members = replay(&[], &log);
    assert_eq!(members.into_keys().collect::<Vec<_>>(), [owner]);
    let messages = log.iter().filter(|entry| entry.message().is_some());
    assert_eq!(messages.count(), accepted);
}

/// The one row in a user's list.
async fn only_row(store: &AnyStore, user: UserId) -> crate::model::Row {
    let rows = store.rows(user, None, 10).await.unwrap();
    assert_eq!(rows.len(), 1);
    rows.into_iter().next().unwrap().row
}

/// A log that grows while it is read: pages forward and backward fit together without a hole or a repetition.
pub async fn pages_fit_together_while_others_write(store: impl Store) {
    const WRITERS: Seq = 4;
    const EACH: Seq = 40;
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    for n in 0..10 {
        say(&store, id, me, &n.to_string()).await;
    }
    let store = AnyStore::new(store);
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            for n in 0..EACH / 2 {
                let batch = [send(id, me, "more"), send(id, me, &n.to_string())];
                let results = store.commit(&batch, Instant::now()).await.unwrap();
                assert!(results.iter().all(Result::is_ok));
            }
        });
    }
    let last = 11 + WRITERS * EACH;
    let mut read: Vec<Seq> = Vec::new();
    while read.last() != Some(&last) {
        let after = read.last().copied().unwrap_or(0);
        let page = store.entries_after(id, after, 7).await.unwrap();
        read.extend(page.iter().map(|entry| entry.seq));

        let newest = store.messages(id, Around::Newest, 1, 5).await.unwrap();
        let oldest = newest[0].seq;
        let before = store
            .messages(id, Around::Before(oldest), 1, 5)
            .await
            .unwrap();
        let pages = before.iter().chain(&newest).map(|message| message.seq);
        let expected = (oldest - 5)..(oldest + 5);
        assert_eq!(pages.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
    assert_eq!(read, (1..=last).collect::<Vec<_>>());
    writers.join_all().await;
}

/// A list whose conversations move up while it is read: none comes twice, and those that rest all come.
pub async fn pages_of_rows_fit_together_while_others_write(store: impl Store) {
    let me = UserId::new();
    let mut conversations = Vec::new();
    for _ in 0..24 {
        conversations.push(group(&store, me, &[]).await);
    }
    let (resting, moving) = conversations.split_at(16);
    let moving = moving.to_vec();
    let store = AnyStore::new(store);
    let writer = {
        let (store, moving) = (store.clone(), moving.clone());
        tokio::spawn(async move {
            for n in 0..60_i64 {
                let mut write = send(moving[usize::try_from(n).unwrap() % 8], me, "up");
                write.at = super::at(1 + n);
                store.commit(&[write], Instant::now()).await.unwrap()[0]
                    .as_ref()
                    .unwrap();
            }
        })
    };
    loop {
        let done = writer.is_finished();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.rows(me, after, 3).await.unwrap();
            let Some(last) = page.last() else {
                break;
            };
            after = Some(RowPlace {
                pinned: last.row.me.pinned,
                last_activity_at: last.row.conversation.last_activity_at,
                id: last.row.conversation.id,
            });
            seen.extend(page.iter().map(|row| row.row.conversation.id));
        }
        let distinct: BTreeSet<_> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "none comes twice");
        assert!(resting.iter().all(|id| distinct.contains(id)));
        if done {
            assert_eq!(seen.len(), 24);
            break;
        }
    }
    writer.await.unwrap();
}
