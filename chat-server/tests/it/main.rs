//! The server as its clients know it: through REST and the socket, and as a process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, reason = "nobody else can reach into a test")]

mod auth;
mod busy;
mod chatting;
mod client;
mod contract;
mod crash;
mod deadlines;
#[cfg(target_os = "linux")]
mod descriptors;
mod errors;
mod history;
mod hostile;
mod limits;
mod marks;
mod matrix;
mod metrics;
mod mount;
mod nats;
mod openapi;
mod postgres;
mod process;
mod rest;
mod slow;
mod socket_examples;
mod support;
mod tls;
mod upgrades;
mod users;
mod ws;
