//! Standard output, a line at a time.

use std::{fmt::Write as _, io};

use serde::Serialize;
use tokio::io::{AsyncWriteExt, Stdout};

use super::{Exit, Failure};

/// Where data goes. A reader who has enough ends the command in silence.
#[derive(Debug)]
pub(super) struct Output(Stdout);

impl Default for Output {
    fn default() -> Self {
        Self(tokio::io::stdout())
    }
}

impl Output {
    /// Writes a line, and does not keep it back.
    pub(super) async fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.text(&format!("{line}\n")).await
    }

    /// Writes text as it is.
    pub(super) async fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes()).await.map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                return Failure::new(Exit::NobodyReads, "");
            }
            let message = format!("standard output cannot be written to: {error}");
            Failure::new(Exit::Failed, &message)
        })
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    /// Writes a value as one line of JSON.
    pub(super) async fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string(value).map_err(anyhow::Error::from)?;
        self.line(&harmless(&json)).await
    }

    /// Ends when nobody reads what is written any more, also while there is nothing to write. Of what is not a pipe it is
    /// not known, and this does not end.
    #[cfg(unix)]
    pub(super) async fn nobody_reads() {
        use std::os::fd::AsFd;
        use tokio::{io::Interest, net::unix::pipe::Sender};
        // Only looked at, never written to: that it blocks does no harm.
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        if let Ok(stdout) = stdout
            && let Ok(pipe) = Sender::from_file_unchecked(stdout.into())
            && pipe.ready(Interest::ERROR).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    /// Not known on this system: does not end.
    #[cfg(not(unix))]
    pub(super) async fn nobody_reads() {
        std::future::pending::<()>().await;
    }
}

/// The same JSON without a character that would act on a terminal: in JSON such ones stand only in strings, where they can be
/// escaped.
fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if acts_on_a_terminal(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, and those that reorder what stands beside them or break lines.
fn acts_on_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Says something to the person at the terminal, if there is one.
pub(super) fn notice(text: &str) {
    use std::io::Write;
    let text = crate::app::text::Plain::text(text);
    // If nobody can be told, nobody can be told of that either.
    let _ = writeln!(io::stderr(), "chat-tui: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn json_says_the_same_and_does_nothing_to_a_terminal(text in any::<String>()) {
            let written = harmless(&serde_json::to_string(&text).unwrap());
            prop_assert!(!written.chars().any(acts_on_a_terminal));
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let written = harmless(&serde_json::to_string("\u{1b}[2J\u{9b}2J\u{7f}\u{202e}").unwrap());
        assert_eq!(written, r#""\u001b[2J\u009b2J\u007f\u202e""#);
    }
}
