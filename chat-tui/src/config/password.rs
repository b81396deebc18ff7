//! The password as a command of the user's tells it, a password manager for instance.

use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::process::Command;

/// Runs the command in the shell; the first line that it prints is the password. What it says about itself goes to the log:
/// the terminal may be the screen's.
pub(super) async fn from(command: &str) -> anyhow::Result<String> {
    let output = shell(command)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("password_command cannot be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    if !output.status.success() {
        bail!("password_command failed ({}): {said}", output.status);
    }
    if !said.is_empty() {
        tracing::warn!("password_command says: {said}");
    }
    let text = String::from_utf8(output.stdout).context("password_command printed no text")?;
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.to_owned()),
        _ => bail!("password_command printed nothing"),
    }
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    shell
}

#[cfg(not(unix))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.args(["/C", command]);
    shell
}
