//! The program itself, in a terminal and with a real server: what only a run as users have it can show.

mod again;
mod chatting;
mod client;
mod endings;
mod server;
mod terminal;
