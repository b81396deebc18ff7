//! Text of other people, made harmless before anything can draw it.

use std::{
    borrow::Cow,
    fmt::{self, Write},
    sync::Arc,
};

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The longest text that is kept, in bytes: far above what a server should let through.
const MAX_BYTES: usize = 128 * 1024;
/// The widest and longest a single grapheme may be; whatever is stacked on it beyond is cut.
const MAX_GRAPHEME_WIDTH: usize = 8;
const MAX_GRAPHEME_BYTES: usize = 64;
const MAX_MARKS: usize = 4;

/// Text that is safe to draw: no control characters, no invisible reordering, no towers of marks.
///
/// The screen draws nothing of other people but this, and literals of the program itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Plain(Arc<str>);

impl Plain {
    /// One line: names, titles, previews. Line breaks and tabs become spaces.
    #[must_use]
    pub fn line(text: &str) -> Self {
        Self(clean(text, Breaks::Space).trim().into())
    }

    /// Text of several lines: bodies of messages. Only `\n` breaks lines.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(clean(text, Breaks::Keep).into())
    }

    /// What may be drawn.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the very same text, found out without reading it.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether there is nothing to draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Default for Plain {
    fn default() -> Self {
        Self("".into())
    }
}

/// The columns that text takes, counted as the terminal library counts them: grapheme by grapheme.
#[must_use]
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(grapheme_width).sum()
}

fn grapheme_width(grapheme: &str) -> usize {
    // The library adds a column for the halfwidth sound marks, which Unicode gives none of their own.
    let sound_marks = |c: &char| matches!(c, '\u{FF9E}' | '\u{FF9F}');
    grapheme.width() + grapheme.chars().filter(sound_marks).count()
}

/// The beginning of `text` that fits into `columns`, with an ellipsis when something is missing.
#[must_use]
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    let mut used = 0;
    let mut last_that_leaves_room = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        if used < columns {
            last_that_leaves_room = at;
        }
        used += width(grapheme);
        if used > columns {
            return if columns == 0 {
                Cow::Borrowed("")
            } else {
                Cow::Owned(format!("{}…", text[..last_that_leaves_room].trim_end()))
            };
        }
    }
    Cow::Borrowed(text)
}

/// What is drawn for one grapheme of the user's own draft, where nothing is dropped: it has to be editable.
#[must_use]
pub fn shown(grapheme: &str) -> Cow<'_, str> {
    let cleaned = clean(grapheme, Breaks::Space);
    if cleaned == grapheme {
        Cow::Borrowed(grapheme)
    } else if cleaned.is_empty() || width(&cleaned) == 0 {
        Cow::Borrowed("·")
    } else {
        Cow::Owned(cleaned)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaks {
    Keep,
    Space,
}

fn clean(text: &str, breaks: Breaks) -> String {
    let cut = floor_boundary(text, MAX_BYTES);
    let visible = spell_out(&text[..cut], breaks);
    let mut safe = String::with_capacity(visible.len());
    for grapheme in visible.graphemes(true) {
        safe.push_str(bounded(grapheme));
    }
    if cut < text.len() {
        safe.push_str(" … (cut here: the text is too long)");
    }
    safe
}

/// Replaces every character that would act on the terminal or reorder text by something visible, or drops it.
fn spell_out(text: &str, breaks: Breaks) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    let mut in_flag = false;
    let mut chars = text.chars().peekable();
    let mut last = None;
    while let Some(c) = chars.next() {
        let kind = kind(c);
        in_flag = c == '\u{1F3F4}' || (in_flag && matches!(kind, Kind::Tag));
        match kind {
            Kind::Break => {
                if c == '\r' && chars.peek() == Some(&'\n') {
                    chars.next();
                }
                out.push(if breaks == Breaks::Keep { '\n' } else { ' ' });
            }
            Kind::Tab => out.push_str(if breaks == Breaks::Keep { "    " } else { " " }),
            Kind::Control => out.push(picture(c)),
            Kind::Spelled => {
                // Writing to a string cannot fail.
                let _ = write!(out, "<U+{:04X}>", u32::from(c));
            }
            Kind::Tag if in_flag => out.push(c),
            Kind::Joiner if last.is_some_and(is_pictographic) => {
                if chars.peek().copied().is_some_and(is_pictographic) {
                    out.push(c);
                }
            }
            Kind::Dropped | Kind::Tag | Kind::Joiner => continue,
            Kind::Mark => {
                marks += 1;
                // A mark with nothing to stand on would stick to whatever is drawn left of it.
                if marks <= MAX_MARKS && out.chars().next_back().is_some_and(|c| c != '\n') {
                    out.push(c);
                }
                if is_pictographic(c) || is_selector(c) {
                    continue;
                }
            }
            Kind::Plain => out.push(c),
        }
        if kind != Kind::Mark {
            marks = 0;
        }
        last = Some(c);
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Break,
    Tab,
    /// Acts on a terminal.
    Control,
    /// Reorders or hides text: shown by its number.
    Spelled,
    /// Invisible, and means nothing here.
    Dropped,
    /// Joins emoji.
    Joiner,
    /// Spells out the flags of regions.
    Tag,
    /// Stands on the character before it.
    Mark,
}

fn kind(c: char) -> Kind {
    match c {
        '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Kind::Break,
        '\t' => Kind::Tab,
        '\0'..='\u{1F}' | '\u{7F}' => Kind::Control,
        '\u{80}'..='\u{9F}'
        | '\u{061C}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{206F}'
        | '\u{FFF9}'..='\u{FFFB}'
        | '\u{115F}'
        | '\u{1160}'
        | '\u{3164}'
        | '\u{FFA0}' => Kind::Spelled,
        '\u{200D}' => Kind::Joiner,
        '\u{E0020}'..='\u{E007F}' => Kind::Tag,
        '\u{AD}'
        | '\u{034F}'
        | '\u{180B}'..='\u{180F}'
        | '\u{200B}'
        | '\u{200C}'
        | '\u{2060}'..='\u{2065}'
        | '\u{FEFF}'
        | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}' => Kind::Dropped,
        c if c.width() == Some(0) || is_selector(c) => Kind::Mark,
        _ => Kind::Plain,
    }
}

/// The picture of a control character, `␛` for the one that starts escape sequences.
fn picture(c: char) -> char {
    match u32::from(c) {
        0x7F => '\u{2421}',
        n => char::from_u32(0x2400 + n).unwrap_or('\u{FFFD}'),
    }
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}')
}

/// Whether a joiner beside this character makes an emoji of several parts.
fn is_pictographic(c: char) -> bool {
    matches!(c,
        '\u{1F000}'..='\u{1FAFF}' | '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{23FF}'
        | '\u{2600}'..='\u{27BF}' | '\u{2B00}'..='\u{2BFF}')
}

fn bounded(grapheme: &str) -> &str {
    if grapheme.len() <= MAX_GRAPHEME_BYTES && width(grapheme) <= MAX_GRAPHEME_WIDTH {
        return grapheme;
    }
    let mut end = floor_boundary(grapheme, MAX_GRAPHEME_BYTES);
    while width(&grapheme[..end]) > MAX_GRAPHEME_WIDTH {
        end = floor_boundary(grapheme, end.saturating_sub(1));
    }
    // What is cut away must not leave a joiner that would take hold of the next character.
    grapheme[..end].trim_end_matches('\u{200D}')
}

fn floor_boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_become_visible_symbols() {
        let hostile = "\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}[2J\u{9b}31mred\u{1b}P1$r\u{7f}";
        assert_eq!(
            Plain::text(hostile).as_str(),
            "␛]52;c;ZXZpbA==␇␛[2J<U+009B>31mred␛P1$r␡"
        );
    }

    #[test]
    fn a_name_cannot_open_a_line_of_its_own() {
        let name = Plain::line("Eve\r\nAna: I quit\u{2028}!");
        assert_eq!(name.as_str(), "Eve Ana: I quit !");
    }

    #[test]
    fn reordering_is_spelled_out_and_real_right_to_left_text_is_untouched() {
        assert_eq!(
            Plain::text("a\u{202E}b\u{2066}").as_str(),
            "a<U+202E>b<U+2066>"
        );
        let hebrew = "שלום עולם، مرحبا";
        assert_eq!(Plain::text(hebrew).as_str(), hebrew);
    }

    #[test]
    fn four_marks_stay_on_a_letter_and_no_more() {
        let tower = format!("a{}b", "\u{301}".repeat(2_000));
        assert_eq!(
            Plain::text(&tower).as_str(),
            "a\u{301}\u{301}\u{301}\u{301}b"
        );
        let hidden = format!("a{}", "\u{301}\u{200b}".repeat(50));
        assert_eq!(
            Plain::text(&hidden).as_str(),
            "a\u{301}\u{301}\u{301}\u{301}"
        );
    }

    #[test]
    fn emoji_of_several_parts_stay_whole_and_stray_joiners_go() {
        let family = "👩🏽‍❤️‍💋‍👨🏽 👨‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ❤️ 🇪🇺 क्षि";
        assert_eq!(Plain::text(family).as_str(), family);
        assert_eq!(Plain::text("a\u{200D}b\u{200B}c\u{E0041}").as_str(), "abc");
    }

    #[test]
    fn an_endless_chain_of_joined_emoji_is_cut() {
        let chain = "👩\u{200D}".repeat(1_000);
        let cut = Plain::text(&chain);
        assert!(
            cut.as_str()
                .graphemes(true)
                .all(|g| g.len() <= MAX_GRAPHEME_BYTES)
        );
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("hello", 4), "hel…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("日本語", 1), "…");
        assert_eq!(fit("日本語", 0), "");
    }
}
