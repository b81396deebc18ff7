//! The words of a text, the same in every store: what is searched for and what is found.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The longest word, in bytes; what is longer is cut.
const MAX_WORD_BYTES: usize = 64;

/// The words of a text, in its order: runs of letters and digits, in lower case and without accents. Signs of scripts that
/// put no spaces between words are words by themselves.
///
/// Stores index these instead of the text, so that all of them find the same.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        if c.is_alphanumeric() && !stands_alone(c) {
            let lower = c.to_lowercase().filter(|c| !is_combining_mark(*c));
            word.extend(lower.filter(|c| c.is_alphanumeric()));
            continue;
        }
        finish(&mut word, &mut words);
        if stands_alone(c) {
            words.push(c.to_string());
        }
    }
    finish(&mut word, &mut words);
    words
}

fn finish(word: &mut String, words: &mut Vec<String>) {
    if word.is_empty() {
        return;
    }
    let end = word.floor_char_boundary(MAX_WORD_BYTES);
    word.truncate(end);
    words.push(std::mem::take(word));
}

/// Ideographs and kana.
const fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}')
}

/// Whether a text with these words contains what is searched for: all of them, the last as the beginning of a word.
pub(super) fn contains(text: &[String], searched: &[String]) -> bool {
    let Some((last, whole)) = searched.split_last() else {
        return false;
    };
    whole.iter().all(|word| text.contains(word))
        && text.iter().any(|word| word.starts_with(last.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whatever_their_case_and_accents() {
        assert_eq!(
            words("Crème brûlée, at 7pm!"),
            ["creme", "brulee", "at", "7pm"]
        );
        assert_eq!(words("don't"), ["don", "t"]);
        assert_eq!(words("東京 Tower"), ["東", "京", "tower"]);
        assert_eq!(words("ＦＵＬＬ ﬁne"), ["full", "fine"]);
        assert_eq!(words(" … !"), [""; 0]);
        let text = words("The quick brown fox");
        assert!(contains(&text, &words("brown qui")));
        assert!(!contains(&text, &words("qui brown")));
    }
}
