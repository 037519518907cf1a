//! Session events, lists of items, and the errors of sessions and managers.
//!
//! [`Events`] is the event stream of a session, [`ManagerEvents`] that of all sessions of a manager. [`SyncManager::items`]
//! returns an [`ItemStatus`] for each known item, and [`Session::progress`] a [`RunningItem`] for each that runs.
//! [`SyncManager::shutdown`] returns a [`StillRunning`] for each handler that is still running.
//!
//! [`Session::progress`]: crate::Session::progress
//! [`SyncManager::items`]: crate::SyncManager::items
//! [`SyncManager::shutdown`]: crate::SyncManager::shutdown

#[doc(inline)]
pub use syncmgr_runtime::{
    RunChange, RunFault,
    latency::Latencies,
    manager::{ItemStatus, LogAccessError, PropertiesError, SettingsError, StillRunning},
    session::{Events, ManagerEvents, RunningItem, StopOnDrop},
};
