//! Shutdown signals. The program handles them; the manager handles none.

use std::io;

/// Returns a future that resolves at the first Ctrl-C or SIGTERM. Signals are caught from this call on, even before the future is polled.
#[cfg(unix)]
pub(crate) fn on_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = interrupt.recv() => tracing::info!("interrupted, shutting down"),
            _ = terminate.recv() => tracing::info!("terminated, shutting down"),
        }
    })
}

/// Returns a future that resolves at the first Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn on_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => tracing::info!("interrupted, shutting down"),
            Err(error) => tracing::error!(%error, "cannot listen for Ctrl-C, shutting down"),
        }
    })
}
