//! Whom a text calls by name: `@name` and `@everyone`.

/// The most names that are looked for in one text.
const MAX_NAMES: usize = 50;
/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 64;
const EVERYONE: &str = "everyone";

/// What is called in a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Called {
    /// Names in lower case, each once, in the order of the text.
    pub(crate) names: Vec<String>,
    pub(crate) everyone: bool,
}

/// Finds `@name` where no letter or digit stands before it, so that addresses of mail are none.
pub(crate) fn in_text(text: &str) -> Called {
    let mut called = Called::default();
    let mut before = None;
    for (at, c) in text.char_indices() {
        if c == '@' && before.is_none_or(|before: char| !before.is_alphanumeric()) {
            called.call(name_in(&text[at + 1..]));
        }
        before = Some(c);
    }
    called
}

/// The name that a text begins with; a stop or a dash at its end belongs to the sentence.
fn name_in(text: &str) -> &str {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', '-'])
}

impl Called {
    fn call(&mut self, name: &str) {
        let name = name.to_lowercase();
        if name == EVERYONE {
            self.everyone = true;
        } else if !name.is_empty()
            && name.chars().count() <= MAX_NAME_CHARS
            && self.names.len() < MAX_NAMES
            && !self.names.contains(&name)
        {
            self.names.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_a_text() {
        let names = |text: &str| in_text(text).names;
        assert_eq!(names("@ana, ask @Ben.b-1. And @ANA!"), ["ana", "ben.b-1"]);
        assert_eq!(names("(@ana) me@example.org @ @@ben"), ["ana", "ben"]);
        assert!(names("nobody").is_empty());
        assert!(in_text("Hear, @everyone!").everyone);
        assert!(!in_text("@everyoneelse").everyone);
    }
}
