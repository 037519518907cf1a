//! The open sessions of a manager.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use syncmgr_core::id::SessionId;
use syncmgr_core::sync::Mutex;

use super::lifecycle::SessionShared;
use crate::watchdog::{RunSource, WatchedRun};

/// The sessions that have started but not ended.
#[derive(Default)]
pub(crate) struct OpenSessions(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    sessions: BTreeMap<SessionId, Weak<SessionShared>>,
    accepting: Accepting,
}

/// The admission of new sessions.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Accepting {
    #[default]
    Yes,
    /// The manager is shut down.
    No,
}

impl OpenSessions {
    /// Adds a session. Returns `false` once the manager is shut down.
    pub(super) fn add(&self, session: &Arc<SessionShared>) -> bool {
        let mut inner = self.0.lock();
        let accepting = inner.accepting == Accepting::Yes;
        if accepting {
            inner.sessions.insert(session.id, Arc::downgrade(session));
        }
        accepting
    }

    pub(super) fn remove(&self, session: SessionId) {
        self.0.lock().sessions.remove(&session);
    }

    /// Refuses new sessions from now on.
    pub(crate) fn close(&self) {
        self.0.lock().accepting = Accepting::No;
    }

    /// Returns the sessions in order of id.
    pub(crate) fn all(&self) -> Vec<Arc<SessionShared>> {
        self.0.lock().sessions.values().filter_map(Weak::upgrade).collect()
    }

    pub(super) fn get(&self, session: SessionId) -> Option<Arc<SessionShared>> {
        self.0.lock().sessions.get(&session)?.upgrade()
    }
}

impl RunSource for OpenSessions {
    fn runs(&self) -> Vec<Arc<dyn WatchedRun>> {
        let runs = self.all().into_iter().flat_map(|session| session.runs());
        runs.map(|run| run as Arc<dyn WatchedRun>).collect()
    }
}
