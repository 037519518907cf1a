//! The state shared by all handles of a manager and its sessions.

use std::sync::{Arc, Once, Weak};

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::foreign;

use crate::host::Host;
use crate::session::lifecycle::SessionShared;
use crate::session::open::OpenSessions;
use crate::watchdog::{Probe, RunSource};

/// A manager's host and its sessions; dropped with the last handle of the manager or of a session.
pub(crate) struct Owner {
    pub(crate) host: Arc<Host>,
    pub(crate) sessions: Arc<OpenSessions>,
    watched: Once,
}

impl Owner {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Self { host, sessions: Arc::default(), watched: Once::new() }
    }

    /// Starts the watchdog, at the first session.
    pub(crate) fn watch(&self) {
        let Some(watchdog) = &self.host.ports.watchdog else { return };
        self.watched.call_once(|| {
            let sessions = Arc::downgrade(&self.sessions) as Weak<dyn RunSource>;
            if let Err(error) = foreign::call(|| watchdog.start(Probe::new(sessions))) {
                tracing::error!(manager = %self.host.id, %error, "the watchdog could not start");
            }
        });
    }

    /// Stops every session, closes its results, and refuses new sessions.
    pub(crate) fn begin_shutdown(&self) -> Vec<Arc<SessionShared>> {
        self.sessions.close();
        self.host.tracker.close();
        foreign::cancel(&self.host.closing);
        let sessions = self.sessions.all();
        for session in &sessions {
            session.stop(CancelReason::ShuttingDown);
            session.close();
        }
        sessions
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.begin_shutdown().iter().for_each(|session| session.abort());
        self.host.release_store();
    }
}
