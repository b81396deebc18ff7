//! The keyring of the system, asked on a thread of its own: one that waits for somebody to unlock it would hold us up for ever.

use std::{io, sync::mpsc, thread, time::Duration};

/// It answers within this time, or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether this client can use one.
pub(super) const IS_BUILT_IN: bool = cfg!(feature = "keyring");

/// The secret of this name.
pub(super) fn get(name: &str) -> io::Result<Option<String>> {
    ask(name, entry::get)
}

/// Keeps a secret.
pub(super) fn set(name: &str, secret: &str) -> io::Result<()> {
    let secret = secret.to_owned();
    ask(name, move |name| entry::set(name, &secret))
}

/// Forgets a secret; one that is not there is forgotten already.
pub(super) fn remove(name: &str) -> io::Result<()> {
    ask(name, entry::remove)
}

fn ask<T: Send + 'static>(
    name: &str,
    question: impl FnOnce(&str) -> Result<T, String> + Send + 'static,
) -> io::Result<T> {
    let (sender, answer) = mpsc::channel();
    let name = name.to_owned();
    // Nobody joins it: where the keyring hangs it does so too, and ends with the process.
    thread::Builder::new()
        .name("keyring".to_owned())
        .spawn(move || drop(sender.send(question(&name))))?;
    match answer.recv_timeout(PATIENCE) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the keyring does not answer: unlock it",
        )),
    }
}

#[cfg(feature = "keyring")]
mod entry {
    use keyring::v1::{Entry, Error};

    fn entry(name: &str) -> Result<Entry, String> {
        // The error of what follows would only say that there is none.
        if let Err(error) = Entry::store_status() {
            return Err(error.to_string());
        }
        Entry::new("chat-tui", name).map_err(|error| error.to_string())
    }

    pub(super) fn get(name: &str) -> Result<Option<String>, String> {
        match entry(name)?.get_password() {
            Ok(secret) => Ok(Some(secret)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn set(name: &str, secret: &str) -> Result<(), String> {
        let kept = entry(name)?.set_password(secret);
        kept.map_err(|error| error.to_string())
    }

    pub(super) fn remove(name: &str) -> Result<(), String> {
        match entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(not(feature = "keyring"))]
mod entry {
    const NONE: &str = "this chat-tui was built without the keyring: sign in again";

    pub(super) fn get(_: &str) -> Result<Option<String>, String> {
        Err(NONE.to_owned())
    }

    pub(super) fn set(_: &str, _: &str) -> Result<(), String> {
        Err(NONE.to_owned())
    }

    pub(super) fn remove(_: &str) -> Result<(), String> {
        Err(NONE.to_owned())
    }
}
