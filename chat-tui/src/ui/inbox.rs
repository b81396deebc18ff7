//! The inbox.

use chat_core::model::ConversationId;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Pen, cells, paint, put};
use crate::{
    app::{
        inbox::{Inbox, Waiting},
        text::{fit, width},
        timeline::{Sending, excerpt},
    },
    event::Spot,
};

impl Pen<'_> {
    pub(super) fn inbox(&mut self, inbox: &Inbox, area: Rect, buffer: &mut Buffer) {
        let rows = inbox.items.len().max(1) * 2 + 2;
        let inner = self.popup("Inbox", (76, cells(rows)), area, buffer);
        if inbox.items.is_empty() {
            let line = Line::styled(
                "Nothing is unread, and everything was sent.",
                self.theme.dim(),
            );
            return put(buffer, inner, 0, 0, &line);
        }
        let fits = usize::from(inner.height / 2).max(1);
        let first = (inbox.selected + 1).saturating_sub(fits);
        for (n, waiting) in inbox.items.iter().enumerate().skip(first).take(fits) {
            let y = cells(n - first) * 2;
            let columns = usize::from(inner.width);
            let (heading, text) = match waiting {
                Waiting::Unread(id) => self.unread_lines(*id, columns),
                Waiting::Refused(id, name) => {
                    let chat = self.app.chat_of(*id);
                    let pending = chat.and_then(|chat| chat.timeline.find_pending(*name));
                    let reason = match pending.map(|pending| &pending.state) {
                        Some(Sending::Failed { reason, .. }) => reason.as_str(),
                        _ => "taken care of",
                    };
                    let place = self.place_name(*id);
                    let heading = format!("✗ not sent to {place} · {reason}");
                    let text = pending.map(|pending| excerpt(pending.body.as_str()));
                    let text = text.unwrap_or_default();
                    (
                        Line::styled(fit(&heading, columns).into_owned(), self.theme.bad()),
                        fit(text.as_str(), columns.saturating_sub(2)).into_owned(),
                    )
                }
            };
            put(buffer, inner, 0, y, &heading);
            self.cache.hits.push_row(inner, y, Spot::Row(n));
            self.cache.hits.push_row(inner, y + 1, Spot::Row(n));
            put(
                buffer,
                inner,
                2,
                y + 1,
                &Line::styled(text, self.theme.dim()),
            );
            if n == inbox.selected {
                paint(buffer, inner, y, self.theme.selected());
            }
        }
    }

    fn unread_lines(&self, id: ConversationId, columns: usize) -> (Line<'static>, String) {
        let Some(item) = self.app.list.get(id) else {
            let line = Line::styled("no longer in your list", self.theme.dim());
            return (line, String::new());
        };
        let (unread, capped) = self.app.unread(item);
        let count = match (unread, capped) {
            (0, _) => "read".to_owned(),
            (_, true) => "1000+ unread".to_owned(),
            (n, false) => format!("{n} unread"),
        };
        let mentions = match item.unread.mentions {
            n if n > 0 && unread > 0 => format!("@{n} "),
            _ => String::new(),
        };
        let room = columns.saturating_sub(width(&count) + width(&mentions) + 2);
        let heading = Line::from(vec![
            Span::styled(
                fit(item.name.as_str(), room).into_owned(),
                self.theme.strong(),
            ),
            Span::raw("  "),
            Span::styled(mentions, self.theme.unread()),
            Span::styled(count, self.theme.dim()),
        ]);
        let text = fit(&self.preview(item), columns.saturating_sub(2)).into_owned();
        (heading, text)
    }

    fn place_name(&self, id: ConversationId) -> &str {
        let item = self.app.list.get(id);
        item.map_or("a conversation that is gone", |item| item.name.as_str())
    }
}
