//! Session events, lists of items, and the errors of sessions and managers.
//!
//! [`Events`] is the event stream of a session, [`ManagerEvents`] that of all sessions of a manager. [`SyncManager::items`]
//! returns an [`ItemStatus`] for each known item. [`SyncManager::shutdown`] returns a [`StillRunning`] for each handler that is
//! still running.
//!
//! [`SyncManager::items`]: crate::SyncManager::items
//! [`SyncManager::shutdown`]: crate::SyncManager::shutdown

#[doc(inline)]
pub use syncmgr_runtime::{
    RunChange, RunFault,
    latency::Latencies,
    manager::{ItemStatus, LogAccessError, PropertiesError, StillRunning},
    session::{Events, ManagerEvents, StopOnDrop},
};
