//! Cursors: what one has read, what others are told of it, and what a device has.

use super::{
    commit, group, mark_delivered, mark_read, mark_read_privately, mark_unread, put, remove, row,
    same_group_rows, say,
};
use crate::{
    model::{ConversationId, Seq, UserId},
    store::{Committed, ReadCursor, Refusal, Store, Write},
};

async fn cursors(store: &impl Store, user: UserId, id: ConversationId) -> [Seq; 3] {
    let place = store.membership(id, user).await.unwrap().unwrap();
    [place.read_seq, place.shown_seq, place.delivered_seq]
}

/// What a mark came to; where it moved the read cursor, `rev` rose, and only there.
async fn mark(store: &impl Store, write: Write) -> (Seq, bool, Option<Seq>, Option<Seq>) {
    let (user, id) = (write.author, write.conversation_id);
    let before = row(store, user, id).await.row.me;
    let marked = commit(store, write).await;
    let Ok(Committed::Read(cursor)) = marked else {
        panic!("a member may: {marked:?}");
    };
    let ReadCursor {
        seq,
        moved,
        shown,
        delivered,
    } = cursor;
    let after = row(store, user, id).await.row.me;
    assert_eq!(after.read_seq, seq);
    assert_eq!(after.rev > before.rev, moved);
    assert_eq!(after.read_seq != before.read_seq, moved);
    let [_, shown_seq, delivered_seq] = cursors(store, user, id).await;
    assert!(shown.is_none_or(|shown| shown == shown_seq));
    assert!(delivered.is_none_or(|delivered| delivered == delivered_seq));
    (seq, moved, shown, delivered)
}

/// A group of two in which the first one has said so much that the head is at 10.
async fn talk(store: &impl Store, me: UserId, other: UserId) -> ConversationId {
    let id = group(store, me, &[other]).await;
    for n in 3..=10 {
        say(store, id, me, &n.to_string()).await;
    }
    assert_eq!(cursors(store, me, id).await, [10; 3], "who writes has read");
    assert_eq!(cursors(store, other, id).await, [1; 3]);
    id
}

/// Who reads privately has read, but what others are told stays where it was, until they read openly again.
pub async fn reading_privately_is_told_to_nobody(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = talk(&store, me, other).await;
    let private = |seq| mark_read_privately(id, other, seq);
    assert_eq!(
        mark(&store, mark_read(id, other, 3)).await,
        (3, true, Some(3), Some(3))
    );
    assert_eq!(mark(&store, private(6)).await, (6, true, None, Some(6)));
    assert_eq!(cursors(&store, other, id).await, [6, 3, 6]);
    assert_eq!(mark(&store, private(5)).await, (6, false, None, None));
    assert_eq!(
        mark(&store, private(Seq::MAX)).await,
        (10, true, None, Some(10))
    );
    assert_eq!(
        mark(&store, mark_read(id, other, 5)).await,
        (10, false, Some(5), None)
    );
    assert_eq!(
        mark(&store, mark_read(id, other, 5)).await,
        (10, false, None, None)
    );
    assert_eq!(cursors(&store, other, id).await, [10, 5, 10]);
    let said = say(&store, id, other, "I was here").await;
    assert_eq!(cursors(&store, other, id).await, [said.seq; 3]);
}

/// A cursor that is set back makes unread what lies after it; what others were told stays.
pub async fn unread_can_be_brought_back(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = talk(&store, me, other).await;
    commit(&store, mark_read(id, other, 8)).await.unwrap();
    let unread = |seq| mark_unread(id, other, seq);
    assert_eq!(mark(&store, unread(9)).await, (8, false, None, None));
    assert_eq!(mark(&store, unread(8)).await, (8, false, None, None));
    assert_eq!(mark(&store, unread(4)).await, (4, true, None, None));
    assert_eq!(cursors(&store, other, id).await, [4, 8, 8]);
    assert_eq!(row(&store, other, id).await.row.unread.count, 6);
    same_group_rows(&store, id, &[me, other]).await;
    assert_eq!(
        mark(&store, mark_read(id, other, 6)).await,
        (6, true, None, None)
    );
    assert_eq!(mark(&store, unread(0)).await, (0, true, None, None));
    assert_eq!(row(&store, other, id).await.row.unread.count, 8);
    assert_eq!(mark(&store, unread(0)).await, (0, false, None, None));
    for write in [
        mark_unread(id, UserId::new(), 0),
        mark_delivered(id, UserId::new(), 9),
    ] {
        let refused = commit(&store, write).await;
        assert_eq!(refused, Err(Refusal::ConversationNotFound));
    }
}

/// What a device has is at most the whole log, never less than before, and changes nothing else.
pub async fn delivery_only_rises(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = talk(&store, me, other).await;
    let delivered = |seq| mark_delivered(id, other, seq);
    assert_eq!(mark(&store, delivered(4)).await, (1, false, None, Some(4)));
    assert_eq!(mark(&store, delivered(4)).await, (1, false, None, None));
    assert_eq!(mark(&store, delivered(2)).await, (1, false, None, None));
    assert_eq!(
        mark(&store, mark_read(id, other, 3)).await,
        (3, true, Some(3), None)
    );
    assert_eq!(
        mark(&store, delivered(Seq::MAX)).await,
        (3, false, None, Some(10))
    );
    assert_eq!(cursors(&store, other, id).await, [3, 3, 10]);
    // Whoever comes back has what was there.
    commit(&store, remove(id, me, other)).await.unwrap();
    say(&store, id, me, "gone").await;
    commit(&store, put(id, me, other, None)).await.unwrap();
    assert_eq!(cursors(&store, other, id).await, [12; 3]);
}

/// Members of whom others are told that they have read so far, by id and in pages.
pub async fn readers_are_those_who_are_said_to_have_read(store: impl Store) {
    let mut people: Vec<UserId> = (0..6).map(|_| UserId::new()).collect();
    people.sort_unstable();
    let id = group(&store, people[0], &people[1..]).await;
    let said = say(&store, id, people[0], "read this").await;
    commit(&store, mark_read(id, people[1], said.seq))
        .await
        .unwrap();
    commit(&store, mark_read(id, people[2], said.seq - 1))
        .await
        .unwrap();
    commit(&store, mark_read_privately(id, people[3], said.seq))
        .await
        .unwrap();
    commit(&store, mark_read(id, people[4], said.seq))
        .await
        .unwrap();
    commit(&store, mark_read(id, people[5], said.seq))
        .await
        .unwrap();
    commit(&store, remove(id, people[0], people[4]))
        .await
        .unwrap();
    commit(&store, mark_unread(id, people[5], 0)).await.unwrap();
    let expected = [people[0], people[1], people[5]];
    let mut read = Vec::new();
    loop {
        let after = read.last().copied();
        let page = store.readers(id, said.seq, after, 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        for member in page {
            assert!(member.shown_seq >= said.seq);
            read.push(member.user_id);
        }
    }
    assert_eq!(read, expected);
    assert_eq!(store.readers(id, said.seq + 9, None, 9).await.unwrap(), []);
    assert_eq!(store.readers(id, 0, None, 9).await.unwrap().len(), 5);
    let nowhere = ConversationId::new();
    assert_eq!(store.readers(nowhere, 0, None, 9).await.unwrap(), []);
}
