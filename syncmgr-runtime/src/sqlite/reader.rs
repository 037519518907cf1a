//! The reading connection.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Params, Row};
use syncmgr_core::error::SyncResult;
use syncmgr_core::sync::Mutex;

use super::error::StoreError;

/// Reads committed data.
pub(super) struct Reader {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Reader {
    pub(super) fn new(path: PathBuf, connection: Connection) -> Self {
        Self { path, connection: Mutex::new(connection) }
    }

    pub(super) fn all<T, C: FromIterator<T>>(
        &self,
        query: &str,
        parameters: impl Params,
        each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> SyncResult<C> {
        self.read(|connection| connection.prepare_cached(query)?.query_map(parameters, each)?.collect())
    }

    pub(super) fn one<T>(
        &self,
        query: &str,
        parameters: impl Params,
        one: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> SyncResult<Option<T>> {
        self.read(|connection| connection.prepare_cached(query)?.query_row(parameters, one).optional())
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> SyncResult<T> {
        query(&self.connection.lock()).map_err(|error| StoreError::of(&self.path, &error).into())
    }
}
