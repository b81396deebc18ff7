//! The messages: walked from where the view stands, until the screen is full.

use std::collections::HashMap;

use chat_core::model::Seq;
use ratatui::{buffer::Buffer, layout::Rect, text::Line};

use super::{Pen, cells, put};
use crate::{
    app::{
        chat::{Chat, Scroll},
        text::{fit, width},
    },
    event::{Anchor, Spot},
};

/// So many items from the start of what is held, older ones are asked for.
const NEAR_START: usize = 10;

/// An item as rows: first what stands above its text, then the text.
pub(super) struct Rows {
    pub(super) above: usize,
    pub(super) rows: Vec<Line<'static>>,
}

/// A row of the timeline by the index of its item and its place in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) index: usize,
    pub(super) row: usize,
}

/// One drawing of the timeline; items are laid out when the walk gets to them.
pub(super) struct Walk<'a, 'p> {
    pub(super) pen: &'a mut Pen<'p>,
    pub(super) chat: &'p Chat,
    pub(super) columns: usize,
    /// Above it stands the ruler.
    pub(super) first_unread: Option<Seq>,
    laid_out: HashMap<usize, Rows>,
}

impl<'p> Pen<'p> {
    pub(super) fn timeline(&mut self, chat: &'p Chat, area: Rect, buffer: &mut Buffer) {
        let height = usize::from(area.height);
        self.seen.conversation = Some(chat.id);
        self.seen.page = height;
        self.cache.hits.push(area, Spot::Timeline);
        if chat.timeline.is_empty() || height == 0 {
            self.seen.at_end = true;
            return self.nothing_yet(chat, area, buffer);
        }
        let mut walk = Walk {
            first_unread: chat.first_unread(self.app.me),
            columns: usize::from(area.width),
            pen: self,
            chat,
            laid_out: HashMap::new(),
        };
        let start = walk.start(height);
        let (rows, at_end) = walk.down(start, height);
        let top = walk.top(&rows);
        let free = height - rows.len();
        for (y, place) in rows.iter().enumerate() {
            if let Some(line) = walk.rows(place.index).rows.get(place.row) {
                put(buffer, area, 0, cells(free + y), line);
            }
            if let Some(item) = chat.timeline.id_at(place.index) {
                let spot = Spot::Message(item);
                walk.pen.cache.hits.push_row(area, cells(free + y), spot);
            }
            let row = Rect {
                y: area.y + cells(free + y),
                height: 1,
                ..area
            };
            walk.link(*place, row);
        }
        self.seen.top = top;
        let last = rows.last().map_or(0, |place| place.index);
        self.seen.at_end = at_end && !chat.timeline.is_aside();
        self.seen.near_start = start.index < NEAR_START;
        self.seen.near_end = chat.timeline.is_aside() && last + NEAR_START >= chat.timeline.len();
    }

    fn nothing_yet(&self, chat: &Chat, area: Rect, buffer: &mut Buffer) {
        let item = self.app.list.get(chat.id);
        let text = if let Some(why) = &chat.closed {
            why.as_str()
        } else if item.is_some_and(|item| item.head_seq > 0) {
            "loading…"
        } else {
            "Nothing has been said here yet. Say hello!"
        };
        let columns = usize::from(area.width);
        let text = fit(text, columns);
        let x = columns.saturating_sub(width(&text)) / 2;
        let line = Line::styled(text.as_ref(), self.theme.dim());
        put(buffer, area, cells(x), area.height / 2, &line);
    }
}

impl Walk<'_, '_> {
    pub(super) fn rows(&mut self, index: usize) -> &Rows {
        let rows = match self.laid_out.remove(&index) {
            Some(rows) => rows,
            None => self.lay_out(index),
        };
        self.laid_out.entry(index).or_insert(rows)
    }

    fn height_of(&mut self, index: usize) -> usize {
        self.rows(index).rows.len()
    }

    fn last_index(&self) -> usize {
        self.chat.timeline.len().saturating_sub(1)
    }

    /// The uppermost row of the view.
    fn start(&mut self, height: usize) -> Place {
        let last = self.last_index();
        let latest = self.up_from_end_of(last, height);
        let start = match self.chat.scroll {
            Scroll::Latest => latest,
            Scroll::At(anchor, by) => match self.chat.timeline.index_of(anchor.item) {
                // Below the last screenful there is nothing to see.
                Some(index) => self.moved(index, anchor.row, by).min(latest),
                None => latest,
            },
        };
        match self
            .chat
            .selected
            .and_then(|id| self.chat.timeline.index_of(id))
        {
            Some(selected) if self.chat.reveal => self.revealing(selected, start, height),
            _ => start,
        }
    }

    /// The row from which the item is seen, moved as little as possible.
    fn revealing(&mut self, selected: usize, start: Place, height: usize) -> Place {
        let rows = self.rows(selected);
        // When the item is higher than the view, its text counts and not what stands above.
        let row = if rows.rows.len() > height {
            rows.above
        } else {
            0
        };
        let top = Place {
            index: selected,
            row,
        };
        if top < start {
            return top;
        }
        self.up_from_end_of(selected, height).min(top).max(start)
    }

    /// The row that is so many rows from a row of an item, counted from the first row of its text.
    fn moved(&mut self, index: usize, row: isize, by: isize) -> Place {
        let rows = self.rows(index);
        let inside = rows.above.saturating_add_signed(row);
        let mut place = Place {
            index,
            row: inside.min(rows.rows.len().saturating_sub(1)),
        };
        let mut left = by;
        while left < 0 {
            if place.row > 0 {
                let step = place.row.min(left.unsigned_abs());
                place.row -= step;
                left += isize::try_from(step).unwrap_or(isize::MAX);
            } else if place.index > 0 {
                place.index -= 1;
                place.row = self.height_of(place.index);
            } else {
                break;
            }
        }
        while left > 0 {
            let below = self.height_of(place.index) - place.row;
            if left.unsigned_abs() < below {
                place.row += left.unsigned_abs();
                break;
            }
            if place.index == self.last_index() {
                break;
            }
            left -= isize::try_from(below).unwrap_or(isize::MAX);
            place.index += 1;
            place.row = 0;
        }
        if place.row == self.height_of(place.index) && place.row > 0 {
            place.row -= 1;
        }
        place
    }

    /// The uppermost row of a view whose lowest row is the end of this item.
    fn up_from_end_of(&mut self, index: usize, height: usize) -> Place {
        let mut left = height;
        let mut at = index;
        loop {
            let rows = self.height_of(at);
            if rows >= left {
                return Place {
                    index: at,
                    row: rows - left,
                };
            }
            if at == 0 {
                return Place { index: 0, row: 0 };
            }
            left -= rows;
            at -= 1;
        }
    }

    /// The rows of the view from its uppermost, and whether the last of them is the last of all.
    fn down(&mut self, start: Place, height: usize) -> (Vec<Place>, bool) {
        let mut places = Vec::with_capacity(height);
        let mut at = start;
        loop {
            let rows = self.height_of(at.index);
            while at.row < rows {
                if places.len() == height {
                    return (places, false);
                }
                places.push(at);
                at.row += 1;
            }
            if at.index == self.last_index() {
                return (places, true);
            }
            at = Place {
                index: at.index + 1,
                row: 0,
            };
        }
    }

    /// What the view is held by: the first row of a text in it, because what stands above texts comes and goes.
    fn top(&mut self, rows: &[Place]) -> Option<(Anchor, isize)> {
        let in_text = |walk: &mut Self, place: &Place| place.row >= walk.rows(place.index).above;
        let below = rows
            .iter()
            .position(|place| in_text(self, place))
            .unwrap_or(0);
        let place = rows.get(below)?;
        let item = self.chat.timeline.id_at(place.index)?;
        let above = self.rows(place.index).above;
        let signed = |n: usize| isize::try_from(n).unwrap_or(isize::MAX);
        let anchor = Anchor {
            item,
            row: signed(place.row) - signed(above),
        };
        Some((anchor, signed(below)))
    }
}
