//! Writes the log.

use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::{Params, params};
use syncmgr_core::id::{ErrorId, ErrorScope, HandlerId, ItemId, SessionId};
use syncmgr_core::log::LogEntry;
use syncmgr_core::store::StateChange;
use uuid::Uuid;

use super::{Applier, ApplyResult, unknown_change};
use crate::sqlite::encode::{EnumName, Json, Time};

/// The maximum number of log entries per handler. The oldest are dropped first.
const MAX_ENTRIES: i64 = 10_000;

const APPEND: &str = "INSERT INTO log (handler, manager, session, time, level, text, item, error, action)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const DELETE_SESSION: &str = "DELETE FROM log WHERE handler = ?1 AND manager = ?2 AND session = ?3";
const DELETE_ONE: &str = "DELETE FROM log WHERE handler = ?1 AND error = ?2";
const DELETE_QUESTIONS: &str = "DELETE FROM log WHERE handler = ?1 AND item = ?2 AND action LIKE '{\"decide\"%'";
const DELETE_ALL: &str = "DELETE FROM log WHERE handler = ?1";
/// SQLite answers this query from the index on sessions, without reading entries.
const COUNT: &str = "SELECT count(*) FROM log WHERE handler = ?1";
/// The plus signs keep SQLite from the index on sessions, which is in another order.
const LAST_EXCESS: &str = "SELECT max(entry) FROM
    (SELECT entry FROM log WHERE entry > ?2 AND +handler = ?1 ORDER BY entry LIMIT ?3)";
const TRIM: &str = "DELETE FROM log WHERE entry > ?2 AND entry <= ?3 AND +handler = ?1";

/// The stored log of a handler, as this process knows it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogExtent {
    /// The number of entries.
    entries: i64,
    /// A number below those of all entries.
    trimmed: i64,
}

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
                Some(key) => self.delete(key, DELETE_QUESTIONS, params![key, item.guid()]),
                None => Ok(()),
            },
            _ => Err(unknown_change()),
        }
    }

    /// Replaces the log of a session.
    fn replace(&mut self, origin: &Origin, entries: &[Arc<LogEntry>]) -> ApplyResult {
        self.delete(origin.handler, DELETE_SESSION, params![origin.handler, origin.manager, origin.session.0])?;
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

    fn delete_by_id(&mut self, handler: i64, error: ErrorId) -> ApplyResult {
        self.delete(handler, DELETE_ONE, params![handler, error.guid()])
    }

    fn delete(&mut self, handler: i64, statement: &str, parameters: impl Params) -> ApplyResult {
        let deleted = self.run(statement, parameters)?;
        if deleted > 0 {
            self.logs.remove(&handler);
        }
        Ok(())
    }

    fn append_one(&mut self, origin: &Origin, entry: &LogEntry) -> ApplyResult {
        let (manager, session, time) = (origin.manager, origin.session.0, Time(origin.time));
        let (item, error) = (entry.item.map(ItemId::guid), entry.id.map(ErrorId::guid));
        let (level, text, action) = (EnumName(entry.level), &entry.text, entry.action.as_ref().map(Json));
        self.run(APPEND, params![origin.handler, manager, session, time, level, text, item, error, action])?;
        self.grown.insert(origin.handler);
        if let Some(log) = self.logs.get_mut(&origin.handler) {
            log.entries += 1;
        }
        Ok(())
    }

    fn delete_log(&mut self, handler: HandlerId, scope: ErrorScope) -> ApplyResult {
        let Some(key) = self.stored_key(handler)? else { return Ok(()) };
        match scope {
            ErrorScope::All => self.delete(key, DELETE_ALL, [key]),
            ErrorScope::One(error) => self.delete_by_id(key, error),
        }
    }

    /// Deletes excess entries, oldest first. Once per transaction is enough, because readers see only committed states.
    pub(super) fn trim_logs(&mut self) -> ApplyResult {
        std::mem::take(&mut self.grown).into_iter().try_for_each(|handler| self.trim_log(handler))
    }

    fn trim_log(&mut self, handler: i64) -> ApplyResult {
        let log = match self.logs.get(&handler) {
            Some(log) => *log,
            None => LogExtent { entries: self.number(COUNT, [handler])?, trimmed: 0 },
        };
        let excess = (log.entries - MAX_ENTRIES).max(0);
        self.logs.insert(handler, LogExtent { entries: log.entries - excess, ..log });
        if excess > 0 {
            self.failpoints.at("before log trimmed");
            let last = self.number(LAST_EXCESS, [handler, log.trimmed, excess])?;
            self.run(TRIM, [handler, log.trimmed, last])?;
            self.logs.insert(handler, LogExtent { entries: MAX_ENTRIES, trimmed: last });
            self.failpoints.at("after log trimmed");
        }
        Ok(())
    }
}
