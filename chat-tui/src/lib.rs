//! A terminal client: a live conversation list and chats.
//!
//! `app` is what is true: a pure `update(event) -> effects`. `ui` is what it looks like: it reads the state only. `run`
//! brings both together with the terminal and the server.

pub mod app;
mod appearance;
pub mod config;
pub mod deed;
pub mod effect;
pub mod event;
mod outside;
mod perform;
mod run;
#[cfg_attr(not(unix), path = "no_suspend.rs")]
mod suspend;
mod terminal;
pub mod ui;

pub use run::{Options, run};
