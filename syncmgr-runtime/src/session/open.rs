//! The sessions of a manager that are not over.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use syncmgr_core::id::SessionId;
use syncmgr_core::sync::Mutex;

use super::life::SessionShared;
use crate::watchdog::{Patrolled, Polled};

/// The sessions that were started and are not over.
#[derive(Default)]
pub(crate) struct OpenSessions(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    sessions: BTreeMap<SessionId, Weak<SessionShared>>,
    accepting: Accepting,
}

/// Whether sessions may be started.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Accepting {
    #[default]
    Yes,
    /// The manager was shut down.
    No,
}

impl OpenSessions {
    /// Adds a session. `false` once the manager was shut down.
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

    /// No session is accepted any more.
    pub(crate) fn close(&self) {
        self.0.lock().accepting = Accepting::No;
    }

    /// In order of their numbers.
    pub(crate) fn all(&self) -> Vec<Arc<SessionShared>> {
        self.0.lock().sessions.values().filter_map(Weak::upgrade).collect()
    }

    pub(super) fn get(&self, session: SessionId) -> Option<Arc<SessionShared>> {
        self.0.lock().sessions.get(&session)?.upgrade()
    }
}

impl Patrolled for OpenSessions {
    fn runs(&self) -> Vec<Arc<dyn Polled>> {
        let runs = self.all().into_iter().flat_map(|session| session.runs());
        runs.map(|run| run as Arc<dyn Polled>).collect()
    }
}
