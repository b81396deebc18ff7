//! Being told to end from outside.

/// Returns when the process is told to end.
#[cfg(unix)]
pub(crate) async fn told_to_end() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

/// Returns when the process is told to end.
#[cfg(not(unix))]
pub(crate) async fn told_to_end() -> anyhow::Result<()> {
    Ok(tokio::signal::ctrl_c().await?)
}
