//! What chat-core promises to those who embed it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cancellation;
mod delivery;
#[cfg(target_os = "linux")]
mod disk_faults;
mod interposed;
mod nodes;
mod outage;
mod people;
mod policy;
mod postgres;
mod slow;
mod sqlite;
mod stores;
mod support;
mod two_nodes;
