//! The conversation list.

use chat_core::model::ConversationKind;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Modifier,
    text::{Line, Span},
};

use super::{Pen, cells, paint, put, time};
use crate::{
    app::{
        Pane,
        conversations::Item,
        keymap::{Action, Context},
        text::{fit, width},
    },
    event::Spot,
};

/// From this height on each conversation has a second row for its last message.
const TWO_ROWS_FROM: u16 = 8;

impl Pen<'_> {
    pub(super) fn list(&mut self, area: Rect, buffer: &mut Buffer) {
        self.cache.hits.push(area, Spot::List);
        let list = &self.app.list;
        let archived = if list.shows_archived() {
            0
        } else {
            list.archived()
        };
        if list.is_empty() {
            let lines = if list.loaded() {
                let starts = self.key_name(Action::NewConversation);
                vec![
                    "No conversations yet.".to_owned(),
                    format!("{starts} starts one."),
                ]
            } else {
                vec!["Loading…".to_owned()]
            };
            for (y, line) in lines.iter().enumerate() {
                let line = Line::styled(format!("  {line}"), self.theme.dim());
                put(buffer, area, 0, cells(y + 1), &line);
            }
        }
        let key = |context, action| {
            let key = self.app.keymap.key_for(context, action);
            key.map(|key| key.to_string())
        };
        let note = match (list.moved(), archived) {
            (0, 0) => None,
            (0, archived) => Some(match key(Context::Main, Action::Archived) {
                Some(key) => format!("   {archived} archived · {key} shows"),
                None => format!("   {archived} archived"),
            }),
            (moved, _) => match key(Context::List, Action::First) {
                Some(key) if self.app.pane == Pane::List => {
                    Some(format!("   {moved} moved · {key} sorts"))
                }
                _ => Some(format!("   {moved} moved")),
            },
        };
        let area = match note {
            Some(note) if area.height > 4 => {
                let note = fit(&note, usize::from(area.width)).into_owned();
                let note = Line::styled(note, self.theme.dim());
                put(buffer, area, 0, area.height - 1, &note);
                Rect {
                    height: area.height - 1,
                    ..area
                }
            }
            _ => area,
        };
        if list.is_empty() {
            return;
        }
        let rows_each = if area.height >= TWO_ROWS_FROM { 2 } else { 1 };
        let fits = usize::from(area.height / rows_each).max(1);
        let selected = list.selected_position().unwrap_or(0);
        // The selected one is kept off the edge while there is anything beyond it.
        let first = self
            .app
            .list_top
            .unwrap_or(selected.saturating_sub(fits * 2 / 3))
            .min(list.len().saturating_sub(fits));
        self.seen.list_top = first;
        for (n, item) in list.iter().skip(first).take(fits).enumerate() {
            let row = Rect {
                y: area.y + cells(n) * rows_each,
                height: rows_each,
                ..area
            };
            let row = row.intersection(area);
            self.cache.hits.push(row, Spot::Conversation(item.id));
            self.item(item, row, buffer);
            if self.theme.is_plain() && self.is_selected(item) {
                // What is read out is what the cursor stands on.
                self.place_cursor(row, 0, 0);
            }
        }
    }

    fn item(&self, item: &Item, area: Rect, buffer: &mut Buffer) {
        let columns = usize::from(area.width);
        let (unread, capped) = self.app.unread(item);
        let is_open = self.app.open == Some(item.id);
        let at = time::short(item.at, self.app.now, &self.app.zone);
        let name_room = columns.saturating_sub(4 + width(&at) + 1);
        let quiet = item.muted || item.archived;
        let name_style = if is_open && unread == 0 {
            self.theme.accent()
        } else if quiet {
            self.theme.dim()
        } else if unread > 0 {
            self.theme.strong()
        } else {
            ratatui::style::Style::new()
        };
        let (glyph, glyph_style) = self.glyph(item);
        let is_selected = self.is_selected(item);
        let marked = if self.theme.is_plain() && self.app.pane == Pane::List {
            is_selected
        } else {
            is_open
        };
        let bar = if marked { "▎" } else { " " };
        let first = Line::from(vec![
            Span::styled(bar, self.theme.accent()),
            Span::styled(glyph, glyph_style),
            Span::raw(" "),
            Span::styled(fit(item.name.as_str(), name_room).into_owned(), name_style),
        ]);
        put(buffer, area, 0, 0, &first);
        let mentions = match item.unread.mentions {
            _ if unread == 0 => String::new(),
            0 => String::new(),
            n => format!(" @{n}"),
        };
        let badge = match (unread, capped) {
            (0, _) => String::new(),
            (_, true) => format!("{mentions} 1000+ "),
            (n, false) => format!("{mentions} {n} "),
        };
        let badge_style = self.badge(quiet && item.unread.mentions == 0);
        if area.height == 1 && !badge.is_empty() {
            let x = area.width.saturating_sub(cells(width(&badge)));
            put(buffer, area, x, 0, &Line::styled(badge, badge_style));
        } else {
            let x = area.width.saturating_sub(cells(width(&at)) + 1);
            put(buffer, area, x, 0, &Line::styled(at, self.theme.dim()));
            let room = columns.saturating_sub(5 + width(&badge));
            let mut second = vec![Span::styled(bar, self.theme.accent()), Span::raw("  ")];
            let own_words = self.app.chat_of(item.id).filter(|_| !is_open);
            if own_words.is_some_and(|chat| !chat.composer.is_empty()) {
                second.push(Span::styled("draft ", self.theme.warn()));
            }
            let marks = [
                (item.archived, "archived "),
                (item.pinned && !item.archived, "⚑ "),
                (item.muted, "muted "),
            ];
            for (_, mark) in marks.into_iter().filter(|(is, _)| *is) {
                second.push(Span::styled(mark, self.theme.dim()));
            }
            second.push(Span::styled(self.preview(item), self.theme.dim()));
            let room = Rect {
                width: cells(room + 3).min(area.width),
                ..area
            };
            put(
                buffer,
                room,
                0,
                1,
                &ellipsis(second, usize::from(room.width)),
            );
            let x = area.width.saturating_sub(cells(width(&badge)) + 1);
            if !badge.is_empty() {
                put(buffer, area, x, 1, &Line::styled(badge, badge_style));
            }
        }
        if is_selected {
            for y in 0..area.height {
                paint(buffer, area, y, self.theme.selected());
            }
        }
    }

    /// Whether the keys go to it.
    fn is_selected(&self, item: &Item) -> bool {
        self.app.pane == Pane::List && self.app.list.selected() == Some(item.id)
    }

    fn badge(&self, quiet: bool) -> ratatui::style::Style {
        if quiet {
            self.theme.dim()
        } else {
            self.theme.unread().add_modifier(Modifier::REVERSED)
        }
    }

    /// Whether somebody is there, or that it is a group.
    fn glyph(&self, item: &Item) -> (&'static str, ratatui::style::Style) {
        match (item.kind, item.peer) {
            (ConversationKind::Group, _) => ("#", self.theme.dim()),
            (ConversationKind::Direct, Some(peer)) => self.presence_glyph(peer),
            (ConversationKind::Direct, None) => ("○", self.theme.dim()),
        }
    }

    pub(super) fn preview(&self, item: &Item) -> String {
        let text = item.last_text.as_str();
        match item.last_message.map(|(_, sender)| sender) {
            None => "nothing said yet".to_owned(),
            Some(sender) if Some(sender) == self.app.me => format!("You: {text}"),
            Some(sender) if item.kind == ConversationKind::Group => {
                let name = self.app.people.name(sender);
                format!("{}: {text}", name.split(' ').next().unwrap_or(name))
            }
            Some(_) => text.to_owned(),
        }
    }
}

/// The spans as far as they fit, the last of them with an ellipsis if it does not.
fn ellipsis(spans: Vec<Span<'_>>, columns: usize) -> Line<'_> {
    let mut left = columns;
    let mut line = Line::default();
    for span in spans {
        let text = fit(&span.content, left).into_owned();
        left = left.saturating_sub(width(&text));
        line.push_span(Span::styled(text, span.style));
    }
    line
}
