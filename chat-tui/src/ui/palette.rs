//! Colours by what they are for: the ready-made palettes, and one of the user's own.

use std::{array, str::FromStr};

use ratatui::style::Color;
use serde::{Deserialize, Serialize};

/// So many people are told apart by the colour of their names.
pub(super) const NAMES: usize = 6;

/// The ready-made palettes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The sixteen colours of the terminal, whatever it shows for them.
    #[default]
    Terminal,
    /// For a dark background.
    Dark,
    /// For a light background.
    Light,
    /// For a black background, as far from it as can be.
    HighContrast,
}

/// A colour for each role; [`Color::Reset`] is the terminal's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    pub(super) dim: Color,
    pub(super) accent: Color,
    pub(super) good: Color,
    pub(super) warn: Color,
    pub(super) bad: Color,
    pub(super) unread: Color,
    pub(super) names: [Color; NAMES],
    /// Behind what is selected. `None`: it is reversed.
    pub(super) selected: Option<Color>,
}

const fn rgb(hex: u32) -> Color {
    let [_, r, g, b] = hex.to_be_bytes();
    Color::Rgb(r, g, b)
}

impl Palette {
    /// A ready-made one.
    #[must_use]
    pub const fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Terminal => Self {
                dim: Color::DarkGray,
                accent: Color::Cyan,
                good: Color::Green,
                warn: Color::Yellow,
                bad: Color::Red,
                unread: Color::Yellow,
                names: [
                    Color::Green,
                    Color::Yellow,
                    Color::Blue,
                    Color::Magenta,
                    Color::LightRed,
                    Color::LightBlue,
                ],
                selected: None,
            },
            Preset::Dark => Self {
                dim: rgb(0x93_99_B2),
                accent: rgb(0x74_C7_EC),
                good: rgb(0xA6_E3_A1),
                warn: rgb(0xF9_E2_AF),
                bad: rgb(0xF3_8B_A8),
                unread: rgb(0xFA_B3_87),
                names: [
                    rgb(0xA6_E3_A1),
                    rgb(0xF9_E2_AF),
                    rgb(0x89_B4_FA),
                    rgb(0xCB_A6_F7),
                    rgb(0xF5_C2_E7),
                    rgb(0x94_E2_D5),
                ],
                selected: Some(rgb(0x2A_2B_3C)),
            },
            Preset::Light => Self {
                dim: rgb(0x5C_5F_77),
                accent: rgb(0x05_50_AE),
                good: rgb(0x11_63_29),
                warn: rgb(0x7D_4E_00),
                bad: rgb(0xA4_0E_26),
                unread: rgb(0x95_38_00),
                names: [
                    rgb(0x11_63_29),
                    rgb(0x7D_4E_00),
                    rgb(0x05_50_AE),
                    rgb(0x66_39_BA),
                    rgb(0x99_28_6E),
                    rgb(0x0A_5F_6B),
                ],
                selected: Some(rgb(0xDC_E0_E8)),
            },
            Preset::HighContrast => Self {
                dim: rgb(0xD0_D0_D0),
                accent: rgb(0x00_FF_FF),
                good: rgb(0x00_FF_00),
                warn: rgb(0xFF_FF_00),
                bad: rgb(0xFF_90_90),
                unread: rgb(0xFF_FF_00),
                names: [
                    rgb(0x00_FF_00),
                    rgb(0xFF_FF_00),
                    rgb(0x90_D0_FF),
                    rgb(0xFF_90_FF),
                    rgb(0xFF_B0_80),
                    rgb(0x90_FF_FF),
                ],
                selected: None,
            },
        }
    }

    /// No colours at all.
    #[must_use]
    pub const fn colorless() -> Self {
        Self {
            dim: Color::Reset,
            accent: Color::Reset,
            good: Color::Reset,
            warn: Color::Reset,
            bad: Color::Reset,
            unread: Color::Reset,
            names: [Color::Reset; NAMES],
            selected: None,
        }
    }

    /// With the colours that the user wants others for, as TOML; fails with words for the user.
    pub fn changed_by(self, toml: &str) -> Result<Self, String> {
        let changes: Changes = toml::from_str(toml).map_err(|error| error.to_string())?;
        let change = |is: Color, to: Option<Named>| to.map_or(is, |Named(color)| color);
        Ok(Self {
            dim: change(self.dim, changes.dim),
            accent: change(self.accent, changes.accent),
            good: change(self.good, changes.good),
            warn: change(self.warn, changes.warn),
            bad: change(self.bad, changes.bad),
            unread: change(self.unread, changes.unread),
            names: match changes.names.as_deref() {
                None => self.names,
                Some(names) if names.is_empty() || names.len() > NAMES => {
                    return Err(format!("names takes from one to {NAMES} colours"));
                }
                Some(names) => array::from_fn(|n| names[n % names.len()].0),
            },
            selected: changes.selected.map(|Named(color)| color).or(self.selected),
        })
    }

    /// The same with the sixteen colours that every terminal has.
    #[must_use]
    pub fn in_sixteen(self) -> Self {
        Self {
            dim: nearest(self.dim),
            accent: nearest(self.accent),
            good: nearest(self.good),
            warn: nearest(self.warn),
            bad: nearest(self.bad),
            unread: nearest(self.unread),
            names: self.names.map(nearest),
            // Sixteen are too few for a background on which all others can be read.
            selected: self
                .selected
                .filter(|color| !matches!(color, Color::Rgb(..))),
        }
    }
}

/// What a user may set, by the names of the roles.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    dim: Option<Named>,
    accent: Option<Named>,
    good: Option<Named>,
    warn: Option<Named>,
    bad: Option<Named>,
    unread: Option<Named>,
    names: Option<Vec<Named>>,
    selected: Option<Named>,
}

/// A colour as users write it: `cyan`, `#74c7ec`, or a number from 0 to 255.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Named(Color);

impl TryFrom<String> for Named {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Color::from_str(&name).map(Self).map_err(|_not_known| {
            format!("{name:?} is no colour; write a name as cyan, or #74c7ec, or a number to 255")
        })
    }
}

/// The one of sixteen that has the same hue.
fn nearest(color: Color) -> Color {
    let Color::Rgb(r, g, b) = color else {
        return color;
    };
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most - least < 40 {
        return match most {
            0..48 => Color::Black,
            48..190 => Color::DarkGray,
            190..230 => Color::Gray,
            _ => Color::White,
        };
    }
    let middle = least + (most - least) / 2;
    match (most > 180, r > middle, g > middle, b > middle) {
        (false, true, false, false) => Color::Red,
        (false, false, true, false) => Color::Green,
        (false, true, true, false) => Color::Yellow,
        (false, false, false, _) => Color::Blue,
        (false, true, _, true) => Color::Magenta,
        (false, false, true, true) => Color::Cyan,
        (true, true, false, false) => Color::LightRed,
        (true, false, true, false) => Color::LightGreen,
        (true, true, true, false) => Color::LightYellow,
        (true, false, false, _) => Color::LightBlue,
        (true, true, _, true) => Color::LightMagenta,
        (true, false, true, true) => Color::LightCyan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How well one colour can be read on another, as WCAG counts it: from 1 to 21.
    fn contrast(color: Color, on: Color) -> f64 {
        let luminance = |color| {
            let Color::Rgb(r, g, b) = color else {
                panic!("{color} has no fixed light")
            };
            let [r, g, b] = [r, g, b].map(|part| {
                let part = f64::from(part) / 255.0;
                if part <= 0.04045 {
                    part / 12.92
                } else {
                    ((part + 0.055) / 1.055).powf(2.4)
                }
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (one, other) = (luminance(color), luminance(on));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_word_of_a_palette_can_be_read_on_its_background_selected_or_not() {
        let palettes = [
            (Preset::Dark, rgb(0x1E_1E_2E), 4.5),
            (Preset::Light, rgb(0xFF_FF_FF), 4.5),
            (Preset::HighContrast, rgb(0), 7.0),
        ];
        for (preset, background, enough) in palettes {
            let palette = Palette::preset(preset);
            let one_by_one = [
                palette.dim,
                palette.accent,
                palette.good,
                palette.warn,
                palette.bad,
                palette.unread,
            ];
            for on in [Some(background), palette.selected].into_iter().flatten() {
                for color in one_by_one.into_iter().chain(palette.names) {
                    assert!(contrast(color, on) >= enough, "{preset:?}: {color} on {on}");
                }
            }
        }
    }

    #[test]
    fn a_palette_in_sixteen_colours_keeps_its_hues() {
        let palette = Palette::preset(Preset::Light).in_sixteen();
        assert_eq!(
            [
                palette.dim,
                palette.accent,
                palette.good,
                palette.warn,
                palette.bad
            ],
            [
                Color::DarkGray,
                Color::Blue,
                Color::Green,
                Color::Yellow,
                Color::Red
            ]
        );
        let palette = Palette::preset(Preset::Dark).in_sixteen();
        assert_eq!(
            [palette.accent, palette.good, palette.warn, palette.bad],
            [
                Color::LightCyan,
                Color::LightGreen,
                Color::LightYellow,
                Color::LightRed
            ]
        );
        assert_eq!(palette.selected, None);
    }

    #[test]
    fn a_theme_of_ones_own_changes_what_it_names_and_a_mistake_in_it_is_named() {
        let dark = Palette::preset(Preset::Dark);
        let own = dark
            .changed_by("accent = \"#ff8800\"\nnames = [\"red\", \"12\"]")
            .unwrap();
        assert_eq!(own.accent, rgb(0xFF_88_00));
        assert_eq!(own.names[..3], [Color::Red, Color::Indexed(12), Color::Red]);
        assert_eq!((own.dim, own.selected), (dark.dim, dark.selected));
        let wrong = |toml| dark.changed_by(toml).unwrap_err();
        assert!(wrong("accent = \"sky\"").contains("\"sky\" is no colour"));
        assert!(wrong("acent = \"red\"").contains("acent"));
        assert!(wrong("names = []").contains("names"));
    }
}
