//! Writes the history of sessions and the histograms.

use rusqlite::params;
use syncmgr_core::id::SessionId;
use syncmgr_core::store::{Histogram, SessionEnd, SessionRecord, StateChange};
use uuid::Uuid;

use super::{Applier, ApplyResult, unknown_change};
use crate::sqlite::encode::{EnumName, Json, Time};

const BEGIN: &str = "INSERT OR REPLACE INTO sessions (session, manager, epoch, \"trigger\", began, runs)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const SET_LAST_SESSION: &str = "UPDATE meta SET value = max(value, ?1) WHERE name = 'last_session'";
const END: &str = "UPDATE sessions SET ended = ?3, course = ?4, outcomes = ?5 WHERE session = ?1 AND manager = ?2";
/// Deletes excess sessions: first those without problems, then the oldest. Sessions that have not ended are kept.
const TRIM: &str = "DELETE FROM sessions WHERE (session, manager) IN
    (SELECT session, manager FROM sessions WHERE course IS NOT NULL ORDER BY course <> 'smooth', session, manager
        LIMIT max(0, (SELECT count(*) FROM sessions) - ?1))";
const HISTOGRAM: &str = "INSERT OR REPLACE INTO histograms (name, counts, longest) VALUES (?1, ?2, ?3)";

impl Applier {
    pub(super) fn change_session(&mut self, change: &StateChange) -> ApplyResult {
        match change {
            StateChange::SessionBegan(session) => self.begin_session(session),
            StateChange::SessionEnded { session, manager, end } => self.end_session(*session, *manager, end),
            StateChange::Histogram { name, histogram } => self.store_histogram(name, histogram),
            _ => Err(unknown_change()),
        }
    }

    fn begin_session(&mut self, begun: &SessionRecord) -> ApplyResult {
        let (session, manager, began) = (begun.session.0, begun.manager, Time(begun.began));
        self.run(
            BEGIN,
            params![session, manager, self.opened.epoch, EnumName(begun.trigger), began, Json(&begun.runs)],
        )?;
        self.count_session(begun.session)?;
        match &begun.end {
            Some(end) => self.end_session(begun.session, begun.manager, end),
            None => Ok(()),
        }
    }

    /// Counts the number of a session as used, so that no later process uses it.
    pub(super) fn count_session(&mut self, session: SessionId) -> ApplyResult {
        if session > self.last_session {
            self.run(SET_LAST_SESSION, [session.0])?;
            self.last_session = session;
        }
        Ok(())
    }

    fn end_session(&self, session: SessionId, manager: Uuid, end: &SessionEnd) -> ApplyResult {
        self.run(END, params![session.0, manager, Time(end.time), EnumName(end.outcome), Json(&end.outcomes)])?;
        self.failpoints.at("before sessions trimmed");
        self.run(TRIM, [self.max_sessions])?;
        self.failpoints.at("after sessions trimmed");
        Ok(())
    }

    fn store_histogram(&self, name: &str, histogram: &Histogram) -> ApplyResult {
        self.run(HISTOGRAM, params![name, Json(&histogram.counts), histogram.longest]).map(drop)
    }
}
