//! What tests of stores need from outside of this crate.

mod postgres;

pub use postgres::{LaunchError, PrivatePostgres};
