//! What every store must do, as tests that any implementation can run.
//!
//! With `chat-core` among the dev-dependencies with its feature `testing`, and `tokio` with `macros` and
//! `rt-multi-thread`, a test file needs one line for each way to make the store:
//!
//! ```
//! use chat_core::store::MemoryStore;
//!
//! chat_core::store_conformance!(memory, || async { (MemoryStore::default(), ()) });
//! ```
//!
//! The first argument names the module that the tests are in. The second is called once for each of them and gives a new,
//! empty store, and whatever must live as long as it (a temporary directory, or `()`).

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "these are tests: a broken promise panics"
)]

mod direct;
mod history;
mod log;
mod members;
mod presence;
mod random;
mod rows;

pub use direct::*;
pub use history::*;
pub use log::*;
pub use members::*;
pub use presence::*;
pub use random::*;
pub use rows::*;

use super::{Act, Committed, Refusal, Store, StoredRow, Write};
use crate::model::{
    ClientId, ConversationId, Draft, Message, MessageId, Role, Seq, Timestamp, Title, UserId,
};

/// Makes a module of tests, one for each thing that a store promises; see [`conformance`](crate::store::conformance).
#[macro_export]
macro_rules! store_conformance {
    ($module:ident, $make:expr) => {
        $crate::store_conformance! { @tests $module, $make;
            seq_is_dense_from_one
            a_refused_write_does_not_disturb_its_batch
            a_batch_sees_its_own_effects
            a_client_id_has_one_effect_for_ever
            a_client_id_belongs_to_its_sender_and_conversation
            racing_retries_have_one_effect
            a_reply_names_a_message_of_its_conversation
            racing_writers_get_one_order
            a_dropped_commit_leaves_all_or_nothing
            the_epoch_stays
            pages_of_entries_have_no_hole
            messages_are_found_by_place
            bodies_return_to_the_letter
            what_does_not_exist_is_empty
            a_new_group_has_its_owner_and_members
            roles_decide_who_may_do_what
            a_group_keeps_an_owner
            newcomers_start_at_the_head
            those_who_return_start_at_the_head_and_their_rev_goes_on
            what_is_so_already_changes_nothing
            outsiders_get_nothing
            members_are_paged_by_id
            sharing_means_a_conversation_in_common
            a_pair_has_one_direct_conversation
            racing_callers_get_one_direct_conversation
            a_direct_conversation_shows_with_its_first_message
            one_can_talk_to_oneself
            a_direct_conversation_only_takes_messages
            rows_are_sorted_and_paged
            activity_never_goes_back
            rows_show_the_conversation_and_my_place_in_it
            rows_of_gives_what_the_user_belongs_to
            the_rows_of_a_group_are_those_of_its_members
            the_read_cursor_only_rises
            unread_stops_counting_at_its_cap
            random_histories_keep_every_promise
            last_seen_only_rises
        }
    };
    (@tests $module:ident, $make:expr; $($check:ident)*) => {
        mod $module {
            #[allow(unused_imports, reason = "the maker of the store may need nothing from outside")]
            use super::*;
            $(
                #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    let (store, keep) = ($make)().await;
                    $crate::store::conformance::$check(store).await;
                    drop(keep);
                }
            )*
        }
    };
}

/// A point in time, the same in every run.
fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + millis)
}

fn write(conversation_id: ConversationId, author: UserId, act: Act) -> Write {
    Write {
        conversation_id,
        author,
        at: at(0),
        act,
    }
}

fn send(conversation: ConversationId, author: UserId, body: &str) -> Write {
    send_as(conversation, author, ClientId::new(), body, None)
}

fn send_as(
    conversation: ConversationId,
    author: UserId,
    client_id: ClientId,
    body: &str,
    reply_to: Option<MessageId>,
) -> Write {
    let draft = Draft {
        client_id,
        body: body.to_owned(),
        reply_to,
    };
    let id = MessageId::new();
    write(conversation, author, Act::Send { id, draft })
}

fn create(conversation: ConversationId, owner: UserId, members: &[UserId]) -> Write {
    let members = members.to_vec();
    let title = title("Tea");
    write(conversation, owner, Act::CreateGroup { title, members })
}

fn put(conversation: ConversationId, author: UserId, user_id: UserId, role: Option<Role>) -> Write {
    write(conversation, author, Act::PutMember { user_id, role })
}

fn remove(conversation: ConversationId, author: UserId, user_id: UserId) -> Write {
    write(conversation, author, Act::RemoveMember { user_id })
}

fn rename(conversation: ConversationId, author: UserId, text: &str) -> Write {
    let title = title(text);
    write(conversation, author, Act::Rename { title })
}

fn mark_read(conversation: ConversationId, author: UserId, seq: Seq) -> Write {
    write(conversation, author, Act::MarkRead { seq })
}

fn title(text: &str) -> Title {
    Title::try_from(text.to_owned()).unwrap()
}

/// Commits one write on its own.
async fn commit(store: &impl Store, write: Write) -> Result<Committed, Refusal> {
    let mut results = store.commit(&[write]).await.unwrap();
    assert_eq!(results.len(), 1, "one result for one write");
    results.remove(0)
}

/// Makes a group of these people.
async fn group(store: &impl Store, owner: UserId, members: &[UserId]) -> ConversationId {
    let id = ConversationId::new();
    let created = commit(store, create(id, owner, members)).await;
    assert!(matches!(created, Ok(Committed::Appended(_))), "{created:?}");
    id
}

/// Says something that must be accepted.
async fn say(
    store: &impl Store,
    conversation: ConversationId,
    author: UserId,
    body: &str,
) -> Message {
    message(commit(store, send(conversation, author, body)).await)
}

/// The message that a send put in the log.
fn message(sent: Result<Committed, Refusal>) -> Message {
    match sent {
        Ok(Committed::Appended(entries)) if entries.len() == 1 => {
            entries[0].message().unwrap().clone()
        }
        other => panic!("a send should be one new entry, not {other:?}"),
    }
}

/// The row of one conversation in one user's list.
async fn row(store: &impl Store, user: UserId, conversation: ConversationId) -> StoredRow {
    let rows = store.rows_of(user, &[conversation]).await.unwrap();
    assert_eq!(rows.len(), 1, "a member has a row");
    rows.into_iter().next().unwrap()
}
