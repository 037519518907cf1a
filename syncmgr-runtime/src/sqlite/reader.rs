//! Reading, without waiting for the writer.

use std::path::PathBuf;

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
    connection: Mutex<Connection>,
}

impl Reader {
    pub(super) fn new(path: PathBuf, connection: Connection) -> Self {
        Self { path, connection: Mutex::new(connection) }
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> SyncResult<T> {
        query(&self.connection.lock()).map_err(|error| StoreError::of(&self.path, &error).into())
    }
}

impl SqliteStore {
    /// Returns the part of the store that `load` loads, with all earlier writes. Does not wait until they are stored:
    /// the writer may wait for the disk or another program, and the caller may block a thread that other tasks need.
    pub(super) fn view(
        &self,
        scope: Scope,
        load: impl FnOnce(&Connection, &mut Contents) -> rusqlite::Result<()>,
    ) -> SyncResult<MemoryStore> {
        let queued = self.parts.writer.as_ref().map(|writer| writer.queued(scope)).unwrap_or_default();
        let (contents, stored) = self.parts.reader.read(|connection| load_current(connection, &queued, load))?;
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
