//! What signs in, as its user will know it again.

use std::net::IpAddr;

use super::names::disturbs;

/// The longest account that a program gives of itself, in characters; more is cut.
const MAX_USER_AGENT_CHARS: usize = 200;

/// From where somebody signs in, and with what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Device {
    pub(super) address: Option<IpAddr>,
    pub(super) user_agent: Option<String>,
}

impl Device {
    /// A peer at this address that calls itself `user_agent`, which is whatever it sent.
    pub(crate) fn new(address: Option<IpAddr>, user_agent: Option<&[u8]>) -> Self {
        Self {
            address: address.map(|address| address.to_canonical()),
            user_agent: user_agent.and_then(printable),
        }
    }
}

/// What can be shown of it; `None` when that is nothing.
fn printable(user_agent: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(user_agent);
    let shown = text.chars().filter(|c| !disturbs(*c));
    let shown: String = shown.take(MAX_USER_AGENT_CHARS).collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_shown_by_what_is_printable_of_its_name() {
        let shown = |text: &str| Device::new(None, Some(text.as_bytes())).user_agent;
        assert_eq!(
            shown("chat-tui/0.1 (linux)"),
            Some("chat-tui/0.1 (linux)".to_owned())
        );
        assert_eq!(shown("a\u{1b}[2J\tb\u{202e}c "), Some("a[2Jbc".to_owned()));
        assert_eq!(shown(" \t "), None);
        assert_eq!(shown(&"\u{e9}".repeat(300)).unwrap().chars().count(), 200);
        assert_eq!(
            Device::new(Some("::ffff:10.0.0.1".parse().unwrap()), None).address,
            Some("10.0.0.1".parse().unwrap())
        );
    }
}
