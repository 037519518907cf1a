//! A store in one SQLite file.
//!
//! One writer on a thread of its own, which stores whatever waits in one transaction; one connection that reads. The
//! tables and how to look at them with the `sqlite3` tool are described in the [schema](SCHEMA).

mod apply;
mod encode;
mod error;
mod lock;
mod open;
mod options;
mod place;
mod port;
mod queue;
mod reader;
mod rows;
mod schema;
mod seams;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncmgr_core::store::Durability;

pub use error::StoreError;
pub use options::SqliteOptions;
#[doc(hidden)]
pub use seams::SEAMS;

use lock::Lock;
use reader::Reader;
use writer::Writer;

/// The tables and views of the file, as SQL with a comment on every column.
pub const SCHEMA: &str = include_str!("schema/1.sql");

/// Keeps what a manager remembers in one SQLite file, whatever becomes of the process. Cloning gives another handle of
/// the same store.
///
/// One program at a time has it open for writing; anybody may [look](Self::look). When the last handle is dropped, what
/// waits is written first, and the drop waits for that.
///
/// ```
/// # use syncmgr_setting::*;
/// # run(async {
/// # use syncmgr_runtime::sqlite::SqliteStore;
/// # let directory = std::env::temp_dir().join(format!("syncmgr-store-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("state");
/// let manager = SyncManager::builder().store(SqliteStore::open(&path)?).build();
/// manager.run(Mail).await?;
/// assert!(SqliteStore::open(&path).is_err()); // one program at a time writes
/// let looking = SyncManager::builder().store(SqliteStore::look(&path)?).build();
/// assert_eq!(looking.history()?.len(), 1);
/// # drop((manager, looking));
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    parts: Arc<Parts>,
}

/// Dropped in this order: the reader's connection is closed before the writer's, which then tidies the file up.
struct Parts {
    path: PathBuf,
    durability: Durability,
    reader: Reader,
    /// `None` where the store was opened for looking.
    writer: Option<Writer>,
}

impl SqliteStore {
    /// Opens the store in the file `path` for writing, and makes it if there is none. On Unix the file, those beside it
    /// and a directory that had to be made are for this user alone.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when somebody else has it open for writing, and otherwise what stands in the way. Nothing that
    /// was stored is lost by it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::new().open(path)
    }

    /// Opens the store in the file `path` for looking: at any time, also while another program writes to it.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn look(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = place::find(path.as_ref())?;
        let reader = Reader::new(path.clone(), open::look(&path)?);
        Ok(Self { parts: Arc::new(Parts { path, durability: Durability::Process, reader, writer: None }) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.parts.path
    }

    fn open_with(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = place::prepare_directory(path)?;
        options.seams.at("directory made");
        let lock = Lock::take(&path)?;
        options.seams.at("lock taken");
        place::prepare_file(&path)?;
        options.seams.at("file made");
        let (connection, epoch) = open::writer(&path, &options)?;
        let reader = Reader::new(path.clone(), open::reader(&path)?);
        let durability = options.durability;
        let writer = Writer::start(path.clone(), (connection, epoch), lock, options)?;
        Ok(Self { parts: Arc::new(Parts { path, durability, reader, writer: Some(writer) }) })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.parts.writer.is_some() { "open" } else { "looking" };
        write!(f, "SqliteStore({}, {kind})", self.parts.path.display())
    }
}
