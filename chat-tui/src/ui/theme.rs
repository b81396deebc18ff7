//! How each part looks: a style by what it is for.

use ratatui::style::{Color, Modifier, Style};

use super::{
    glyphs::Glyphs,
    palette::{NAMES, Palette, Preset},
};

/// How things look. Nothing is said by colour alone, so that it may all be turned off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    palette: Palette,
    glyphs: Glyphs,
}

impl Theme {
    /// With these colours and glyphs.
    #[must_use]
    pub const fn new(palette: Palette, glyphs: Glyphs) -> Self {
        Self { palette, glyphs }
    }

    /// With the colours and glyphs that every terminal has.
    #[must_use]
    pub const fn colorful() -> Self {
        Self::new(Palette::preset(Preset::Terminal), Glyphs::Unicode)
    }

    /// The characters that it is made of.
    #[must_use]
    pub const fn glyphs(self) -> Glyphs {
        self.glyphs
    }

    /// Whether it is to be read out: one thing after the other, and nothing drawn in lines.
    pub(super) fn is_plain(self) -> bool {
        self.glyphs == Glyphs::Plain
    }

    fn fg(color: Color) -> Style {
        if color == Color::Reset {
            Style::new()
        } else {
            Style::new().fg(color)
        }
    }

    /// What is there but should not draw the eye.
    #[must_use]
    pub fn dim(self) -> Style {
        if self.palette.dim == Color::Reset {
            Style::new().add_modifier(Modifier::DIM)
        } else {
            Self::fg(self.palette.dim)
        }
    }

    /// What should draw the eye.
    #[must_use]
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Where the user is.
    #[must_use]
    pub fn accent(self) -> Style {
        Self::fg(self.palette.accent).add_modifier(Modifier::BOLD)
    }

    /// What is well.
    #[must_use]
    pub fn good(self) -> Style {
        Self::fg(self.palette.good)
    }

    /// What is on its way to be well.
    #[must_use]
    pub fn warn(self) -> Style {
        Self::fg(self.palette.warn)
    }

    /// What went wrong.
    #[must_use]
    pub fn bad(self) -> Style {
        Self::fg(self.palette.bad)
    }

    /// What is not read yet.
    #[must_use]
    pub fn unread(self) -> Style {
        Self::fg(self.palette.unread).add_modifier(Modifier::BOLD)
    }

    /// The selected line, in the pane where the keys go.
    #[must_use]
    pub fn selected(self) -> Style {
        match self.palette.selected {
            Some(color) => Style::new().bg(color).add_modifier(Modifier::BOLD),
            None => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// What others put on a message.
    #[must_use]
    pub fn reaction(self) -> Style {
        self.dim()
    }

    /// What I put on a message too.
    #[must_use]
    pub fn own_reaction(self) -> Style {
        self.accent().add_modifier(Modifier::REVERSED)
    }

    /// A name in a text that calls somebody, or me.
    #[must_use]
    pub fn called(self, me: bool) -> Style {
        if me {
            self.unread().add_modifier(Modifier::REVERSED)
        } else {
            self.accent()
        }
    }

    /// What was searched for, where it was found.
    #[must_use]
    pub fn found(self) -> Style {
        self.unread().add_modifier(Modifier::UNDERLINED)
    }

    /// Somebody's name: always the same colour for the same person.
    #[must_use]
    pub fn name(self, hash: u128) -> Style {
        let index = usize::try_from(hash % NAMES as u128).unwrap_or(0);
        let color = self.palette.names[index % NAMES];
        Self::fg(color).add_modifier(Modifier::BOLD)
    }
}
