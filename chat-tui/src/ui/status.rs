//! The top row, which says how the connection is, and the bottom row, which says what keys matter now.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{Pen, cells, put};
use crate::app::{
    Dialog, Pane, Screen,
    keymap::{Action, Context, key_for},
    link::{LinkState, seconds_until},
    text::{fit, width},
    timeline::{ItemId, Sending},
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
            (Screen::Main, LinkState::Online) => ("● online".to_owned(), self.theme.good()),
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
                format!("○ offline{gap}{reason} — retry in {seconds} s (F5 now)")
            }
        };
        (text, self.theme.bad())
    }

    pub(super) fn key_bar(&self, area: Rect, buffer: &mut Buffer) {
        if let Some(notice) = &self.app.notice {
            let (mark, style) = if notice.is_error {
                ("! ", self.theme.bad())
            } else {
                ("", self.theme.accent())
            };
            let line = Line::styled(format!(" {mark}{}", notice.text), style);
            return put(buffer, area, 0, 0, &line);
        }
        let mut spans = Vec::new();
        let mut used = 1;
        for (context, action, label) in self.hints() {
            let Some(key) = key_for(context, action) else {
                continue;
            };
            let key = key.to_string();
            let needed = width(&key) + 1 + width(label) + 2;
            if used + needed > usize::from(area.width) + 1 {
                break;
            }
            used += needed;
            spans.push(Span::raw(if spans.is_empty() { " " } else { "  " }));
            spans.push(Span::styled(key, self.theme.accent()));
            spans.push(Span::styled(format!(" {label}"), self.theme.dim()));
        }
        put(buffer, area, 0, 0, &Line::from(spans));
    }

    /// The keys that matter now, the most important first.
    fn hints(&self) -> Vec<(Context, Action, &'static str)> {
        use Context::{Composer, Dialog as InDialog, Everywhere, List, Main, Messages, SignIn};
        let help = (Everywhere, Action::Help, "help");
        match (&self.app.dialog, &self.app.screen, self.app.pane) {
            (Some(Dialog::Help(_)), ..) => vec![
                (InDialog, Action::Down, "more"),
                (InDialog, Action::Back, "close"),
            ],
            (Some(Dialog::Switcher(_)), ..) => vec![
                (InDialog, Action::Enter, "go"),
                (InDialog, Action::Back, "close"),
                (InDialog, Action::Down, "next"),
            ],
            (Some(Dialog::NewConversation(dialog)), ..) => {
                let enter = match (&dialog.title, dialog.chosen.is_empty()) {
                    (Some(_), _) => "create",
                    (None, true) => "write",
                    (None, false) => "next",
                };
                let mut hints = vec![
                    (InDialog, Action::Enter, enter),
                    (InDialog, Action::Back, "close"),
                ];
                if dialog.title.is_none() {
                    hints.insert(1, (InDialog, Action::Mark, "add to a group"));
                }
                hints
            }
            (None, Screen::SignIn(form), _) => vec![
                (
                    SignIn,
                    Action::Enter,
                    if form.registering {
                        "make account"
                    } else {
                        "sign in"
                    },
                ),
                (SignIn, Action::Down, "next"),
                (
                    SignIn,
                    Action::OtherForm,
                    if form.registering {
                        "sign in instead"
                    } else {
                        "new account"
                    },
                ),
                (Everywhere, Action::Quit, "quit"),
            ],
            (None, Screen::Resuming(_), _) => vec![
                (Everywhere, Action::RetryNow, "try now"),
                (SignIn, Action::Back, "sign in anew"),
                (Everywhere, Action::Quit, "quit"),
            ],
            (None, Screen::Main, Pane::List) => vec![
                (List, Action::Enter, "open"),
                (Main, Action::NewConversation, "new"),
                (Main, Action::Switcher, "go to"),
                (Main, Action::NextUnread, "unread"),
                help,
                (Everywhere, Action::Quit, "quit"),
            ],
            (None, Screen::Main, Pane::Composer) => vec![
                (Composer, Action::Send, "send"),
                (Composer, Action::Newline, "new line"),
                (Composer, Action::Back, "list"),
                (Main, Action::NextUnread, "unread"),
                help,
                (Composer, Action::Up, "select"),
            ],
            (None, Screen::Main, Pane::Messages) => {
                let mut hints = match self.selected_state() {
                    Some(Sending::Failed { .. }) => vec![
                        (Messages, Action::Resend, "try again"),
                        (Messages, Action::Edit, "edit"),
                        (Messages, Action::Discard, "discard"),
                    ],
                    Some(Sending::Waiting) => vec![
                        (Messages, Action::Edit, "edit"),
                        (Messages, Action::Discard, "discard"),
                    ],
                    Some(Sending::Accepted(_)) => Vec::new(),
                    None => vec![(Messages, Action::Reply, "reply")],
                };
                hints.push((Messages, Action::Up, "older"));
                hints.push((Messages, Action::Back, "back"));
                hints.push(help);
                hints
            }
        }
    }

    fn selected_state(&self) -> Option<&Sending> {
        let chat = self.app.chat()?;
        match chat.selected? {
            ItemId::Pending(id) => chat.timeline.find_pending(id).map(|p| &p.state),
            ItemId::Entry(_) => None,
        }
    }
}
