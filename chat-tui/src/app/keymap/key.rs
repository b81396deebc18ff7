//! Keys, as far as a terminal can tell them apart, and how they are written.

use std::{fmt, str::FromStr};

/// A key, as far as a terminal can tell keys apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which.
    pub code: Code,
    /// With Ctrl held.
    pub ctrl: bool,
    /// With Alt held.
    pub alt: bool,
}

/// The keys that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the key that its name says")]
pub enum Code {
    Char(char),
    F(u8),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
}

impl Key {
    /// The key alone.
    #[must_use]
    pub const fn plain(code: Code) -> Self {
        Self {
            code,
            ctrl: false,
            alt: false,
        }
    }

    /// With Ctrl.
    #[must_use]
    pub const fn ctrl(code: Code) -> Self {
        Self {
            code,
            ctrl: true,
            alt: false,
        }
    }

    /// With Alt.
    #[must_use]
    pub const fn alt(code: Code) -> Self {
        Self {
            code,
            ctrl: false,
            alt: true,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("^")?;
        }
        if self.alt {
            f.write_str("Alt-")?;
        }
        match self.code {
            Code::Char(' ') => f.write_str("Space"),
            Code::Char(c) if self.ctrl => write!(f, "{}", c.to_ascii_uppercase()),
            Code::Char(c) => write!(f, "{c}"),
            Code::F(n) => write!(f, "F{n}"),
            Code::Enter => f.write_str("Enter"),
            Code::Esc => f.write_str("Esc"),
            Code::Tab => f.write_str("Tab"),
            Code::BackTab => f.write_str("Shift-Tab"),
            Code::Backspace => f.write_str("Backspace"),
            Code::Delete => f.write_str("Del"),
            Code::Up => f.write_str("↑"),
            Code::Down => f.write_str("↓"),
            Code::Left => f.write_str("←"),
            Code::Right => f.write_str("→"),
            Code::Home => f.write_str("Home"),
            Code::End => f.write_str("End"),
            Code::PageUp => f.write_str("PgUp"),
            Code::PageDown => f.write_str("PgDn"),
        }
    }
}

/// A text that names no key, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoKey(String);

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Key {
    type Err = NoKey;

    /// A key as it is written in `keys.toml`: `ctrl-s`, `alt-enter`, `shift-tab`, `f5`, `pageup`, `G`.
    fn from_str(text: &str) -> Result<Self, NoKey> {
        let mut rest = text;
        let (mut ctrl, mut alt, mut shift) = (false, false, false);
        while let Some((modifier, key)) = rest.split_once('-').filter(|(_, key)| !key.is_empty()) {
            match modifier.to_ascii_lowercase().as_str() {
                "ctrl" => ctrl = true,
                "alt" => alt = true,
                "shift" => shift = true,
                _ => break,
            }
            rest = key;
        }
        let code = code_named(rest).ok_or_else(|| {
            NoKey(format!(
                "“{text}” is no key; keys are written as ctrl-s, alt-enter, shift-tab, f5, pageup, space or a letter"
            ))
        })?;
        let code = match code {
            Code::Tab if shift => Code::BackTab,
            Code::Char(letter) if ctrl => Code::Char(letter.to_ascii_lowercase()),
            // A terminal reports the letter that Shift makes, whatever made it.
            _ if shift => {
                return Err(NoKey(format!(
                    "“{text}”: Shift can only be told on Tab; a capital letter is written as it is"
                )));
            }
            code => code,
        };
        let key = Self { code, ctrl, alt };
        match same_as(key) {
            Some(same) => Err(NoKey(format!(
                "“{text}”: terminals cannot tell it from {same}"
            ))),
            None => Ok(key),
        }
    }
}

fn code_named(name: &str) -> Option<Code> {
    let mut letters = name.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return (!letter.is_control() && letter != ' ').then_some(Code::Char(letter));
    }
    let name = name.to_ascii_lowercase();
    Some(match name.as_str() {
        "space" => Code::Char(' '),
        "enter" | "return" => Code::Enter,
        "esc" | "escape" => Code::Esc,
        "tab" => Code::Tab,
        "backtab" => Code::BackTab,
        "backspace" => Code::Backspace,
        "delete" | "del" => Code::Delete,
        "up" => Code::Up,
        "down" => Code::Down,
        "left" => Code::Left,
        "right" => Code::Right,
        "home" => Code::Home,
        "end" => Code::End,
        "pageup" | "pgup" => Code::PageUp,
        "pagedown" | "pgdn" => Code::PageDown,
        _ => {
            let number = name.strip_prefix('f')?.parse().ok()?;
            return (1..=24).contains(&number).then_some(Code::F(number));
        }
    })
}

/// The key that comes when this one is pressed.
const fn same_as(key: Key) -> Option<&'static str> {
    match key.code {
        Code::Char('i') if key.ctrl => Some("tab"),
        Code::Char('m') if key.ctrl => Some("enter"),
        Code::Char('[') if key.ctrl => Some("esc"),
        Code::Char('/') if key.ctrl => Some("ctrl-_"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let ctrl = |c| Key::ctrl(Code::Char(c));
        let alt = |code| Key::alt(code);
        let read = [
            ("ctrl-s", ctrl('s')),
            ("Ctrl-S", ctrl('s')),
            ("ctrl-_", ctrl('_')),
            ("ctrl--", ctrl('-')),
            ("alt-enter", alt(Code::Enter)),
            ("alt--", alt(Code::Char('-'))),
            ("alt-<", alt(Code::Char('<'))),
            ("shift-tab", Key::plain(Code::BackTab)),
            ("f12", Key::plain(Code::F(12))),
            ("space", Key::plain(Code::Char(' '))),
            ("G", Key::plain(Code::Char('G'))),
            ("-", Key::plain(Code::Char('-'))),
        ];
        for (text, key) in read {
            assert_eq!(text.parse(), Ok(key), "{text}");
        }
    }

    #[test]
    fn what_a_terminal_cannot_tell_is_refused_with_the_reason() {
        for (text, word) in [
            ("ctrl-i", "tab"),
            ("ctrl-m", "enter"),
            ("shift-f5", "Shift"),
            ("super-x", "is no key"),
            ("f25", "is no key"),
            ("", "is no key"),
        ] {
            let error = text.parse::<Key>().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
