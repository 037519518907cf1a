//! The options for opening a store.

use std::path::Path;
use std::sync::Arc;

use syncmgr_core::store::Durability;

use super::SqliteStore;
use super::error::StoreError;
use super::failpoints::Failpoints;

/// The default number of stored sessions.
const DEFAULT_SESSIONS: u32 = 200;

/// Options for opening a [`SqliteStore`].
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// # use syncmgr_core::store::{Durability, StateStore};
/// # use syncmgr_runtime::sqlite::SqliteOptions;
/// # let directory = std::env::temp_dir().join(format!("syncmgr-options-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("state");
/// let store = SqliteOptions::new().durability(Durability::Power).max_sessions(1000).open(&path)?;
/// assert_eq!(store.durability(), Durability::Power); // survives a loss of power
/// # drop(store);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "the store is only opened by `open`"]
pub struct SqliteOptions {
    pub(super) durability: Durability,
    pub(super) max_sessions: u32,
    pub(super) max_pages: Option<u32>,
    pub(super) failpoints: Failpoints,
}

impl SqliteOptions {
    /// Creates the default options, those of [`SqliteStore::open`].
    pub fn new() -> Self {
        Self {
            durability: Durability::Process,
            max_sessions: DEFAULT_SESSIONS,
            max_pages: None,
            failpoints: Failpoints::default(),
        }
    }

    /// Sets the failures that a stored change survives. The default is [`Process`](Durability::Process), which waits
    /// for the disk only when SQLite checkpoints its write-ahead log. [`Power`](Durability::Power) waits for the disk
    /// once per batch of changes.
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Sets the maximum number of stored sessions. The default is 200. Sessions without problems are deleted first,
    /// then the oldest.
    pub fn max_sessions(self, max: u32) -> Self {
        Self { max_sessions: max, ..self }
    }

    /// Limits the number of pages of the file, for tests of a full disk.
    #[doc(hidden)]
    pub fn max_pages(self, max: u32) -> Self {
        Self { max_pages: Some(max), ..self }
    }

    /// Sets a function that is called at each [failpoint](super::FAILPOINTS), for tests that kill the process there.
    #[doc(hidden)]
    pub fn on_failpoint(self, hit: Arc<dyn Fn(&'static str) + Send + Sync>) -> Self {
        Self { failpoints: Failpoints::new(hit), ..self }
    }

    /// Opens the store for writing; see [`SqliteStore::open`].
    ///
    /// # Errors
    /// Returns a [`StoreError`] if the store cannot be opened.
    pub fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(path.as_ref(), self)
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self::new()
    }
}
