//! The client as its user meets it: what keys and the server do to what is on the screen.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod commands;
mod convergence;
mod flows;
mod groups;
mod holding;
mod keys;
mod messages;
mod mouse;
mod notifications;
mod properties;
#[cfg(unix)]
mod pty;
mod screens;
mod stage;
mod words;
