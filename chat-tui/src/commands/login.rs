//! `chat-tui login`, `register` and `logout`.

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use chat_core::{client::Client, model::Profile};

use super::{Exit, Failure, output::notice, session::Session};

/// Sign in; the client and all commands of this profile then are
///
/// The password is taken from --password-file, else from `password_command` in config.toml, else asked for at the terminal, else
/// the first line of standard input.
#[derive(Debug, clap::Args)]
pub struct Login {
    /// Asked for at the terminal if it is missing
    username: Option<String>,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Make an account, and sign in
///
/// The password is taken from --password-file, else asked for at the terminal, else the first line of standard input.
#[derive(Debug, clap::Args)]
pub struct Register {
    /// The name that others find you by
    username: String,
    /// The name that others see
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) async fn login(arguments: Login, session: &Session) -> Result<(), Failure> {
    let username = match arguments.username {
        Some(username) => username,
        None if io::stdin().is_terminal() => ask("User name: ")?,
        None => {
            let message = "there is no terminal to ask at: give the user name as an argument";
            return Err(Failure::new(Exit::Usage, message));
        }
    };
    let password = match arguments.password_file {
        Some(file) => in_file(&file)?,
        None => match session.credentials.password().await? {
            Some(password) => password,
            None => asked_for_or_read()?,
        },
    };
    let client = session.credentials.client(&session.server)?;
    let me = client.login(&username, &password).await?;
    keep(session, &client, &me).await
}

pub(super) async fn register(arguments: Register, session: &Session) -> Result<(), Failure> {
    let password = match arguments.password_file {
        Some(file) => in_file(&file)?,
        None => asked_for_twice_or_read()?,
    };
    let client = session.credentials.client(&session.server)?;
    let name = arguments.display_name.as_deref();
    let me = client
        .register(&arguments.username, &password, name)
        .await?;
    keep(session, &client, &me).await
}

pub(super) async fn logout(session: &Session) -> Result<(), Failure> {
    let client = session.credentials.client(&session.server)?;
    client.resume_stored().await?;
    Ok(client.logout().await?)
}

async fn keep(session: &Session, client: &Client, me: &Profile) -> Result<(), Failure> {
    let server = &session.server;
    session.credentials.keep(client, server, me).await?;
    notice(&format!("signed in at {server} as {}", me.username));
    Ok(())
}

fn ask(question: &str) -> Result<String, Failure> {
    let asked = || -> io::Result<String> {
        let mut terminal = io::stderr();
        write!(terminal, "{question}")?;
        terminal.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    };
    let answer = asked().context("the terminal cannot be used")?;
    if answer.is_empty() {
        return Err(Failure::new(Exit::Usage, "nothing was entered"));
    }
    Ok(answer)
}

fn asked_for_or_read() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        return hidden("Password: ");
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.context("standard input cannot be read")?;
    password_of(&line, "the first line of standard input")
}

fn asked_for_twice_or_read() -> Result<String, Failure> {
    let password = asked_for_or_read()?;
    if io::stdin().is_terminal() && hidden("The same again: ")? != password {
        return Err(Failure::new(
            Exit::Usage,
            "these were two passwords: try again",
        ));
    }
    Ok(password)
}

fn hidden(question: &str) -> Result<String, Failure> {
    let asked = rpassword::prompt_password(question);
    Ok(asked.context("the terminal cannot be used to ask for a password")?)
}

fn in_file(path: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    password_of(&text, &path.display().to_string())
}

fn password_of(text: &str, place: &str) -> Result<String, Failure> {
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.to_owned()),
        _ => {
            let message = format!("a password was expected as {place}, and there is none");
            Err(Failure::new(Exit::Usage, &message))
        }
    }
}
