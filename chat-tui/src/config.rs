//! A profile on disk: which server, who, the refresh token, the preferences, and the log.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use etcetera::base_strategy::{BaseStrategy, Xdg};
use serde::{Deserialize, Serialize};

use crate::ui::Preset;

/// A log beyond this size is put aside at the next start.
const LOG_BYTES: u64 = 1 << 20;

/// A directory of its own for each profile; held by one client at a time.
#[derive(Debug)]
pub struct Profile {
    directory: PathBuf,
    saved: Saved,
    preferences: Preferences,
    _lock: File,
}

/// What is kept between two runs.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    server: String,
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

impl std::fmt::Debug for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Saved")
            .field("server", &self.server)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// How the user wants this client to be; kept in `preferences.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preferences {
    /// After so many minutes without a key others see that nobody sits here; 0 is never.
    pub idle_after_minutes: u32,
    /// How it is told that something makes itself heard while nobody looks.
    pub notify: Notifications,
    /// The colours that it has.
    pub theme: Preset,
    /// Without glyphs that a terminal or its font may lack; else the locale decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ascii: Option<bool>,
}

/// How a terminal is told what makes itself heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notifications {
    /// By the best way that the terminal is known to have.
    #[default]
    Auto,
    /// By a noise alone.
    Bell,
    /// Shown by iTerm2, `WezTerm`, Ghostty and others.
    Osc9,
    /// Shown by foot, urxvt and others.
    Osc777,
    /// Shown by kitty.
    Osc99,
    /// Not at all.
    Off,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            idle_after_minutes: 5,
            notify: Notifications::Auto,
            theme: Preset::Terminal,
            ascii: None,
        }
    }
}

impl Profile {
    /// Opens a profile by name in the user's data directory, and makes it if it is new.
    pub fn open(name: &str) -> anyhow::Result<Self> {
        let directories = Xdg::new().context("the home directory cannot be found")?;
        Self::open_in(&directories.data_dir().join("chat-tui"), name)
    }

    /// Opens a profile by name below a directory.
    pub fn open_in(directory: &Path, name: &str) -> anyhow::Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        ensure!(
            !name.is_empty() && name.len() <= 64 && name.chars().all(allowed),
            "a profile is named with letters, digits, - and _"
        );
        let directory = directory.join(name);
        create_private_directory(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let lock = lock(&directory.join("lock"), name)?;
        let path = directory.join("credentials.toml");
        let saved = match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .with_context(|| format!("{} is damaged; remove it", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Saved::default(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let path = directory.join("preferences.toml");
        let preferences = match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .with_context(|| format!("{} cannot be understood", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Preferences::default(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Ok(Self {
            directory,
            saved,
            preferences,
            _lock: lock,
        })
    }

    /// The server of the last sign-in.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        Some(self.saved.server.as_str()).filter(|server| !server.is_empty())
    }

    /// The user name of the last sign-in.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.saved.username
    }

    /// The token of a sign-in to this server that has not ended.
    #[must_use]
    pub fn refresh_token(&self, server: &str) -> Option<&str> {
        let token = self.saved.refresh_token.as_deref()?;
        (self.saved.server == server).then_some(token)
    }

    /// Keeps who signed in where.
    pub fn signed_in(
        &mut self,
        server: &str,
        username: &str,
        token: Option<String>,
    ) -> anyhow::Result<()> {
        self.saved = Saved {
            server: server.to_owned(),
            username: username.to_owned(),
            refresh_token: token,
        };
        self.save()
    }

    /// Keeps the newest token; none when the sign-in has ended.
    pub fn set_refresh_token(&mut self, token: Option<String>) -> anyhow::Result<()> {
        if self.saved.refresh_token == token {
            return Ok(());
        }
        self.saved.refresh_token = token;
        self.save()
    }

    /// How the user wants this client to be.
    #[must_use]
    pub fn preferences(&self) -> Preferences {
        self.preferences
    }

    /// Keeps how the user wants this client to be.
    pub fn set_preferences(&mut self, preferences: Preferences) -> anyhow::Result<()> {
        self.preferences = preferences;
        let text = toml::to_string(&preferences).context("the preferences cannot be written")?;
        self.write("preferences.toml", &text)
    }

    fn save(&self) -> anyhow::Result<()> {
        let text = toml::to_string(&self.saved).context("the credentials cannot be written")?;
        self.write("credentials.toml", &text)
    }

    /// Writes beside the old file and puts the new one in its place, so that no moment leaves half a file.
    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.directory.join(name);
        let beside = self.directory.join(format!("{name}.new"));
        let write = || -> std::io::Result<()> {
            let mut file = private_file(&beside)?;
            file.set_len(0)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// The log file, to be appended to.
    pub fn log(&self) -> anyhow::Result<File> {
        let path = self.directory.join("chat-tui.log");
        if fs::metadata(&path).is_ok_and(|data| data.len() > LOG_BYTES) {
            fs::rename(&path, self.directory.join("chat-tui.log.old"))
                .with_context(|| format!("cannot move {}", path.display()))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        private(&mut options);
        options
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))
    }
}

/// Two clients on one sign-in would each spend the token of the other, and the server would end it.
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

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(false);
    private(&mut options);
    options.open(path)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_: &mut OpenOptions) {}

#[cfg(unix)]
fn create_private_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(not(unix))]
fn create_private_directory(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_is_found_again_by_its_server_only() {
        let home = tempfile::tempdir().unwrap();
        let mut profile = Profile::open_in(home.path(), "work").unwrap();
        profile
            .signed_in("http://a", "maya", Some("first".to_owned()))
            .unwrap();
        profile
            .set_refresh_token(Some("second".to_owned()))
            .unwrap();
        drop(profile);

        let mut profile = Profile::open_in(home.path(), "work").unwrap();
        assert_eq!(
            (profile.server(), profile.username()),
            (Some("http://a"), "maya")
        );
        assert_eq!(profile.refresh_token("http://a"), Some("second"));
        assert_eq!(profile.refresh_token("http://b"), None);
        assert!(!format!("{profile:?}").contains("second"));

        profile.set_refresh_token(None).unwrap();
        assert_eq!(profile.refresh_token("http://a"), None);
    }

    #[test]
    fn preferences_are_found_again_and_a_word_that_is_none_is_named() {
        let home = tempfile::tempdir().unwrap();
        let mut profile = Profile::open_in(home.path(), "work").unwrap();
        assert_eq!(profile.preferences().idle_after_minutes, 5);
        let later = Preferences {
            idle_after_minutes: 15,
            notify: Notifications::Osc99,
            theme: Preset::HighContrast,
            ascii: Some(true),
        };
        profile.set_preferences(later).unwrap();
        drop(profile);
        let profile = Profile::open_in(home.path(), "work").unwrap();
        assert_eq!(profile.preferences(), later);
        drop(profile);
        fs::write(home.path().join("work/preferences.toml"), "idle = 3").unwrap();
        let error = Profile::open_in(home.path(), "work").unwrap_err();
        assert!(error.to_string().contains("preferences.toml"));
    }

    #[test]
    fn one_profile_serves_one_client_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let first = Profile::open_in(home.path(), "work").unwrap();
        let error = Profile::open_in(home.path(), "work").unwrap_err();
        assert!(error.to_string().contains("--profile"));
        assert!(Profile::open_in(home.path(), "play").is_ok());
        drop(first);
        assert!(Profile::open_in(home.path(), "work").is_ok());
    }

    #[test]
    fn a_name_that_is_a_path_is_refused() {
        let home = tempfile::tempdir().unwrap();
        for name in ["", "..", "a/b", "a\\b", "ä"] {
            assert!(Profile::open_in(home.path(), name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_damaged_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        drop(Profile::open_in(home.path(), "work").unwrap());
        fs::write(home.path().join("work/credentials.toml"), "server = 3").unwrap();
        let error = Profile::open_in(home.path(), "work").unwrap_err();
        assert!(error.to_string().contains("credentials.toml"));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let mut profile = Profile::open_in(home.path(), "work").unwrap();
        profile
            .signed_in("http://a", "maya", Some("token".to_owned()))
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
