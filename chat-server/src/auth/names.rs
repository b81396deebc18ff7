//! The names of users: how they sign in and are found, and how they are shown.

/// A value that cannot be accepted, in words for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) field: &'static str,
    pub(crate) code: &'static str,
    pub(crate) detail: &'static str,
}

/// The unique name of an account, in lower case.
///
/// It is plain ASCII: letters of other scripts that look alike can then not be passed for one another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Username(String);

impl Username {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |code, detail| Invalid {
            field: "username",
            code,
            detail,
        };
        if !text.is_ascii() {
            return Err(invalid(
                "not_ascii",
                "a user name has plain letters a to z only; put any other writing into display_name",
            ));
        }
        if text.len() < 2 {
            return Err(invalid(
                "too_short",
                "a user name has at least 2 characters",
            ));
        }
        if text.len() > 32 {
            return Err(invalid("too_long", "a user name has at most 32 characters"));
        }
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
        if !text.bytes().all(allowed) {
            return Err(invalid(
                "bad_character",
                "a user name has letters, digits, `_`, `.` and `-` only",
            ));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a user is shown: 1 to 64 characters that cannot disturb the text around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DisplayName(String);

impl DisplayName {
    const MAX_CHARS: usize = 64;

    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |code, detail| Invalid {
            field: "display_name",
            code,
            detail,
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(invalid(
                "blank",
                "a display name needs at least one visible character",
            ));
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err(invalid(
                "too_long",
                "a display name has at most 64 characters",
            ));
        }
        if text.chars().any(disturbs) {
            return Err(invalid(
                "bad_character",
                "a display name has no control characters and no direction overrides",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, line and paragraph separators, and marks that turn the direction of what follows.
pub(super) fn disturbs(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
