//! Job control: the client stops and goes on as any program does that was started from a shell.

use std::io::{self, stdin};

use rustix::{
    process::{Signal, getpgrp, getpid, getsid, kill_current_process_group, kill_process},
    termios::tcgetpgrp,
};
use tokio::signal::unix::{self, SignalKind};

/// What a shell, or whoever else, does with this process.
#[derive(Debug)]
pub(crate) struct JobControl {
    stop: unix::Signal,
    go_on: unix::Signal,
}

/// What has become of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is to stop.
    Stop,
    /// It goes on after it was stopped without being asked.
    GoesOn,
}

impl JobControl {
    pub(crate) fn listen() -> io::Result<Self> {
        let tstp = SignalKind::from_raw(Signal::TSTP.as_raw());
        let cont = SignalKind::from_raw(Signal::CONT.as_raw());
        Ok(Self {
            stop: unix::signal(tstp)?,
            go_on: unix::signal(cont)?,
        })
    }

    /// The next thing that becomes of the process. Cancellation safe.
    pub(crate) async fn next(&mut self) -> Change {
        tokio::select! {
            Some(()) = self.stop.recv() => Change::Stop,
            Some(()) = self.go_on.recv() => Change::GoesOn,
            else => std::future::pending().await,
        }
    }

    /// Stops the process until it goes on. The terminal must have been given back.
    pub(crate) async fn stop(&mut self) -> io::Result<()> {
        // SIGTSTP itself is being listened to: it does not stop this process any more.
        kill_process(getpid(), Signal::STOP)?;
        self.go_on.recv().await;
        Ok(())
    }
}

/// Asks this process to stop, and those that were started together with it, as a terminal does at ^Z.
///
/// Does nothing, and says so, where there is no shell that could let it go on.
pub(crate) fn ask_to_stop() -> io::Result<bool> {
    let asked = has_shell();
    if asked {
        kill_current_process_group(Signal::TSTP)?;
    }
    Ok(asked)
}

/// Whether somebody in this session can let the process go on: the one who opened the session is in another group.
pub(crate) fn has_shell() -> bool {
    getsid(None).is_ok_and(|session| session != getpgrp())
}

/// Whether the terminal is ours to draw on. Elsewhere than in a terminal, nobody objects.
pub(crate) fn is_in_foreground() -> bool {
    tcgetpgrp(stdin()).map_or(true, |group| group == getpgrp())
}
