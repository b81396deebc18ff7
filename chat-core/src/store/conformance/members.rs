//! Groups: who is in them, who may do what, and where newcomers start.

use std::collections::BTreeSet;

use super::{at, commit, create, group, mark_read, put, remove, rename, row, say, send};
use crate::{
    model::{Change, ConversationId, ConversationKind, Entry, Membership, Role, Unread, UserId},
    store::{Around, Committed, Refusal, Store},
};

/// A group begins with its owner and then the others, each once; its id cannot be taken again.
pub async fn a_new_group_has_its_owner_and_members(store: impl Store) {
    let [me, a, b, stranger] = [UserId::new(), UserId::new(), UserId::new(), UserId::new()];
    let id = ConversationId::new();
    let created = commit(&store, create(id, me, &[b, me, a, b])).await;
    let join = |seq, user_id, role| Entry {
        conversation_id: id,
        seq,
        at: at(0),
        change: Change::MemberJoined {
            user_id,
            role,
            by: me,
        },
    };
    let expected = vec![
        join(1, me, Role::Owner),
        join(2, b, Role::Member),
        join(3, a, Role::Member),
    ];
    assert_eq!(created, Ok(Committed::Appended(expected)));
    for author in [me, stranger] {
        let taken = commit(&store, create(id, author, &[])).await;
        assert_eq!(taken, Err(Refusal::ConversationNotFound));
    }
    let row = row(&store, a, id).await;
    assert_eq!(row.peer_id, None);
    assert_eq!(row.row.conversation.kind, ConversationKind::Group);
    assert_eq!(row.row.conversation.title.as_deref(), Some("Tea"));
    assert_eq!(row.row.conversation.member_count, 3);
    assert_eq!(row.row.conversation.last_message, None);
    assert_eq!(row.row.me.role, Role::Member);
}

/// The rules of [`access`](crate::access) are applied to the roles as they are in the transaction.
pub async fn roles_decide_who_may_do_what(store: impl Store) {
    let [owner, admin, member, other] =
        [UserId::new(), UserId::new(), UserId::new(), UserId::new()];
    let id = group(&store, owner, &[admin, member, other]).await;
    let promoted = commit(&store, put(id, owner, admin, Some(Role::Admin))).await;
    let Ok(Committed::Appended(entries)) = promoted else {
        panic!("an owner appoints: {promoted:?}");
    };
    let change = Change::MemberRole {
        user_id: admin,
        role: Role::Admin,
        by: owner,
    };
    assert_eq!(entries[0].change, change);

    for forbidden in [
        rename(id, member, "Mine"),
        put(id, member, UserId::new(), None),
        put(id, member, member, Some(Role::Owner)),
        remove(id, member, other),
        put(id, admin, member, Some(Role::Admin)),
        put(id, admin, UserId::new(), Some(Role::Owner)),
        remove(id, admin, owner),
    ] {
        let refused = commit(&store, forbidden.clone()).await;
        assert_eq!(refused, Err(Refusal::Forbidden), "{forbidden:?}");
    }
    for permitted in [
        rename(id, admin, "Ours"),
        put(id, admin, UserId::new(), None),
        remove(id, admin, other),
        put(id, owner, member, Some(Role::Owner)),
        remove(id, member, owner),
        put(id, member, admin, Some(Role::Member)),
    ] {
        let accepted = commit(&store, permitted.clone()).await;
        assert!(
            matches!(accepted, Ok(Committed::Appended(_))),
            "{permitted:?}: {accepted:?}"
        );
    }
    assert_eq!(
        commit(&store, remove(id, member, other)).await,
        Err(Refusal::MemberNotFound)
    );
    let role = |membership: Option<Membership>| membership.map(|it| it.role);
    let now = role(store.membership(id, admin).await.unwrap());
    assert_eq!(now, Some(Role::Member));
    assert_eq!(role(store.membership(id, owner).await.unwrap()), None);
    let title = row(&store, member, id).await.row.conversation.title;
    assert_eq!(title.as_deref(), Some("Ours"));
}

/// The last owner neither leaves nor steps down while others remain, and may leave as the last of all.
pub async fn a_group_keeps_an_owner(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    for refused in [remove(id, me, me), put(id, me, me, Some(Role::Member))] {
        assert_eq!(commit(&store, refused).await, Err(Refusal::LastOwner));
    }
    commit(&store, put(id, me, other, Some(Role::Owner)))
        .await
        .unwrap();
    commit(&store, remove(id, me, me)).await.unwrap();
    let again = commit(&store, put(id, other, other, Some(Role::Admin))).await;
    assert_eq!(again, Err(Refusal::LastOwner));
    commit(&store, remove(id, other, other)).await.unwrap();
    let members = store.member_ids(id).await.unwrap();
    assert_eq!(members, Some((5, Vec::new())), "its log outlives a group");
}

/// What was said before somebody came is not unread to them; what is said after is.
pub async fn newcomers_start_at_the_head(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[]).await;
    say(&store, id, me, "before").await;
    commit(&store, put(id, me, other, Some(Role::Admin)))
        .await
        .unwrap();
    let place = store.membership(id, other).await.unwrap().unwrap();
    assert_eq!((place.role, place.read_seq), (Role::Admin, 2));
    assert_eq!(row(&store, other, id).await.row.unread, Unread::default());
    say(&store, id, me, "after").await;
    assert_eq!(row(&store, other, id).await.row.unread.count, 1);
}

/// A former member who returns starts anew, as a plain member, but their `rev` goes on rising.
pub async fn those_who_return_start_at_the_head_and_their_rev_goes_on(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    commit(&store, put(id, me, other, Some(Role::Admin)))
        .await
        .unwrap();
    say(&store, id, other, "bye").await;
    let before = row(&store, other, id).await.row.me.rev;
    commit(&store, remove(id, other, other)).await.unwrap();
    say(&store, id, me, "unheard").await;
    commit(&store, put(id, me, other, None)).await.unwrap();
    let back = row(&store, other, id).await.row;
    assert!(back.me.rev > before, "{} after {before}", back.me.rev);
    assert_eq!(back.me.role, Role::Member);
    assert_eq!(back.me.read_seq, back.conversation.head_seq - 1);
    assert_eq!(back.unread, Unread::default());
}

/// Asking for what is so already appends nothing and moves nothing.
pub async fn what_is_so_already_changes_nothing(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    let before = row(&store, other, id).await;
    for idle in [
        put(id, me, other, None),
        put(id, me, other, Some(Role::Member)),
        put(id, me, me, None),
        rename(id, me, "Tea"),
    ] {
        let unchanged = commit(&store, idle.clone()).await;
        assert_eq!(unchanged, Ok(Committed::Unchanged), "{idle:?}");
    }
    assert_eq!(row(&store, other, id).await, before);
}

/// Who does not belong, or no longer does, gets no row and no cursor, and cannot write.
pub async fn outsiders_get_nothing(store: impl Store) {
    let [me, former, stranger] = [UserId::new(), UserId::new(), UserId::new()];
    let id = group(&store, me, &[former]).await;
    commit(&store, remove(id, me, former)).await.unwrap();
    for outsider in [former, stranger] {
        assert_eq!(store.membership(id, outsider).await.unwrap(), None);
        assert_eq!(store.rows(outsider, None, 10).await.unwrap(), []);
        assert_eq!(store.rows_of(outsider, &[id]).await.unwrap(), []);
        assert_eq!(store.row_heads(outsider).await.unwrap(), []);
        for act in [
            send(id, outsider, "hello?"),
            rename(id, outsider, "Mine"),
            put(id, outsider, outsider, None),
            remove(id, outsider, outsider),
            mark_read(id, outsider, 1),
        ] {
            let refused = commit(&store, act).await;
            assert_eq!(refused, Err(Refusal::ConversationNotFound));
        }
    }
    assert_eq!(store.member_ids(id).await.unwrap(), Some((3, vec![me])));
    let messages = store.messages(id, Around::Newest, 1, 5).await.unwrap();
    assert_eq!(messages, []);
}

/// Pages of members are ascending by id and give each member once.
pub async fn members_are_paged_by_id(store: impl Store) {
    let me = UserId::new();
    let mut people: Vec<UserId> = (0..9).map(|_| UserId::new()).collect();
    let id = group(&store, me, &people).await;
    let gone = people.swap_remove(4);
    commit(&store, remove(id, me, gone)).await.unwrap();
    people.push(me);
    people.sort_unstable();

    let mut read: Vec<UserId> = Vec::new();
    loop {
        let page = store.members(id, read.last().copied(), 4).await.unwrap();
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        read.extend(page.iter().map(|member| member.user_id));
    }
    assert_eq!(read, people);
    let (head, ids) = store.member_ids(id).await.unwrap().unwrap();
    assert_eq!(head, 11);
    assert_eq!(BTreeSet::from_iter(ids), BTreeSet::from_iter(people));
    assert_eq!(store.members(id, None, 0).await.unwrap(), []);
}

/// Two users share when both belong to one conversation now; everybody shares with themselves.
pub async fn sharing_means_a_conversation_in_common(store: impl Store) {
    let [me, groupmate, former, peer, stranger] = [(); 5].map(|()| UserId::new());
    let id = group(&store, me, &[groupmate, former]).await;
    group(&store, stranger, &[groupmate]).await;
    commit(&store, remove(id, me, former)).await.unwrap();
    store.direct(me, peer, at(0)).await.unwrap();

    let asked = [stranger, groupmate, former, peer, me, groupmate];
    let sharing = store.sharing_with(me, &asked).await.unwrap();
    assert_eq!(sharing.len(), 3, "each once: {sharing:?}");
    assert_eq!(
        BTreeSet::from_iter(sharing),
        BTreeSet::from([me, groupmate, peer])
    );
    let alone = UserId::new();
    assert_eq!(
        store.sharing_with(alone, &[alone, me]).await.unwrap(),
        [alone]
    );
    assert_eq!(store.sharing_with(me, &[]).await.unwrap(), []);
}
