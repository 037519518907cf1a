//! Reading, without waiting for the writer.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::record::ItemRecord;
use syncmgr_core::store::StateStore;
use syncmgr_core::sync::Mutex;

use super::SqliteStore;
use super::error::StoreError;
use super::load;
use super::location::{FileId, file_id};
use super::queue::{Queued, Scope};
use super::read_ahead::Stored;
use crate::memory::{Contents, MemoryStore};

/// Reads committed data.
pub(super) struct Reader {
    path: PathBuf,
    file: FileId,
    /// For reads of one value or a few, which wait for no read of many values.
    lookups: Mutex<Connection>,
    /// For reads of many values. Opened by the first of them.
    lists: Mutex<Option<Connection>>,
    open: Open,
}

/// Opens a connection.
pub(super) type Open = fn(&Path) -> Result<Connection, StoreError>;

/// The size of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// It does not grow with the store, or a manager needs it to register a handler.
    Lookup,
    /// It grows with the store.
    List,
}

impl Reader {
    /// Creates a reader of the file `path` with this connection and a later one from `open`.
    pub(super) fn new(path: PathBuf, lookups: Connection, open: Open) -> Result<Self, StoreError> {
        let file = file_id(&path).map_err(|error| StoreError::of_io(&path, &error))?;
        Ok(Self { path, file, lookups: Mutex::new(lookups), lists: Mutex::default(), open })
    }

    /// Opens the second connection. Fails if the file is no longer the one of the first.
    fn open_again(&self) -> Result<Connection, StoreError> {
        let opened = (self.open)(&self.path);
        match file_id(&self.path) {
            Ok(file) if file == self.file => opened,
            _ => Err(StoreError::Replaced { path: self.path.clone() }),
        }
    }

    pub(super) fn read<T>(&self, size: Size, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> SyncResult<T> {
        let found = match size {
            Size::Lookup => query(&self.lookups.lock()),
            Size::List => {
                let mut lists = self.lists.lock();
                let opened = lists.take().map_or_else(|| self.open_again(), Ok)?;
                query(lists.insert(opened))
            }
        };
        found.map_err(|error| StoreError::of(&self.path, &error).into())
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
        let queued = self.queued(scope);
        let (contents, stored) = self.parts.reader.read(size, |connection| load_current(connection, &queued, load))?;
        Ok(with_queued(contents, stored, queued))
    }

    /// Returns the record of an item like [`view`](Self::view), and may read the next ones in advance. A store that is open read-only
    /// reads nothing in advance, because another program may change it.
    pub(super) fn find_record(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        let (scope, mut place) = (Scope::Item(handler, item), None);
        if let Some(known) = self.record_read_ahead(handler, item, scope) {
            return known;
        }
        let record = self.view(Size::Lookup, scope, load::record(handler, item, &mut place))?.record(handler, item);
        if let (Some(writer), Some(place)) = (&self.parts.writer, place) {
            self.parts.reader.read(Size::Lookup, |connection| {
                writer.read_ahead.lock().follow(connection, handler, place);
                Ok(())
            })?;
        }
        record
    }

    fn record_read_ahead(
        &self,
        handler: HandlerId,
        item: ItemId,
        scope: Scope,
    ) -> Option<SyncResult<Option<ItemRecord>>> {
        // The queue is read first: what leaves it later is no longer read ahead.
        let queued = self.queued(scope);
        let Stored { record, number } = self.parts.writer.as_ref()?.read_ahead.lock().get(handler, item)?;
        if queued.is_empty() {
            return Some(Ok(Some(record)));
        }
        let mut contents = Contents::default();
        contents.stored(handler).items.insert(item, record);
        Some(with_queued(contents, number, queued).record(handler, item))
    }

    pub(super) fn queued(&self, scope: Scope) -> Vec<Queued> {
        self.parts.writer.as_ref().map(|writer| writer.queued(scope)).unwrap_or_default()
    }
}

/// Applies the queued changes that the store does not contain yet.
fn with_queued(contents: Contents, stored: u64, queued: Vec<Queued>) -> MemoryStore {
    let view = MemoryStore::from(contents);
    for write in queued.into_iter().filter(|write| write.number > stored) {
        // The changes are applied when the method returns. A refused write changes nothing.
        drop(view.write(write.changes));
    }
    view
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
