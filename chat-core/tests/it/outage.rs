//! The store fails, hangs, or commits without an answer: nothing false is said, and all goes on when it is back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use chat_core::{
    Chat, Error, Session,
    model::{ConversationId, UserId},
    protocol::{ServerFrame, Signal},
    store::StoreError,
};
use tokio::time::Instant;

use crate::{
    interposed::{Interpose, InterposedStore},
    support::{draft, entries_to, frames, group, say, seqs},
};

const FINE: u8 = 0;
const FAILING: u8 = 1;
const HANGING: u8 = 2;
/// A commit happens, and its answer never comes; all else hangs.
const SILENT: u8 = 3;

/// What a caller waits for at most when the store is gone.
const PROMISED: Duration = Duration::from_secs(2);

/// How the database is; clones share it.
#[derive(Clone, Debug, Default)]
struct Mood(Arc<AtomicU8>);

impl Mood {
    fn set(&self, mood: u8) {
        self.0.store(mood, Ordering::Relaxed);
    }
}

impl Interpose for Mood {
    async fn call<T: Send>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match self.0.load(Ordering::Relaxed) {
            FINE => work.await,
            FAILING => Err(StoreError::unavailable("the connection is gone")),
            SILENT if name == "commit" => {
                work.await?;
                std::future::pending().await
            }
            _ => std::future::pending().await,
        }
    }
}

/// A store whose database goes away and comes back.
type MoodyStore = InterposedStore<Mood>;

/// Two people in a group, and the session of the second, who follows it.
async fn lunch(store: &MoodyStore) -> (Chat, UserId, ConversationId, Session) {
    let chat = Chat::builder().store(store.clone()).start().await.unwrap();
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut session = chat.connect(ben).await.unwrap();
    session.join(lunch, Some(0)).await.unwrap();
    entries_to(&mut session, lunch, 2).await;
    (chat, ana, lunch, session)
}

fn assert_unavailable<T: std::fmt::Debug>(outcome: &Result<T, Error>, since: Instant) {
    assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    let took = since.elapsed();
    assert!(took <= PROMISED, "an error after {took:?}");
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_gone_everybody_hears_so_soon_and_afterwards_all_goes_on() {
    for mood in [FAILING, HANGING] {
        let store = MoodyStore::default();
        let (chat, ana, lunch, mut session) = lunch(&store).await;
        store.calls.set(mood);
        let retried = draft("did this arrive?");
        let mut sends = tokio::task::JoinSet::new();
        for n in 0..600 {
            let (chat, draft) = (
                chat.clone(),
                if n == 0 { retried.clone() } else { draft("x") },
            );
            sends.spawn(async move {
                tokio::time::sleep(Duration::from_millis(n * 10)).await;
                let since = Instant::now();
                assert_unavailable(&chat.send(ana, lunch, draft).await, since);
                let since = Instant::now();
                assert_unavailable(&chat.mark_read(ana, lunch, 1).await, since);
                assert_unavailable(&chat.check().await, Instant::now());
            });
        }
        sends.join_all().await;
        assert_unavailable(&chat.rows(ana, None, 10).await, Instant::now());
        assert_unavailable(&chat.direct(ana, UserId::new()).await, Instant::now());

        store.calls.set(FINE);
        let back = Instant::now();
        let sent = chat.send(ana, lunch, retried).await.unwrap();
        assert_eq!(
            (sent.message.seq, sent.repeated),
            (3, false),
            "nothing false was kept"
        );
        assert_eq!(seqs(&entries_to(&mut session, lunch, 3).await), [3]);
        assert!(back.elapsed() <= Duration::from_secs(5));
        chat.check().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_was_lost_is_seen_by_all_when_the_store_is_back() {
    let store = MoodyStore::default();
    let (chat, ana, lunch, mut session) = lunch(&store).await;
    store.calls.set(SILENT);
    let lost = draft("committed, and nobody knows");
    let since = Instant::now();
    assert_unavailable(&chat.send(ana, lunch, lost.clone()).await, since);

    store.calls.set(FINE);
    let back = Instant::now();
    // Nobody tries again, and yet it is told, in the conversation and in the list.
    let (mut told, mut listed) = (false, false);
    while !(told && listed) {
        for frame in frames(&mut session).await {
            match frame {
                ServerFrame::Log(entry) => told |= entry.seq == 3,
                ServerFrame::Signal(Signal::ConversationUpdated { row }) => {
                    listed |= row.unread.count == 1;
                }
                _ => {}
            }
        }
    }
    assert!(back.elapsed() <= Duration::from_secs(5));
    let again = chat.send(ana, lunch, lost).await.unwrap();
    assert_eq!((again.message.seq, again.repeated), (3, true));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_comes_late_is_told_with_the_retry() {
    let store = MoodyStore::default();
    let (chat, ana, lunch, mut session) = lunch(&store).await;
    store.calls.set(HANGING);
    let late = draft("still on its way");
    let since = Instant::now();
    assert_unavailable(&chat.send(ana, lunch, late.clone()).await, since);
    store.calls.set(FINE);
    tokio::time::sleep(Duration::from_secs(10)).await;

    // The rooms were compared with the store by now; then what hung takes place after all, past the engine.
    let elsewhere = Chat::builder()
        .store(store.inner.clone())
        .start()
        .await
        .unwrap();
    elsewhere.send(ana, lunch, late.clone()).await.unwrap();
    let retried = chat.send(ana, lunch, late).await.unwrap();
    assert!(retried.repeated);
    assert_eq!(seqs(&entries_to(&mut session, lunch, 3).await), [3]);
    say(&chat, ana, lunch, "and on").await;
    assert_eq!(seqs(&entries_to(&mut session, lunch, 4).await), [4]);
}
