//! A terminal client: a live conversation list and chats.
//!
//! `app` is what is true: a pure `update(event) -> effects`. `ui` is what it looks like: it reads the state only. `run`
//! brings both together with the terminal and the server. `commands` is what scripts do without all that.

pub mod app;
mod appearance;
mod cache;
pub mod commands;
pub mod config;
pub mod deed;
mod editor;
pub mod effect;
pub mod event;
mod hyperlinks;
pub mod kept;
mod opener;
mod outside;
mod perform;
mod run;
mod signals;
#[cfg_attr(not(unix), path = "no_suspend.rs")]
mod suspend;
mod terminal;
pub mod ui;

pub use run::{Options, run};
