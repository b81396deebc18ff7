//! One item of the timeline as rows: what stands above its text, and the text.

use std::ops::Range;

use chat_core::model::{ConversationKind, History, MessageId, Seq, Timestamp, UserId};
use ratatui::{
    style::Style,
    text::{Line, Span},
};

use super::{
    time,
    timeline::{Rows, Walk},
};
use crate::app::{
    chat::{More, Receipt, role_name},
    keymap::Action,
    mention::{Called, called},
    text::{Plain, fit, width},
    timeline::{ItemId, Line as Entry, Pending, Said, Sending, What, excerpt},
};

/// Left of every text: the mark of the selection, and what has become of my message.
pub(super) const GUTTER: usize = 4;
/// Longer lines are hard to read.
const WIDEST: usize = 100;
/// Messages of one person within this time stand under one name.
const GROUPED_MS: i64 = 5 * 60 * 1_000;

impl Walk<'_, '_> {
    pub(super) fn lay_out(&mut self, index: usize) -> Rows {
        let chat = self.chat;
        let lines = chat.timeline.lines();
        let mut above = Vec::new();
        let text = if let Some(entry) = lines.get(index) {
            let before = lines.range(..index).rev().find(|line| line.is_shown());
            if index == 0 {
                self.above_all(entry, &mut above);
            }
            match &entry.what {
                What::Nothing => Vec::new(),
                What::Said(said) => {
                    self.above_entry(entry, before, &mut above);
                    self.said(entry, said)
                }
                other => {
                    self.above_entry(entry, before, &mut above);
                    self.happened(entry, other)
                }
            }
        } else if let Some(pending) = chat.timeline.pending().get(index - lines.len()) {
            let is_first = index == lines.len();
            let last = || lines.iter().rev().find(|line| line.is_shown());
            let before = is_first.then(last).flatten();
            self.above_pending(pending, before, is_first, &mut above);
            self.pending(pending)
        } else {
            Vec::new()
        };
        let count = above.len();
        above.extend(text);
        Rows {
            above: count,
            rows: above,
        }
    }

    fn above_entry(&self, entry: &Entry, before: Option<&Entry>, above: &mut Vec<Line<'static>>) {
        let (app, theme) = (self.pen.app, self.pen.theme);
        let day = time::day(entry.at, &app.zone);
        let new_day = before.is_none_or(|b| time::day(b.at, &app.zone) != day);
        if new_day {
            if before.is_some() {
                above.push(Line::default());
            }
            let heading = time::heading(day, app.now, &app.zone);
            above.push(self.across(&heading, theme.dim()));
        }
        let ruled = self.first_unread == Some(entry.seq);
        if ruled {
            above.push(self.across("new", theme.unread()));
        }
        let Some(said) = entry.said() else {
            if !new_day && !ruled && before.is_some_and(|b| b.said().is_some()) {
                above.push(Line::default());
            }
            return;
        };
        let same_group = before.is_some_and(|b| {
            b.said().is_some_and(|s| s.sender == said.sender)
                && entry.at.as_millis() - b.at.as_millis() < GROUPED_MS
        });
        if !same_group || new_day || ruled {
            if !new_day && !ruled && before.is_some() {
                above.push(Line::default());
            }
            above.push(self.author(said.sender, entry.at));
        }
        if let Some(id) = said.reply_to {
            above.push(self.quote(id));
        }
    }

    /// What stands above the oldest entry that is held.
    fn above_all(&self, entry: &Entry, above: &mut Vec<Line<'static>>) {
        let dim = self.pen.theme.dim();
        let item = self.pen.app.list.get(self.chat.id);
        let from = item.map_or(1, |item| item.history_from);
        let line = match &self.chat.older {
            _ if entry.seq == 1 => self.centered("beginning of the conversation", dim),
            _ if entry.seq <= from => {
                self.centered("what was said before you joined is not shown to you", dim)
            }
            More::Failed(why) => {
                let again = self.pen.key_name(Action::PageUp);
                let text = format!("older messages did not come: {why} · {again} tries again");
                self.centered(&text, self.pen.theme.bad())
            }
            More::Idle | More::Loading => self.centered("loading older messages…", dim),
        };
        above.push(line);
    }

    fn above_pending(
        &self,
        pending: &Pending,
        before: Option<&Entry>,
        is_first: bool,
        above: &mut Vec<Line<'static>>,
    ) {
        let app = self.pen.app;
        let me = app.me;
        let same_group = before.is_some_and(|b| {
            b.said().is_some_and(|s| Some(s.sender) == me)
                && pending.at.as_millis() - b.at.as_millis() < GROUPED_MS
        });
        if is_first && !same_group {
            if before.is_some() {
                above.push(Line::default());
            }
            if let Some(me) = me {
                above.push(self.author(me, pending.at));
            }
        }
        if let Some(id) = pending.draft.reply_to {
            above.push(self.quote(id));
        }
    }

    fn author(&self, id: UserId, at: Timestamp) -> Line<'static> {
        let (app, theme) = (self.pen.app, self.pen.theme);
        let is_me = Some(id) == app.me;
        let name = if is_me { "You" } else { app.people.name(id) };
        let style = if is_me {
            theme.strong()
        } else {
            theme.name(id.as_uuid().as_u128())
        };
        let clock = time::clock(at, &app.zone);
        let room = self.columns.saturating_sub(GUTTER + clock.len() + 2);
        Line::from(vec![
            Span::raw(" ".repeat(GUTTER)),
            Span::styled(fit(name, room).into_owned(), style),
            Span::styled(format!("  {clock}"), theme.dim()),
        ])
    }

    fn quote(&self, id: MessageId) -> Line<'static> {
        let app = self.pen.app;
        let text = match self.chat.timeline.message(id) {
            Some(said) if said.deleted => "a message that was deleted".to_owned(),
            Some(said) => {
                let name = if Some(said.sender) == app.me {
                    "You"
                } else {
                    app.people.name(said.sender)
                };
                format!("{name}: {}", excerpt(said.body.as_str()))
            }
            None => "an earlier message".to_owned(),
        };
        let text = format!("↪ {text}");
        let room = self.columns.saturating_sub(GUTTER);
        Line::from(vec![
            Span::raw(" ".repeat(GUTTER)),
            Span::styled(fit(&text, room).into_owned(), self.pen.theme.dim()),
        ])
    }

    fn said(&mut self, entry: &Entry, said: &Said) -> Vec<Line<'static>> {
        let app = self.pen.app;
        let theme = self.pen.theme;
        let id = ItemId::Entry(entry.seq);
        if said.deleted {
            let text = Span::styled("message deleted", theme.dim());
            return vec![Line::from(vec![self.gutter(id, "", theme.dim()), text])];
        }
        let mine = Some(said.sender) == app.me;
        let (glyph, style) = match (mine, self.chat.receipt(entry.seq, app.me)) {
            (false, _) => ("", theme.dim()),
            (true, Receipt::Read) => ("✓✓", theme.good()),
            (true, Receipt::Delivered) => ("✓✓", theme.dim()),
            (true, Receipt::Sent) => ("✓", theme.dim()),
        };
        let after = match (said.edited, said.pinned) {
            (false, false) => "",
            (true, false) => "(edited)",
            (false, true) => "⚑ pinned",
            (true, true) => "(edited) ⚑ pinned",
        };
        let called = called(said, &app.people, app.me);
        let mut rows = self.body(id, &said.body, glyph, style, Style::new(), after, &called);
        rows.extend(self.reactions(said));
        if mine && let Some(readers) = self.readers(entry.seq) {
            rows.push(self.note(&readers, theme.dim()));
        }
        rows
    }

    /// Who has read the newest of my messages, in words: its mark differs from that of a delivered one by colour alone.
    fn readers(&self, seq: Seq) -> Option<String> {
        let app = self.pen.app;
        let item = app.list.get(self.chat.id)?;
        let newest_of_mine = self
            .chat
            .timeline
            .lines()
            .iter()
            .rev()
            .take(200)
            .find(|line| line.said().is_some_and(|said| Some(said.sender) == app.me))?;
        if newest_of_mine.seq != seq {
            return None;
        }
        if item.kind == ConversationKind::Direct {
            let is_read = self.chat.receipt(seq, app.me) == Receipt::Read;
            return is_read.then(|| "read".to_owned());
        }
        let readers: Vec<UserId> = self.chat.readers(seq, app.me).collect();
        let names: Vec<&str> = readers.iter().map(|id| app.people.name(*id)).collect();
        match names.as_slice() {
            [] => None,
            _ if names.len() + 1 >= self.chat.members.len() && names.len() > 1 => {
                Some("read by everybody".to_owned())
            }
            [_] | [_, _] | [_, _, _] => Some(format!("read by {}", names.join(", "))),
            _ => Some(format!("read by {}", names.len())),
        }
    }

    fn pending(&mut self, pending: &Pending) -> Vec<Line<'static>> {
        let theme = self.pen.theme;
        let id = ItemId::Pending(pending.draft.client_id);
        let (glyph, style, text) = match &pending.state {
            Sending::Waiting => ("○", theme.dim(), theme.dim()),
            Sending::Accepted(_) => ("✓", theme.dim(), Style::new()),
            Sending::Failed { .. } => ("✗", theme.bad(), Style::new()),
        };
        let mut rows = self.body(id, &pending.body, glyph, style, text, "", &[]);
        match &pending.state {
            Sending::Failed { reason, .. } => {
                rows.push(self.note(&format!("not sent: {reason}"), theme.bad()));
                let keys = if self.chat.selected == Some(id) {
                    "t try again · e edit · d discard"
                } else {
                    "↑ selects it: t try again · e edit · d discard"
                };
                rows.push(self.note(keys, theme.dim()));
            }
            Sending::Waiting if !self.pen.app.link.is_online() => {
                let is_last = self
                    .chat
                    .timeline
                    .pending()
                    .last()
                    .is_some_and(|last| last.draft.client_id == pending.draft.client_id);
                if is_last {
                    rows.push(self.note("waiting for connection", theme.warn()));
                }
            }
            _ => {}
        }
        rows
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a text, what stands beside it and what stands out in it"
    )]
    fn body(
        &mut self,
        id: ItemId,
        body: &Plain,
        glyph: &str,
        glyph_style: Style,
        style: Style,
        after: &str,
        called: &[Called],
    ) -> Vec<Line<'static>> {
        let columns = self.body_columns();
        let unfolded = self.chat.unfolded.contains(&id);
        let wrapped = self
            .pen
            .cache
            .wrapped(self.chat.id, id, body, columns, unfolded);
        let dim = self.pen.theme.dim();
        let mut rows = Vec::with_capacity(wrapped.rows.len() + 1);
        for (n, range) in wrapped.rows.iter().enumerate() {
            let mark = if n == 0 { glyph } else { "" };
            let mut line = Line::from(self.gutter(id, mark, glyph_style));
            for span in self.spans(body.as_str(), range.clone(), style, called) {
                line.push_span(span);
            }
            rows.push(line);
        }
        if !after.is_empty() {
            let fits =
                |line: &Line<'_>| wrapped.folded == 0 && line.width() + width(after) < self.columns;
            match rows.last_mut().filter(|line| fits(line)) {
                Some(line) => line.push_span(Span::styled(format!(" {after}"), dim)),
                None => rows.push(self.note(after, dim)),
            }
        }
        if wrapped.folded > 0 {
            let key = if unfolded {
                ""
            } else {
                " · select it and press Space"
            };
            let text = format!("… {} more lines{key}", wrapped.folded);
            rows.push(self.note(&text, dim));
        }
        rows
    }

    /// How wide a text is at most.
    pub(super) fn body_columns(&self) -> usize {
        self.columns.saturating_sub(GUTTER + 1).clamp(1, WIDEST)
    }

    /// The column in which texts begin.
    pub(super) fn body_column() -> u16 {
        super::cells(GUTTER)
    }

    /// A row of a text, in which names that call somebody stand out.
    fn spans(
        &self,
        body: &str,
        row: Range<usize>,
        style: Style,
        called: &[Called],
    ) -> Vec<Span<'static>> {
        let text = |range: Range<usize>| body.get(range).unwrap_or_default().to_owned();
        let mut spans = Vec::new();
        let mut at = row.start;
        for name in called {
            let range = name.range.start.max(at)..name.range.end.min(row.end);
            if range.is_empty() {
                continue;
            }
            spans.push(Span::styled(text(at..range.start), style));
            let stands_out = self.pen.theme.called(name.me);
            spans.push(Span::styled(text(range.clone()), stands_out));
            at = range.end;
        }
        spans.push(Span::styled(text(at..row.end), style));
        spans
    }

    fn happened(&self, entry: &Entry, what: &What) -> Vec<Line<'static>> {
        let app = self.pen.app;
        let name = |id: &UserId| {
            if Some(*id) == app.me {
                "You".to_owned()
            } else {
                app.people.name(*id).to_owned()
            }
        };
        // "You" is never the object of one's own sentence, so it can stand there as it is, small.
        let whom = |id: &UserId| {
            if Some(*id) == app.me {
                "you".to_owned()
            } else {
                app.people.name(*id).to_owned()
            }
        };
        let text = match what {
            What::Joined { user, by } if user == by && entry.seq == 1 => {
                format!("{} created the group", name(user))
            }
            What::Joined { user, by } if user == by => format!("{} joined", name(user)),
            What::Joined { user, by } => format!("{} added {}", name(by), whom(user)),
            What::Left { user, by, .. } if user == by => format!("{} left", name(user)),
            What::Left {
                user,
                by,
                banned: true,
            } => format!("{} banned {}", name(by), whom(user)),
            What::Left { user, by, .. } => format!("{} removed {}", name(by), whom(user)),
            What::Role { user, role, by } => {
                format!("{} made {} {}", name(by), whom(user), role_name(*role))
            }
            What::Renamed { title, by } => format!("{} named it “{title}”", name(by)),
            What::Topic {
                topic: Some(topic),
                by,
            } => format!("{} set the topic: {topic}", name(by)),
            What::Topic { topic: None, by } => format!("{} took the topic away", name(by)),
            What::History {
                history: History::Shared,
                by,
            } => format!("{} lets newcomers see what was said before", name(by)),
            What::History { by, .. } => {
                format!("{} lets newcomers see only what follows", name(by))
            }
            What::Pinned {
                excerpt,
                pinned: true,
                by,
            } if excerpt.is_empty() => format!("{} pinned a message", name(by)),
            What::Pinned {
                excerpt,
                pinned: true,
                by,
            } => format!("{} pinned “{}”", name(by), fit(excerpt.as_str(), 40)),
            What::Pinned { by, .. } => format!("{} took a pin away", name(by)),
            What::Ended { by } => format!("{} deleted the group", name(by)),
            What::Said(_) | What::Nothing | What::Unknown => {
                "something that this version of the client does not know".to_owned()
            }
        };
        let id = ItemId::Entry(entry.seq);
        let clock = time::clock(entry.at, &app.zone);
        let room = self.columns.saturating_sub(GUTTER + clock.len() + 5);
        let dim = self.pen.theme.dim();
        let text = format!("· {}  {clock}", fit(&text, room));
        vec![Line::from(vec![
            self.gutter(id, "", dim),
            Span::styled(text, dim),
        ])]
    }

    /// The columns left of a text: whether it is selected, and a glyph.
    fn gutter(&self, id: ItemId, glyph: &str, style: Style) -> Span<'static> {
        let selected = self.chat.selected == Some(id);
        let bar = if selected { "▌" } else { " " };
        let style = if selected {
            self.pen.theme.accent()
        } else {
            style
        };
        Span::styled(format!("{bar}{glyph:<3}"), style)
    }

    fn note(&self, text: &str, style: Style) -> Line<'static> {
        let room = self.columns.saturating_sub(GUTTER + 1);
        Line::from(vec![
            Span::raw(" ".repeat(GUTTER)),
            Span::styled(fit(text, room).into_owned(), style),
        ])
    }

    fn centered(&self, text: &str, style: Style) -> Line<'static> {
        let text = fit(text, self.columns.saturating_sub(2)).into_owned();
        let pad = self.columns.saturating_sub(width(&text)) / 2;
        Line::from(vec![Span::raw(" ".repeat(pad)), Span::styled(text, style)])
    }

    /// A rule with a word in it.
    fn across(&self, word: &str, style: Style) -> Line<'static> {
        let room = self.columns.saturating_sub(2).min(WIDEST + GUTTER);
        let word = format!(" {} ", fit(word, room.saturating_sub(4)));
        let left = room.saturating_sub(width(&word)) / 2;
        let right = room.saturating_sub(width(&word) + left);
        let text = format!(" {}{word}{} ", "─".repeat(left), "─".repeat(right));
        Line::styled(text, style)
    }
}
