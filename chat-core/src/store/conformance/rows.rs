//! Conversation lists: their order, what a row shows, and read cursors.

use std::collections::BTreeSet;

use super::{at, commit, create, group, mark_read, remove, rename, row, say, send};
use crate::{
    model::{ConversationId, Seq, Unread, UserId},
    store::{Committed, MemberRow, ReadCursor, RowPlace, Store, StoredRow, Write},
};

/// Newest activity first, then greatest id; pages join without a gap or a repetition, under equal times too.
pub async fn rows_are_sorted_and_paged(store: impl Store) {
    let me = UserId::new();
    let mut expected = Vec::new();
    for n in 0..11 {
        let id = ConversationId::new();
        let mut write = create(id, me, &[]);
        write.at = at(n / 4);
        commit(&store, write).await.unwrap();
        expected.push((at(n / 4), id));
    }
    expected.sort_unstable_by(|a, b| b.cmp(a));

    let all = store.rows(me, None, 100).await.unwrap();
    let order = |rows: &[StoredRow]| -> Vec<_> {
        let conversations = rows.iter().map(|row| &row.row.conversation);
        conversations
            .map(|it| (it.last_activity_at, it.id))
            .collect()
    };
    assert_eq!(order(&all), expected);
    for limit in [1, 2, 3, 11] {
        let mut read: Vec<StoredRow> = Vec::new();
        loop {
            let after = read.last().map(place);
            let page = store.rows(me, after, limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, all, "in pages of {limit}");
    }
    assert_eq!(store.rows(me, None, 0).await.unwrap(), []);
}

/// A late clock does not move a conversation down the list.
pub async fn activity_never_goes_back(store: impl Store) {
    let me = UserId::new();
    let id = ConversationId::new();
    let later = |mut write: Write, millis| {
        write.at = at(millis);
        write
    };
    let steps = [
        (create(id, me, &[]), 10, 10),
        (send(id, me, "early"), 5, 10),
        (rename(id, me, "Coffee"), 20, 20),
        (send(id, me, "late"), 15, 20),
    ];
    for (write, millis, expected) in steps {
        commit(&store, later(write, millis)).await.unwrap();
        let row = row(&store, me, id).await.row;
        assert_eq!(row.conversation.last_activity_at, at(expected));
    }
    let newest = row(&store, me, id).await.row.conversation.last_message;
    assert_eq!(
        newest.unwrap().created_at,
        at(15),
        "a message keeps its time"
    );
}

/// A row shows the newest message, the head, and the user's own cursor; sending moves the cursor and raises `rev`.
pub async fn rows_show_the_conversation_and_my_place_in_it(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    let before = row(&store, me, id).await.row;
    let hidden = row(&store, other, id).await.row;
    let said = say(&store, id, me, "hi").await;
    commit(&store, rename(id, me, "Coffee")).await.unwrap();

    let mine = row(&store, me, id).await.row;
    assert_eq!(mine.conversation.last_message.as_ref(), Some(&said));
    assert_eq!(mine.conversation.head_seq, 4);
    assert_eq!(mine.conversation.title.as_deref(), Some("Coffee"));
    assert_eq!(mine.me.read_seq, said.seq);
    assert!(mine.me.rev > before.me.rev);
    assert!(mine.supersedes(&before));
    let theirs = row(&store, other, id).await.row;
    assert_eq!(theirs.conversation, mine.conversation);
    assert_eq!(theirs.me, hidden.me, "what I do leaves your half alone");
    assert_eq!(theirs.unread.count, 1);
}

/// `rows_of` gives rows, hidden ones too, of what the user belongs to, each once, and passes over the rest.
pub async fn rows_of_gives_what_the_user_belongs_to(store: impl Store) {
    let [me, peer, stranger] = [UserId::new(), UserId::new(), UserId::new()];
    let mine = group(&store, me, &[]).await;
    let foreign = group(&store, stranger, &[]).await;
    let former = group(&store, me, &[peer]).await;
    commit(&store, remove(former, me, peer)).await.unwrap();
    let (hidden, _) = store.direct(peer, me, at(0)).await.unwrap();
    let asked = [foreign, hidden, ConversationId::new(), mine, mine];
    let rows = store.rows_of(me, &asked).await.unwrap();
    assert_eq!(rows.len(), 2, "{rows:?}");
    let ids: BTreeSet<_> = rows.iter().map(|row| row.row.conversation.id).collect();
    assert_eq!(ids, BTreeSet::from([mine, hidden]));
    assert_eq!(store.rows_of(peer, &[former]).await.unwrap(), []);
}

/// The rows of a group, told for many at once, are the rows of each of its members.
pub async fn the_rows_of_a_group_are_those_of_its_members(store: impl Store) {
    let people: Vec<UserId> = (0..5).map(|_| UserId::new()).collect();
    let (owner, stranger) = (people[0], UserId::new());
    let id = group(&store, owner, &people[1..]).await;
    let mut asked = people.clone();
    asked.push(stranger);
    for messages in [0, 1, 30, 1_000, 1_000, 500] {
        let batch: Vec<_> = (0..messages)
            .map(|n| send(id, people[(n % 97) % 2], "hi"))
            .collect();
        store.commit(&batch).await.unwrap();
        let head = store.head(id).await.unwrap().unwrap();
        commit(&store, mark_read(id, people[2], head - head / 3))
            .await
            .unwrap();
        commit(&store, mark_read(id, people[3], head))
            .await
            .unwrap();

        let group = store.group_rows(id, &asked).await.unwrap().unwrap();
        assert_eq!(
            group.rows.len(),
            people.len(),
            "one for each who belongs to it"
        );
        for MemberRow {
            user_id,
            me,
            unread,
        } in group.rows
        {
            let expected = row(&store, user_id, id).await.row;
            assert_eq!(
                (&group.conversation, me, unread),
                (&expected.conversation, expected.me, expected.unread)
            );
        }
    }
    commit(&store, remove(id, owner, people[4])).await.unwrap();
    let group = store.group_rows(id, &people[3..]).await.unwrap().unwrap();
    let of: Vec<_> = group.rows.iter().map(|row| row.user_id).collect();
    assert_eq!(of, [people[3]]);
    let nowhere = store.group_rows(ConversationId::new(), &people).await;
    assert_eq!(nowhere.unwrap(), None);
}

/// A cursor moves forward, at most to the head, and never back; each move raises `rev` and nothing else does.
pub async fn the_read_cursor_only_rises(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    for n in 0..6 {
        say(&store, id, me, &n.to_string()).await;
    }
    let mut rev = row(&store, other, id).await.row.me.rev;
    let steps: [(Seq, Seq, bool); 6] = [
        (4, 4, true),
        (4, 4, false),
        (2, 4, false),
        (5, 5, true),
        (Seq::MAX, 8, true),
        (0, 8, false),
    ];
    for (asked, seq, moved) in steps {
        let cursor = commit(&store, mark_read(id, other, asked)).await;
        let expected = Committed::Read(ReadCursor {
            seq,
            moved,
            shown: moved.then_some(seq),
            delivered: moved.then_some(seq),
        });
        assert_eq!(cursor, Ok(expected), "asked for {asked}");
        let now = row(&store, other, id).await.row;
        assert_eq!(now.me.read_seq, seq);
        assert_eq!(now.unread.count, 8 - seq);
        assert_eq!(now.me.rev > rev, moved);
        rev = now.me.rev;
    }
    let place = store.membership(id, other).await.unwrap().unwrap();
    assert_eq!(place.read_seq, 8);
}

/// Unread is exact up to its cap, and says when there is more.
pub async fn unread_stops_counting_at_its_cap(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    let unread = |count, capped| Unread {
        count,
        capped,
        mentions: 0,
    };
    for (more, expected) in [
        (999, unread(999, false)),
        (1, unread(1_000, false)),
        (1, unread(1_000, true)),
        (500, unread(1_000, true)),
    ] {
        let batch: Vec<_> = (0..more).map(|_| send(id, me, "again")).collect();
        let results = store.commit(&batch).await.unwrap();
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(row(&store, other, id).await.row.unread, expected);
    }
}

fn place(row: &StoredRow) -> RowPlace {
    RowPlace {
        pinned: row.row.me.pinned,
        last_activity_at: row.row.conversation.last_activity_at,
        id: row.row.conversation.id,
    }
}
