//! Where on the screen the addresses of messages stand, so that the terminal can make links of them.

use ratatui::layout::Rect;

use super::timeline::{Place, Walk};
use crate::app::{
    address::Address,
    chat::Chat,
    text::{Plain, width},
    timeline::ItemId,
};

/// A part of an address in one row of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where.
    pub area: Rect,
    /// All of the address, of which only a part may be seen here.
    pub address: Address,
}

impl Walk<'_, '_> {
    /// Notes the addresses in a row of a message that is drawn in this area.
    pub(super) fn link(&mut self, place: Place, row: Rect) {
        let above = self.rows(place.index).above;
        let (Some(n), Some(id)) = (
            place.row.checked_sub(above),
            self.chat.timeline.id_at(place.index),
        ) else {
            return;
        };
        let Some(body) = body_of(self.chat, id) else {
            return;
        };
        let columns = self.body_columns();
        let unfolded = self.chat.unfolded.contains(&id);
        let cache = &mut *self.pen.cache;
        let wrapped = cache.wrapped(self.chat.id, id, body, columns, unfolded);
        let Some(range) = wrapped.rows.get(n) else {
            return;
        };
        for (link, address) in &wrapped.links {
            let part = link.start.max(range.start)..link.end.min(range.end);
            let text = |range| body.as_str().get(range).unwrap_or_default();
            let cells = |text: &str| u16::try_from(width(text)).unwrap_or(u16::MAX);
            let x = cells(text(range.start..part.start.max(range.start))) + Self::body_column();
            let area = Rect {
                x: row.x.saturating_add(x),
                width: cells(text(part)),
                ..row
            };
            let area = area.intersection(row);
            if !area.is_empty() {
                let address = address.clone();
                cache.links.push(Link { area, address });
            }
        }
    }
}

fn body_of(chat: &Chat, id: ItemId) -> Option<&Plain> {
    match id {
        ItemId::Entry(seq) => {
            let said = chat.timeline.line(seq)?.said()?;
            (!said.deleted).then_some(&said.body)
        }
        ItemId::Pending(id) => Some(&chat.timeline.find_pending(id)?.body),
    }
}
