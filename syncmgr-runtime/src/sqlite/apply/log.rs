//! Writes the log.

use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::params;
use syncmgr_core::id::{ErrorId, ErrorScope, HandlerId, ItemId, SessionId};
use syncmgr_core::log::LogEntry;
use syncmgr_core::store::StateChange;
use uuid::Uuid;

use super::{Applier, ApplyResult, unknown_change};
use crate::sqlite::encode::{EnumName, Json, Time};

/// The maximum number of log entries per handler. The oldest are dropped first.
const MAX_ENTRIES: u32 = 10_000;

const APPEND: &str = "INSERT INTO log (handler, manager, session, time, level, text, item, error, action)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const DELETE_SESSION: &str = "DELETE FROM log WHERE handler = ?1 AND manager = ?2 AND session = ?3";
const DELETE_ONE: &str = "DELETE FROM log WHERE handler = ?1 AND error = ?2";
const DELETE_QUESTIONS: &str = "DELETE FROM log WHERE handler = ?1 AND item = ?2 AND action LIKE '{\"decide\"%'";
const DELETE_ALL: &str = "DELETE FROM log WHERE handler = ?1";
/// SQLite answers this query from the index on sessions, without reading entries.
const EXCESS: &str = "SELECT count(*) - ?2 FROM log WHERE handler = ?1";
const TRIM: &str = "DELETE FROM log WHERE entry IN
    (SELECT entry FROM log WHERE handler = ?1 ORDER BY entry LIMIT ?2)";

/// The origin of log entries.
struct Origin {
    handler: i64,
    manager: Uuid,
    session: SessionId,
    time: SystemTime,
}

impl Applier {
    pub(super) fn change_log(&mut self, change: &StateChange) -> ApplyResult {
        match change {
            StateChange::Log { handler, manager, session, time, entries } => {
                let handler = self.key(*handler)?;
                self.replace(&Origin { handler, manager: *manager, session: *session, time: *time }, entries)
            }
            StateChange::Logged { handler, manager, session, time, entries } => {
                let handler = self.key(*handler)?;
                self.append(&Origin { handler, manager: *manager, session: *session, time: *time }, entries)
            }
            StateChange::LogDeleted { handler, scope } => self.delete_log(*handler, *scope),
            StateChange::Settled { handler, item } => match self.stored_key(*handler)? {
                Some(key) => self.run(DELETE_QUESTIONS, params![key, item.guid()]).map(drop),
                None => Ok(()),
            },
            _ => Err(unknown_change()),
        }
    }

    /// Replaces the log of a session.
    fn replace(&mut self, origin: &Origin, entries: &[Arc<LogEntry>]) -> ApplyResult {
        self.run(DELETE_SESSION, params![origin.handler, origin.manager, origin.session.0])?;
        for error in entries.iter().filter_map(|entry| entry.id) {
            self.delete_by_id(origin.handler, error)?;
        }
        entries.iter().try_for_each(|entry| self.append_one(origin, entry))
    }

    fn append(&mut self, origin: &Origin, entries: &[Arc<LogEntry>]) -> ApplyResult {
        entries.iter().try_for_each(|entry| {
            entry.id.map_or(Ok(()), |error| self.delete_by_id(origin.handler, error))?;
            self.append_one(origin, entry)
        })
    }

    fn delete_by_id(&self, handler: i64, error: ErrorId) -> ApplyResult {
        self.run(DELETE_ONE, params![handler, error.guid()]).map(drop)
    }

    fn append_one(&mut self, origin: &Origin, entry: &LogEntry) -> ApplyResult {
        let (manager, session, time) = (origin.manager, origin.session.0, Time(origin.time));
        let (item, error) = (entry.item.map(ItemId::guid), entry.id.map(ErrorId::guid));
        let (level, text, action) = (EnumName(entry.level), &entry.text, entry.action.as_ref().map(Json));
        self.run(APPEND, params![origin.handler, manager, session, time, level, text, item, error, action])?;
        self.grown.insert(origin.handler);
        Ok(())
    }

    fn delete_log(&mut self, handler: HandlerId, scope: ErrorScope) -> ApplyResult {
        let Some(key) = self.stored_key(handler)? else { return Ok(()) };
        match scope {
            ErrorScope::All => self.run(DELETE_ALL, [key]).map(drop),
            ErrorScope::One(error) => self.delete_by_id(key, error),
        }
    }

    /// Deletes excess entries, oldest first. Once per transaction is enough, because readers see only committed states.
    pub(super) fn trim_logs(&mut self) -> ApplyResult {
        for handler in std::mem::take(&mut self.grown) {
            let mut statement = self.connection().prepare_cached(EXCESS)?;
            let excess: i64 = statement.query_row(params![handler, MAX_ENTRIES], |row| row.get(0))?;
            if excess > 0 {
                self.failpoints.at("before log trimmed");
                self.run(TRIM, [handler, excess])?;
                self.failpoints.at("after log trimmed");
            }
        }
        Ok(())
    }
}
