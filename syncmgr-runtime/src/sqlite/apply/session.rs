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
const IS_STORED: &str = "SELECT EXISTS (SELECT 1 FROM sessions WHERE session = ?1 AND manager = ?2)";
const COUNT: &str = "SELECT count(*) FROM sessions";
/// Sessions without problems, the oldest first, which SQLite reads from an index.
const TRIM_CLEAN: &str = "DELETE FROM sessions WHERE (session, manager) IN
    (SELECT session, manager FROM sessions WHERE course = 'smooth' ORDER BY session, manager LIMIT ?1)";
/// The other sessions that have ended, the oldest first, from an index too.
const TRIM_PROBLEMATIC: &str = "DELETE FROM sessions WHERE (session, manager) IN
    (SELECT session, manager FROM sessions WHERE course <> 'smooth' ORDER BY session, manager LIMIT ?1)";
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
        let before = self.stored_sessions()?;
        let is_stored = self.number(IS_STORED, params![session, manager])?;
        self.run(
            BEGIN,
            params![session, manager, self.opened.epoch, EnumName(begun.trigger), began, Json(&begun.runs)],
        )?;
        self.sessions = Some(before + 1 - is_stored);
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

    /// Returns the number of stored sessions, which only this process changes.
    fn stored_sessions(&mut self) -> ApplyResult<i64> {
        let stored = match self.sessions {
            Some(stored) => stored,
            None => self.number(COUNT, [])?,
        };
        self.sessions = Some(stored);
        Ok(stored)
    }

    fn end_session(&mut self, session: SessionId, manager: Uuid, end: &SessionEnd) -> ApplyResult {
        self.run(END, params![session.0, manager, Time(end.time), EnumName(end.outcome), Json(&end.outcomes)])?;
        self.failpoints.at("before sessions trimmed");
        self.trim_sessions()?;
        self.failpoints.at("after sessions trimmed");
        Ok(())
    }

    /// Deletes excess sessions: first those without problems, then the oldest. Sessions that have not ended are kept.
    fn trim_sessions(&mut self) -> ApplyResult {
        let stored = self.stored_sessions()?;
        let mut excess = stored - i64::from(self.max_sessions);
        for trim in [TRIM_CLEAN, TRIM_PROBLEMATIC] {
            if excess > 0 {
                let deleted = self.run(trim, [excess])? as i64;
                excess -= deleted;
                self.sessions = self.sessions.map(|stored| stored - deleted);
            }
        }
        Ok(())
    }

    fn store_histogram(&self, name: &str, histogram: &Histogram) -> ApplyResult {
        self.run(HISTOGRAM, params![name, Json(&histogram.counts), histogram.longest]).map(drop)
    }
}
