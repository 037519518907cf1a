//! Performs what `syncmgr-core` decides: drives handlers on tokio.
//!
//! [`manager`] is what an application holds, [`session`] the handle of what it started, [`report`] how it went. The life
//! of one handler run is in `run/life.rs`, top to bottom; its items and workers are in `attempt/`. [`mapping`] lets a
//! [`SyncHandler`](syncmgr_core::handler::SyncHandler) run on a foreign callback, and hosts handlers in the old style.

pub mod state {
    #![doc = include_str!("../STATE.md")]
}

mod attempt;
mod attend;
mod call;
pub mod chooser;
pub mod clock;
pub mod facts;
mod gate;
mod host;
pub mod latency;
pub mod manager;
pub mod mapping;
pub mod memory;
pub mod meter;
pub mod pending;
pub mod random;
mod remembering;
pub mod report;
mod run;
pub mod session;
mod setbacks;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod tasks;
pub mod trace;
pub mod watchdog;

pub use run::{RunChange, RunEnding};
