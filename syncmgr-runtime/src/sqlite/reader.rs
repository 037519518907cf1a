//! Reading, without waiting for the writer.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use syncmgr_core::error::SyncResult;
use syncmgr_core::store::StateStore;
use syncmgr_core::sync::Mutex;

use super::SqliteStore;
use super::error::StoreError;
use super::load;
use super::queue::{Queued, Scope};
use crate::memory::{Contents, MemoryStore};

/// Reads committed data.
pub(super) struct Reader {
    path: PathBuf,
    /// For reads of one value, which wait for no read of many values.
    lookups: Mutex<Connection>,
    /// For reads of many values.
    lists: Mutex<Connection>,
}

/// The size of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// It does not grow with the store, or a manager needs it to register a handler.
    Lookup,
    /// It grows with the store.
    List,
}

impl Reader {
    /// Creates a reader of the file `path` with two connections from `open`.
    pub(super) fn new(
        path: PathBuf,
        open: impl Fn(&Path) -> Result<Connection, StoreError>,
    ) -> Result<Self, StoreError> {
        let (lookups, lists) = (Mutex::new(open(&path)?), Mutex::new(open(&path)?));
        Ok(Self { path, lookups, lists })
    }

    fn read<T>(&self, size: Size, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> SyncResult<T> {
        let connection = match size {
            Size::Lookup => &self.lookups,
            Size::List => &self.lists,
        };
        query(&connection.lock()).map_err(|error| StoreError::of(&self.path, &error).into())
    }
}

impl SqliteStore {
    /// Returns the part of the store that `load` loads, with all earlier writes. Does not wait until they are stored:
    /// the writer may wait for the disk or another program, and the caller may block a thread that other tasks need.
    pub(super) fn view(
        &self,
        size: Size,
        scope: Scope,
        load: impl FnOnce(&Connection, &mut Contents) -> rusqlite::Result<()>,
    ) -> SyncResult<MemoryStore> {
        let queued = self.parts.writer.as_ref().map(|writer| writer.queued(scope)).unwrap_or_default();
        let (contents, stored) = self.parts.reader.read(size, |connection| load_current(connection, &queued, load))?;
        let view = MemoryStore::from(contents);
        for write in queued.into_iter().filter(|write| write.number > stored) {
            // The changes are applied when the method returns. A refused write changes nothing.
            drop(view.write(write.changes));
        }
        Ok(view)
    }
}

/// Loads data, and returns it with the number of the last write that it contains.
fn load_current(
    connection: &Connection,
    queued: &[Queued],
    load: impl FnOnce(&Connection, &mut Contents) -> rusqlite::Result<()>,
) -> rusqlite::Result<(Contents, u64)> {
    let mut contents = Contents::default();
    if queued.is_empty() {
        return load(connection, &mut contents).map(|()| (contents, 0));
    }
    let transaction = connection.unchecked_transaction()?;
    load(&transaction, &mut contents)?;
    let stored = load::last_write(&transaction)?;
    transaction.commit()?;
    Ok((contents, stored))
}
