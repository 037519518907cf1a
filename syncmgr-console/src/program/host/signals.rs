//! The signals of a host.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A request to the host.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    /// Read the settings again: SIGHUP.
    Reload,
    /// End in order: SIGTERM or Ctrl-C.
    End,
}

/// The signals that arrive.
pub(super) struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the system refuses a handler.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next request. Cancel safe.
    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Request::End,
            _ = self.interrupt.recv() => Request::End,
            _ = self.hang_up.recv() => Request::Reload,
        }
    }
}
