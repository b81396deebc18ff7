//! Breaks text into rows of a given width, never inside a grapheme.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::text::width;

/// The rows of `text` at `columns`, as byte ranges: broken at spaces where possible, and at every `\n`.
///
/// The space at which a row is broken belongs to no row. A grapheme wider than `columns` gets a row of its own.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut line_start = 0;
    for line in text.split('\n') {
        wrap_line(line, line_start, columns.max(1), &mut rows);
        line_start += line.len() + 1;
    }
    rows
}

fn wrap_line(line: &str, offset: usize, columns: usize, rows: &mut Vec<Range<usize>>) {
    let mut start = 0;
    let mut used = 0;
    // Where the row could end at a space, and what comes after it starts.
    let mut space: Option<(usize, usize)> = None;
    'graphemes: for (at, grapheme) in line.grapheme_indices(true) {
        let wide = width(grapheme);
        let is_space = grapheme == " ";
        // Twice when what follows the last space leaves no room for a very wide grapheme.
        while used + wide > columns && at > start {
            if is_space {
                rows.push(offset + start..offset + at);
                start = at + 1;
                used = 0;
                space = None;
                continue 'graphemes;
            }
            let (end, next) = space.take().unwrap_or((at, at));
            rows.push(offset + start..offset + end);
            start = next;
            used = width(&line[start..at]);
        }
        if is_space && at > start {
            space = Some((at, at + 1));
        }
        used += wide;
    }
    rows.push(offset + start..offset + line.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, columns: usize) -> Vec<&str> {
        wrap(text, columns).into_iter().map(|r| &text[r]).collect()
    }

    #[test]
    fn breaks_at_spaces_and_cuts_what_has_none() {
        assert_eq!(rows("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(rows("abcdefghijkl mn", 5), ["abcde", "fghij", "kl mn"]);
        assert_eq!(rows("a\n\nb", 5), ["a", "", "b"]);
        assert_eq!(rows("", 5), [""]);
        assert_eq!(rows("  indented code", 20), ["  indented code"]);
    }

    #[test]
    fn wide_graphemes_are_never_cut() {
        assert_eq!(rows("日本語テキスト", 5), ["日本", "語テ", "キス", "ト"]);
        assert_eq!(rows("👩‍👩‍👧 👩‍👩‍👧", 3), ["👩‍👩‍👧", "👩‍👩‍👧"]);
        assert_eq!(rows("日本", 1), ["日", "本"]);
    }
}
