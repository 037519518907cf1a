//! Local changes: files and other data on this machine whose changes start a run.
//!
//! An item names the files and directories that it depends on with [`SyncItem::with_watch`], or its handler returns a stream of
//! changes from [`SyncHandler::changes`]. The manager watches paths through a [`ChangeSource`]. A changed item runs once the
//! handler was quiet for the [quiet time](Settle), and at the maximum wait while changes go on.
//!
//! Changes are not stored, and a handler is watched from its first listing on: start a session after a restart.
//!
//! ```
//! use syncmgr::changes::ManualChanges;
//! use syncmgr::prelude::*;
//! # struct Notes;
//! # #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Notes")]
//! # impl SyncHandler for Notes {
//! #     async fn items(&self) -> SyncResult<Items> {
//! #         Ok([SyncItem::named("notes").with_watch("/home/user/notes")].into_iter().collect())
//! #     }
//! #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> SyncResult {
//! let changes = ManualChanges::new(); // a program uses a file watcher
//! let manager = SyncManager::builder().change_source(changes.clone()).build();
//! manager.register(Notes)?; // its item has `with_watch("/home/user/notes")`
//! assert!(manager.update_all()?.finish().await.is_success());
//! changes.changed("/home/user/notes/groceries"); // the item runs half a second later
//! # manager.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`SyncHandler::changes`]: crate::SyncHandler::changes
//! [`SyncItem::with_watch`]: crate::SyncItem::with_watch

#[doc(inline)]
pub use syncmgr_core::local_change::{LocalChange, Settle};
#[doc(inline)]
pub use syncmgr_runtime::change_source::{ChangeSource, ManualChanges, Watch, WatchEvent, WatchProblem};
