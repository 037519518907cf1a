//! Performs what `syncmgr-core` decides: drives handlers on tokio.
//!
//! [`manager`] is what an application holds, [`session`] the handle of what it started, [`report`] how it went. The life
//! of one handler run is in `run/life.rs`, top to bottom; its items and workers are in `attempt/`. [`mapping`] lets a
//! [`SyncHandler`](syncmgr_core::handler::SyncHandler) run on a foreign callback, and hosts handlers in the old style.
//!
//! Depend on [`syncmgr`](https://docs.rs/syncmgr): semver covers what it re-exports.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod state {
    #![doc = include_str!("../STATE.md")]
}

mod attempt;
mod call;
pub mod chooser;
pub mod clock;
mod ending;
pub mod facts;
mod host;
pub mod latency;
pub mod manager;
pub mod mapping;
pub mod memory;
pub mod meter;
mod owner;
pub mod random;
mod remembering;
pub mod report;
mod run;
mod scheduler;
pub mod session;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod tasks;
pub mod trace;
pub mod watchdog;

pub use ending::{RunChange, RunEnding, RunFault};
