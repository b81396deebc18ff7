//! The draft of a message: a small editor that moves by grapheme.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::text::{shown, width};

/// The most bytes a draft takes in; a paste beyond that is cut.
const MAX_BYTES: usize = 64 * 1024;

/// Text and a cursor that always stands between two graphemes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composer {
    text: String,
    cursor: usize,
}

/// Where the cursor goes, or up to where text is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// One grapheme back.
    Left,
    /// One grapheme on.
    Right,
    /// To the beginning of this word or the one before.
    WordLeft,
    /// Past the end of this word or the next.
    WordRight,
    /// To the beginning of the line.
    Home,
    /// To the end of the line.
    End,
}

/// The draft as rows on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftRows {
    /// What is shown, row by row.
    pub rows: Vec<String>,
    /// The row and column of the cursor.
    pub cursor: (usize, usize),
}

impl Composer {
    /// The draft to the letter.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The byte at which the cursor stands.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Puts text at the cursor: typed or pasted, it is only ever text. Control characters are left out.
    pub fn insert(&mut self, text: &str) {
        let room = MAX_BYTES.saturating_sub(self.text.len());
        let clean = text
            .replace("\r\n", "\n")
            .replace('\r', "\n")
            .replace('\t', "    ");
        let clean: String = clean
            .chars()
            .filter(|c| *c == '\n' || !c.is_control())
            .collect();
        let clean = &clean[..clean.floor_char_boundary(room.min(clean.len()))];
        self.text.insert_str(self.cursor, clean);
        self.cursor += clean.len();
        // The new text may have joined with what follows it to one grapheme.
        self.cursor = self.boundary_at_or_after(self.cursor);
    }

    /// Moves the cursor.
    pub fn go(&mut self, motion: Motion) {
        self.cursor = self.target(motion);
    }

    /// Deletes from the cursor to where the motion would lead, and gives what was there.
    pub fn delete(&mut self, motion: Motion) -> String {
        let target = self.target(motion);
        let range = target.min(self.cursor)..target.max(self.cursor);
        self.cursor = range.start;
        let deleted = self.text.drain(range).collect();
        self.cursor = self.boundary_at_or_after(self.cursor);
        deleted
    }

    /// Replaces the draft; the cursor goes to its end.
    pub fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.insert(text);
    }

    /// Puts text in the place of so many bytes before the cursor.
    pub fn replace_before(&mut self, bytes: usize, text: &str) {
        let start = self
            .text
            .floor_char_boundary(self.cursor.saturating_sub(bytes));
        self.text.drain(start..self.cursor);
        self.cursor = start;
        self.insert(text);
    }

    /// Empties the draft and gives what was in it.
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Moves the cursor a row up or down at this width; false if there is none.
    pub fn go_row(&mut self, down: bool, columns: usize) -> bool {
        let rows = self.row_ranges(columns);
        let (row, column) = self.place(&rows);
        let target = if down { row + 1 } else { row.wrapping_sub(1) };
        let Some(range) = rows.get(target) else {
            return false;
        };
        let mut used = 0;
        let mut at = range.start;
        for grapheme in self.text[range.clone()].graphemes(true) {
            let wide = width(&shown(grapheme));
            if used + wide > column {
                break;
            }
            used += wide;
            at += grapheme.len();
        }
        self.cursor = at;
        true
    }

    /// The draft at this width, as it is drawn.
    #[must_use]
    pub fn layout(&self, columns: usize) -> DraftRows {
        let ranges = self.row_ranges(columns);
        let cursor = self.place(&ranges);
        let rows = ranges
            .into_iter()
            .map(|range| self.text[range].graphemes(true).map(shown).collect())
            .collect();
        DraftRows { rows, cursor }
    }

    /// Rows by byte; unlike in a message, the cursor must be able to stand behind every space.
    fn row_ranges(&self, columns: usize) -> Vec<Range<usize>> {
        let columns = columns.max(1);
        let mut rows: Vec<Range<usize>> = Vec::new();
        let mut offset = 0;
        for line in self.text.split('\n') {
            let mut start = 0;
            let mut used = 0;
            let mut after_space = None;
            for (at, grapheme) in line.grapheme_indices(true) {
                let wide = width(&shown(grapheme));
                // Twice when what follows the last space leaves no room for a very wide grapheme.
                while used + wide > columns && at > start {
                    let end = after_space.take().unwrap_or(at);
                    rows.push(offset + start..offset + end);
                    start = end;
                    used = width_shown(&line[start..at]);
                }
                used += wide;
                if grapheme == " " {
                    after_space = Some(at + 1);
                }
            }
            rows.push(offset + start..offset + line.len());
            offset += line.len() + 1;
        }
        rows
    }

    fn place(&self, rows: &[Range<usize>]) -> (usize, usize) {
        let row = rows
            .iter()
            .rposition(|range| range.start <= self.cursor)
            .unwrap_or(0);
        let start = rows.get(row).map_or(0, |range| range.start);
        (row, width_shown(&self.text[start..self.cursor]))
    }

    fn target(&self, motion: Motion) -> usize {
        let (before, after) = self.text.split_at(self.cursor);
        match motion {
            Motion::Left => before
                .grapheme_indices(true)
                .next_back()
                .map_or(0, |(at, _)| at),
            Motion::Right => after
                .graphemes(true)
                .next()
                .map_or(self.cursor, |g| self.cursor + g.len()),
            Motion::WordLeft => before
                .split_word_bound_indices()
                .rfind(|(_, word)| !word.trim().is_empty())
                .map_or(0, |(at, _)| self.boundary_at_or_before(at)),
            Motion::WordRight => after
                .split_word_bound_indices()
                .find(|(_, word)| !word.trim().is_empty())
                .map_or(self.text.len(), |(at, word)| {
                    self.boundary_at_or_after(self.cursor + at + word.len())
                }),
            Motion::Home => before.rfind('\n').map_or(0, |at| at + 1),
            Motion::End => after
                .find('\n')
                .map_or(self.text.len(), |at| self.cursor + at),
        }
    }

    fn boundary_at_or_after(&self, at: usize) -> usize {
        self.text
            .grapheme_indices(true)
            .map(|(start, _)| start)
            .find(|start| *start >= at)
            .unwrap_or(self.text.len())
    }

    fn boundary_at_or_before(&self, at: usize) -> usize {
        self.text
            .grapheme_indices(true)
            .map(|(start, _)| start)
            .take_while(|start| *start <= at)
            .last()
            .unwrap_or(0)
    }
}

fn width_shown(text: &str) -> usize {
    text.graphemes(true).map(|g| width(&shown(g))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Composer {
        let mut composer = Composer::default();
        composer.insert(text);
        composer
    }

    #[test]
    fn backspace_takes_a_whole_emoji() {
        let mut composer = draft("hi 👩‍👩‍👧");
        composer.delete(Motion::Left);
        assert_eq!(composer.text(), "hi ");
    }

    #[test]
    fn words_and_lines_are_deleted_as_in_a_shell() {
        let mut composer = draft("one\ntwo three ");
        composer.delete(Motion::WordLeft);
        assert_eq!(composer.text(), "one\ntwo ");
        composer.delete(Motion::Home);
        assert_eq!(composer.text(), "one\n");
        composer.go(Motion::WordLeft);
        composer.delete(Motion::End);
        assert_eq!(composer.text(), "\n");
    }

    #[test]
    fn a_paste_is_text_and_nothing_else() {
        let composer = draft("a\u{1b}[201~b\r\nc\td\u{9b}");
        assert_eq!(composer.text(), "a[201~b\nc    d");
    }

    #[test]
    fn the_cursor_moves_by_rows_as_they_are_shown() {
        let mut composer = draft("aaaa bbbb cccc");
        assert_eq!(composer.layout(6).rows, ["aaaa ", "bbbb ", "cccc"]);
        assert_eq!(composer.layout(6).cursor, (2, 4));
        assert!(composer.go_row(false, 6));
        assert_eq!(composer.layout(6).cursor, (1, 4));
        assert!(composer.go_row(false, 6));
        assert!(!composer.go_row(false, 6));
        assert!(composer.go_row(true, 6));
    }
}
