//! The contract of syncmgr and its decision logic.
//!
//! This crate contains the traits that provider authors implement and the rules that every host follows. It re-creates the contract of
//! the Windows Synchronization Manager (`mobsync.h`) in Rust. [`contract`] states the contract in our own words; the docs cite its rules
//! by number (`R1` to `R150`). A name after a colon, such as `PrepareForSync`, is the Windows name of the documented item.
//!
//! The crate never spawns, sleeps, reads a clock or does I/O. It takes the time as an argument and acts only through
//! [`port::RunPort`], which a runtime implements.
//!
//! Reading order:
//!
//! 1. The vocabulary: [`id`], [`hresult`], [`trigger`], [`capabilities`], [`requirements`], [`importance`], [`info`], [`item`], [`status`],
//!    [`progress`], [`log`], [`retry`], [`plan`], [`record`], [`environment`], [`schedule`],
//!    [`local_change`].
//! 2. The two styles of handler: [`handler`], [`classic`].
//! 3. The parameters and results of a handler's methods: [`context`], [`error`], [`cancel`].
//! 4. The decisions and their explanations: [`decision`], [`explain`](mod@explain).
//!
//! Depend on [`syncmgr`](https://docs.rs/syncmgr): semver covers the items it re-exports. The rest of [`decision`],
//! [`cell`] and [`port::RunPort`] are internal to syncmgr and may change in any release.

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod contract {
    #![doc = include_str!("../CONTRACT.md")]
}

pub mod id;

pub mod hresult;

pub mod trigger;

pub mod capabilities;

pub mod importance;

pub mod requirements;

pub mod info;

mod limits;
pub mod local_change;

pub mod overrides;

pub mod item;

pub mod claim;

pub mod retry;

pub mod plan;

pub mod record;

pub mod environment;

pub mod agenda;
pub mod schedule;

mod setting;
pub mod status;

pub mod progress;

pub mod log;

pub mod redacted_url;

pub mod text;

pub mod time;

pub mod win32;

pub mod error;

pub mod foreign;

pub mod cancel;

pub mod handler;

pub mod classic;

pub mod register;

pub mod request;

pub mod context;

pub mod port;

pub mod store;

#[allow(clippy::exhaustive_structs, reason = "semver does not cover this module")]
pub mod cell;

#[cfg(all(test, loom))]
mod models;

#[allow(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "semver does not cover this module")]
pub mod decision;

pub mod explain;

#[doc(hidden)]
pub mod sync;

#[doc(hidden)]
pub mod __private {
    pub use async_trait::async_trait;
}
