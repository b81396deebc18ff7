//! What the user can change while the client runs, kept in the profile's `preferences.toml`.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::Config;
use crate::{app::keymap::Preset, ui::Preset as ThemePreset};

/// How the user wants this client to be: as `config.toml` says, unless it was changed in the client since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preferences {
    /// After so many minutes without a key others see that nobody sits here; 0 is never.
    pub idle_after_minutes: u32,
    /// The set of keys.
    pub keys: Preset,
    /// The mouse is for this client; without, it is for the terminal.
    pub mouse: bool,
    /// How it is told that something makes itself heard while nobody looks.
    pub notify: Notifications,
    /// The colours that it has.
    pub theme: ThemePreset,
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
        Self::from(&Config::default())
    }
}

impl From<&Config> for Preferences {
    fn from(config: &Config) -> Self {
        Self {
            idle_after_minutes: config.idle_after_minutes,
            keys: config.keys,
            mouse: config.mouse,
            notify: config.notify,
            theme: config.theme,
            ascii: config.ascii,
        }
    }
}

impl Preferences {
    /// These, but for what a file says that [`differences`](Self::differences) wrote.
    pub(super) fn changed_by(self, file: &str) -> anyhow::Result<Self> {
        // Whole for itself first: the error then names a place in the file.
        toml::from_str::<Self>(file)?;
        let mut all = Table::try_from(self)?;
        all.extend(file.parse::<Table>()?);
        Ok(all.try_into()?)
    }

    /// What is not as in `base`, as a file: `config.toml` holds for all else, also when it is changed later.
    pub(super) fn differences(self, base: Self) -> anyhow::Result<String> {
        let (mut own, base) = (Table::try_from(self)?, Table::try_from(base)?);
        own.retain(|key, value| base.get(key) != Some(value));
        toml::to_string(&own).context("the preferences cannot be written")
    }
}
