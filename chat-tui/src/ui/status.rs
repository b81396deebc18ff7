//! The top row, which says whose client this is and how the connection is.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{Pen, cells, put};
use crate::app::{
    Screen,
    keymap::{Action, Context},
    link::{LinkState, seconds_until},
    text::{fit, width},
};

impl Pen<'_> {
    pub(super) fn status_row(&self, area: Rect, buffer: &mut Buffer) {
        let columns = usize::from(area.width);
        let (state, style) = self.link_in_words(columns);
        let name = match self.app.me.and_then(|me| self.app.people.get(me)) {
            Some(me) if matches!(self.app.screen, Screen::Main) => me.name.as_str(),
            _ => "chat",
        };
        let state = fit(&state, columns.saturating_sub(8)).into_owned();
        let room = columns.saturating_sub(width(&state) + 3);
        let mut left = vec![
            Span::raw(" "),
            Span::styled(fit(name, room).into_owned(), self.theme.strong()),
        ];
        let server = format!("  {}", self.app.server);
        if columns >= 60 && width(name) + width(&server) < room {
            left.push(Span::styled(server, self.theme.dim()));
        }
        put(buffer, area, 0, 0, &Line::from(left));
        let x = area.width.saturating_sub(cells(width(&state)) + 1);
        put(buffer, area, x, 0, &Line::styled(state, style));
    }

    /// The state of the connection, in as many words as there is room for.
    fn link_in_words(&self, columns: usize) -> (String, Style) {
        let nothing = (String::new(), self.theme.dim());
        match (&self.app.screen, &self.app.link) {
            (Screen::SignIn(_), _) => nothing,
            (Screen::Resuming(resuming), _) => match resuming.retry_at {
                Some(until) => self.waiting(seconds_until(until, self.app.now), "", columns),
                None => self.connecting(),
            },
            (Screen::Main, LinkState::Connecting) => self.connecting(),
            (Screen::Main, LinkState::Online) => self.own_presence(),
            (Screen::Main, LinkState::Waiting { until, reason }) => {
                let seconds = seconds_until(*until, self.app.now);
                self.waiting(seconds, reason.as_str(), columns)
            }
        }
    }

    fn connecting(&self) -> (String, Style) {
        ("◌ connecting…".to_owned(), self.theme.warn())
    }

    fn waiting(&self, seconds: i64, reason: &str, columns: usize) -> (String, Style) {
        let text = match columns {
            0..36 => format!("○ retry {seconds} s"),
            36..60 => format!("○ offline — retry in {seconds} s"),
            _ => {
                let gap = if reason.is_empty() { "" } else { " · " };
                let reason = fit(reason, columns.saturating_sub(55));
                let now = self
                    .app
                    .keymap
                    .key_for(Context::Everywhere, Action::RetryNow);
                let now = now.map_or(String::new(), |key| format!(" ({key} now)"));
                format!("○ offline{gap}{reason} — retry in {seconds} s{now}")
            }
        };
        (text, self.theme.bad())
    }
}
