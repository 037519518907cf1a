//! The contract of syncmgr and every decision it takes.
//!
//! This crate is what a provider author implements and what a host is judged by. It re-creates the contract of the
//! Windows Synchronization Manager (`mobsync.h`) in Rust; [`contract`] tells it in our own words, with the rule numbers
//! (`R1` to `R150`) that the documentation cites.
//!
//! It never spawns, sleeps, reads a clock or does I/O. Time is an argument; what must be performed goes through
//! [`port::RunPort`], which a runtime implements.
//!
//! Read in this order: the vocabulary ([`id`], [`hresult`], [`trigger`], [`capabilities`], [`info`], [`item`], [`status`],
//! [`progress`], [`log`], [`retry`], [`plan`], [`record`], [`facts`]), the two sides of the contract ([`handler`], [`classic`]), what an author is handed ([`context`],
//! [`error`], [`cancel`]), the decisions ([`decision`]),
//! and what is said of them ([`explain`](mod@explain)).
//!
//! Depend on [`syncmgr`](https://docs.rs/syncmgr): semver covers what it re-exports. The rest of [`decision`], [`cell`] and
//! [`port::RunPort`] are between this crate and a runtime, and change with any release.

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod contract {
    #![doc = include_str!("../CONTRACT.md")]
}

pub mod id;

pub mod hresult;

pub mod trigger;

pub mod capabilities;

pub mod info;

mod limits;

pub mod item;

pub mod claim;

pub mod retry;

pub mod plan;

pub mod record;

pub mod facts;

pub mod status;

pub mod progress;

pub mod log;

pub mod page;

pub mod text;

pub mod time;

pub mod wide;

pub mod error;

pub mod cancel;

pub mod handler;

pub mod classic;

pub mod register;

pub mod request;

pub mod context;

pub mod port;

pub mod store;

#[allow(clippy::exhaustive_structs, reason = "semver promises nothing of it")]
pub mod cell;

#[cfg(all(test, loom))]
mod models;

#[allow(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "semver promises nothing of it")]
pub mod decision;

pub mod explain;

#[doc(hidden)]
pub mod sync;

#[doc(hidden)]
pub mod __private {
    pub use async_trait::async_trait;
}
