//! What tests of stores and buses need from outside of this crate.

#[cfg(feature = "nats")]
mod nats;
mod port;
#[cfg(feature = "postgres")]
mod postgres;

#[cfg(feature = "nats")]
pub use nats::{NatsLaunchError, NatsOperator, PrivateNats};
#[cfg(feature = "postgres")]
pub use postgres::{LaunchError, PrivatePostgres};
