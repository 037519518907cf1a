//! The [`StateStore`] implementation.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::params;
use syncmgr_core::claim::Claim;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::Question;
use syncmgr_core::record::ItemRecord;
use syncmgr_core::retry::RetryState;
use syncmgr_core::store::{
    Durability, HandlerRecord, Histogram, LogRecord, SessionRecord, StateChange, StateStore, StoreInUse, StoreLease,
};

use super::SqliteStore;
use super::encode::{Json, Time};
use super::error::StoreError;
use super::reader::Reader;
use super::rows;

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
const RETRY_STATES: &str = "SELECT item, setback, failures, total, since, until FROM items INDEXED BY items_set_back
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

impl SqliteStore {
    /// Waits until all earlier writes are stored or refused, and returns the reader.
    fn current_reader(&self) -> &Reader {
        if let Some(writer) = &self.parts.writer {
            writer.wait_for_all();
        }
        &self.parts.reader
    }

    /// Waits until all earlier writes to this item are stored or refused, and returns the reader.
    fn current_reader_for(&self, handler: HandlerId, item: ItemId) -> &Reader {
        if let Some(writer) = &self.parts.writer {
            writer.wait_for(handler, item);
        }
        &self.parts.reader
    }

    /// Reads sessions row by row, so that an unreadable session does not hide the other sessions.
    fn sessions_of(&self, query: &str) -> SyncResult<Vec<SessionRecord>> {
        let rows: Vec<rusqlite::Result<SessionRecord>> =
            self.current_reader().all(query, [], |row| Ok(rows::session(row)))?;
        let readable = rows
            .into_iter()
            .filter_map(|row| row.inspect_err(|error| tracing::error!(%error, "a stored session cannot be read")).ok());
        Ok(readable.collect())
    }
}

impl StateStore for SqliteStore {
    fn handlers(&self) -> SyncResult<BTreeMap<HandlerId, HandlerRecord>> {
        self.current_reader().all(HANDLERS, [], rows::handler)
    }

    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        self.current_reader().all(CHOICES, [handler.guid()], |row| {
            let state = if row.get(1)? { ItemState::Checked } else { ItemState::Unchecked };
            Ok((rows::item(row)?, state))
        })
    }

    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        self.current_reader().all(LOG, [handler.guid()], rows::entry)
    }

    fn log_about(&self, handler: HandlerId, item: ItemId) -> SyncResult<Vec<LogRecord>> {
        self.current_reader().all(LOG_ABOUT, [handler.guid(), item.guid()], rows::entry)
    }

    fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> SyncResult<Option<usize>> {
        let key = params![handler.guid(), item.guid(), question.key];
        let answer = self.current_reader_for(handler, item).one(ANSWER, key, |row| {
            let (answered, choice): (Json<Question>, _) = (row.get(0)?, row.get(1)?);
            Ok((answered.0 == *question).then_some(choice))
        })?;
        Ok(answer.flatten())
    }

    fn record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        self.current_reader_for(handler, item).one(RECORD, [handler.guid(), item.guid()], rows::record)
    }

    fn retry_states(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, RetryState>> {
        self.current_reader()
            .all(RETRY_STATES, [handler.guid()], |row| Ok((rows::item(row)?, rows::some_retry(row, 1)?)))
    }

    fn recorded_items(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, Option<SystemTime>>> {
        self.current_reader().all(KNOWN, [handler.guid()], |row| {
            Ok((rows::item(row)?, row.get::<_, Option<Time>>(1)?.map(|time| time.0)))
        })
    }

    fn ended_since(&self, handler: HandlerId, session: SessionId) -> SyncResult<BTreeSet<ItemId>> {
        // No stored session has a larger number, because a larger number cannot be stored.
        let session = i64::try_from(session.0).unwrap_or(i64::MAX);
        self.current_reader().all(ENDED, params![handler.guid(), session], rows::item)
    }

    fn resources(&self) -> SyncResult<BTreeMap<Claim, RetryState>> {
        self.current_reader().all(RESOURCES, [], |row| {
            let name: String = row.get(0)?;
            Ok((Claim::from(name), rows::some_retry(row, 1)?))
        })
    }

    fn sessions(&self) -> SyncResult<Vec<SessionRecord>> {
        self.sessions_of(SESSIONS)
    }

    fn interrupted(&self) -> SyncResult<Vec<SessionRecord>> {
        self.sessions_of(INTERRUPTED)
    }

    fn last_session(&self) -> SyncResult<SessionId> {
        Ok(self.current_reader().one(LAST_SESSION, [], |row| row.get(0).map(SessionId))?.unwrap_or_default())
    }

    fn histogram(&self, name: &str) -> SyncResult<Option<Histogram>> {
        self.current_reader().one(HISTOGRAM, [name], |row| {
            let (Json(counts), longest) = (row.get(0)?, row.get(1)?);
            Ok(Histogram::new(counts, longest))
        })
    }

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let path = self.parts.path.clone();
        let Some(writer) = &self.parts.writer else {
            return async { Err(StoreError::ReadOnly { path }.into()) }.boxed();
        };
        let answer = writer.write(changes);
        async { answer.await.unwrap_or_else(|_| Err(StoreError::Stopped { path }.into())) }.boxed()
    }

    fn write_capacity(&self) -> Option<BoxFuture<'static, ()>> {
        let room = self.parts.writer.as_ref()?.write_capacity()?;
        Some(room.map(drop).boxed())
    }

    /// Any number of managers may read a store that is open read-only.
    fn acquire(&self) -> Result<StoreLease, StoreInUse> {
        match &self.parts.writer {
            Some(_) => self.parts.slot.acquire(),
            None => Ok(StoreLease::shared()),
        }
    }

    fn durability(&self) -> Durability {
        self.parts.durability
    }
}
