//! What chat-core promises to those who embed it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod availability;
mod blocks;
mod cancellation;
mod cursors;
mod delivery;
#[cfg(target_os = "linux")]
mod disk_faults;
mod forward;
mod history;
mod interposed;
mod messages;
mod nats;
mod nodes;
mod outage;
mod people;
mod policy;
mod postgres;
mod removal;
mod slow;
mod sqlite;
mod stats;
mod stores;
mod support;
mod two_nodes;
