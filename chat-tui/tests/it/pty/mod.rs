//! The program itself, in a terminal and with a real server: what only a run as users have it can show.

#![allow(
    clippy::print_stdout,
    reason = "it is how a process tells the one that started it where it is"
)]

mod again;
mod chatting;
mod client;
mod endings;
mod hostile;
mod looks;
mod restarts;
mod server;
mod sizes;
mod suspending;
mod terminal;
