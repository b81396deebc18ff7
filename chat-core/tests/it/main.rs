//! What chat-core promises to those who embed it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod delivery;
#[cfg(target_os = "linux")]
mod disk_faults;
mod nodes;
mod outage;
mod people;
mod postgres;
mod sqlite;
mod stores;
mod support;
