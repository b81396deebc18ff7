//! The client library against the real server: what its applications see.

mod calls;
mod convergence;
mod live;
mod stage;
