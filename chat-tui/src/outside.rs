//! What a terminal is asked for besides showing text, written for the terminal that it is, and through tmux.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{app::text::fit, config::Notifications, effect::Notification};

/// A notification is a glance: this much of it is shown.
const TITLE_COLUMNS: usize = 60;
const TEXT_COLUMNS: usize = 160;

/// How to reach what is around the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outside {
    notifications: Notifications,
    in_tmux: bool,
}

impl Outside {
    /// By what the user wants, and what the variables of the environment say about the terminal.
    pub(crate) fn new(wanted: Notifications, variable: impl Fn(&str) -> Option<String>) -> Self {
        let notifications = match wanted {
            Notifications::Auto => known_by(&variable),
            chosen => chosen,
        };
        Self {
            notifications,
            in_tmux: variable("TMUX").is_some_and(|value| !value.is_empty()),
        }
    }

    /// Makes a noise, and shows the notification where the terminal can.
    pub(crate) fn notify(self, notification: &Notification) -> String {
        let title = fit(notification.title.as_str(), TITLE_COLUMNS);
        let text = fit(notification.text.as_str(), TEXT_COLUMNS);
        let shown = match self.notifications {
            Notifications::Off => return String::new(),
            Notifications::Auto | Notifications::Bell => return BELL.to_string(),
            Notifications::Osc9 => {
                // What begins with a number is another request: ConEmu's.
                format!("{OSC}9; {title}: {text}{ST}")
            }
            Notifications::Osc777 => {
                let title = title.replace(';', ",");
                format!("{OSC}777;notify;{title};{text}{ST}")
            }
            Notifications::Osc99 => {
                // One name for all: a newer notification takes the place of an older one.
                format!(
                    "{OSC}99;i=chat:d=0:o=unfocused;{title}{ST}{OSC}99;i=chat:p=body;{text}{ST}"
                )
            }
        };
        let shown = if self.in_tmux {
            passed_through(&shown)
        } else {
            shown
        };
        format!("{BELL}{shown}")
    }

    /// Puts a text where other programs can paste it; over SSH too, where the terminal lets it.
    pub(crate) fn copy(self, text: &str) -> String {
        let request = format!("{OSC}52;c;{}{ST}", STANDARD.encode(text));
        if self.in_tmux {
            // tmux takes the request itself with `set-clipboard on`, and lets it through with `allow-passthrough on`.
            let through = passed_through(&request);
            request + &through
        } else {
            request
        }
    }
}

const BELL: char = '\u{7}';
const OSC: &str = "\u{1b}]";
const ST: &str = "\u{1b}\\";

/// What is known of terminals that show notifications.
fn known_by(variable: impl Fn(&str) -> Option<String>) -> Notifications {
    let term = variable("TERM").unwrap_or_default();
    // In tmux, these two name tmux; what the terminal around it set is often still there.
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    let outer = variable("LC_TERMINAL").unwrap_or_default();
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    if term == "xterm-kitty" || is_set("KITTY_WINDOW_ID") {
        Notifications::Osc99
    } else if matches!(
        program.as_str(),
        "iTerm.app" | "WezTerm" | "ghostty" | "WarpTerminal"
    ) || outer == "iTerm2"
        || is_set("WEZTERM_PANE")
        || is_set("GHOSTTY_RESOURCES_DIR")
    {
        Notifications::Osc9
    } else if ["foot", "rxvt-unicode"]
        .iter()
        .any(|name| term.starts_with(name))
    {
        Notifications::Osc777
    } else {
        Notifications::Bell
    }
}

/// The same for the terminal in which tmux runs.
fn passed_through(request: &str) -> String {
    let mut through = String::with_capacity(request.len() + 16);
    through.push_str("\u{1b}Ptmux;");
    for c in request.chars() {
        if c == '\u{1b}' {
            through.push(c);
        }
        through.push(c);
    }
    // Writing to a string cannot fail.
    let _ = write!(through, "{ST}");
    through
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::text::Plain;

    fn outside(variables: &[(&str, &str)]) -> Outside {
        Outside::new(Notifications::Auto, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn notification() -> Notification {
        Notification {
            title: Plain::line("Ana; \u{1b}]0;evil\u{7}"),
            text: Plain::line(&format!("4;1;50 \u{9c}{}", "x".repeat(500))),
        }
    }

    #[test]
    fn terminals_are_told_in_the_way_that_they_know() {
        let way = |variables| outside(variables).notifications;
        assert_eq!(way(&[("TERM", "xterm-kitty")]), Notifications::Osc99);
        assert_eq!(way(&[("TERM_PROGRAM", "WezTerm")]), Notifications::Osc9);
        assert_eq!(
            way(&[("TERM_PROGRAM", "tmux"), ("LC_TERMINAL", "iTerm2")]),
            Notifications::Osc9
        );
        assert_eq!(way(&[("TERM", "foot-extra")]), Notifications::Osc777);
        assert_eq!(way(&[("TERM", "xterm-256color")]), Notifications::Bell);
        assert_eq!(outside(&[]).notify(&notification()), "\u{7}");
    }

    #[test]
    fn a_notification_is_cut_and_acts_on_nothing_else() {
        let told = outside(&[("TERM", "foot")]).notify(&notification());
        let inner = told.strip_prefix("\u{7}\u{1b}]777;notify;").unwrap();
        let inner = inner.strip_suffix("\u{1b}\\").unwrap();
        assert!(inner.starts_with("Ana, ␛]0,evil␇;4;1;50 <U+009C>xxx"));
        assert!(inner.ends_with("x…") && !inner.contains(char::is_control));

        let told =
            outside(&[("TERM", "xterm-kitty"), ("TMUX", "/tmp/tmux")]).notify(&notification());
        assert!(told.starts_with("\u{7}\u{1b}Ptmux;\u{1b}\u{1b}]99;i=chat:d=0:o=unfocused;Ana"));
        assert!(told.ends_with("x…\u{1b}\u{1b}\\\u{1b}\\"));
        assert_eq!(told.matches("\u{1b}\u{1b}").count(), 4);
    }

    #[test]
    fn a_copy_reaches_tmux_and_the_terminal_around_it() {
        let bare = outside(&[]).copy("ä\u{1b}");
        assert_eq!(bare, "\u{1b}]52;c;w6Qb\u{1b}\\");
        let both = outside(&[("TMUX", "/tmp/tmux")]).copy("ä\u{1b}");
        assert_eq!(
            both,
            format!("{bare}\u{1b}Ptmux;\u{1b}\u{1b}]52;c;w6Qb\u{1b}\u{1b}\\\u{1b}\\")
        );
    }
}
