//! What is read at the start and kept between two runs: the user's `config.toml`, and a profile for each sign-in.

mod file;
mod keys;
mod preferences;
mod profile;

pub use file::Config;
pub use keys::rebindings;
pub use preferences::Preferences;
pub use profile::Profile;
