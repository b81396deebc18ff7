//! Appending: one dense order, batches, and sends that are repeated.

use tokio::time::Instant;

use super::{at, commit, create, group, message, put, remove, rename, say, send, send_as};
use crate::{
    model::{ClientId, ConversationId, MessageId, Role, Seq, UserId},
    store::{Act, AnyStore, Committed, Refusal, Store},
};

/// Every entry takes the next place; what was acknowledged is what the log holds.
pub async fn seq_is_dense_from_one(store: impl Store) {
    let [me, other, third] = [UserId::new(), UserId::new(), UserId::new()];
    let id = ConversationId::new();
    let mut acknowledged = Vec::new();
    for write in [
        create(id, me, &[other]),
        send(id, me, "one"),
        rename(id, me, "Coffee"),
        put(id, me, third, None),
        send(id, third, "two"),
        remove(id, third, third),
        send(id, other, "three"),
    ] {
        match commit(&store, write).await {
            Ok(Committed::Appended(entries)) => acknowledged.extend(entries),
            other => panic!("should be accepted, was {other:?}"),
        }
    }
    let seqs: Vec<Seq> = acknowledged.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=8).collect::<Vec<_>>());
    assert_eq!(store.entries_after(id, 0, 100).await.unwrap(), acknowledged);
    assert_eq!(store.head(id).await.unwrap(), Some(8));
}

/// A refused write changes nothing and takes no place; those before and after it are accepted.
pub async fn a_refused_write_does_not_disturb_its_batch(store: impl Store) {
    let [me, other, stranger] = [UserId::new(), UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    let head = store.head(id).await.unwrap().unwrap();
    let elsewhere = ConversationId::new();
    let batch = [
        send(id, me, "first"),
        send(id, stranger, "let me in"),
        send_as(id, me, ClientId::new(), "to nobody", Some(MessageId::new())),
        rename(id, other, "Mine"),
        send(elsewhere, me, "hello?"),
        remove(id, me, stranger),
        send(id, other, "second"),
    ];
    let results = store.commit(&batch).await.unwrap();
    let refusals: Vec<_> = results.iter().map(|result| result.as_ref().err()).collect();
    assert_eq!(
        refusals,
        [
            None,
            Some(&Refusal::ConversationNotFound),
            Some(&Refusal::ReplyNotFound),
            Some(&Refusal::Forbidden),
            Some(&Refusal::ConversationNotFound),
            Some(&Refusal::MemberNotFound),
            None,
        ]
    );
    let log = store.entries_after(id, head, 100).await.unwrap();
    let bodies: Vec<_> = log
        .iter()
        .map(|entry| &*entry.message().unwrap().body)
        .collect();
    assert_eq!(bodies, ["first", "second"]);
    assert_eq!(log[1].seq, head + 2);
    assert_eq!(store.head(elsewhere).await.unwrap(), None);
    assert!(store.commit(&[]).await.unwrap().is_empty());
}

/// Within a batch, each write finds what the earlier ones did.
pub async fn a_batch_sees_its_own_effects(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = ConversationId::new();
    let question = send(id, other, "why?");
    let Act::Send { id: asked, .. } = question.act else {
        panic!("a send is a send");
    };
    let batch = [
        send(id, me, "too early"),
        create(id, me, &[]),
        create(id, me, &[]),
        send(id, other, "not yet"),
        put(id, me, other, None),
        question,
        send_as(id, me, ClientId::new(), "because", Some(asked)),
        remove(id, me, other),
        send(id, other, "too late"),
        put(id, me, other, None),
    ];
    let results = store.commit(&batch).await.unwrap();
    let accepted: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(
        accepted,
        [
            false, true, false, false, true, true, true, true, false, true
        ]
    );
    let appended = results
        .into_iter()
        .filter_map(Result::ok)
        .flat_map(|committed| {
            let Committed::Appended(entries) = committed else {
                panic!("nothing was there before: {committed:?}");
            };
            entries
        });
    let log = store.entries_after(id, 0, 100).await.unwrap();
    assert_eq!(log, appended.collect::<Vec<_>>());
    assert_eq!(store.head(id).await.unwrap(), Some(6));
    let back = store.membership(id, other).await.unwrap().unwrap();
    assert_eq!(
        back.read_seq, 5,
        "who returns starts before the entry of it"
    );
}

/// A send under the same `client_id` is the same send, with the same content; otherwise it is refused.
pub async fn a_client_id_has_one_effect_for_ever(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    let root = say(&store, id, other, "root").await;
    let client_id = ClientId::new();
    let again = |body, reply_to| send_as(id, me, client_id, body, reply_to);

    let twice = [again("hi", Some(root.id)), again("hi", Some(root.id))];
    let mut results = store.commit(&twice).await.unwrap();
    let repeated = results.pop().unwrap();
    let first = message(results.pop().unwrap());
    assert_eq!(repeated, Ok(Committed::Repeated(first.clone())));

    say(&store, id, other, "in between").await;
    let later = commit(&store, again("hi", Some(root.id))).await;
    assert_eq!(later, Ok(Committed::Repeated(first)));
    for changed in [
        again("ho", Some(root.id)),
        again("hi", None),
        again("hi", Some(MessageId::new())),
    ] {
        let refused = commit(&store, changed).await;
        assert_eq!(refused, Err(Refusal::ClientIdReused));
    }
    let log = store.entries_after(id, 2, 100).await.unwrap();
    assert_eq!(log.len(), 3, "repetitions append nothing: {log:?}");
    let cursor = store.membership(id, me).await.unwrap().unwrap().read_seq;
    assert_eq!(cursor, 4, "repetitions move nothing");

    commit(&store, put(id, me, other, Some(Role::Owner)))
        .await
        .unwrap();
    commit(&store, remove(id, other, me)).await.unwrap();
    let gone = commit(&store, again("hi", Some(root.id))).await;
    assert_eq!(gone, Err(Refusal::ConversationNotFound));
}

/// The same `client_id` of somebody else, or in another conversation, is another send.
pub async fn a_client_id_belongs_to_its_sender_and_conversation(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let (here, there) = (
        group(&store, me, &[other]).await,
        group(&store, me, &[other]).await,
    );
    let client_id = ClientId::new();
    for (conversation, author) in [(here, me), (here, other), (there, me)] {
        message(commit(&store, send_as(conversation, author, client_id, "hi", None)).await);
    }
}

/// Of two retries at once, one appends and the other finds what it appended.
pub async fn racing_retries_have_one_effect(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    for _ in 0..20 {
        let client_id = ClientId::new();
        let try_it = || commit(&store, send_as(id, me, client_id, "hi", None));
        let (a, b, c) = tokio::join!(try_it(), try_it(), try_it());
        let mut appended = Vec::new();
        let mut repeated = Vec::new();
        for result in [a, b, c] {
            match result {
                Ok(Committed::Repeated(message)) => repeated.push(message),
                result => appended.push(message(result)),
            }
        }
        assert_eq!(appended.len(), 1);
        assert_eq!(repeated, vec![appended[0].clone(); 2]);
    }
    assert_eq!(store.head(id).await.unwrap(), Some(21));
}

/// `reply_to` names a message, of this conversation and not of another.
pub async fn a_reply_names_a_message_of_its_conversation(store: impl Store) {
    let me = UserId::new();
    let (here, there) = (group(&store, me, &[]).await, group(&store, me, &[]).await);
    let said = say(&store, here, me, "root").await;
    let reply = |conversation| send_as(conversation, me, ClientId::new(), "re", Some(said.id));
    assert_eq!(
        message(commit(&store, reply(here)).await).reply_to,
        Some(said.id)
    );
    let refused = commit(&store, reply(there)).await;
    assert_eq!(refused, Err(Refusal::ReplyNotFound));
}

/// Sixteen writers at once, some in two conversations: dense orders, and every acknowledgement is in its log, after
/// the earlier ones of the same writer.
pub async fn racing_writers_get_one_order(store: impl Store) {
    const WRITERS: usize = 16;
    const BATCHES: usize = 10;
    let people: Vec<UserId> = (0..WRITERS).map(|_| UserId::new()).collect();
    let conversations = [
        group(&store, people[0], &people).await,
        group(&store, people[0], &people).await,
    ];
    let store = AnyStore::new(store);
    let mut tasks = tokio::task::JoinSet::new();
    for (n, &author) in people.iter().enumerate() {
        let store = store.clone();
        tasks.spawn(async move {
            let mut acknowledged = Vec::new();
            for batch in 0..BATCHES {
                let here = conversations[(n + batch) % 2];
                let writes = [
                    send(here, author, &format!("{n}.{batch}.0")),
                    send(conversations[n % 2], author, &format!("{n}.{batch}.1")),
                ];
                for result in store.commit(&writes, Instant::now()).await.unwrap() {
                    acknowledged.push(message(result));
                }
            }
            acknowledged
        });
    }
    let mut acknowledged = Vec::new();
    while let Some(task) = tasks.join_next().await {
        let of_one = task.unwrap();
        for conversation in conversations {
            let here = of_one
                .iter()
                .filter(|it| it.conversation_id == conversation);
            let seqs: Vec<Seq> = here.map(|message| message.seq).collect();
            assert!(seqs.is_sorted(), "one writer's sends keep their order");
        }
        acknowledged.extend(of_one);
    }
    let mut logged = Vec::new();
    for conversation in conversations {
        let log = store.entries_after(conversation, 0, 10_000).await.unwrap();
        let seqs: Vec<Seq> = log.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=log.len() as Seq).collect::<Vec<_>>());
        logged.extend(log.iter().filter_map(|entry| entry.message().cloned()));
    }
    acknowledged.sort_by_key(|message| message.id);
    logged.sort_by_key(|message| message.id);
    assert_eq!(acknowledged.len(), WRITERS * BATCHES * 2);
    assert_eq!(acknowledged, logged);
}

/// A commit whose future is dropped has happened or has not, and the store goes on.
pub async fn a_dropped_commit_leaves_all_or_nothing(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    let mut expected = 1;
    for polls in 0..60 {
        let batch = [send(id, me, "one"), send(id, me, "two")];
        tokio::select! {
            biased;
            results = store.commit(&batch) => drop(results.unwrap()),
            () = yields(polls) => {}
        }
        let results = store.commit(&batch).await.unwrap();
        let repeated = results
            .iter()
            .filter(|it| matches!(it, Ok(Committed::Repeated(_))));
        let repeated = repeated.count();
        assert!(repeated == 0 || repeated == 2, "half a batch: {results:?}");
        expected += 2;
        let log = store.entries_after(id, 0, 1_000).await.unwrap();
        assert_eq!(log.len() as Seq, expected);
        assert_eq!(store.head(id).await.unwrap(), Some(expected));
    }
}

async fn yields(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// A store has one epoch, whatever happens in it.
pub async fn the_epoch_stays(store: impl Store) {
    let before = store.epoch().await.unwrap();
    let me = UserId::new();
    group(&store, me, &[]).await;
    store.direct(me, me, at(0)).await.unwrap();
    assert_eq!(store.epoch().await.unwrap(), before);
}
