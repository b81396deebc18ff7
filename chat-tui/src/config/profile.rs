//! A profile on disk: the sign-in, what was changed in the client, and the log.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use chat_core::client::{Client, ClientError};
use etcetera::base_strategy::{BaseStrategy, Xdg};

use super::{
    Config, Credentials, Log, Preferences,
    credentials::Saved,
    files::{create_private_directory, private_file, write_in_place},
};

/// A directory of its own for each profile. One client with a screen holds it at a time; commands only share its sign-in.
#[derive(Debug)]
pub struct Profile {
    directory: PathBuf,
    credentials: Arc<Credentials>,
    who: Saved,
    /// What `config.toml` says.
    base: Preferences,
    preferences: Preferences,
    _lock: File,
}

impl Profile {
    /// Opens a profile by name in the user's data directory, and makes it if it is new.
    pub fn open(name: &str, config: &Config) -> anyhow::Result<Self> {
        Self::open_in(&data_directory()?, name, config)
    }

    /// Opens a profile by name below a directory.
    pub fn open_in(directory: &Path, name: &str, config: &Config) -> anyhow::Result<Self> {
        let directory = directory_of(directory, name)?;
        let lock = lock(&directory.join("lock"), name)?;
        let credentials = Credentials::new(directory.clone(), config.credential_store);
        let base = Preferences::from(config);
        let path = directory.join("preferences.toml");
        let preferences = match fs::read_to_string(&path) {
            Ok(text) => base
                .changed_by(&text)
                .with_context(|| format!("{} cannot be understood", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => base,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Ok(Self {
            directory,
            who: credentials.read()?,
            credentials: Arc::new(credentials),
            base,
            preferences,
            _lock: lock,
        })
    }

    /// The sign-in alone, which other processes may use at the same time.
    pub fn credentials(name: &str, config: &Config) -> anyhow::Result<Credentials> {
        let directory = directory_of(&data_directory()?, name)?;
        Ok(Credentials::new(directory, config.credential_store))
    }

    /// A client for this server that goes on with the sign-in of this profile, if it is there, and keeps it.
    pub fn client(&self, server: &str) -> Result<Client, ClientError> {
        self.credentials.client(server)
    }

    /// Where everything of this profile is kept.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The server of the last sign-in.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.who.server()
    }

    /// The user name of the last sign-in.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.who.username
    }

    /// Whether there is a sign-in to this server to go on with.
    #[must_use]
    pub fn is_signed_in(&self, server: &str) -> bool {
        self.who.is_signed_in(server)
    }

    /// Keeps who signed in where; what becomes of the token later, the [client](Self::client) keeps.
    pub fn signed_in(
        &mut self,
        server: &str,
        username: &str,
        token: Option<&str>,
    ) -> anyhow::Result<()> {
        self.credentials.signed_in(server, username, token)?;
        self.who = self.credentials.read()?;
        Ok(())
    }

    /// How the user wants this client to be.
    #[must_use]
    pub fn preferences(&self) -> Preferences {
        self.preferences
    }

    /// Keeps how the user wants this client to be.
    pub fn set_preferences(&mut self, preferences: Preferences) -> anyhow::Result<()> {
        self.preferences = preferences;
        let text = preferences.differences(self.base)?;
        write_in_place(&self.directory, "preferences.toml", &text)
    }

    /// The log, to be written to.
    pub fn log(&self) -> anyhow::Result<Log> {
        Log::open(self.directory.join("chat-tui.log"))
    }
}

fn data_directory() -> anyhow::Result<PathBuf> {
    let directories = Xdg::new().context("the home directory cannot be found")?;
    Ok(directories.data_dir().join("chat-tui"))
}

fn directory_of(all: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    ensure!(
        !name.is_empty() && name.len() <= 64 && name.chars().all(allowed),
        "a profile is named with letters, digits, - and _"
    );
    let directory = all.join(name);
    create_private_directory(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    Ok(directory)
}

/// Two screens on one profile would each write over what the other one keeps.
fn lock(path: &Path, name: &str) -> anyhow::Result<File> {
    let file = private_file(path).with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "the profile {name} is in use by another chat-tui; start this one with --profile NAME"
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CredentialStore;

    fn config(idle_after_minutes: u32) -> Config {
        Config {
            idle_after_minutes,
            credential_store: CredentialStore::File,
            ..Config::default()
        }
    }

    fn open(home: &tempfile::TempDir, name: &str) -> anyhow::Result<Profile> {
        Profile::open_in(home.path(), name, &config(5))
    }

    #[test]
    fn a_sign_in_is_found_again_by_its_server_only() {
        let home = tempfile::tempdir().unwrap();
        let mut profile = open(&home, "work").unwrap();
        profile
            .signed_in("http://a", "maya", Some("secret"))
            .unwrap();
        drop(profile);

        let mut profile = open(&home, "work").unwrap();
        assert_eq!(
            (profile.server(), profile.username()),
            (Some("http://a"), "maya")
        );
        assert!(profile.is_signed_in("http://a"));
        assert!(!profile.is_signed_in("http://b"));
        assert!(!format!("{profile:?}").contains("secret"));

        profile.signed_in("http://a", "maya", None).unwrap();
        assert!(!profile.is_signed_in("http://a"));
    }

    #[test]
    fn preferences_are_found_again_and_a_word_that_is_none_is_named() {
        let home = tempfile::tempdir().unwrap();
        let mut profile = open(&home, "work").unwrap();
        assert_eq!(profile.preferences().idle_after_minutes, 5);
        let later = Preferences {
            idle_after_minutes: 15,
            ..Preferences::default()
        };
        profile.set_preferences(later).unwrap();
        drop(profile);
        let profile = open(&home, "work").unwrap();
        assert_eq!(profile.preferences(), later);
        drop(profile);

        // What was changed in the client stays when config.toml changes; what was set back is as there.
        let changed = config(60);
        let mut profile = Profile::open_in(home.path(), "work", &changed).unwrap();
        assert_eq!(profile.preferences(), later);
        profile
            .set_preferences(Preferences::from(&changed))
            .unwrap();
        drop(profile);
        assert_eq!(
            open(&home, "work").unwrap().preferences(),
            Preferences::default()
        );

        fs::write(home.path().join("work/preferences.toml"), "idle = 3").unwrap();
        let error = open(&home, "work").unwrap_err();
        assert!(error.to_string().contains("preferences.toml"));
    }

    #[test]
    fn one_profile_serves_one_client_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let first = open(&home, "work").unwrap();
        let error = open(&home, "work").unwrap_err();
        assert!(error.to_string().contains("--profile"));
        assert!(open(&home, "play").is_ok());
        drop(first);
        assert!(open(&home, "work").is_ok());
    }

    #[test]
    fn a_name_that_is_a_path_is_refused() {
        let home = tempfile::tempdir().unwrap();
        for name in ["", "..", "a/b", "a\\b", "ä"] {
            assert!(open(&home, name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_damaged_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        drop(open(&home, "work").unwrap());
        fs::write(home.path().join("work/credentials.toml"), "server = 3").unwrap();
        let error = open(&home, "work").unwrap_err();
        assert!(error.to_string().contains("credentials.toml"));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let mut profile = open(&home, "work").unwrap();
        profile
            .signed_in("http://a", "maya", Some("token"))
            .unwrap();
        let mode = |path: &str| {
            fs::metadata(home.path().join(path))
                .unwrap()
                .permissions()
                .mode()
        };
        assert_eq!(mode("work/credentials.toml") & 0o777, 0o600);
        assert_eq!(mode("work") & 0o777, 0o700);
    }
}
