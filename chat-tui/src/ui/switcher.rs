//! The popup that leads everywhere.

use chat_core::model::ConversationKind;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Pen, cells, paint, put};
use crate::{
    app::{
        keymap::{Action, Context},
        switcher::{Command, Switcher, Target},
        text::{fit, width},
    },
    event::Spot,
};

impl Pen<'_> {
    pub(super) fn switcher(&mut self, switcher: &Switcher, area: Rect, buffer: &mut Buffer) {
        let inner = self.popup("Go to", (66, 18), area, buffer);
        if inner.height == 0 {
            return;
        }
        self.input(inner, 0, &switcher.query, false, true, buffer);
        let roomy = inner.height > 6;
        let skip = if inner.height > 4 { 2 } else { 1 };
        let rows = Rect {
            y: inner.y + skip,
            height: inner.height.saturating_sub(skip + u16::from(roomy) * 2),
            ..inner
        };
        if roomy {
            let text = "@ people   # groups   > commands";
            let line = Line::styled(text, self.theme.dim());
            put(buffer, inner, 0, inner.height - 1, &line);
        }
        if switcher.targets.is_empty() {
            let text = if switcher.searching() {
                "searching…"
            } else {
                "nothing is called that"
            };
            return put(buffer, rows, 0, 0, &Line::styled(text, self.theme.dim()));
        }
        let height = usize::from(rows.height).max(1);
        let first = (switcher.selected + 1).saturating_sub(height);
        let shown = switcher.targets.iter().enumerate().skip(first).take(height);
        for (n, target) in shown {
            let y = cells(n - first);
            let line = self.target(target, usize::from(rows.width));
            put(buffer, rows, 0, y, &line);
            self.cache.hits.push_row(rows, y, Spot::Row(n));
            if n == switcher.selected {
                paint(buffer, rows, y, self.theme.selected());
            }
        }
    }

    /// The keys that do the same; what is in a menu is behind the key of the menu.
    fn keys_of(&self, command: &Command) -> String {
        let keymap = &self.app.keymap;
        let menu = match command.context {
            Context::Conversation => keymap.key_for(Context::Main, Action::ConversationMenu),
            Context::Own => keymap.key_for(Context::Main, Action::OwnMenu),
            _ => None,
        };
        let key = keymap.key_for(command.context, command.action);
        let keys = menu.into_iter().chain(key).map(|key| key.to_string());
        keys.collect::<Vec<_>>().join(" ")
    }

    /// What it is on the left, and what there is to know about it on the right.
    fn target(&self, target: &Target, columns: usize) -> Line<'static> {
        let dim = self.theme.dim();
        let (sign, sign_style, name, right, right_style) = match target {
            Target::Conversation(id) => {
                let Some(item) = self.app.list.get(*id) else {
                    return Line::styled("(no longer in your list)", dim);
                };
                let (sign, style) = match (item.kind, item.peer) {
                    (ConversationKind::Direct, Some(peer)) => self.presence_glyph(peer),
                    (ConversationKind::Direct, None) => ("○", dim),
                    (ConversationKind::Group, _) => ("#", dim),
                };
                let right = match self.app.unread(item).0 {
                    0 => String::new(),
                    n => format!("{n} unread"),
                };
                let name = item.name.to_string();
                (sign, style, name, right, self.theme.unread())
            }
            Target::Person { name, username, .. } => {
                let name = name.to_string();
                ("@", dim, name, format!("@{username}"), dim)
            }
            Target::Command(command) => {
                let name = if command.about.is_empty() {
                    command.text.clone()
                } else {
                    format!("{}: {}", command.about, command.text)
                };
                (">", dim, name, self.keys_of(command), self.theme.accent())
            }
        };
        let room = columns.saturating_sub(width(&right) + 4);
        let name = fit(&name, room).into_owned();
        let gap = columns.saturating_sub(width(&name) + width(&right) + 2);
        Line::from(vec![
            Span::styled(format!("{sign} "), sign_style),
            Span::raw(name),
            Span::raw(" ".repeat(gap)),
            Span::styled(right, right_style),
        ])
    }
}
