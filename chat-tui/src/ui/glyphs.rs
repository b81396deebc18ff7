//! The characters that are no letters: as they are, in ASCII, or with nothing drawn in lines at all.

use ratatui::buffer::Buffer;

/// Which characters a screen is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Glyphs {
    /// All of them.
    #[default]
    Unicode,
    /// Only those that every terminal and every font has.
    Ascii,
    /// These, and no lines or boxes: a screen reader would read them out.
    Plain,
}

/// What stands for what where there is only ASCII, and where nothing is drawn in lines. Each takes one column.
const TWINS: [(&str, &str, &str); 29] = [
    // Lines and boxes.
    ("─", "-", " "),
    ("│", "|", " "),
    ("╭", "+", " "),
    ("╮", "+", " "),
    ("╰", "+", " "),
    ("╯", "+", " "),
    // Where the user is: the open conversation, the selected message, the draft.
    ("▎", ">", ">"),
    ("▌", ">", ">"),
    ("›", ">", ">"),
    // What became of a message.
    ("○", "o", "o"),
    ("✓", "v", "v"),
    ("✗", "x", "x"),
    ("✎", "=", "="),
    ("⚑", "^", "^"),
    ("↪", ">", ">"),
    // Who is there.
    ("●", "*", "*"),
    ("◐", "-", "-"),
    ("⊘", "!", "!"),
    ("◌", "?", "?"),
    // The marks of a sentence.
    ("…", "~", "~"),
    ("·", "-", "-"),
    ("—", "-", "-"),
    ("•", "*", "*"),
    ("“", "\"", "\""),
    ("”", "\"", "\""),
    // Keys. Read out, an arrow says what it is.
    ("↑", "^", "↑"),
    ("↓", "v", "↓"),
    ("←", "<", "←"),
    ("→", ">", "→"),
];

impl Glyphs {
    /// Puts the twins in their places, whoever wrote the characters: who has no glyph for them sees none in messages either.
    pub(super) fn apply(self, buffer: &mut Buffer) {
        if self == Self::Unicode {
            return;
        }
        for cell in &mut buffer.content {
            if cell.symbol().is_ascii() {
                continue;
            }
            let twin = TWINS.iter().find(|(glyph, ..)| *glyph == cell.symbol());
            if let Some((_, ascii, plain)) = twin {
                cell.set_symbol(if self == Self::Plain { plain } else { ascii });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::app::text::width;

    #[test]
    fn every_twin_takes_the_place_of_one_glyph() {
        let mut glyphs = HashSet::new();
        for (glyph, ascii, plain) in TWINS {
            assert!(glyphs.insert(glyph), "{glyph}");
            assert!(ascii.is_ascii() && (plain.is_ascii() || plain == glyph));
            assert_eq!((width(glyph), width(ascii), width(plain)), (1, 1, 1));
        }
    }
}
