//! `config.toml`: what the user sets by hand, for all profiles. The client reads it and never writes it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use etcetera::base_strategy::{BaseStrategy, Xdg};
use serde::Deserialize;

use super::{CredentialStore, Notifications};
use crate::{app::keymap::Preset, ui::Preset as ThemePreset};

/// What `config.toml` says; what is not in it is as in [`Config::DEFAULT`].
///
/// Whoever adds a key adds it here, to the default below, and to `default.toml` with its explanation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// After so many minutes without a key others see that nobody sits here; 0 is never.
    pub idle_after_minutes: u32,
    /// Where the sign-in is kept.
    pub credential_store: CredentialStore,
    /// The set of keys; single ones are bound in `keys.toml`.
    pub keys: Preset,
    /// The mouse is for this client; without, it is for the terminal.
    pub mouse: bool,
    /// How it is told that something makes itself heard while nobody looks.
    pub notify: Notifications,
    /// The colours that it has; single ones are set in `theme.toml`.
    pub theme: ThemePreset,
    /// Without glyphs that a terminal or its font may lack; else the locale decides.
    pub ascii: Option<bool>,
    /// The server to sign in to, where none was named and none is known from before.
    pub server: String,
    /// A command of the shell whose first line of output is the password.
    pub password_command: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            idle_after_minutes: 5,
            credential_store: CredentialStore::default(),
            keys: Preset::Plain,
            mouse: true,
            notify: Notifications::Auto,
            theme: ThemePreset::Terminal,
            ascii: None,
            server: "http://127.0.0.1:8080".to_owned(),
            password_command: None,
        }
    }
}

impl Config {
    /// A file with every key, explained, and set to what holds without it.
    pub const DEFAULT: &str = include_str!("default.toml");

    /// Where the file is looked for: `chat-tui/config.toml` in the user's configuration directory.
    pub fn path() -> anyhow::Result<PathBuf> {
        let directories = Xdg::new().context("the home directory cannot be found")?;
        Ok(directories.config_dir().join("chat-tui/config.toml"))
    }

    /// Reads the file; there need not be one.
    pub fn load() -> anyhow::Result<Self> {
        let path = Self::path()?;
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Reads this file, which must be there.
    pub fn load_from(path: &Path) -> anyhow::Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text, path)
    }

    /// The address that was given, else that of the last sign-in, else what this file says.
    #[must_use]
    pub fn server(&self, given: Option<String>, last: Option<String>) -> String {
        given.or(last).unwrap_or_else(|| self.server.clone())
    }

    fn parse(text: &str, path: &Path) -> anyhow::Result<Self> {
        toml::from_str(text).map_err(|error| {
            let error = error.to_string();
            anyhow!("{} cannot be used: {}", path.display(), error.trim_end())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The default file with its keys no longer commented out.
    fn spelled_out() -> String {
        let key = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
        let lines = Config::DEFAULT.lines();
        let spelled_out = lines.map(|line| match line.strip_prefix('#') {
            Some(rest) if key(rest) => rest,
            _ => line,
        });
        spelled_out.collect::<Vec<_>>().join("\n")
    }

    fn parse(text: &str) -> anyhow::Result<Config> {
        Config::parse(text, Path::new("config.toml"))
    }

    #[test]
    fn the_printed_default_changes_nothing_and_has_every_key() {
        assert_eq!(parse(Config::DEFAULT).unwrap(), Config::default());
        let spelled_out = Config {
            // Their lines are examples.
            password_command: None,
            ascii: None,
            ..parse(&spelled_out()).unwrap()
        };
        assert_eq!(spelled_out, Config::default());
        let known = parse("no_such_key = 1").unwrap_err().to_string();
        let (_, known) = known.split_once("expected").unwrap();
        let keys: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        assert!(!keys.is_empty());
        for key in keys {
            assert!(Config::DEFAULT.contains(&format!("#{key} = ")), "{key}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_what_there_is() {
        let text = "idle_after_minutes = 5\nidle = 3\n";
        let error = parse(text).unwrap_err().to_string();
        for told in ["config.toml", "line 2", "`idle`", "`idle_after_minutes`"] {
            assert!(error.contains(told), "{told}: {error}");
        }
    }
}
