//! When to quit: the program decides about signals, the manager handles none.

use std::io;

/// Resolves at the first Ctrl-C or SIGTERM. Listens from now on, not only once it is polled.
#[cfg(unix)]
pub(crate) fn requested() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = interrupt.recv() => tracing::info!("interrupted, quitting"),
            _ = terminate.recv() => tracing::info!("told to terminate, quitting"),
        }
    })
}

/// Resolves at the first Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn requested() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => tracing::info!("interrupted, quitting"),
            Err(error) => tracing::error!(%error, "cannot listen for Ctrl-C, quitting"),
        }
    })
}
