//! The stored sessions, which requests can query.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use syncmgr::{Report, Session, SessionId, SessionRequest};
use tokio::task::JoinHandle;

use crate::api_error::ApiError;

/// The maximum number of stored sessions. A new session replaces the oldest one that has ended.
pub(crate) const MAX_SESSIONS: usize = 16;

/// The sessions by id, which is the order of their start.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<SessionId, Entry>>);

struct Entry {
    session: Session,
    /// Closes the session once it is idle, which ends its event streams. The results need not stay open, because no errors are shown.
    finishing: JoinHandle<Report>,
}

impl Sessions {
    /// Starts a session and stores it.
    pub(crate) fn start(&self, request: SessionRequest) -> Result<Session, ApiError> {
        // The lock is held while the session starts, so that two requests cannot exceed the maximum. Starting is quick.
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = entries.len() >= MAX_SESSIONS;
        let oldest = entries.iter().find(|(_, entry)| entry.finishing.is_finished()).map(|(id, _)| *id);
        if full && oldest.is_none() {
            return Err(ApiError::too_many_sessions(MAX_SESSIONS));
        }
        let session = request.start()?;
        if let Some(oldest) = oldest.filter(|_| full) {
            entries.remove(&oldest);
        }
        let finishing = tokio::spawn(session.clone().finish());
        entries.insert(session.id(), Entry { session: session.clone(), finishing });
        Ok(session)
    }

    /// Returns all stored sessions, in the order of their start.
    pub(crate) fn all(&self) -> Vec<Session> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.values().map(|entry| entry.session.clone()).collect()
    }

    /// Returns the session with this id.
    pub(crate) fn get(&self, id: SessionId) -> Option<Session> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(&id).map(|entry| entry.session.clone())
    }
}
