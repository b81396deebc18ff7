//! What the disk promises.

use std::path::Path;

use chat_core::model::{
    Change, ClientId, ConversationId, Draft, Entry, Message, MessageId, Profile, Seq, Timestamp,
    UserId,
};
use uuid::Uuid;

use super::{Cache, Put};
use crate::kept::{Heard, Kept, KeptDraft, Refusal};

const ME: u128 = 1;
const PLACE: u128 = 7;

fn me() -> UserId {
    UserId::from_uuid(Uuid::from_u128(ME))
}

fn place() -> ConversationId {
    ConversationId::from_uuid(Uuid::from_u128(PLACE))
}

fn client_id(n: u128) -> ClientId {
    ClientId::from_uuid(Uuid::from_u128(n))
}

fn profile() -> Profile {
    Profile {
        id: me(),
        username: "maya".to_owned(),
        display_name: "Maya".to_owned(),
        presence: None,
    }
}

fn put(n: u128, body: &str) -> Put {
    Put {
        conversation: place(),
        draft: Draft {
            client_id: client_id(n),
            body: body.to_owned(),
            reply_to: None,
        },
        at: Timestamp::from_millis(1_000),
        replaces: None,
        was_draft: true,
    }
}

fn message(seq: Seq, body: &str) -> Message {
    Message {
        id: MessageId::from_uuid(Uuid::from_u128(u128::from(seq))),
        conversation_id: place(),
        seq,
        sender_id: me(),
        client_id: client_id(u128::from(seq)),
        body: body.to_owned(),
        reply_to: None,
        mentions: Vec::new(),
        mentions_everyone: false,
        reactions: Vec::new(),
        created_at: Timestamp::from_millis(i64::try_from(seq).unwrap()),
        edited_at: None,
        deleted_at: None,
        pinned_at: None,
        changed_seq: seq,
    }
}

fn entry(seq: Seq, change: Change) -> Entry {
    Entry {
        conversation_id: place(),
        seq,
        at: Timestamp::from_millis(0),
        change,
    }
}

fn said(seq: Seq, body: &str) -> Entry {
    let message = message(seq, body);
    entry(seq, Change::NewMessage { message })
}

async fn open(directory: &Path) -> (Cache, Kept) {
    Cache::open(directory, me()).await.unwrap()
}

fn bodies(kept: &Kept) -> Vec<&str> {
    let outbox = kept.outbox.iter();
    outbox.map(|queued| queued.draft.body.as_str()).collect()
}

#[tokio::test]
async fn what_is_in_the_outbox_is_there_again_in_order_until_it_is_taken_out() {
    let home = tempfile::tempdir().unwrap();
    let (cache, kept) = open(home.path()).await;
    assert!(kept.outbox.is_empty() && kept.drafts.is_empty() && kept.me.is_none());
    for (n, body) in [(1, "one"), (2, "two"), (3, "three")] {
        cache.words.put(put(n, body)).await.unwrap().unwrap();
    }
    cache.words.remove(client_id(2));
    let reason = "no".to_owned();
    cache.words.refused(
        client_id(1),
        Refusal {
            reason,
            needs_new_id: true,
        },
    );
    cache.close().await;

    let (cache, kept) = open(home.path()).await;
    assert_eq!(bodies(&kept), ["one", "three"]);
    assert!(kept.outbox[0].refusal.as_ref().unwrap().needs_new_id);
    assert_eq!(kept.outbox[1].refusal, None);
    // Sent again under another name, it is there once, and no longer refused.
    let again = Put {
        replaces: Some(client_id(1)),
        was_draft: false,
        ..put(9, "one")
    };
    cache.words.put(again).await.unwrap().unwrap();
    cache.close().await;
    let (_, kept) = open(home.path()).await;
    assert_eq!(bodies(&kept), ["three", "one"]);
    assert_eq!(kept.outbox[1].refusal, None);
}

#[tokio::test]
async fn the_words_of_a_draft_are_in_the_draft_or_in_the_outbox_and_never_in_both() {
    let home = tempfile::tempdir().unwrap();
    let (cache, _) = open(home.path()).await;
    let draft = |body: &str| KeptDraft {
        body: body.to_owned(),
        ..KeptDraft::default()
    };
    cache.words.draft(place(), draft("hel"));
    cache.words.draft(place(), draft("hello"));
    // As if the process had ended: the file is read while it is still open.
    let wait = cache.words.put(Put {
        conversation: ConversationId::new(),
        ..put(1, "elsewhere")
    });
    wait.await.unwrap().unwrap();
    let (other, kept) = open(home.path()).await;
    assert_eq!(kept.drafts, [(place(), draft("hello"))]);
    other.close().await;

    cache.words.put(put(2, "hello")).await.unwrap().unwrap();
    let (other, kept) = open(home.path()).await;
    assert!(kept.drafts.is_empty());
    assert_eq!(bodies(&kept), ["elsewhere", "hello"]);
    other.close().await;
    cache.close().await;
}

#[tokio::test]
async fn a_log_is_recalled_without_holes_and_as_it_is_now() {
    let home = tempfile::tempdir().unwrap();
    let (cache, _) = open(home.path()).await;
    let edited = Message {
        body: "pears".to_owned(),
        changed_seq: 6,
        ..message(4, "")
    };
    let deleted = Message {
        body: String::new(),
        deleted_at: Some(Timestamp::from_millis(1)),
        changed_seq: 7,
        ..message(5, "")
    };
    cache.heard.keep(Heard::Entries(vec![
        said(1, "lost in the dark"),
        said(4, "apples are good"),
        said(5, "a secret"),
        entry(6, Change::MessageEdited { message: edited }),
        entry(
            7,
            Change::MessageDeleted {
                message: deleted,
                by: me(),
            },
        ),
    ]));
    cache.close().await;

    let (cache, _) = open(home.path()).await;
    let tail = cache.reader.tail(place(), 50).await.unwrap();
    let seqs: Vec<Seq> = tail.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [4, 5, 6, 7]);
    assert_eq!(tail[0].message().unwrap().body, "pears");
    assert_eq!(tail[1].message().unwrap().body, "");

    let stretch = cache.reader.stretch(place(), 3, 2).await.unwrap();
    assert_eq!(stretch.unwrap().len(), 2);
    assert_eq!(cache.reader.stretch(place(), 2, 2).await.unwrap(), None);

    let found = async |words: &str| {
        let words = chat_core::store::words(words);
        let found = cache.reader.search(&words, None).await.unwrap();
        found.iter().map(|message| message.seq).collect::<Vec<_>>()
    };
    assert_eq!(found("pea").await, [4]);
    assert_eq!(found("apples").await, [0; 0]);
    assert_eq!(found("secret").await, [0; 0]);
    assert_eq!(found("DARK lost").await, [1]);
    assert_eq!(found("los dark").await, [0; 0]);
    cache.close().await;
    let bytes = std::fs::read(home.path().join(format!("{}.cache.db", me()))).unwrap();
    let secret = b"a secret";
    assert!(!bytes.windows(secret.len()).any(|window| window == secret));
}

#[tokio::test]
async fn another_life_of_the_store_and_signing_out_leave_nothing_of_the_server_but_the_words() {
    let home = tempfile::tempdir().unwrap();
    let (cache, _) = open(home.path()).await;
    let me = profile();
    cache.heard.keep(Heard::Me(me.clone()));
    cache.heard.begin_epoch(Uuid::from_u128(1));
    cache.heard.keep(Heard::Entries(vec![said(1, "one")]));
    cache.words.put(put(1, "mine")).await.unwrap().unwrap();
    cache.close().await;
    let (cache, kept) = open(home.path()).await;
    assert_eq!(kept.me, Some(me));
    assert_eq!(cache.epoch, Some(Uuid::from_u128(1)));
    assert_eq!(cache.reader.tail(place(), 9).await.unwrap().len(), 1);
    cache.heard.begin_epoch(Uuid::from_u128(2));
    cache.heard.keep(Heard::Entries(vec![said(1, "other")]));
    cache.close().await;
    let (cache, _) = open(home.path()).await;
    let tail = cache.reader.tail(place(), 9).await.unwrap();
    assert_eq!(tail[0].message().unwrap().body, "other");
    cache.heard.forget_all();
    cache.close().await;
    let (cache, kept) = open(home.path()).await;
    assert!(cache.reader.tail(place(), 9).await.unwrap().is_empty());
    assert_eq!(cache.epoch, None);
    assert_eq!(bodies(&kept), ["mine"]);
}

#[tokio::test]
async fn a_damaged_cache_is_made_anew_and_damaged_words_are_named_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join(format!("{}.cache.db", me()));
    let words = home.path().join(format!("{}.words.db", me()));
    std::fs::write(
        &cache,
        "not a database, and longer than the header of one: ".repeat(99),
    )
    .unwrap();
    let (opened, kept) = open(home.path()).await;
    assert!(kept.rows.is_empty());
    opened.close().await;

    let garbage = "not a database either ".repeat(99);
    std::fs::write(&words, &garbage).unwrap();
    let error = Cache::open(home.path(), me()).await.unwrap_err();
    assert!(format!("{error:#}").contains("words.db holds what you wrote"));
    assert_eq!(std::fs::read_to_string(&words).unwrap(), garbage);
}
