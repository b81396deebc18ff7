//! Job control where there is none.

use std::io;

/// Nobody stops this process.
#[derive(Debug)]
pub(crate) struct JobControl;

/// What does not become of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is to stop.
    Stop,
}

impl JobControl {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) -> Change {
        std::future::pending().await
    }

    pub(crate) async fn stop(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn ask_to_stop() -> io::Result<bool> {
    Ok(false)
}

pub(crate) fn has_shell() -> bool {
    false
}

pub(crate) fn is_in_foreground() -> bool {
    true
}
