//! The connection that reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use syncmgr_core::claim::Claim;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::Question;
use syncmgr_core::record::ItemRecord;
use syncmgr_core::retry::RetryState;
use syncmgr_core::store::{HandlerRecord, Histogram, LogRecord, SessionRecord};
use syncmgr_core::sync::Mutex;

use super::encode::{Json, Time};
use super::error::StoreError;

mod rows;

/// Reads what is committed.
pub(super) struct Reader {
    path: PathBuf,
    connection: Mutex<Connection>,
}

type Read<T> = Result<T, StoreError>;

const HANDLERS: &str = "SELECT id, description, registered, flags FROM handlers";
const CHOICES: &str = "SELECT item, checked FROM choices WHERE handler = (SELECT key FROM handlers WHERE id = ?1)";
const LOG: &str = "SELECT manager, session, time, level, text, item, error, action FROM log
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) ORDER BY entry";
const LOG_ABOUT: &str = "SELECT manager, session, time, level, text, item, error, action FROM log
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND item = ?2 ORDER BY entry";
const ANSWER: &str = "SELECT question, choice FROM answers
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND item = ?2 AND key = ?3";
const RECORD: &str = "SELECT session, attempt, outcome, last_attempt, last_success, setback, failures, total, since,
        until, checkpoint, checkpoint_version, set_aside, set_aside_version, sides, absent_since FROM items
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND item = ?2";
const SETBACKS: &str = "SELECT item, setback, failures, total, since, until FROM items INDEXED BY items_set_back
    WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND setback IS NOT NULL";
const KNOWN: &str = "SELECT item, absent_since FROM items WHERE handler = (SELECT key FROM handlers WHERE id = ?1)";
const ENDED: &str = "SELECT item FROM items WHERE handler = (SELECT key FROM handlers WHERE id = ?1) AND ended >= ?2";
const RESOURCES: &str = "SELECT name, setback, failures, total, since, until FROM resources";
const SESSIONS: &str = "SELECT session, manager, \"trigger\", began, ended, course, outcomes, runs FROM sessions
    ORDER BY session, manager";
const INTERRUPTED: &str = "SELECT session, manager, \"trigger\", began, ended, course, outcomes, runs FROM sessions
    WHERE course IS NULL AND epoch < (SELECT value FROM meta WHERE name = 'epoch') ORDER BY session, manager";
const LAST_SESSION: &str = "SELECT value FROM meta WHERE name = 'last_session'";
const HISTOGRAM: &str = "SELECT counts, longest FROM histograms WHERE name = ?1";

impl Reader {
    pub(super) fn new(path: PathBuf, connection: Connection) -> Self {
        Self { path, connection: Mutex::new(connection) }
    }

    pub(super) fn handlers(&self) -> Read<BTreeMap<HandlerId, HandlerRecord>> {
        self.all(HANDLERS, [], rows::handler)
    }

    pub(super) fn choices(&self, handler: HandlerId) -> Read<BTreeMap<ItemId, ItemState>> {
        self.all(CHOICES, [handler.guid()], |row| {
            let state = if row.get(1)? { ItemState::Checked } else { ItemState::Unchecked };
            Ok((rows::item(row)?, state))
        })
    }

    pub(super) fn log(&self, handler: HandlerId) -> Read<Vec<LogRecord>> {
        self.all(LOG, [handler.guid()], rows::entry)
    }

    pub(super) fn log_about(&self, handler: HandlerId, item: ItemId) -> Read<Vec<LogRecord>> {
        self.all(LOG_ABOUT, [handler.guid(), item.guid()], rows::entry)
    }

    pub(super) fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> Read<Option<usize>> {
        let key = params![handler.guid(), item.guid(), question.key];
        let answer = self.one(ANSWER, key, |row| {
            let (answered, choice): (Json<Question>, _) = (row.get(0)?, row.get(1)?);
            Ok((answered.0 == *question).then_some(choice))
        })?;
        Ok(answer.flatten())
    }

    pub(super) fn record(&self, handler: HandlerId, item: ItemId) -> Read<Option<ItemRecord>> {
        self.one(RECORD, [handler.guid(), item.guid()], rows::record)
    }

    pub(super) fn setbacks(&self, handler: HandlerId) -> Read<BTreeMap<ItemId, RetryState>> {
        self.all(SETBACKS, [handler.guid()], |row| Ok((rows::item(row)?, rows::some_retry(row, 1)?)))
    }

    pub(super) fn known(&self, handler: HandlerId) -> Read<BTreeMap<ItemId, Option<SystemTime>>> {
        self.all(KNOWN, [handler.guid()], |row| {
            Ok((rows::item(row)?, row.get::<_, Option<Time>>(1)?.map(|time| time.0)))
        })
    }

    pub(super) fn ended_since(&self, handler: HandlerId, session: SessionId) -> Read<BTreeSet<ItemId>> {
        // No session has a number that cannot be stored.
        let session = i64::try_from(session.0).unwrap_or(i64::MAX);
        self.all(ENDED, params![handler.guid(), session], rows::item)
    }

    pub(super) fn resources(&self) -> Read<BTreeMap<Claim, RetryState>> {
        self.all(RESOURCES, [], |row| {
            let name: String = row.get(0)?;
            Ok((Claim::from(name), rows::some_retry(row, 1)?))
        })
    }

    pub(super) fn sessions(&self) -> Read<Vec<SessionRecord>> {
        self.sessions_of(SESSIONS)
    }

    pub(super) fn interrupted(&self) -> Read<Vec<SessionRecord>> {
        self.sessions_of(INTERRUPTED)
    }

    pub(super) fn last_session(&self) -> Read<SessionId> {
        Ok(self.one(LAST_SESSION, [], |row| row.get(0).map(SessionId))?.unwrap_or_default())
    }

    pub(super) fn histogram(&self, name: &str) -> Read<Option<Histogram>> {
        self.one(HISTOGRAM, [name], |row| {
            let (Json(counts), longest) = (row.get(0)?, row.get(1)?);
            Ok(Histogram { counts, longest })
        })
    }

    /// Sessions, row by row: one that cannot be read does not take the others along.
    fn sessions_of(&self, query: &str) -> Read<Vec<SessionRecord>> {
        let rows: Vec<rusqlite::Result<SessionRecord>> = self.all(query, [], |row| Ok(rows::session(row)))?;
        let readable = rows.into_iter().filter_map(|row| {
            row.inspect_err(|error| tracing::error!(%error, "a remembered session cannot be read")).ok()
        });
        Ok(readable.collect())
    }

    fn all<T, C: FromIterator<T>>(
        &self,
        query: &str,
        parameters: impl Params,
        each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Read<C> {
        self.read(|connection| connection.prepare_cached(query)?.query_map(parameters, each)?.collect())
    }

    fn one<T>(
        &self,
        query: &str,
        parameters: impl Params,
        one: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Read<Option<T>> {
        self.read(|connection| connection.prepare_cached(query)?.query_row(parameters, one).optional())
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Read<T> {
        let connection = self.connection.lock();
        query(&connection).map_err(|error| StoreError::of(&self.path, &error))
    }
}
