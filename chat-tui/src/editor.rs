//! Lets the user write a draft in their own editor.

use std::{
    env,
    io::{self, Write},
    path::Path,
};

use tempfile::NamedTempFile;
use tokio::process::{Child, Command};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Without `$VISUAL` and `$EDITOR`.
const DEFAULT: &str = if cfg!(windows) { "notepad" } else { "vi" };

/// A draft in an editor.
#[derive(Debug)]
pub(crate) struct Editor {
    file: NamedTempFile,
    command: String,
    child: Child,
    /// Ctrl-C in the editor is not for this process: whoever listens to it does not end by it.
    #[cfg(unix)]
    _interrupts: Signal,
}

impl Editor {
    /// Puts the draft into a file that only this user can read, and starts the user's editor on it.
    pub(crate) fn start(draft: &str) -> Result<Self, String> {
        let named = ["VISUAL", "EDITOR"].into_iter();
        let mut commands = named.filter_map(|name| env::var(name).ok());
        let command = commands.find(|command| !command.trim().is_empty());
        Self::start_as(command.unwrap_or_else(|| DEFAULT.to_owned()), draft)
    }

    fn start_as(command: String, draft: &str) -> Result<Self, String> {
        let file = put_aside(draft).map_err(|error| {
            format!("the draft cannot be put into a file for the editor: {error}")
        })?;
        #[cfg(unix)]
        let interrupts = signal(SignalKind::interrupt())
            .map_err(|error| format!("the editor cannot be started: {error}"))?;
        let child = open(&command, file.path())
            .map_err(|error| format!("the editor “{command}” cannot be started: {error}"))?;
        Ok(Self {
            file,
            command,
            child,
            #[cfg(unix)]
            _interrupts: interrupts,
        })
    }

    /// Waits until the user leaves the editor. Cancellation safe.
    pub(crate) async fn left(&mut self) -> io::Result<()> {
        self.child.wait().await.map(drop)
    }

    /// What the user made of the draft.
    pub(crate) async fn close(mut self) -> Result<String, String> {
        let command = &self.command;
        let status = self.child.wait().await;
        let status =
            status.map_err(|error| format!("the editor “{command}” is lost to sight: {error}"))?;
        if !status.success() {
            return Err(format!(
                "the draft is as it was: the editor “{command}” ended with an error ({status})"
            ));
        }
        // Many editors put a new file in the place of the old one, so it is the name that counts.
        match std::fs::read_to_string(self.file.path()) {
            Ok(text) => Ok(text),
            Err(error) => {
                let kept = self.file.keep().map(|(_, path)| path.display().to_string());
                let kept = kept.unwrap_or_else(|_| "its file".to_owned());
                Err(format!(
                    "what was written cannot be read ({error}); it is in {kept}, and the draft is as it was"
                ))
            }
        }
    }
}

fn put_aside(draft: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix("chat-draft-")
        .suffix(".txt")
        .tempfile()?;
    file.write_all(draft.as_bytes())?;
    file.flush()?;
    Ok(file)
}

/// The command may have arguments of its own, as in `code --wait`; a shell takes it apart.
#[cfg(unix)]
fn open(command: &str, file: &Path) -> io::Result<Child> {
    Command::new("sh")
        .arg("-c")
        .arg(format!("{command} \"$@\""))
        .arg(command)
        .arg(file)
        .spawn()
}

#[cfg(not(unix))]
fn open(command: &str, file: &Path) -> io::Result<Child> {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or(DEFAULT);
    Command::new(program).args(words).arg(file).spawn()
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    /// What comes back when an editor does this with the file, whose name is `$1`.
    async fn edited(does: &str) -> Result<String, String> {
        let command = format!("sh -c '{does}' editor");
        let editor = Editor::start_as(command, "draft")?;
        let path = editor.file.path().to_owned();
        let written = editor.close().await;
        assert!(written.is_err() || !path.exists(), "nothing is left behind");
        written
    }

    #[tokio::test]
    async fn what_was_written_comes_back_even_from_an_editor_that_replaces_the_file() {
        let appends = "printf \" and more\" >> \"$1\"";
        assert_eq!(edited(appends).await.as_deref(), Ok("draft and more"));
        let replaces = "printf new > \"$1.new\" && mv \"$1.new\" \"$1\"";
        assert_eq!(edited(replaces).await.as_deref(), Ok("new"));
    }

    #[tokio::test]
    async fn an_editor_that_fails_changes_nothing_and_says_so() {
        let why = edited("rm \"$1\"; exit 3").await.unwrap_err();
        assert!(why.starts_with("the draft is as it was"), "{why}");
        assert!(why.contains("exit status: 3"), "{why}");
    }

    #[tokio::test]
    async fn what_is_no_text_is_not_thrown_away() {
        let why = edited("printf \"\\377\" > \"$1\"").await.unwrap_err();
        let path = why
            .split("it is in ")
            .nth(1)
            .and_then(|rest| rest.split(',').next());
        let path = Path::new(path.unwrap());
        assert_eq!(fs::read(path).unwrap(), [0o377]);
        fs::remove_file(path).unwrap();
    }

    #[tokio::test]
    async fn nobody_else_can_read_the_draft() {
        let editor = Editor::start_as("true".to_owned(), "draft").unwrap();
        let mode = fs::metadata(editor.file.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(editor.close().await.as_deref(), Ok("draft"));
    }
}
