//! The bottom row: what happened, or which keys matter now.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{Pen, cells, put};
use crate::{
    app::{
        Dialog, Pane, Screen,
        composer::Motion,
        keymap::{Action, Context},
        sign_in::SignIn as Form,
        text::{fit, width},
        timeline::{ItemId, Sending},
    },
    event::Spot,
};

/// A key and what it does, in a word.
type Hint = (Context, Action, &'static str);

const HELP: Hint = (Context::Everywhere, Action::Help, "help");
const QUIT: Hint = (Context::Everywhere, Action::Quit, "quit");

impl Pen<'_> {
    pub(super) fn key_bar(&mut self, area: Rect, buffer: &mut Buffer) {
        if let Some(notice) = &self.app.notice {
            let (mark, style) = if notice.is_error {
                ("! ", self.theme.bad())
            } else {
                ("", self.theme.accent())
            };
            let text = format!(" {mark}{}", notice.text);
            let text = fit(&text, usize::from(area.width)).into_owned();
            return put(buffer, area, 0, 0, &Line::styled(text, style));
        }
        let mut spans = Vec::new();
        let mut used = 1;
        for (context, action, label) in self.hints() {
            let Some(key) = self.app.keymap.key_for(context, action) else {
                continue;
            };
            let (pressed, key) = (Spot::Key(key), key.to_string());
            let needed = width(&key) + 1 + width(label) + 2;
            if used + needed > usize::from(area.width) + 1 {
                break;
            }
            let hint = Rect {
                x: area.x + cells(used),
                width: cells(needed - 2),
                ..area
            };
            self.cache.hits.push(hint.intersection(area), pressed);
            used += needed;
            spans.push(Span::raw(if spans.is_empty() { " " } else { "  " }));
            spans.push(Span::styled(key, self.theme.accent()));
            spans.push(Span::styled(format!(" {label}"), self.theme.dim()));
        }
        put(buffer, area, 0, 0, &Line::from(spans));
    }

    /// The keys that matter now, the most important first.
    fn hints(&self) -> Vec<Hint> {
        match (&self.app.dialog, &self.app.screen) {
            (Some(dialog), _) => dialog_hints(dialog),
            (None, Screen::SignIn(form)) => form_hints(form),
            (None, Screen::Resuming(_)) => vec![
                (Context::Everywhere, Action::RetryNow, "try now"),
                (Context::SignIn, Action::Back, "sign in anew"),
                QUIT,
            ],
            (None, Screen::Main) => self.main_hints(),
        }
    }

    fn main_hints(&self) -> Vec<Hint> {
        use Context::{Completion, Composer, List, Main, Messages};
        match self.app.pane {
            Pane::List => vec![
                (List, Action::Enter, "open"),
                (Main, Action::NewConversation, "new"),
                (Main, Action::Switcher, "go to"),
                (Main, Action::ConversationMenu, "menu"),
                (Main, Action::NextUnread, "unread"),
                HELP,
                QUIT,
                (Main, Action::Search, "search"),
                (Main, Action::OwnMenu, "you"),
            ],
            Pane::Composer if self.app.completion.is_some() => vec![
                (Completion, Action::Enter, "take the name"),
                (Completion, Action::Down, "next"),
                (Completion, Action::Back, "no name"),
            ],
            Pane::Composer if self.is_editing() => vec![
                (Composer, Action::Send, "change it"),
                (Composer, Action::Back, "leave it"),
                (Composer, Action::ToMessages, "leave it"),
                (Composer, Action::Newline, "new line"),
                HELP,
            ],
            Pane::Composer => vec![
                (Composer, Action::Send, "send"),
                (Composer, Action::Newline, "new line"),
                (Composer, Action::Back, "list"),
                (Composer, Action::ToMessages, "messages"),
                (Main, Action::NextUnread, "unread"),
                HELP,
                (Composer, Action::Up, "select"),
                (Main, Action::ConversationMenu, "menu"),
                (Main, Action::Search, "search"),
                (Main, Action::OwnMenu, "you"),
            ],
            Pane::Messages => {
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
                    None => vec![
                        (Messages, Action::Menu, "menu"),
                        (Messages, Action::Reply, "reply"),
                        (Messages, Action::React, "react"),
                    ],
                };
                hints.push((Messages, Action::Up, "older"));
                hints.push((Messages, Action::Back, "write"));
                hints.push((Messages, Action::ToList, "list"));
                hints.push(HELP);
                hints
            }
        }
    }

    fn is_editing(&self) -> bool {
        self.app.chat().is_some_and(|chat| chat.editing.is_some())
    }

    fn selected_state(&self) -> Option<&Sending> {
        let chat = self.app.chat()?;
        match chat.selected? {
            ItemId::Pending(id) => chat.timeline.find_pending(id).map(|p| &p.state),
            ItemId::Entry(_) => None,
        }
    }
}

/// The keys of a dialog.
fn dialog_hints(dialog: &Dialog) -> Vec<Hint> {
    use Context::{Ask, Dialog as InDialog, Members};
    match dialog {
        Dialog::Help(_) => vec![
            (InDialog, Action::Down, "more"),
            (InDialog, Action::Back, "close"),
        ],
        Dialog::Inbox(_) => vec![
            (InDialog, Action::Enter, "open"),
            (InDialog, Action::Back, "close"),
            (InDialog, Action::Down, "next"),
        ],
        Dialog::Switcher(_) => vec![
            (InDialog, Action::Enter, "go"),
            (InDialog, Action::Back, "close"),
            (InDialog, Action::Down, "next"),
        ],
        Dialog::NewConversation(dialog) => {
            let enter = match (&dialog.title, dialog.chosen.is_empty()) {
                _ if dialog.group.is_some() => "add",
                (Some(_), _) => "create",
                (None, true) => "write",
                (None, false) => "next",
            };
            let mut hints = vec![
                (InDialog, Action::Enter, enter),
                (InDialog, Action::Back, "close"),
            ];
            if dialog.title.is_none() {
                hints.insert(1, (InDialog, Action::Mark, "several"));
            }
            hints
        }
        Dialog::Menu(_) => vec![
            (InDialog, Action::Enter, "choose"),
            (InDialog, Action::Back, "close"),
            (InDialog, Action::Down, "next"),
        ],
        Dialog::Ask(_) => vec![(Ask, Action::Yes, "yes"), (Ask, Action::No, "no")],
        Dialog::Prompt(_) => vec![
            (InDialog, Action::Enter, "set"),
            (InDialog, Action::Back, "close"),
        ],
        Dialog::React(_) => vec![
            (InDialog, Action::Enter, "choose"),
            (InDialog, Action::Move(Motion::Right), "next"),
            (InDialog, Action::Back, "close"),
        ],
        Dialog::Addresses(panel) => {
            let mut hints = vec![
                (InDialog, Action::Enter, "open"),
                (Context::Panel, Action::Copy, "copy"),
                (InDialog, Action::Back, "close"),
            ];
            if panel.all.len() > 1 {
                hints.push((InDialog, Action::Down, "next"));
            }
            hints
        }
        Dialog::Profile(_) => vec![
            (Context::Panel, Action::Write, "write"),
            (Context::Panel, Action::Block, "block"),
            (InDialog, Action::Back, "close"),
        ],
        Dialog::Readers(_) | Dialog::Details(_) => vec![(InDialog, Action::Back, "close")],
        Dialog::Pins(_) => vec![
            (InDialog, Action::Enter, "go there"),
            (InDialog, Action::Back, "close"),
        ],
        Dialog::Members(_) => vec![
            (Members, Action::Add, "add"),
            (Members, Action::ChangeRole, "role"),
            (Members, Action::Remove, "remove"),
            (Members, Action::Ban, "ban"),
            (InDialog, Action::Enter, "write to"),
            (Members, Action::Leave, "leave"),
            (InDialog, Action::Back, "close"),
        ],
        Dialog::Search(search) => vec![
            (InDialog, Action::Enter, "go there"),
            (InDialog, Action::Back, "close"),
            (
                InDialog,
                Action::Mark,
                if search.only_here {
                    "everywhere"
                } else {
                    "only here"
                },
            ),
            (InDialog, Action::Down, "next"),
        ],
        Dialog::SignIns(_) => vec![
            (InDialog, Action::Enter, "sign out there"),
            (InDialog, Action::Back, "close"),
        ],
    }
}

/// The keys of the sign-in form.
fn form_hints(form: &Form) -> Vec<Hint> {
    use Context::SignIn;
    vec![
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
        QUIT,
    ]
}
