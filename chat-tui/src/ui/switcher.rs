//! The switcher.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Pen, cells, paint, put};
use crate::app::{switcher::Switcher, text::fit};

impl Pen<'_> {
    pub(super) fn switcher(&mut self, switcher: &Switcher, area: Rect, buffer: &mut Buffer) {
        let inner = self.popup("Go to", (50, 14), area, buffer);
        if inner.height == 0 {
            return;
        }
        self.input(inner, 0, &switcher.query, false, true, buffer);
        let skip = if inner.height > 4 { 2 } else { 1 };
        let rows = Rect {
            y: inner.y + skip,
            height: inner.height.saturating_sub(skip),
            ..inner
        };
        let matches = switcher.matches(&self.app.list);
        if matches.is_empty() {
            let line = Line::styled("nothing is called that", self.theme.dim());
            return put(buffer, rows, 0, 0, &line);
        }
        let height = usize::from(rows.height).max(1);
        let first = (switcher.selected + 1).saturating_sub(height);
        for (y, id) in matches.iter().skip(first).take(height).enumerate() {
            let Some(item) = self.app.list.get(*id) else {
                continue;
            };
            let (unread, _) = self.app.unread(item);
            let count = match unread {
                0 => String::new(),
                n => format!("  {n} unread"),
            };
            let room = usize::from(rows.width).saturating_sub(count.len());
            let line = Line::from(vec![
                Span::raw(fit(item.name.as_str(), room).into_owned()),
                Span::styled(count, self.theme.unread()),
            ]);
            put(buffer, rows, 0, cells(y), &line);
            if first + y == switcher.selected {
                paint(buffer, rows, cells(y), self.theme.selected());
            }
        }
    }
}
