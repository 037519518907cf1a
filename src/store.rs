//! Stores for a manager's state.
//!
//! Most programs need only [`SyncManager::open`], which keeps records, checkpoints, choices, the log and history in one file.
//! This module sets the durability of changes, opens the file of another process for reading, and defines the trait
//! [`StateStore`] for other databases. The module [`state`] documents the stored data.
//!
//! ```
//! use syncmgr::prelude::*;
//! use syncmgr::store::MemoryStore;
//! # struct Mail;
//! # #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Mail")]
//! # impl SyncHandler for Mail {
//! #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> SyncResult {
//! let store = MemoryStore::new(); // for tests; a program calls `SyncManager::open("state.db")?`
//! SyncManager::builder().store(store.clone()).build().run(Mail).await?;
//! let restarted = SyncManager::builder().store(store).build();
//! assert_eq!(restarted.history().await?.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! [`SyncManager::open`]: crate::SyncManager::open
//! [`state`]: crate::state

#[doc(inline)]
pub use syncmgr_core::{
    record::{Checkpoint, Fence, ItemEnd, ItemRecord},
    store::{
        Durability, HandlerRecord, Histogram, ItemName, LogRecord, ManagerSlot, Medium, SessionEnd, SessionOutcome,
        SessionRecord, StaleWriter, StateChange, StateStore, StoreInUse, StoreLease,
    },
};
#[cfg(feature = "sqlite")]
#[doc(inline)]
pub use syncmgr_runtime::sqlite::{self, SqliteOptions, SqliteStore, StoreError};
#[doc(inline)]
pub use syncmgr_runtime::{manager::StoreAccessError, memory::MemoryStore};
