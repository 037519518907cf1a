//! The sessions that were started here and can still be asked about.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use syncmgr::{Report, Session, SessionId, SessionRequest};
use tokio::task::JoinHandle;

use crate::refusal::Refusal;

/// How many sessions are kept. The oldest finished one makes room for the next.
pub(crate) const MOST_SESSIONS: usize = 16;

/// Sessions by number, which is by age.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<SessionId, Kept>>);

struct Kept {
    session: Session,
    /// Closes the session when it rests: nobody opens its errors here, and its event streams are to end.
    finishing: JoinHandle<Report>,
}

impl Sessions {
    /// Starts a session and keeps it.
    pub(crate) fn start(&self, request: SessionRequest) -> Result<Session, Refusal> {
        // Held while the session starts, which is quick, so that no two take the same room.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = kept.len() >= MOST_SESSIONS;
        let oldest = kept.iter().find(|(_, kept)| kept.finishing.is_finished()).map(|(id, _)| *id);
        if full && oldest.is_none() {
            return Err(Refusal::too_many_sessions(MOST_SESSIONS));
        }
        let session = request.start()?;
        if let Some(oldest) = oldest.filter(|_| full) {
            kept.remove(&oldest);
        }
        let finishing = tokio::spawn(session.clone().finish());
        kept.insert(session.id(), Kept { session: session.clone(), finishing });
        Ok(session)
    }

    /// The session with this number.
    pub(crate) fn get(&self, id: SessionId) -> Option<Session> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&id).map(|kept| kept.session.clone())
    }
}
