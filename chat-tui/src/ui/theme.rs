//! Colours and attributes, from the sixteen that every terminal has.

use ratatui::style::{Color, Modifier, Style};

/// How things look. Nothing is said by colour alone, so that it may all be turned off.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    colors: bool,
}

impl Theme {
    /// With colours.
    #[must_use]
    pub const fn colorful() -> Self {
        Self { colors: true }
    }

    /// Without: for `NO_COLOR`.
    #[must_use]
    pub const fn plain() -> Self {
        Self { colors: false }
    }

    fn fg(self, color: Color) -> Style {
        if self.colors {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    /// What is there but should not draw the eye.
    #[must_use]
    pub fn dim(self) -> Style {
        if self.colors {
            Style::new().fg(Color::DarkGray)
        } else {
            Style::new().add_modifier(Modifier::DIM)
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
        self.fg(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// What is well.
    #[must_use]
    pub fn good(self) -> Style {
        self.fg(Color::Green)
    }

    /// What is on its way to be well.
    #[must_use]
    pub fn warn(self) -> Style {
        self.fg(Color::Yellow)
    }

    /// What went wrong.
    #[must_use]
    pub fn bad(self) -> Style {
        self.fg(Color::Red)
    }

    /// What is not read yet.
    #[must_use]
    pub fn unread(self) -> Style {
        self.fg(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// The selected line, in the pane where the keys go.
    #[must_use]
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
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
        const COLORS: [Color; 6] = [
            Color::Green,
            Color::Yellow,
            Color::Blue,
            Color::Magenta,
            Color::LightRed,
            Color::LightBlue,
        ];
        let index = usize::try_from(hash % COLORS.len() as u128).unwrap_or(0);
        let color = COLORS.get(index).copied().unwrap_or(Color::Green);
        self.fg(color).add_modifier(Modifier::BOLD)
    }
}
