//! Draws the pictures of the documentation: a real server, people who talk, the client in a terminal, and what is on its screen
//! as SVG. `cargo run -p chat-tui --example screenshots` writes them to `chat-tui/screenshots/`.

#[cfg(unix)]
mod story;
#[cfg(unix)]
mod svg;
#[cfg(unix)]
#[path = "../../tests/it/pty/terminal.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests' terminal, of which not everything is needed; it gives up as a test does"
)]
mod terminal;

#[cfg(unix)]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match std::env::args_os().nth(1) {
        Some(home) => story::client(home.as_ref()).await,
        None => story::tell().await,
    }
}

#[cfg(not(unix))]
fn main() {}
