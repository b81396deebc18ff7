//! The embedder's say: what it refuses is not there, what it changes is what there is, and it hears of everything.

use std::{collections::HashMap, sync::Arc};

use chat_core::{
    Chat, Error,
    access::Policy,
    model::{ConversationId, Draft, Entry, MessageId, Role, Seq, UserId},
    protocol::{ServerFrame, Signal},
    store::{Around, MemoryStore, MessageLog},
};
use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::{
    task::{JoinSet, yield_now},
    time::timeout,
};

use crate::support::{PATIENCE, body, draft, entries_to, group, rename, say, title, until};

/// Refuses "spam", hides secrets, empties "nothing", and breaks down at "panic".
#[derive(Clone, Default)]
struct Moderator {
    heard: Arc<Mutex<Vec<Entry>>>,
}

impl Policy for Moderator {
    async fn before_send(
        &self,
        _: UserId,
        _: ConversationId,
        draft: Draft,
    ) -> Result<Draft, String> {
        // It may take its time: a moderator may ask somebody else.
        yield_now().await;
        assert!(draft.body != "panic before", "the moderator breaks down");
        if draft.body.contains("spam") {
            return Err("no advertising here".to_owned());
        }
        let body = draft.body.replace("secret", "******");
        let body = body.replace("nothing", "");
        Ok(Draft { body, ..draft })
    }

    async fn before_edit(
        &self,
        _: UserId,
        _: ConversationId,
        _: MessageId,
        body: String,
    ) -> Result<String, String> {
        assert!(body != "panic before", "the moderator breaks down");
        if body.contains("spam") {
            return Err("no advertising here".to_owned());
        }
        Ok(body.replace("secret", "******").replace("nothing", ""))
    }

    fn on_entry(&self, entry: &Entry) {
        self.heard.lock().push(entry.clone());
        assert!(body(entry) != Some("panic"), "the moderator breaks down");
    }
}

async fn chat_of(policy: impl Policy) -> Chat {
    Chat::builder().policy(policy).start().await.unwrap()
}

#[tokio::test]
async fn what_is_refused_is_told_to_the_sender_and_was_never_there() {
    let moderator = Moderator::default();
    let chat = chat_of(moderator.clone()).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut session = chat.connect(ben).await.unwrap();
    session.join(lunch, None).await.unwrap();
    let row = chat.row(ben, lunch).await.unwrap();

    let spam = draft("buy spam");
    match chat.send(ana, lunch, spam.clone()).await {
        Err(error @ Error::Refused(_)) => assert_eq!(error.to_string(), "no advertising here"),
        other => panic!("{other:?}"),
    }
    assert_eq!(chat.row(ben, lunch).await.unwrap(), row);
    assert_eq!(chat.events(ben, lunch, 2, 10).await.unwrap().items, []);

    // Its name is free for the same message in better words; that is the first thing that anybody hears of.
    let better = Draft {
        body: "lunch?".to_owned(),
        ..spam
    };
    let sent = chat.send(ana, lunch, better).await.unwrap();
    assert!(!sent.repeated);
    let entries = entries_to(&mut session, lunch, 3).await;
    assert_eq!(body(&entries[0]), Some("lunch?"));
    chat.shutdown().await;
    let heard = moderator.heard.lock();
    assert_eq!(
        heard.iter().filter_map(body).collect::<Vec<_>>(),
        ["lunch?"]
    );
}

#[tokio::test]
async fn what_is_changed_is_what_everybody_sees_and_what_a_retry_is_compared_with() {
    let chat = chat_of(Moderator::default()).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut session = chat.connect(ben).await.unwrap();
    session.join(lunch, None).await.unwrap();

    let told = draft("a secret");
    let sent = chat.send(ana, lunch, told.clone()).await.unwrap().message;
    assert_eq!(sent.body, "a ******");
    let row = until(&mut session, {
        let mut followed = false;
        move |frame| match frame {
            ServerFrame::Log(entry) => {
                assert_eq!(body(entry), Some("a ******"));
                followed = true;
                None
            }
            ServerFrame::Signal(Signal::ConversationUpdated { row }) => {
                followed.then(|| row.clone())
            }
            _ => None,
        }
    })
    .await;
    assert_eq!(row.conversation.last_message, Some(sent.clone()));
    let page = chat.messages(ben, lunch, Around::Newest, 10).await.unwrap();
    assert_eq!(page, std::slice::from_ref(&sent));

    let again = chat.send(ana, lunch, told.clone()).await.unwrap();
    assert!(again.repeated && again.message == sent);
    let other = Draft {
        body: "a rumour".to_owned(),
        ..told
    };
    assert!(matches!(
        chat.send(ana, lunch, other).await,
        Err(Error::ClientIdReused)
    ));
}

#[tokio::test]
async fn what_is_changed_must_still_be_a_message() {
    let chat = chat_of(Moderator::default()).await;
    let ana = UserId::new();
    let lunch = group(&chat, &[ana]).await;
    match chat.send(ana, lunch, draft("nothing")).await {
        Err(Error::Invalid { field, code, .. }) => assert_eq!((field, code), ("body", "blank")),
        other => panic!("{other:?}"),
    }
    assert_eq!(chat.events(ana, lunch, 1, 10).await.unwrap().items, []);
}

/// Compares what it hears with what is durable at that moment.
#[derive(Clone)]
struct Witness {
    store: MemoryStore,
    heard: Arc<Mutex<HashMap<ConversationId, Vec<Seq>>>>,
}

impl Policy for Witness {
    fn on_entry(&self, entry: &Entry) {
        let stored = self
            .store
            .entries_after(entry.conversation_id, entry.seq - 1, 1);
        let stored = stored.now_or_never().unwrap().unwrap();
        assert_eq!(stored.first(), Some(entry), "not durable");
        let mut heard = self.heard.lock();
        heard
            .entry(entry.conversation_id)
            .or_default()
            .push(entry.seq);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_hears_once_and_in_order_of_every_entry_it_accepted_when_it_is_durable() {
    let store = MemoryStore::default();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let witness = Witness {
            store: store.clone(),
            heard: Arc::default(),
        };
        let chat = Chat::builder().store(store.clone());
        let chat = chat.policy(witness.clone()).start().await.unwrap();
        nodes.push((chat, witness.heard));
    }
    let (ana, ben) = (UserId::new(), UserId::new());
    let mut groups = Vec::new();
    for _ in 0..3 {
        groups.push(group(&nodes[0].0, &[ana, ben]).await);
    }
    let mut tasks = JoinSet::new();
    for (chat, _) in &nodes {
        for &conversation in &groups {
            for _ in 0..3 {
                let chat = chat.clone();
                tasks.spawn(async move {
                    for n in 0..30 {
                        let once = draft(&n.to_string());
                        chat.send(ana, conversation, once.clone()).await.unwrap();
                        assert!(chat.send(ana, conversation, once).await.unwrap().repeated);
                        chat.mark_read(ben, conversation, n).await.unwrap();
                    }
                    let eve = UserId::new();
                    chat.put_member(ana, conversation, eve, None).await.unwrap();
                    let admin = Some(Role::Admin);
                    chat.put_member(ana, conversation, eve, admin)
                        .await
                        .unwrap();
                    let other = title(&eve.to_string());
                    rename(&chat, eve, conversation, other).await.unwrap();
                    chat.remove_member(ana, conversation, eve, false)
                        .await
                        .unwrap();
                });
            }
        }
    }
    timeout(PATIENCE, tasks.join_all()).await.unwrap();
    for (chat, _) in &nodes {
        chat.shutdown().await;
    }
    for conversation in groups {
        let mut together = Vec::new();
        for (_, heard) in &nodes {
            let heard = &heard.lock()[&conversation];
            assert!(heard.is_sorted());
            together.extend(heard.iter().copied());
        }
        together.sort_unstable();
        // Two who joined at the beginning; then 6 tasks with 30 messages and 4 acts each.
        assert_eq!(together, (1..=2 + 6 * 34).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_policy_that_panics_while_it_listens_harms_nobody() {
    let moderator = Moderator::default();
    let chat = chat_of(moderator.clone()).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut session = chat.connect(ben).await.unwrap();
    session.join(lunch, None).await.unwrap();
    for text in ["before", "panic", "after"] {
        say(&chat, ana, lunch, text).await;
    }
    let entries = entries_to(&mut session, lunch, 5).await;
    let said = ["before", "panic", "after"];
    assert_eq!(entries.iter().filter_map(body).collect::<Vec<_>>(), said);
    chat.shutdown().await;
    let heard = moderator.heard.lock();
    assert_eq!(heard.iter().filter_map(body).collect::<Vec<_>>(), said);
}

#[tokio::test]
async fn a_policy_that_panics_before_a_send_harms_only_its_sender() {
    let chat = chat_of(Moderator::default()).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    // Nothing is known of it, so it is not accepted; the task that asked goes on.
    let broken = chat.send(ana, lunch, draft("panic before")).await;
    assert!(matches!(broken, Err(Error::Refused(_))), "{broken:?}");
    let said = say(&chat, ben, lunch, "is anybody there?").await;
    assert_eq!(said.seq, 3);
    let broken = chat.edit(ben, lunch, said.id, "panic before".to_owned());
    assert!(matches!(broken.await, Err(Error::Refused(_))));
    assert_eq!(chat.message(ana, lunch, said.id).await.unwrap(), said);
}

#[tokio::test]
async fn an_edit_is_judged_as_a_send_is() {
    let chat = chat_of(Moderator::default()).await;
    let ana = UserId::new();
    let lunch = group(&chat, &[ana]).await;
    let said = say(&chat, ana, lunch, "soup?").await;
    let edit = |body: &str| chat.edit(ana, lunch, said.id, body.to_owned());
    match edit("spam?").await {
        Err(error @ Error::Refused(_)) => assert_eq!(error.to_string(), "no advertising here"),
        other => panic!("{other:?}"),
    }
    match edit("nothing").await {
        Err(Error::Invalid { field, code, .. }) => assert_eq!((field, code), ("body", "blank")),
        other => panic!("{other:?}"),
    }
    assert_eq!(chat.message(ana, lunch, said.id).await.unwrap(), said);
    assert_eq!(edit("a secret").await.unwrap().body, "a ******");
}
