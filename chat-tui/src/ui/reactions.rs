//! Emoji on messages and their picker, and the names that are offered while writing.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::{Clear, Widget},
};

use super::{Pen, cells, message::GUTTER, paint, put, timeline::Walk};
use crate::{
    app::{
        reactions::Picker,
        text::{fit, width},
        timeline::Said,
    },
    event::Spot,
};

/// Each emoji has so many columns.
const CELL: usize = 4;

impl Pen<'_> {
    pub(super) fn picker(&mut self, picker: &Picker, area: Rect, buffer: &mut Buffer) {
        let title = if picker.only.is_some() {
            "Take away"
        } else {
            "React"
        };
        let inner = self.popup(title, (52, 7), area, buffer);
        if inner.height == 0 {
            return;
        }
        self.input(inner, 0, &picker.query, false, true, buffer);
        if picker.query.is_empty() && inner.height > 1 {
            let hint = fit("name of an emoji, or paste one", usize::from(inner.width));
            put(buffer, inner, 0, 0, &Line::styled(hint, self.theme.dim()));
        }
        let y = if inner.height > 4 { 2 } else { 1 };
        if picker.offered.is_empty() {
            let line = Line::styled("no emoji is called that", self.theme.dim());
            return put(buffer, inner, 0, y, &line);
        }
        let fits = (usize::from(inner.width) / CELL).max(1);
        let first = (picker.selected + 1).saturating_sub(fits);
        for (n, (emoji, _)) in picker.offered.iter().enumerate().skip(first).take(fits) {
            let style = if n == picker.selected {
                self.theme.selected()
            } else {
                Style::new()
            };
            // An emoji of a reaction is another person's text too.
            let shown = crate::app::text::Plain::line(emoji.as_str());
            let pad = " ".repeat((CELL - 1).saturating_sub(width(shown.as_str())));
            let cell = Line::from(Span::styled(format!(" {shown}{pad}"), style));
            put(buffer, inner, cells((n - first) * CELL), y, &cell);
        }
        if let Some((_, name)) = picker.offered.get(picker.selected) {
            let name = fit(name, usize::from(inner.width)).into_owned();
            put(
                buffer,
                inner,
                0,
                y + 1,
                &Line::styled(name, self.theme.dim()),
            );
        }
    }

    /// The names that are offered, right above what is being written.
    pub(super) fn completion(&mut self, messages: Rect, buffer: &mut Buffer) {
        let Some(completion) = &self.app.completion else {
            return;
        };
        let lines: Vec<String> = completion
            .offers
            .iter()
            .map(|offer| format!(" {}{}  {} ", completion.sign, offer.username, offer.name))
            .collect();
        let widest = lines.iter().map(|line| width(line)).max().unwrap_or(0);
        let rows = cells(lines.len()).min(messages.height);
        let whole = Rect {
            y: messages.bottom() - rows,
            height: rows,
            ..messages
        };
        Clear.render(whole.intersection(buffer.area), buffer);
        let columns = cells(widest).min(messages.width.saturating_sub(4));
        let area = Rect {
            x: messages.x + 3.min(messages.width),
            width: columns,
            ..whole
        };
        let area = area.intersection(buffer.area);
        let first = (completion.selected + 1).saturating_sub(usize::from(rows));
        for (y, line) in lines.iter().enumerate().skip(first).take(usize::from(rows)) {
            let line = fit(line, usize::from(columns)).into_owned();
            let row = cells(y - first);
            put(buffer, area, 0, row, &Line::raw(line));
            self.cache.hits.push_row(area, row, Spot::Offer(y));
            let style = if y == completion.selected {
                self.theme.selected()
            } else {
                self.theme.dim()
            };
            paint(buffer, area, row, style);
        }
    }
}

impl Walk<'_, '_> {
    /// What people put on a message, in as many rows as it takes; mine stands out.
    pub(super) fn reactions(&self, said: &Said) -> Vec<Line<'static>> {
        let (me, theme) = (self.pen.app.me, self.pen.theme);
        let room = self.body_columns();
        let mut rows = Vec::new();
        let mut row = Line::default();
        let mut used = 0;
        for chip in &said.reactions {
            let style = if chip.is_by(me) {
                theme.own_reaction()
            } else {
                theme.reaction()
            };
            let text = format!(" {} {} ", chip.shown, chip.count);
            let wide = width(&text) + 1;
            if used > 0 && used + wide > room {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            let before = if used == 0 { GUTTER } else { 1 };
            row.push_span(Span::raw(" ".repeat(before)));
            row.push_span(Span::styled(text, style));
            used += wide;
        }
        if used > 0 {
            rows.push(row);
        }
        rows
    }
}
