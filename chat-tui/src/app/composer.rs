//! The draft of a message: a small editor that moves by grapheme.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::{
    text::{shown, width},
    undo::{Change, Undo},
};

/// The most bytes a draft takes in; a paste beyond that is cut.
const MAX_BYTES: usize = 64 * 1024;

/// Text and a cursor that always stands between two graphemes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composer {
    text: String,
    cursor: usize,
    undo: Box<Undo>,
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
        self.splice(self.cursor..self.cursor, clean);
    }

    /// Puts text in the place of other text, with the cursor behind it, in a way that can be undone.
    fn splice(&mut self, range: Range<usize>, text: &str) {
        if range.is_empty() && text.is_empty() {
            return;
        }
        self.undo.push(Change {
            at: range.start,
            removed: self.text[range.clone()].to_owned(),
            inserted: text.to_owned(),
            cursor: self.cursor,
        });
        self.put(range, text);
    }

    fn put(&mut self, range: Range<usize>, text: &str) {
        let end = range.start + text.len();
        self.text.replace_range(range, text);
        // The new text may have joined with what follows it to one grapheme.
        self.cursor = self.boundary_at_or_after(end);
    }

    /// Takes the last change back; false if there is none.
    pub fn undo(&mut self) -> bool {
        let Some(change) = self.undo.undo().cloned() else {
            return false;
        };
        self.put(
            change.at..change.at + change.inserted.len(),
            &change.removed,
        );
        self.cursor = change.cursor;
        true
    }

    /// Makes the last change again that was taken back; false if there is none.
    pub fn redo(&mut self) -> bool {
        let Some(change) = self.undo.redo().cloned() else {
            return false;
        };
        self.put(
            change.at..change.at + change.removed.len(),
            &change.inserted,
        );
        true
    }

    /// Moves the cursor.
    pub fn go(&mut self, motion: Motion) {
        self.cursor = self.target(motion);
        self.undo.close();
    }

    /// Deletes from the cursor to where the motion would lead, and gives what was there.
    pub fn delete(&mut self, motion: Motion) -> String {
        let target = self.target(motion);
        let range = target.min(self.cursor)..target.max(self.cursor);
        let deleted = self.text[range.clone()].to_owned();
        self.splice(range, "");
        deleted
    }

    /// Begins another draft; the cursor goes to its end.
    pub fn set(&mut self, text: &str) {
        self.take();
        self.insert(text);
        *self.undo = Undo::default();
    }

    /// Puts other text in the place of all, in a way that can be undone.
    pub fn replace(&mut self, text: &str) {
        self.undo.close();
        self.cursor = self.text.len();
        let mut other = Self::default();
        other.insert(text);
        self.splice(0..self.text.len(), &other.text);
        self.undo.close();
    }

    /// Puts text in the place of so many bytes before the cursor.
    pub fn replace_before(&mut self, bytes: usize, text: &str) {
        let start = self
            .text
            .floor_char_boundary(self.cursor.saturating_sub(bytes));
        self.undo.close();
        self.splice(start..self.cursor, text);
        self.undo.close();
    }

    /// Empties the draft in a way that can be undone, and gives what was in it.
    pub fn clear(&mut self) -> String {
        let text = self.text.clone();
        self.replace("");
        text
    }

    /// Ends the draft and gives what was in it.
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        *self.undo = Undo::default();
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
        self.cursor = self.at_column(range.clone(), column);
        self.undo.close();
        true
    }

    /// Moves the cursor to what is drawn at this row and column, or to what is nearest to it.
    pub fn go_to(&mut self, row: usize, column: usize, columns: usize) {
        let rows = self.row_ranges(columns);
        if let Some(range) = rows.get(row).or(rows.last()) {
            self.cursor = self.at_column(range.clone(), column);
            self.undo.close();
        }
    }

    fn at_column(&self, row: Range<usize>, column: usize) -> usize {
        let mut used = 0;
        let mut at = row.start;
        for grapheme in self.text[row].graphemes(true) {
            let wide = width(&shown(grapheme));
            if used + wide > column {
                break;
            }
            used += wide;
            at += grapheme.len();
        }
        at
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
