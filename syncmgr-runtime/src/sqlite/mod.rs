//! A store in one SQLite file.
//!
//! A dedicated thread writes all queued changes in one transaction. Up to two other connections read. The
//! [schema](SCHEMA) describes the tables and how to read them with the `sqlite3` tool.

mod apply;
mod couriers;
mod encode;
mod error;
mod failpoints;
mod files;
mod load;
mod location;
mod lock;
mod open;
mod options;
mod port;
mod queue;
mod read_ahead;
mod reader;
mod replies;
mod rows;
mod schema;
mod wal;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncmgr_core::store::{Durability, ManagerSlot};

pub use error::StoreError;
#[doc(hidden)]
pub use failpoints::FAILPOINTS;
pub use options::SqliteOptions;

use lock::Lock;
use reader::Reader;
use writer::Writer;

/// The tables and views of the file, as SQL with a comment on every column.
pub const SCHEMA: &str = concat!(include_str!("schema/1.sql"), "\n", include_str!("schema/2.sql"));

/// Stores a manager's state in one SQLite file, where it survives the process. Clones share the same store.
///
/// One program at a time can open the file for writing; any program can open it [read-only](Self::open_read_only). Dropping the
/// last handle waits until all queued changes are written.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// # use syncmgr_runtime::sqlite::SqliteStore;
/// # let directory = std::env::temp_dir().join(format!("syncmgr-store-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("state");
/// let manager = SyncManager::builder().store(SqliteStore::open(&path)?).build();
/// manager.run(Mail).await?;
/// assert!(SqliteStore::open(&path).is_err()); // only one program can write
/// let reader = SyncManager::builder().store(SqliteStore::open_read_only(&path)?).build();
/// assert_eq!(reader.history().await?.len(), 1);
/// # drop((manager, reader));
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    parts: Arc<Parts>,
}

/// The fields are dropped in this order: the reader's connection closes before the writer's, which then cleans up the
/// file.
struct Parts {
    path: PathBuf,
    durability: Durability,
    slot: ManagerSlot,
    reader: Reader,
    /// `None` if the store is open read-only.
    writer: Option<Writer>,
}

impl SqliteStore {
    /// Opens the store in the file `path` for writing, and creates the file if it does not exist. On Unix, only the
    /// current user has access to the file, its companion files and a created directory.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if the store is already open for writing, and another [`StoreError`] if it cannot be
    /// opened. Stored data is not lost on error.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::new().open(path)
    }

    /// Opens the store in the file `path` read-only. This works at any time, even while another program writes to it.
    ///
    /// # Errors
    /// Returns a [`StoreError`] if the store cannot be read.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = location::find(path.as_ref())?;
        let (connection, again) = open::read_only(&path)?;
        let reader = Reader::new(path.clone(), connection, again)?;
        Ok(Self {
            parts: Arc::new(Parts {
                path,
                durability: Durability::Process,
                slot: ManagerSlot::new(),
                reader,
                writer: None,
            }),
        })
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.parts.path
    }

    fn open_with(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = location::prepare_directory(path)?;
        options.failpoints.at("directory made");
        let lock = Lock::take(&path)?;
        options.failpoints.at("lock taken");
        location::prepare_file(&path)?;
        options.failpoints.at("file made");
        let opened = open::writer(&path, &options)?;
        let reader = Reader::new(path.clone(), open::reader(&path)?, open::reader)?;
        let durability = options.durability;
        let writer = Writer::start(path.clone(), opened, lock, options)?;
        Ok(Self { parts: Arc::new(Parts { path, durability, slot: ManagerSlot::new(), reader, writer: Some(writer) }) })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.parts.writer.is_some() { "open" } else { "read-only" };
        write!(f, "SqliteStore({}, {kind})", self.parts.path.display())
    }
}
