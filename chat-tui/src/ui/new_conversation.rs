//! The dialog that starts a conversation.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Pen, cells, paint, put};
use crate::{
    app::{
        new_conversation::{Found, NewConversation},
        text::fit,
    },
    event::Spot,
};

impl Pen<'_> {
    pub(super) fn new_conversation(
        &mut self,
        dialog: &NewConversation,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let title = match dialog.group {
            Some(_) => "Add people",
            None => "New conversation",
        };
        let inner = self.popup(title, (56, 16), area, buffer);
        let dim = self.theme.dim();
        let mut y = 0;
        if !dialog.chosen.is_empty() {
            let names: Vec<&str> = dialog.chosen.iter().map(|p| p.name.as_str()).collect();
            let text = format!("with {}", names.join(", "));
            let text = fit(&text, usize::from(inner.width)).into_owned();
            put(
                buffer,
                inner,
                0,
                y,
                &Line::styled(text, self.theme.accent()),
            );
            y += 1;
        }
        let (label, value) = match &dialog.title {
            Some(title) => ("Title  ", title),
            None => ("Name   ", &dialog.query),
        };
        put(buffer, inner, 0, y, &Line::styled(label, dim));
        let field = Rect {
            x: inner.x + 7.min(inner.width),
            width: inner.width.saturating_sub(7),
            ..inner
        };
        self.input(field, y, value, false, !dialog.busy, buffer);
        y += if inner.height > 5 { 2 } else { 1 };
        if let Some(error) = &dialog.error {
            let text = fit(error.as_str(), usize::from(inner.width)).into_owned();
            return put(buffer, inner, 0, y, &Line::styled(text, self.theme.bad()));
        }
        if dialog.busy {
            return put(buffer, inner, 0, y, &Line::styled("one moment…", dim));
        }
        if dialog.title.is_none() {
            let rows = Rect {
                y: inner.y + y.min(inner.height),
                height: inner.height.saturating_sub(y),
                ..inner
            };
            self.people(dialog, rows, buffer);
        }
    }

    fn people(&mut self, dialog: &NewConversation, area: Rect, buffer: &mut Buffer) {
        if dialog.found.is_empty() {
            let text = if dialog.query.is_empty() && dialog.chosen.is_empty() {
                "Write the beginning of somebody’s name."
            } else if dialog.query.is_empty() {
                "Add another one, or press Enter."
            } else if dialog.searching() {
                "searching…"
            } else {
                "Nobody is called that."
            };
            return put(buffer, area, 0, 0, &Line::styled(text, self.theme.dim()));
        }
        let height = usize::from(area.height).max(1);
        let first = (dialog.selected + 1).saturating_sub(height);
        for (y, person) in dialog.found.iter().skip(first).take(height).enumerate() {
            put(buffer, area, 0, cells(y), &self.found(dialog, person));
            let spot = Spot::Row(first + y);
            self.cache.hits.push_row(area, cells(y), spot);
            if first + y == dialog.selected {
                paint(buffer, area, cells(y), self.theme.selected());
            }
        }
    }

    fn found(&self, dialog: &NewConversation, person: &Found) -> Line<'static> {
        let mark = if dialog.is_chosen(person.id) {
            "✓ "
        } else {
            "  "
        };
        Line::from(vec![
            Span::styled(mark, self.theme.good()),
            Span::raw(person.name.to_string()),
            Span::styled(format!("  @{}", person.username), self.theme.dim()),
        ])
    }
}
