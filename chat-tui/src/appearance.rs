//! How it all looks: by the preferences, the user's own theme, and what is known of the terminal.

use std::{fs, io::ErrorKind};

use anyhow::{Context, anyhow};
use etcetera::base_strategy::{BaseStrategy, Xdg};

use crate::{
    config::Preferences,
    ui::{Glyphs, Palette, Theme},
};

/// The theme that `theme.toml` in the user's configuration directory changes, if there is one.
///
/// `plain` is for screen readers; `variable` is the environment.
pub(crate) fn theme(
    preferences: Preferences,
    plain: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Theme> {
    let palette = Palette::preset(preferences.theme);
    let path = Xdg::new()
        .context("the home directory cannot be found")?
        .config_dir()
        .join("chat-tui/theme.toml");
    let palette = match fs::read_to_string(&path) {
        Ok(text) => palette
            .changed_by(&text)
            .map_err(|wrong| anyhow!("{} cannot be understood: {wrong}", path.display()))?,
        Err(error) if error.kind() == ErrorKind::NotFound => palette,
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    };
    Ok(suited(palette, preferences, plain, variable))
}

/// What the terminal can show of it.
fn suited(
    palette: Palette,
    preferences: Preferences,
    plain: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> Theme {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let palette = if variable("NO_COLOR").is_some() {
        Palette::colorless()
    } else if matches!(
        variable("COLORTERM").as_deref(),
        Some("truecolor" | "24bit")
    ) {
        palette
    } else {
        palette.in_sixteen()
    };
    let is_utf8 = || {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(&variable);
        // Where nothing is said about it, it is as everywhere else by now.
        locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
    };
    let glyphs = if plain {
        Glyphs::Plain
    } else if preferences.ascii.unwrap_or_else(|| !is_utf8()) {
        Glyphs::Ascii
    } else {
        Glyphs::Unicode
    };
    Theme::new(palette, glyphs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Preset;

    fn look(preferences: Preferences, variables: &[(&str, &str)]) -> Theme {
        suited(
            Palette::preset(preferences.theme),
            preferences,
            false,
            |name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            },
        )
    }

    #[test]
    fn colours_are_as_many_as_the_terminal_has_and_none_if_the_user_wants_none() {
        let dark = Preferences {
            theme: Preset::Dark,
            ..Preferences::default()
        };
        let palette = Palette::preset(Preset::Dark);
        let theme = |palette| Theme::new(palette, Glyphs::Unicode);
        assert_eq!(look(dark, &[("COLORTERM", "truecolor")]), theme(palette));
        assert_eq!(look(dark, &[]), theme(palette.in_sixteen()));
        let variables = [("COLORTERM", "truecolor"), ("NO_COLOR", "1")];
        assert_eq!(look(dark, &variables), theme(Palette::colorless()));
    }

    #[test]
    fn glyphs_are_ascii_where_the_locale_or_the_user_says_so() {
        let ascii = |ascii, variables: &[(&str, &str)]| {
            let preferences = Preferences {
                ascii,
                ..Preferences::default()
            };
            look(preferences, variables).glyphs() == Glyphs::Ascii
        };
        assert!(!ascii(None, &[]));
        assert!(!ascii(None, &[("LANG", "de_DE.UTF-8")]));
        assert!(ascii(None, &[("LANG", "C")]));
        assert!(ascii(
            None,
            &[("LANG", "C.utf8"), ("LC_ALL", "de_DE.ISO-8859-1")]
        ));
        assert!(ascii(Some(true), &[("LANG", "C.UTF-8")]));
        assert!(!ascii(Some(false), &[("LANG", "C")]));
    }
}
