//! Groups: bans, what they are called, their end, and what each member makes of theirs.

use std::collections::BTreeSet;

use super::{
    append, at, ban, commit, create, group, later, lift, mark_read, put, remove, row,
    same_group_rows, say, send, set_history, update, update_mine, write,
};
use crate::{
    model::{Change, ConversationId, History, MineChanges, Notify, Role, UserId},
    store::{Act, Committed, Refusal, RowPlace, Store},
};

/// A ban is a removal that lasts: until it is lifted, nobody adds them again.
pub async fn the_banned_are_not_added_again(store: impl Store) {
    let [me, admin, guest, other] = [(); 4].map(|()| UserId::new());
    let id = group(&store, me, &[admin, guest, other]).await;
    commit(&store, put(id, me, admin, Some(Role::Admin)))
        .await
        .unwrap();
    for (write, expected) in [
        (ban(id, guest, other), Refusal::Forbidden),
        (ban(id, guest, guest), Refusal::Forbidden),
        (ban(id, admin, me), Refusal::Forbidden),
        (ban(id, admin, UserId::new()), Refusal::MemberNotFound),
        (lift(id, guest, other), Refusal::Forbidden),
    ] {
        assert_eq!(commit(&store, write).await, Err(expected));
    }
    let rev = row(&store, guest, id).await.row.me.rev;
    let left = append(&store, ban(id, admin, guest)).await;
    let change = Change::MemberLeft {
        user_id: guest,
        by: admin,
        banned: true,
    };
    assert_eq!(left.change, change);
    assert_eq!(
        store.entries_after(id, left.seq - 1, 1).await.unwrap(),
        [left]
    );
    append(&store, ban(id, me, other)).await;
    let banned = BTreeSet::from([guest, other]);
    let all = store.banned(id, None, 9).await.unwrap();
    assert_eq!(all, banned.iter().copied().collect::<Vec<_>>());
    assert_eq!(store.banned(id, None, 1).await.unwrap(), all[..1]);
    assert_eq!(store.banned(id, Some(all[0]), 9).await.unwrap(), all[1..]);
    for role in [None, Some(Role::Member), Some(Role::Admin)] {
        let refused = commit(&store, put(id, me, guest, role)).await;
        assert_eq!(refused, Err(Refusal::Banned));
    }
    assert_eq!(store.membership(id, guest).await.unwrap(), None);
    let hello = commit(&store, send(id, guest, "hello?")).await;
    assert_eq!(hello, Err(Refusal::ConversationNotFound));

    assert_eq!(
        commit(&store, lift(id, admin, guest)).await,
        Ok(Committed::Changed)
    );
    for nobody in [guest, me, UserId::new()] {
        let again = commit(&store, lift(id, admin, nobody)).await;
        assert_eq!(again, Ok(Committed::Unchanged));
    }
    assert_eq!(store.banned(id, None, 9).await.unwrap(), [other]);
    assert_eq!(store.membership(id, guest).await.unwrap(), None);
    append(&store, put(id, admin, guest, None)).await;
    assert!(row(&store, guest, id).await.row.me.rev > rev);
    append(&store, remove(id, admin, guest)).await;
    assert_eq!(store.banned(id, None, 9).await.unwrap(), [other]);
    // Within a batch as well.
    let batch = [
        put(id, me, guest, None),
        ban(id, me, guest),
        put(id, me, guest, None),
    ];
    let results = store.commit(&batch).await.unwrap();
    assert_eq!(results[2], Err(Refusal::Banned));
}

/// Title, topic and history each change by an entry of their own, in this order; what is so already makes none.
pub async fn a_group_changes_part_by_part(store: impl Store) {
    let [me, admin, member] = [UserId::new(), UserId::new(), UserId::new()];
    let id = group(&store, me, &[admin, member]).await;
    commit(&store, put(id, me, admin, Some(Role::Admin)))
        .await
        .unwrap();
    let title = |text: &str| Change::ConversationRenamed {
        title: text.to_owned(),
        by: me,
    };
    let topic = |text: Option<&str>| Change::ConversationTopic {
        topic: text.map(str::to_owned),
        by: me,
    };
    let history = |history| Change::ConversationHistory { history, by: me };
    let (from_join, shared) = (Some(History::FromJoin), Some(History::Shared));
    for (n, (to, about, of, expected)) in [
        (Some("Tea"), None, None, vec![]),
        (Some("Tea"), Some(None), shared, vec![]),
        (None, None, None, vec![]),
        (
            None,
            Some(Some("Leaves")),
            None,
            vec![topic(Some("Leaves"))],
        ),
        (
            Some("Coffee"),
            Some(Some("Beans")),
            from_join,
            vec![
                title("Coffee"),
                topic(Some("Beans")),
                history(History::FromJoin),
            ],
        ),
        (Some("Coffee"), Some(None), from_join, vec![topic(None)]),
        (None, None, shared, vec![history(History::Shared)]),
    ]
    .into_iter()
    .enumerate()
    {
        let millis = i64::try_from(n).unwrap();
        let result = commit(&store, later(update(id, me, to, about, of), millis)).await;
        if expected.is_empty() {
            assert_eq!(result, Ok(Committed::Unchanged));
            continue;
        }
        let Ok(Committed::Appended(entries)) = result else {
            panic!("this changes something: {result:?}");
        };
        let changes: Vec<_> = entries.iter().map(|entry| entry.change.clone()).collect();
        assert_eq!(changes, expected);
        let log = store
            .entries_after(id, entries[0].seq - 1, 9)
            .await
            .unwrap();
        assert_eq!(log, entries);
        let shown = row(&store, member, id).await.row.conversation;
        assert_eq!(shown.last_activity_at, at(millis));
        assert_eq!(shown.head_seq, entries[entries.len() - 1].seq);
    }
    let shown = row(&store, member, id).await.row.conversation;
    assert_eq!(shown.title.as_deref(), Some("Coffee"));
    assert_eq!((shown.topic, shown.history), (None, History::Shared));
    for (write, expected) in [
        (
            update(id, member, None, Some(Some("Mine")), None),
            Refusal::Forbidden,
        ),
        (
            set_history(id, admin, History::FromJoin),
            Refusal::Forbidden,
        ),
    ] {
        assert_eq!(commit(&store, write).await, Err(expected));
    }
    append(&store, update(id, admin, None, Some(Some("Ours")), None)).await;
    same_group_rows(&store, id, &[me, admin, member]).await;
}

/// It is nowhere any more, for those who wrote lately and for those who did not; only its log stays.
pub async fn a_deleted_conversation_is_gone(store: impl Store) {
    let [me, other, quiet, former] = [(); 4].map(|()| UserId::new());
    let id = group(&store, me, &[other, quiet, former]).await;
    commit(&store, remove(id, former, former)).await.unwrap();
    say(&store, id, other, "farewell").await;
    let deletion = |author| write(id, author, Act::DeleteConversation);
    let refused = commit(&store, deletion(other)).await;
    assert_eq!(refused, Err(Refusal::Forbidden));
    let batch = [
        send(id, other, "last words"),
        deletion(me),
        send(id, me, "too late"),
        mark_read(id, quiet, 3),
        deletion(me),
    ];
    let results = store.commit(&batch).await.unwrap();
    let Ok(Committed::Appended(entries)) = &results[1] else {
        panic!("owners may: {results:?}");
    };
    assert_eq!(entries[0].change, Change::ConversationDeleted { by: me });
    for result in &results[2..] {
        assert_eq!(*result, Err(Refusal::ConversationNotFound));
    }
    let people = [me, other, quiet, former];
    for user in people {
        assert_eq!(store.membership(id, user).await.unwrap(), None);
        assert_eq!(store.rows(user, None, 9).await.unwrap(), []);
        assert_eq!(store.rows_of(user, &[id]).await.unwrap(), []);
        assert_eq!(store.row_heads(user).await.unwrap(), []);
        assert_eq!(
            store.sharing_with(user, &[me, other]).await.unwrap().len(),
            { usize::from(user == me || user == other) }
        );
        for write in [
            send(id, user, "anybody?"),
            put(id, user, other, None),
            deletion(user),
            create(id, user, &[]),
        ] {
            let refused = commit(&store, write).await;
            assert_eq!(refused, Err(Refusal::ConversationNotFound));
        }
    }
    same_group_rows(&store, id, &people).await;
    let head = entries[0].seq;
    assert_eq!(
        store.member_ids(id).await.unwrap(),
        Some((head, Vec::new()))
    );
    assert_eq!(store.members(id, None, 9).await.unwrap(), []);
    assert_eq!(store.readers(id, 0, None, 9).await.unwrap(), []);
    let log = store.entries_after(id, 0, 100).await.unwrap();
    assert_eq!(log.last(), entries.last());
}

/// Settings of a row are its owner's: they raise their `rev`, sort their list, and end with the membership.
pub async fn what_is_mine_is_mine_alone(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let mut groups = Vec::new();
    for n in 0..4 {
        let id = ConversationId::new();
        commit(&store, later(create(id, other, &[me]), n))
            .await
            .unwrap();
        groups.push(id);
    }
    let before = row(&store, me, groups[0]).await.row;
    let theirs = row(&store, other, groups[0]).await;
    let set = |id, changes| update_mine(id, me, changes);
    let all = MineChanges {
        pinned: Some(true),
        muted: Some(true),
        archived: Some(true),
        notify: Some(Notify::Mentions),
    };
    assert_eq!(
        commit(&store, set(groups[0], all)).await,
        Ok(Committed::Changed)
    );
    for same in [all, MineChanges::default()] {
        let unchanged = commit(&store, set(groups[0], same)).await;
        assert_eq!(unchanged, Ok(Committed::Unchanged));
    }
    let after = row(&store, me, groups[0]).await.row;
    let mine = (
        after.me.pinned,
        after.me.muted,
        after.me.archived,
        after.me.notify,
    );
    assert_eq!(mine, (true, true, true, Notify::Mentions));
    assert!(after.me.rev > before.me.rev);
    assert_eq!(after.conversation, before.conversation);
    assert_eq!(row(&store, other, groups[0]).await, theirs);
    same_group_rows(&store, groups[0], &[me, other]).await;
    let unmuted = MineChanges {
        muted: Some(false),
        notify: Some(Notify::Nothing),
        ..MineChanges::default()
    };
    commit(&store, set(groups[0], unmuted)).await.unwrap();
    let after = row(&store, me, groups[0]).await.row.me;
    let mine = (after.pinned, after.muted, after.archived, after.notify);
    assert_eq!(mine, (true, false, true, Notify::Nothing));

    // Pinned ones come first, in pages too.
    let pinned = MineChanges {
        pinned: Some(true),
        ..MineChanges::default()
    };
    commit(&store, set(groups[2], pinned)).await.unwrap();
    let mut read = Vec::new();
    let mut place = None;
    while let [row] = &store.rows(me, place, 1).await.unwrap()[..] {
        place = Some(RowPlace {
            pinned: row.row.me.pinned,
            last_activity_at: row.row.conversation.last_activity_at,
            id: row.row.conversation.id,
        });
        read.push(row.row.conversation.id);
    }
    assert_eq!(read, [groups[2], groups[0], groups[3], groups[1]]);

    commit(&store, remove(groups[0], me, me)).await.unwrap();
    let gone = commit(&store, set(groups[0], all)).await;
    assert_eq!(gone, Err(Refusal::ConversationNotFound));
    commit(&store, put(groups[0], other, me, None))
        .await
        .unwrap();
    let anew = row(&store, me, groups[0]).await.row.me;
    assert!(!anew.pinned && !anew.muted && !anew.archived && anew.rev > after.rev);
    assert_eq!(anew.notify, Notify::All);
    let (direct, _) = store.direct(me, other, at(0)).await.unwrap();
    assert_eq!(
        commit(&store, set(direct, all)).await,
        Ok(Committed::Changed)
    );
}
