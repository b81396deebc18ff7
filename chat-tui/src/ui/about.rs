//! What there is to know of a message, of a person, and of the links in a message.

use chat_core::model::UserId;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Pen, cells, paint, put, time};
use crate::{
    app::{
        about::{Addresses, Details},
        keymap::{Action, Context},
        text::{Plain, fit, width},
        wrap::wrap,
    },
    event::Spot,
};

/// Left of what is told.
const LABEL: usize = 11;

impl Pen<'_> {
    /// Every address in full: what is opened is what was seen.
    pub(super) fn addresses(&mut self, panel: &Addresses, area: Rect, buffer: &mut Buffer) {
        let columns = usize::from(area.width.min(90)).saturating_sub(4).max(1);
        let mut lines: Vec<(usize, Line<'static>)> = Vec::new();
        for (n, address) in panel.all.iter().enumerate() {
            let text = address.as_str();
            for row in wrap(text, columns) {
                lines.push((n, Line::raw(text[row].to_owned())));
            }
            let host = format!("leads to {}", address.host());
            let host = fit(&host, columns).into_owned();
            lines.push((n, Line::styled(host, self.theme.dim())));
            if let Some(warning) = address.warning() {
                let warning = fit(warning, columns).into_owned();
                lines.push((n, Line::styled(warning, self.theme.bad())));
            }
        }
        let title = match panel.all.len() {
            1 => "Open this?".to_owned(),
            n => format!("{n} links"),
        };
        let size = (90, cells(lines.len() + 2));
        let inner = self.popup(&title, size, area, buffer);
        let height = usize::from(inner.height).max(1);
        // The selected one is seen from its beginning, and to its end where it fits.
        let start = lines.iter().position(|(n, _)| *n == panel.selected);
        let end = lines.iter().rposition(|(n, _)| *n == panel.selected);
        let (start, end) = (start.unwrap_or(0), end.unwrap_or(0));
        let first = (end + 1).saturating_sub(height).min(start);
        for (y, (n, line)) in lines.iter().skip(first).take(height).enumerate() {
            put(buffer, inner, 0, cells(y), line);
            self.cache.hits.push_row(inner, cells(y), Spot::Row(*n));
            if *n == panel.selected && panel.all.len() > 1 {
                paint(buffer, inner, cells(y), self.theme.selected());
            }
        }
    }

    pub(super) fn details(&mut self, details: &Details, area: Rect, buffer: &mut Buffer) {
        let chat = self.app.chat_of(details.conversation);
        let line = chat.and_then(|chat| chat.timeline.line(details.seq));
        let (Some(chat), Some(line)) = (chat, line) else {
            return;
        };
        let Some(said) = line.said() else { return };
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let readers = chat.readers(details.seq, self.app.me);
        let read_by: Vec<&str> = readers
            .filter(|reader| *reader != said.sender)
            .map(|reader| self.app.people.name(reader))
            .collect();
        let read_by = match read_by.len() {
            0 => "nobody, as far as they tell".to_owned(),
            1..=3 => read_by.join(", "),
            n => format!("{} and {} more", read_by[..2].join(", "), n - 2),
        };
        let rows = [
            ("said by", self.name_and_username(said.sender)),
            ("on", time::exact(line.at, &self.app.zone)),
            ("changed", yes(said.edited)),
            ("pinned", yes(said.pinned)),
            ("read by", read_by),
            ("place", details.seq.to_string()),
            ("id", said.id.to_string()),
        ];
        self.facts("Message", &rows, None, area, buffer);
    }

    pub(super) fn profile(&mut self, person: UserId, area: Rect, buffer: &mut Buffer) {
        let known = self.app.people.get(person);
        let username = known.map_or(String::new(), |known| format!("@{}", known.username));
        let presence = if Some(person) == self.app.me {
            "this is you".to_owned()
        } else if self.app.blocked.contains(&person) {
            "blocked by you".to_owned()
        } else {
            match self.presence_words(person).0 {
                words if words.is_empty() => "not known".to_owned(),
                words => words,
            }
        };
        let common = self.app.in_common_with(person);
        let common = match common.as_slice() {
            [] => "none that was opened here".to_owned(),
            groups => {
                let names: Vec<&str> = groups.iter().map(Plain::as_str).collect();
                names.join(", ")
            }
        };
        let rows = [
            ("user name", username),
            ("seen as", presence),
            ("groups", common),
            ("id", person.to_string()),
        ];
        let keymap = &self.app.keymap;
        let key = |action| {
            let key = keymap.key_for(Context::Panel, action);
            key.map_or(String::new(), |key| key.to_string())
        };
        let block = if self.app.blocked.contains(&person) {
            " no longer block"
        } else {
            " block"
        };
        let actions = Line::from(vec![
            Span::styled(key(Action::Write), self.theme.accent()),
            Span::styled(" write   ", self.theme.dim()),
            Span::styled(key(Action::Block), self.theme.accent()),
            Span::styled(block, self.theme.dim()),
        ]);
        let actions = (Some(person) != self.app.me).then_some(actions);
        let name = self.app.people.name(person).to_owned();
        self.facts(&name, &rows, actions, area, buffer);
    }

    fn name_and_username(&self, id: UserId) -> String {
        match self.app.people.get(id) {
            Some(person) => format!("{}  @{}", person.name, person.username),
            None => "…".to_owned(),
        }
    }

    /// Facts, one below the other, and what can be done.
    fn facts(
        &mut self,
        title: &str,
        rows: &[(&'static str, String)],
        actions: Option<Line<'static>>,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let last = if actions.is_some() { 2 } else { 0 };
        let size = (64, cells(rows.len() + 2 + last));
        let title = fit(title, 50).into_owned();
        let inner = self.popup(&title, size, area, buffer);
        let columns = usize::from(inner.width);
        let label = if columns > 30 { LABEL } else { 0 };
        for (y, (name, text)) in rows.iter().enumerate() {
            let name = if label > 0 { *name } else { "" };
            let pad = " ".repeat(label.saturating_sub(width(name)));
            let line = Line::from(vec![
                Span::styled(format!("{name}{pad}"), self.theme.dim()),
                Span::raw(fit(text, columns.saturating_sub(label)).into_owned()),
            ]);
            put(buffer, inner, 0, cells(y), &line);
        }
        if let Some(actions) = actions {
            put(buffer, inner, 0, cells(rows.len() + 1), &actions);
        }
    }
}
