//! Changes as statements.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, Params};
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::HandlerId;
use syncmgr_core::store::StateChange;

use super::error::StoreError;
use super::options::SqliteOptions;
use super::queue::Write;
use super::seams::{Seams, steps};

mod forget;
mod handler;
mod item;
mod log;
mod session;

/// Carries writes out on the writing connection.
pub(super) struct Applier {
    connection: Connection,
    /// The epoch of this writer.
    epoch: i64,
    most_sessions: u32,
    seams: Seams,
    /// The keys of handlers, as far as the file agrees.
    keys: HashMap<HandlerId, i64>,
    /// The last place that was given to a record of each handler, by its key.
    places: HashMap<i64, i64>,
    /// The handlers whose log has grown in this transaction.
    grown: BTreeSet<i64>,
}

/// Whether one write of several may be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// None is expected to be; if one is, all are undone.
    Together,
    /// One that is refused is undone alone.
    EachApart,
}

/// Why nothing was stored.
#[derive(Debug)]
pub(super) enum Trouble {
    /// This write cannot be stored, whatever the state of the disk.
    Refused(anyhow::Error),
    /// Another writer has the store.
    TakenOver,
    /// The database failed.
    Failed(rusqlite::Error),
}

type Applied<T = ()> = Result<T, Trouble>;

impl From<rusqlite::Error> for Trouble {
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
    pub(super) fn new((connection, epoch): (Connection, i64), options: &SqliteOptions) -> Self {
        let (most_sessions, seams) = (options.most_sessions, options.seams.clone());
        Self {
            connection,
            epoch,
            most_sessions,
            seams,
            keys: HashMap::new(),
            places: HashMap::new(),
            grown: BTreeSet::new(),
        }
    }

    /// Stores the writes in one transaction, and tells of each whether it was refused. On trouble none is stored.
    pub(super) fn store(&mut self, batch: &[Write], care: Care) -> Applied<Vec<SyncResult>> {
        let stored = self.attempt(batch, care);
        if stored.is_err() {
            self.keys.clear();
            self.roll_back();
        }
        self.grown.clear();
        stored
    }

    fn attempt(&mut self, batch: &[Write], care: Care) -> Applied<Vec<SyncResult>> {
        self.run("BEGIN IMMEDIATE", [])?;
        self.seams.at("transaction begun");
        self.check_epoch()?;
        self.seams.at("epoch checked");
        let results = batch.iter().map(|write| self.write(&write.changes, care)).collect::<Applied<_>>()?;
        self.trim_logs()?;
        self.seams.at("before commit");
        self.run("COMMIT", [])?;
        self.seams.at("after commit");
        Ok(results)
    }

    fn check_epoch(&self) -> Applied {
        const EPOCH: &str = "SELECT value FROM meta WHERE name = 'epoch'";
        let epoch: i64 = self.connection.prepare_cached(EPOCH)?.query_row([], |row| row.get(0))?;
        if epoch == self.epoch { Ok(()) } else { Err(Trouble::TakenOver) }
    }

    /// Carries one write out. What is inside tells whether it was refused, alone.
    fn write(&mut self, changes: &[StateChange], care: Care) -> Applied<SyncResult> {
        if care == Care::Together {
            return self.changes(changes).map(Ok);
        }
        self.run("SAVEPOINT one", [])?;
        let result = match self.changes(changes) {
            Err(Trouble::Refused(reason)) => {
                self.keys.clear();
                self.run("ROLLBACK TO one", [])?;
                Err(reason)
            }
            applied => Ok(applied?),
        };
        self.run("RELEASE one", [])?;
        Ok(result)
    }

    fn changes(&mut self, changes: &[StateChange]) -> Applied {
        changes.iter().try_for_each(|change| {
            let (before, after) = steps(change).ok_or_else(unknown)?;
            self.seams.at(before);
            self.change(change)?;
            self.seams.at(after);
            Ok(())
        })
    }

    fn change(&mut self, change: &StateChange) -> Applied {
        match change {
            StateChange::Registered { .. } | StateChange::Flags { .. } | StateChange::Choices { .. } => {
                self.change_handler(change)
            }
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

    /// Undoes what was begun, unless SQLite has already.
    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // A rollback that fails leaves nothing stored either; the next transaction tells.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
    }

    /// The key of a handler that is stored.
    fn known(&mut self, handler: HandlerId) -> Applied<Option<i64>> {
        const FIND: &str = "SELECT key FROM handlers WHERE id = ?1";
        if let Some(key) = self.keys.get(&handler) {
            return Ok(Some(*key));
        }
        let found = self.connection.prepare_cached(FIND)?.query_row([handler.guid()], |row| row.get(0));
        let found = found.optional()?;
        self.keys.extend(found.map(|key| (handler, key)));
        Ok(found)
    }

    /// The key of a handler, stored now if it was not.
    fn key(&mut self, handler: HandlerId) -> Applied<i64> {
        if let Some(key) = self.known(handler)? {
            return Ok(key);
        }
        self.run("INSERT INTO handlers (id) VALUES (?1)", [handler.guid()])?;
        let key = self.connection.last_insert_rowid();
        self.keys.insert(handler, key);
        Ok(key)
    }

    /// A place no record of the handler has, should this be a new one. Places that are not taken are left out.
    ///
    /// A subquery in the statement would have it prepared anew each time, because planning looks at the value.
    fn fresh_place(&mut self, handler: i64) -> Applied<i64> {
        const LAST: &str = "SELECT ifnull(max(place), 0) FROM items NOT INDEXED WHERE handler = ?1";
        let last = match self.places.get(&handler) {
            Some(last) => *last,
            None => self.connection.prepare_cached(LAST)?.query_row([handler], |row| row.get(0))?,
        };
        self.places.insert(handler, last + 1);
        Ok(last + 1)
    }

    /// Runs a statement, kept prepared, and tells how many rows it changed.
    fn run(&self, statement: &str, parameters: impl Params) -> Applied<usize> {
        Ok(self.connection.prepare_cached(statement)?.execute(parameters)?)
    }
}

/// A change that is newer than this store.
fn unknown() -> Trouble {
    Trouble::Refused(StoreError::Unstorable { reason: "a change of an unknown kind".to_string() }.into())
}
