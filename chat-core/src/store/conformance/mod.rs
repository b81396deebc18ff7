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

mod changes;
mod cursors;
mod definitions;
mod direct;
mod groups;
mod history;
mod indexing;
mod log;
mod members;
mod mentions;
mod presence;
mod racing;
mod random;
mod reactions;
mod rows;
mod search;
mod users;
mod visibility;
mod writes;

pub use changes::*;
pub use cursors::*;
pub use direct::*;
pub use groups::*;
pub use history::*;
pub use indexing::*;
pub use log::*;
pub use members::*;
pub use mentions::*;
pub use presence::*;
pub use racing::*;
pub use random::*;
pub use reactions::*;
pub use rows::*;
pub use search::*;
pub use users::*;
pub use visibility::*;
use writes::{
    at, ban, calling, calling_everyone, create, create_discreet, delete, edit, emoji, later, lift,
    mark_delivered, mark_read, mark_read_privately, mark_unread, pin, put, react, remove, rename,
    send, send_as, set_history, unreact, update, update_mine, write,
};

use super::{Committed, Refusal, Store, StoredRow, Write};
use crate::model::{ConversationId, Entry, Message, UserId};

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
            an_edit_replaces_the_text
            a_deleted_message_leaves_a_stub
            a_client_id_is_remembered_whatever_became_of_its_message
            changes_of_a_batch_build_on_each_other
            pins_come_and_go
            reactions_are_counted_and_named
            a_message_takes_so_many_emoji
            a_crowd_that_reacts_is_counted
            a_message_calls_members_but_not_its_sender
            admins_and_owners_call_everyone
            edits_and_deletions_change_who_is_called
            who_comes_later_sees_what_the_history_says
            what_is_hidden_cannot_be_touched
            pages_begin_where_a_history_does
            the_banned_are_not_added_again
            a_group_changes_part_by_part
            a_deleted_conversation_is_gone
            what_is_mine_is_mine_alone
            reading_privately_is_told_to_nobody
            unread_can_be_brought_back
            delivery_only_rises
            readers_are_those_who_are_said_to_have_read
            nobody_writes_to_those_who_block
            blocks_are_listed_and_found
            settings_are_replaced
            words_are_found_in_messages
            a_search_can_be_narrowed
            what_is_found_comes_newest_first_and_in_pages
            what_is_found_is_as_it_is_now
            only_what_one_can_see_is_found
            what_is_said_is_found_before_and_after_it_is_indexed
            what_changes_is_found_as_it_is_whenever_it_is_indexed
            a_long_remainder_is_found
            indexing_can_be_broken_off
            many_may_index_while_others_write
            last_seen_only_rises
            a_lease_holds_until_it_is_ended
            sixty_four_writers_leave_dense_logs
            racing_creators_make_one_group
            racing_marks_never_move_a_cursor_back
            those_who_come_and_go_write_only_while_they_belong
            pages_fit_together_while_others_write
            pages_of_rows_fit_together_while_others_write
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
    one(sent).message().unwrap().clone()
}

/// The one entry that a write came to.
fn one(result: Result<Committed, Refusal>) -> Entry {
    match result {
        Ok(Committed::Appended(mut entries)) if entries.len() == 1 => entries.remove(0),
        other => panic!("this should be one new entry, not {other:?}"),
    }
}

/// Commits a write that comes to one entry.
async fn append(store: &impl Store, write: Write) -> Entry {
    one(commit(store, write).await)
}

/// The row of one conversation in one user's list.
async fn row(store: &impl Store, user: UserId, conversation: ConversationId) -> StoredRow {
    let rows = store.rows_of(user, &[conversation]).await.unwrap();
    assert_eq!(rows.len(), 1, "a member has a row");
    rows.into_iter().next().unwrap()
}

/// A message as it is now.
async fn now(store: &impl Store, message: &Message) -> Message {
    let found = store.message(message.conversation_id, message.id);
    found.await.unwrap().unwrap()
}

/// The rows of a group, told for many at once, are the rows of each of its members.
async fn same_group_rows(store: &impl Store, conversation: ConversationId, users: &[UserId]) {
    let group = store.group_rows(conversation, users).await.unwrap();
    let rows = group.map(|group| group.rows).unwrap_or_default();
    let mut told = 0;
    for &user in users {
        let alone = store.rows_of(user, &[conversation]).await.unwrap();
        let among = rows.iter().find(|row| row.user_id == user);
        let among = among.map(|row| (&row.me, row.unread));
        let alone = alone.first().map(|row| (&row.row.me, row.row.unread));
        assert_eq!(among, alone);
        told += usize::from(alone.is_some());
    }
    assert_eq!(rows.len(), told, "one for each who belongs to it");
}
