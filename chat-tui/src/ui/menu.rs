//! Menus, questions, and texts that are asked for.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Pen, cells, paint, put};
use crate::{
    app::{
        ask::{Prompt, Question},
        keymap::{Action, Context},
        menu::Menu,
        text::{fit, width},
        wrap::wrap,
    },
    event::Spot,
};

const WIDEST: usize = 60;

impl Pen<'_> {
    pub(super) fn menu(&mut self, menu: &Menu, area: Rect, buffer: &mut Buffer) {
        let widest = menu.items.iter().map(|(_, text)| width(text)).max();
        let keymap = &self.app.keymap;
        let key = |action| keymap.key_for(menu.context(), action);
        let key = |action| key(action).map_or(String::new(), |key| key.to_string());
        let keys = menu.items.iter().map(|(action, _)| width(&key(*action)));
        let keys = keys.max().unwrap_or(1);
        let columns = (widest.unwrap_or(0) + keys + 6).max(width(menu.title.as_str()) + 8);
        let size = (cells(columns.min(WIDEST)), cells(menu.items.len() + 2));
        let title = fit(menu.title.as_str(), WIDEST - 8).into_owned();
        let inner = self.popup(&title, size, area, buffer);
        let height = usize::from(inner.height).max(1);
        let first = (menu.selected + 1).saturating_sub(height);
        for (y, (action, text)) in menu.items.iter().enumerate().skip(first).take(height) {
            let row = cells(y - first);
            let room = usize::from(inner.width).saturating_sub(keys + 2);
            let line = Line::from(vec![
                Span::styled(format!("{:<keys$}  ", key(*action)), self.theme.accent()),
                Span::raw(fit(text, room).into_owned()),
            ]);
            put(buffer, inner, 0, row, &line);
            self.cache.hits.push_row(inner, row, Spot::Row(y));
            if y == menu.selected {
                paint(buffer, inner, row, self.theme.selected());
            }
        }
    }

    pub(super) fn question(&mut self, question: &Question, area: Rect, buffer: &mut Buffer) {
        let text = question.text.as_str();
        let columns = usize::from(area.width).saturating_sub(4).clamp(1, 52);
        let rows = wrap(text, columns);
        let wide = rows.iter().map(|row| width(&text[row.clone()])).max();
        let wide = wide.unwrap_or(0).max(20) + 4;
        let size = (cells(wide), cells(rows.len() + 4));
        let inner = self.popup("Really?", size, area, buffer);
        for (y, row) in rows.iter().enumerate() {
            put(buffer, inner, 0, cells(y), &Line::raw(&text[row.clone()]));
        }
        let key = |action| self.app.keymap.key_for(Context::Ask, action);
        let key = |action| key(action).map_or(String::new(), |key| key.to_string());
        let answers = Line::from(vec![
            Span::styled(key(Action::Yes), self.theme.accent()),
            Span::styled(" yes   ", self.theme.dim()),
            Span::styled(key(Action::No), self.theme.accent()),
            Span::styled(" no", self.theme.dim()),
        ]);
        put(buffer, inner, 0, inner.height.saturating_sub(1), &answers);
    }

    pub(super) fn prompt(&mut self, prompt: &Prompt, area: Rect, buffer: &mut Buffer) {
        let inner = self.popup(prompt.title(), (60, 5), area, buffer);
        self.input(inner, 0, &prompt.value, false, true, buffer);
        if let Some(error) = &prompt.error {
            let text = fit(error.as_str(), usize::from(inner.width)).into_owned();
            let row = inner.height.saturating_sub(1);
            put(buffer, inner, 0, row, &Line::styled(text, self.theme.bad()));
        }
    }
}
