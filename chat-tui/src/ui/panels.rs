//! Lists above the conversations: readers, pinned messages, members, sign-ins.

use chat_core::model::{Role, UserId};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{Pen, cells, paint, put, time};
use crate::{
    app::{
        panels::{Loading, Members, Pins, Place, Readers, SignIns},
        text::{fit, width},
    },
    event::Spot,
};

impl Pen<'_> {
    pub(super) fn readers(&mut self, panel: &Readers, area: Rect, buffer: &mut Buffer) {
        let count = panel.readers.items().len();
        let inner = self.popup("Read by", (40, cells(count.max(1) + 2)), area, buffer);
        if self.not_here(
            &panel.readers,
            "nobody yet, as far as they tell",
            inner,
            buffer,
        ) {
            return;
        }
        let height = usize::from(inner.height);
        self.seen.dialog_rest = count.saturating_sub(height);
        let readers = panel.readers.items().iter().skip(panel.line).take(height);
        for (y, reader) in readers.enumerate() {
            put(buffer, inner, 0, cells(y), &self.person(*reader, None));
        }
    }

    pub(super) fn pins(&mut self, panel: &Pins, area: Rect, buffer: &mut Buffer) {
        let count = panel.pins.items().len();
        let size = (76, cells(count.max(1) * 2 + 2));
        let inner = self.popup("Pinned messages", size, area, buffer);
        if self.not_here(&panel.pins, "nothing is pinned here", inner, buffer) {
            return;
        }
        self.hits(
            panel.pins.items(),
            panel.selected,
            &[],
            false,
            inner,
            buffer,
        );
    }

    pub(super) fn members(&mut self, panel: &Members, area: Rect, buffer: &mut Buffer) {
        let members = self.app.members_in_order(panel.conversation);
        let group = self.app.list.get(panel.conversation);
        let all = group.map_or(0, |group| group.member_count);
        let count = members.len() + panel.banned.len();
        let title = match all {
            1 => "1 member".to_owned(),
            n => format!("{n} members"),
        };
        let inner = self.popup(&title, (52, cells(count.max(1) + 2)), area, buffer);
        if members.is_empty() {
            let line = Line::styled("one moment…", self.theme.dim());
            return put(buffer, inner, 0, 0, &line);
        }
        let mut lines: Vec<Line<'static>> = members
            .iter()
            .map(|member| self.person(member.id, Some(member.role)))
            .collect();
        for banned in &panel.banned {
            let name = self.app.people.name(*banned).to_owned();
            lines.push(Line::styled(format!("✗ {name}  banned"), self.theme.dim()));
        }
        self.rows(&lines, panel.selected, inner, buffer);
    }

    pub(super) fn sign_ins(&mut self, panel: &SignIns, area: Rect, buffer: &mut Buffer) {
        let count = panel.places.items().len();
        let size = (70, cells(count.max(1) + 2));
        let inner = self.popup("Where you are signed in", size, area, buffer);
        if self.not_here(&panel.places, "nowhere", inner, buffer) {
            return;
        }
        let places = panel.places.items().iter();
        let room = usize::from(inner.width);
        let lines: Vec<Line<'static>> = places.map(|place| self.place(place, room)).collect();
        self.rows(&lines, panel.selected, inner, buffer);
    }

    fn place(&self, place: &Place, room: usize) -> Line<'static> {
        let used = time::seen(place.used, self.app.now, &self.app.zone);
        let (mark, when) = if place.here {
            ("● ", "here".to_owned())
        } else {
            ("○ ", format!("last used {used}"))
        };
        let since = time::seen(place.since, self.app.now, &self.app.zone);
        let text = format!("{}  {}  since {since}", place.program, place.address);
        let text = fit(&text, room.saturating_sub(width(&when) + 4)).into_owned();
        let style = if place.here {
            self.theme.good()
        } else {
            self.theme.dim()
        };
        Line::from(vec![
            Span::styled(mark, style),
            Span::raw(text),
            Span::styled(format!("  {when}"), style),
        ])
    }

    /// Somebody by name, with a role that is more than a member's.
    fn person(&self, id: UserId, role: Option<Role>) -> Line<'static> {
        let (glyph, style) = if Some(id) == self.app.me {
            ("●", self.theme.good())
        } else {
            self.presence_glyph(id)
        };
        let you = if Some(id) == self.app.me {
            " (you)"
        } else {
            ""
        };
        let role = match role {
            Some(Role::Owner) => "  owner",
            Some(Role::Admin) => "  admin",
            Some(Role::Member) | None => "",
        };
        let person = self.app.people.get(id);
        let username = person.map_or(String::new(), |person| format!("  @{}", person.username));
        Line::from(vec![
            Span::styled(format!("{glyph} "), style),
            Span::raw(format!("{}{you}", self.app.people.name(id))),
            Span::styled(username, self.theme.dim()),
            Span::styled(role, self.theme.warn()),
        ])
    }

    /// Lines of which one is selected and on the screen.
    fn rows(&mut self, lines: &[Line<'static>], selected: usize, area: Rect, buffer: &mut Buffer) {
        let height = usize::from(area.height).max(1);
        let first = (selected + 1).saturating_sub(height);
        for (y, line) in lines.iter().enumerate().skip(first).take(height) {
            let row = cells(y - first);
            put(buffer, area, 0, row, line);
            self.cache.hits.push_row(area, row, Spot::Row(y));
            if y == selected {
                paint(buffer, area, row, self.theme.selected());
            }
        }
    }

    /// Says so when a list is not here, or is empty.
    fn not_here<T>(
        &self,
        list: &Loading<Vec<T>>,
        empty: &str,
        area: Rect,
        buffer: &mut Buffer,
    ) -> bool {
        let (text, style): (&str, Style) = match list {
            Loading::Waiting => ("one moment…", self.theme.dim()),
            Loading::Failed(why) => (why.as_str(), self.theme.bad()),
            Loading::Here(items) if items.is_empty() => (empty, self.theme.dim()),
            Loading::Here(_) => return false,
        };
        let text = fit(text, usize::from(area.width)).into_owned();
        put(buffer, area, 0, 0, &Line::styled(text, style));
        true
    }
}
