//! A deterministic simulation of a manager with its providers, generated from a seed.
//!
//! A seed generates a [`Script`]: the settings of the manager, providers and their items, and a list of steps. Steps start,
//! skip and stop work, inject faults into the peer, the store and the network, change the power and user presence, set the clock,
//! and kill and restart processes. Providers have schedules and requirements, conditions come and go, items change locally, and
//! the machine sleeps. Some items end their process, and some errors have a destructor that panics. The script is played in
//! virtual time alongside a simple model of the expected state. The invariants of the manager are checked after every step. At
//! the end of every script all faults are removed, and then every item must become up to date.
//!
//! The same seed always gives the same result; a hash of all observations verifies this. A script that violates an invariant
//! is shrunk: a part can be removed without changing the random values of the other parts. The environment variables
//! `SIM_SEED` and `SIM_KEEP` replay the shrunk script.
//!
//! You can add your own handlers and invariants:
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use syncmgr_core::context::ItemContext;
//! use syncmgr_core::error::SyncResult;
//! use syncmgr_core::handler::SyncHandler;
//! use syncmgr_core::id::HandlerId;
//! use syncmgr_core::info::HandlerInfo;
//! use syncmgr_sim::{SimContext, Simulation};
//!
//! struct Pages(SimContext);
//!
//! #[async_trait]
//! impl SyncHandler for Pages {
//!     fn info(&self) -> HandlerInfo {
//!         HandlerInfo::new(HandlerId::from_u128(7), "Pages")
//!     }
//!
//!     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
//!         self.0.yield_or_sleep().await; // other tasks run, or time passes
//!         item.progress(1, 1)?;
//!         Ok(())
//!     }
//! }
//!
//! let simulation = Simulation::new()
//!     .handler(|context| Arc::new(Pages(context.clone())))
//!     .invariant("at most three open sessions", |view| match view.manager().sessions().len() {
//!         0..=3 => Ok(()),
//!         many => Err(format!("{many} sessions are open")),
//!     });
//! let played = simulation.play(&simulation.script(1));
//! assert_eq!(played, simulation.play(&simulation.script(1)));
//! ```
//!
//! # Coverage
//!
//! Each process has its own current-thread runtime with paused time. Tokio has no hook for the order of its tasks, so the
//! simulation varies the order where it can: futures of ports and handlers sleep or yield at random, and the seed sets the
//! runtime's event interval and global queue interval. The simulation does not cover multiple threads, blocking work, the
//! watchdog or a real disk; the contract tests, `tests/kill.rs` and sanitizers cover those. Handlers that depend on real time
//! ([`REAL_TIME`](syncmgr_core::capabilities::Capabilities::REAL_TIME)) cannot take part.
//!
//! The simulation does not check progress, the event stream, the opening of links in log entries, the deadlines of calls, the backoff of
//! resources, the priority of manual work, or that nothing starts during a pause. Once the user has requested a session, the
//! simulation no longer checks that later automatic sessions of the same process wait for the network.

#![allow(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "the crate is not published")]

mod answers;
mod conditions;
mod copy_item;
mod disable;
mod disk;
mod endings;
mod episode;
mod error;
mod faults;
mod forget;
mod generate;
mod invariants;
mod model;
mod observed;
mod parts;
mod peer;
mod perform;
mod play;
mod ports;
mod process;
mod provider;
mod recovery;
mod reports;
mod rng;
mod rule;
mod schedules;
mod script;
mod seeds;
mod settle;
mod setup;
mod shrink;
mod sim;
mod simulation;
mod step;

pub use self::parts::Parts;
pub use self::play::PlayResult;
pub use self::rng::RngSource;
pub use self::rule::{Plan, Rule, Timing};
pub use self::script::{Commits, Item, Kind, Part, ProviderPlan, Script, Setting};
pub use self::seeds::{Failure, Summary};
pub use self::sim::Violation;
pub(crate) use self::simulation::Extensions;
pub use self::simulation::{SimContext, Simulation, View};
pub use self::step::{Fault, ItemIndex, Scope, Start, Step, UserInteraction};
