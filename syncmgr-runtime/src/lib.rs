//! The tokio runtime of the sync manager: executes the decisions of `syncmgr-core` and drives handlers.
//!
//! An application holds a [`manager`] and starts a [`session`], which returns a [`report`]. The lifecycle of a handler
//! run is in `run/lifecycle.rs`, top to bottom; its items and workers are in `attempt/`. [`mapping`] connects a
//! [`SyncHandler`](syncmgr_core::handler::SyncHandler) to the callback of another host, and hosts handlers in the
//! classic style.
//!
//! Depend on [`syncmgr`](https://docs.rs/syncmgr) instead: semver covers only its re-exports.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod state {
    #![doc = include_str!("../STATE.md")]
}

mod attempt;
mod call;
pub mod change_source;
mod changes;
pub mod chooser;
pub mod clock;
mod ending;
pub mod environment;
mod host;
#[cfg(feature = "keyring")]
pub mod keyring;
pub mod latency;
pub mod manager;
pub mod mapping;
pub mod memory;
pub mod meter;
mod nesting;
mod outbox;
mod owner;
mod persistence;
pub mod random;
pub mod report;
mod run;
mod scheduler;
mod secrets;
pub mod session;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod tasks;
pub mod trace;
mod turns;
pub mod watchdog;
mod watching;

pub use ending::{RunChange, RunEnding, RunFault};
