//! Whether somebody is there, as a glyph and in words.

use chat_core::model::{Availability, Status, UserId};
use ratatui::style::Style;

use super::{Pen, time};
use crate::app::own::availability_words;

impl Pen<'_> {
    /// Without a connection nobody can vouch for anybody's presence.
    pub(super) fn presence_glyph(&self, id: UserId) -> (&'static str, Style) {
        if !self.app.link.is_online() {
            return ("◌", self.theme.dim());
        }
        match self.app.people.status(id) {
            Some(Status::Online) => ("●", self.theme.good()),
            Some(Status::Idle) => ("◐", self.theme.warn()),
            Some(Status::Dnd) => ("⊘", self.theme.bad()),
            _ => ("○", self.theme.dim()),
        }
    }

    pub(super) fn presence_words(&self, id: UserId) -> (String, Style) {
        let dim = self.theme.dim();
        let presence = self.app.people.get(id).and_then(|person| person.presence);
        let Some(presence) = presence else {
            return (String::new(), dim);
        };
        let words = match presence.status {
            Status::Online => "online",
            Status::Idle => "idle",
            Status::Dnd => "do not disturb",
            _ => {
                let words = match presence.last_seen_at {
                    Some(at) => {
                        let at = time::seen(at, self.app.now, &self.app.zone);
                        format!("last seen {at}")
                    }
                    None => "offline".to_owned(),
                };
                return (words, dim);
            }
        };
        if !self.app.link.is_online() {
            return (format!("was {words}"), dim);
        }
        let (glyph, style) = self.presence_glyph(id);
        (format!("{glyph} {words}"), style)
    }

    /// How I am seen, while I am connected.
    pub(super) fn own_presence(&self) -> (String, Style) {
        let seen_as = self.app.own.seen_as();
        let (glyph, style) = match seen_as {
            Availability::Online => ("●", self.theme.good()),
            Availability::Idle => ("◐", self.theme.warn()),
            Availability::Dnd => ("⊘", self.theme.bad()),
            Availability::Invisible => ("○", self.theme.dim()),
        };
        (format!("{glyph} {}", availability_words(seen_as)), style)
    }
}
