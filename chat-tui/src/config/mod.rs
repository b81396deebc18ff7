//! What is read at the start and kept between two runs: the user's `config.toml`, and a profile for each sign-in.

mod credentials;
mod file;
mod files;
mod keyring;
mod keys;
mod log;
mod preferences;
mod profile;

pub use credentials::{CredentialStore, Credentials};
pub use file::Config;
pub use keys::rebindings;
pub use log::Log;
pub use preferences::{Notifications, Preferences};
pub use profile::Profile;
