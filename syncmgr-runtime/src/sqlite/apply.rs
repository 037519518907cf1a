//! Translates changes into SQL statements.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Params};
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::store::StateChange;

use super::error::StoreError;
use super::failpoints::{Failpoints, steps};
use super::open::Opened;
use super::options::SqliteOptions;
use super::queue::Write;
use super::wal;
use places::Places;

mod ends;
mod forget;
mod handler;
mod item;
mod log;
mod places;
mod session;

/// Tells readers which of the queued writes they can already read.
const LAST_WRITE: &str = "UPDATE meta SET value = ?1 WHERE name = 'last_write'";

/// Applies writes on the writing connection.
pub(super) struct Applier {
    path: PathBuf,
    opened: Opened,
    max_sessions: u32,
    failpoints: Failpoints,
    /// Cached keys of handlers.
    keys: HashMap<HandlerId, i64>,
    places: Places,
    /// The highest session number that this transaction or an earlier one has stored.
    last_session: SessionId,
    /// The handlers whose log has grown in this transaction.
    grown: BTreeSet<i64>,
    /// The logs to which this process has added entries, by handler key.
    logs: HashMap<i64, log::LogExtent>,
    /// The number of stored sessions, once it is known.
    sessions: Option<i64>,
}

/// The scope of a rollback when a write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RollbackScope {
    /// All writes of the batch.
    Batch,
    /// Only the refused write.
    Write,
}

/// The reason why a batch was not stored.
#[derive(Debug)]
pub(super) enum ApplyError {
    /// The write is invalid, independent of the database.
    Refused(anyhow::Error),
    /// The store is no longer this writer's, or no longer in its place.
    Lost(StoreError),
    /// The database failed.
    Failed(rusqlite::Error),
}

type ApplyResult<T = ()> = Result<T, ApplyError>;

impl From<rusqlite::Error> for ApplyError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::ToSqlConversionFailure(cause) => {
                Self::Refused(StoreError::Unstorable { reason: cause.to_string() }.into())
            }
            error => Self::Failed(error),
        }
    }
}

impl Applier {
    pub(super) fn new(path: PathBuf, opened: Opened, options: &SqliteOptions) -> Self {
        let (max_sessions, failpoints) = (options.max_sessions, options.failpoints.clone());
        Self {
            path,
            opened,
            max_sessions,
            failpoints,
            keys: HashMap::new(),
            places: Places::default(),
            last_session: SessionId::default(),
            grown: BTreeSet::new(),
            logs: HashMap::new(),
            sessions: None,
        }
    }

    /// Stores the writes in one transaction and returns one result per write. After an error, no write is stored.
    pub(super) fn store(&mut self, batch: &[Write], scope: RollbackScope) -> ApplyResult<Vec<SyncResult>> {
        match self.store_once(batch, scope) {
            Err(ApplyError::Failed(error)) if wal::make_space(self.connection(), &error) => {
                self.store_once(batch, scope)
            }
            stored => stored,
        }
    }

    /// Truncates a write-ahead log that is too long. Returns the cost of the largest batch that has space.
    pub(super) fn bound_log(&self) -> usize {
        wal::bound(&self.path, self.connection())
    }

    fn store_once(&mut self, batch: &[Write], scope: RollbackScope) -> ApplyResult<Vec<SyncResult>> {
        let stored = self.attempt(batch, scope);
        if stored.is_err() {
            self.drop_cached();
            self.roll_back();
        }
        self.grown.clear();
        stored
    }

    fn attempt(&mut self, batch: &[Write], scope: RollbackScope) -> ApplyResult<Vec<SyncResult>> {
        self.run("BEGIN IMMEDIATE", [])?;
        self.failpoints.at("transaction begun");
        self.check_epoch()?;
        self.failpoints.at("epoch checked");
        let results = batch.iter().map(|write| self.write(&write.changes, scope)).collect::<ApplyResult<_>>()?;
        self.trim_logs()?;
        self.run(LAST_WRITE, [batch.last().map(|write| write.number)])?;
        self.failpoints.at("before commit");
        self.opened.files.check().map_err(ApplyError::Lost)?;
        self.run("COMMIT", [])?;
        self.failpoints.at("after commit");
        self.opened.files.check().map_err(ApplyError::Lost)?;
        Ok(results)
    }

    fn connection(&self) -> &Connection {
        &self.opened.connection
    }

    fn check_epoch(&self) -> ApplyResult {
        const EPOCH: &str = "SELECT value FROM meta WHERE name = 'epoch'";
        let epoch: i64 = self.connection().prepare_cached(EPOCH)?.query_row([], |row| row.get(0))?;
        match epoch == self.opened.epoch {
            true => Ok(()),
            false => Err(ApplyError::Lost(StoreError::TakenOver { path: self.path.clone() })),
        }
    }

    /// Applies one write. The inner result is the error of a refused write.
    fn write(&mut self, changes: &[StateChange], scope: RollbackScope) -> ApplyResult<SyncResult> {
        if scope == RollbackScope::Batch {
            return self.apply_all(changes).map(Ok);
        }
        self.run("SAVEPOINT one", [])?;
        let result = match self.apply_all(changes) {
            Err(ApplyError::Refused(reason)) => {
                self.drop_cached();
                self.run("ROLLBACK TO one", [])?;
                Err(reason)
            }
            applied => Ok(applied?),
        };
        self.run("RELEASE one", [])?;
        Ok(result)
    }

    fn apply_all(&mut self, changes: &[StateChange]) -> ApplyResult {
        changes.iter().try_for_each(|change| {
            let (before, after) = steps(change).ok_or_else(unknown_change)?;
            self.failpoints.at(before);
            self.apply_change(change)?;
            self.failpoints.at(after);
            Ok(())
        })
    }

    fn apply_change(&mut self, change: &StateChange) -> ApplyResult {
        match change {
            StateChange::Registered { .. }
            | StateChange::Flags { .. }
            | StateChange::Waiting { .. }
            | StateChange::Choices { .. }
            | StateChange::Names { .. }
            | StateChange::Disabled { .. }
            | StateChange::Override { .. }
            | StateChange::Fired { .. } => self.change_handler(change),
            StateChange::SessionBegan(_) | StateChange::SessionEnded { .. } | StateChange::Histogram { .. } => {
                self.change_session(change)
            }
            StateChange::Log { .. }
            | StateChange::Logged { .. }
            | StateChange::LogDeleted { .. }
            | StateChange::Settled { .. } => self.change_log(change),
            StateChange::Forget { handler } => self.forget(*handler),
            StateChange::ForgetItem { handler, item } => self.forget_item(*handler, *item),
            change => self.change_item(change),
        }
    }

    /// Drops what was cached of a transaction that is rolled back.
    fn drop_cached(&mut self) {
        self.keys.clear();
        self.logs.clear();
        self.sessions = None;
        self.last_session = SessionId::default();
    }

    /// Rolls the transaction back, unless SQLite has done so.
    fn roll_back(&self) {
        if !self.connection().is_autocommit() {
            // A failed rollback stores nothing either; the next transaction reports the error.
            drop(self.connection().execute_batch("ROLLBACK"));
        }
    }

    /// Returns the key of a handler, if it is stored.
    fn stored_key(&mut self, handler: HandlerId) -> ApplyResult<Option<i64>> {
        const FIND: &str = "SELECT key FROM handlers WHERE id = ?1";
        if let Some(key) = self.keys.get(&handler) {
            return Ok(Some(*key));
        }
        let found = self.connection().prepare_cached(FIND)?.query_row([handler.guid()], |row| row.get(0));
        let found = found.optional()?;
        self.keys.extend(found.map(|key| (handler, key)));
        Ok(found)
    }

    /// Returns the key of a handler, and inserts the handler if necessary.
    fn key(&mut self, handler: HandlerId) -> ApplyResult<i64> {
        if let Some(key) = self.stored_key(handler)? {
            return Ok(key);
        }
        self.run("INSERT INTO handlers (id) VALUES (?1)", [handler.guid()])?;
        let key = self.connection().last_insert_rowid();
        self.keys.insert(handler, key);
        Ok(key)
    }

    /// Runs a cached prepared query and returns its only value.
    fn number(&self, query: &str, parameters: impl Params) -> ApplyResult<i64> {
        Ok(self.connection().prepare_cached(query)?.query_row(parameters, |row| row.get(0))?)
    }

    /// Runs a cached prepared statement and returns the number of changed rows.
    fn run(&self, statement: &str, parameters: impl Params) -> ApplyResult<usize> {
        Ok(self.connection().prepare_cached(statement)?.execute(parameters)?)
    }
}

/// Returns the error for a change that is newer than this store.
fn unknown_change() -> ApplyError {
    ApplyError::Refused(StoreError::Unstorable { reason: "a change of an unknown kind".to_string() }.into())
}
