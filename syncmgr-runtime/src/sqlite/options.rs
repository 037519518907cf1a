//! How a store is opened.

use std::path::Path;
use std::sync::Arc;

use syncmgr_core::store::Durability;

use super::SqliteStore;
use super::error::StoreError;
use super::seams::Seams;

/// Sessions that are remembered, unless said otherwise.
const MOST_SESSIONS: u32 = 200;

/// How an [`SqliteStore`] is opened.
///
/// ```
/// # use syncmgr_setting::*;
/// # run(async {
/// # use syncmgr_core::store::{Durability, StateStore};
/// # use syncmgr_runtime::sqlite::SqliteOptions;
/// # let directory = std::env::temp_dir().join(format!("syncmgr-options-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("state");
/// let store = SqliteOptions::new().durability(Durability::Power).sessions(1000).open(&path)?;
/// assert_eq!(store.durability(), Durability::Power); // survives the loss of power
/// # drop(store);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options open nothing until `open`"]
pub struct SqliteOptions {
    pub(super) durability: Durability,
    pub(super) most_sessions: u32,
    pub(super) most_pages: Option<u32>,
    pub(super) seams: Seams,
}

impl SqliteOptions {
    /// As [`SqliteStore::open`] opens it.
    pub fn new() -> Self {
        Self {
            durability: Durability::Process,
            most_sessions: MOST_SESSIONS,
            most_pages: None,
            seams: Seams::default(),
        }
    }

    /// What a stored change survives. [`Process`](Durability::Process), unless said otherwise, costs no waiting for the
    /// disk but at checkpoints; [`Power`](Durability::Power) waits for the disk once a batch of changes.
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// How many sessions are remembered; 200 unless said otherwise. The oldest that went as they should go first, then the
    /// oldest.
    pub fn sessions(self, most: u32) -> Self {
        Self { most_sessions: most, ..self }
    }

    /// With a limit on the pages of the file, for tests of a full disk.
    #[doc(hidden)]
    pub fn pages(self, most: u32) -> Self {
        Self { most_pages: Some(most), ..self }
    }

    /// With somebody who follows the [steps](super::SEAMS), for tests that end the process at each of them.
    #[doc(hidden)]
    pub fn seams(self, step: Arc<dyn Fn(&'static str) + Send + Sync>) -> Self {
        Self { seams: Seams::new(step), ..self }
    }

    /// Opens the store for writing; see [`SqliteStore::open`].
    ///
    /// # Errors
    /// What stands in the way, and what to do about it.
    pub fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(path.as_ref(), self)
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self::new()
    }
}
