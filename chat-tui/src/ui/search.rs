//! Searching: what was found, with what stands around it.

use std::ops::Range;

use chat_core::store;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};
use unicode_segmentation::UnicodeSegmentation;

use super::{Pen, cells, paint, put, time};
use crate::{
    app::{
        search::{Hit, Search},
        text::{fit, width},
        timeline::excerpt,
    },
    event::{Source, Spot},
};

impl Pen<'_> {
    pub(super) fn search(&mut self, search: &Search, area: Rect, buffer: &mut Buffer) {
        let title = match (search.only_here, search.here) {
            (true, Some(id)) => {
                let name = self.app.list.get(id).map(|item| item.name.clone());
                let name = name.unwrap_or_default();
                format!("Search in {}", fit(name.as_str(), 40))
            }
            _ => "Search everywhere".to_owned(),
        };
        let title = match search.source {
            Source::Server => title,
            Source::Disk => format!("{title} — offline: what is kept here"),
        };
        let inner = self.popup(&title, (90, area.height), area, buffer);
        if inner.height == 0 {
            return;
        }
        self.input(inner, 0, &search.query, false, true, buffer);
        let skip = if inner.height > 4 { 2 } else { 1 };
        let rows = Rect {
            y: inner.y + skip,
            height: inner.height.saturating_sub(skip),
            ..inner
        };
        let words = search.words();
        let text = match (&search.error, search.found.is_empty()) {
            (Some(error), _) => error.as_str(),
            (None, false) => {
                return self.hits(
                    &search.found,
                    search.selected,
                    &words,
                    !search.only_here,
                    rows,
                    buffer,
                );
            }
            _ if words.is_empty() => "Write words; a message is found that has them all.",
            _ if search.searching() => "searching…",
            _ => "No message has these words.",
        };
        let style = match search.error {
            Some(_) => self.theme.bad(),
            None => self.theme.dim(),
        };
        let text = fit(text, usize::from(rows.width)).into_owned();
        put(buffer, rows, 0, 0, &Line::styled(text, style));
    }

    /// Messages, two rows each: who said it where and when, and what.
    pub(super) fn hits(
        &mut self,
        hits: &[Hit],
        selected: usize,
        words: &[String],
        with_place: bool,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let fits = usize::from(area.height / 2).max(1);
        let first = (selected + 1).saturating_sub(fits);
        let room = usize::from(area.width);
        for (n, hit) in hits.iter().enumerate().skip(first).take(fits) {
            let y = cells(n - first) * 2;
            self.cache.hits.push_row(area, y, Spot::Row(n));
            self.cache.hits.push_row(area, y + 1, Spot::Row(n));
            put(buffer, area, 0, y, &self.hit_heading(hit, with_place, room));
            let text = self.hit_text(hit, words, room.saturating_sub(2));
            put(buffer, area, 2, y + 1, &text);
            if n == selected {
                paint(buffer, area, y, self.theme.selected());
            }
        }
    }

    fn hit_heading(&self, hit: &Hit, with_place: bool, room: usize) -> Line<'static> {
        let app = self.app;
        let name = if Some(hit.sender) == app.me {
            "You"
        } else {
            app.people.name(hit.sender)
        };
        let at = time::seen(hit.at, app.now, &app.zone);
        let place = app.list.get(hit.conversation).filter(|_| with_place);
        let place = place.map_or(String::new(), |item| format!("  in {}", item.name));
        let left = fit(
            &format!("{name}{place}"),
            room.saturating_sub(width(&at) + 2),
        )
        .into_owned();
        Line::from(vec![
            Span::styled(left, self.theme.strong()),
            Span::styled(format!("  {at}"), self.theme.dim()),
        ])
    }

    /// The text around the first word that was searched for.
    fn hit_text(&self, hit: &Hit, words: &[String], room: usize) -> Line<'static> {
        let body = hit.body.as_str();
        let found = found_in(body, words);
        let start = found
            .first()
            .map_or(0, |first| begin(body, first.start, room / 3));
        let lead = if start > 0 { "…" } else { "" };
        let shown = excerpt(&body[start..]);
        let shown = fit(shown.as_str(), room.saturating_sub(width(lead))).into_owned();
        let mut spans = vec![Span::raw(lead)];
        let mut at = 0;
        for range in found_in(&shown, words) {
            spans.push(Span::raw(shown[at..range.start].to_owned()));
            let text = shown[range.clone()].to_owned();
            spans.push(Span::styled(text, self.theme.found()));
            at = range.end;
        }
        spans.push(Span::raw(shown[at..].to_owned()));
        Line::from(spans)
    }
}

/// Where the words stand in a text: the last one as the beginning of a word.
fn found_in(text: &str, words: &[String]) -> Vec<Range<usize>> {
    let Some((last, whole)) = words.split_last() else {
        return Vec::new();
    };
    let is_found = |part: &str| {
        let parts = store::words(part);
        parts
            .iter()
            .any(|part| whole.contains(part) || part.starts_with(last.as_str()))
    };
    text.split_word_bound_indices()
        .filter(|(_, part)| is_found(part))
        .map(|(at, part)| at..at + part.len())
        .collect()
}

/// A place at most so many columns before this one, at the beginning of a word.
fn begin(text: &str, at: usize, columns: usize) -> usize {
    let mut used = 0;
    let mut start = at;
    for (place, part) in text[..at].split_word_bound_indices().rev() {
        used += width(part);
        if used > columns {
            return start;
        }
        if !part.trim().is_empty() {
            start = place;
        }
    }
    0
}
