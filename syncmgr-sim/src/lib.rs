//! The simulation: a whole manager with its providers under one seed.
//!
//! A seed makes a [`Script`]: how the manager is built, providers and their items, and what happens: sessions, skips and
//! stops, faults of the peer, of the store and of the network, power, a clock that is corrected, processes that are killed
//! and begin again. The script is played in virtual time, beside a simple account of what has to be true; after every step
//! the promises of the manager are checked, and at the end of every script everything heals, and whatever can be done has
//! to be done.
//!
//! The same seed does the same, bit for bit, and says so with a hash of everything that was seen. A script that breaks a
//! promise is shortened: any of its parts can be left out, and all else draws as it did. What is left is told by
//! `SIM_SEED` and `SIM_KEEP`.
//!
//! Your own handlers and invariants take part:
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
//! use syncmgr_sim::{Simulation, Surroundings};
//!
//! struct Pages(Surroundings);
//!
//! #[async_trait]
//! impl SyncHandler for Pages {
//!     fn info(&self) -> HandlerInfo {
//!         HandlerInfo::new(HandlerId::from_u128(7), "Pages")
//!     }
//!
//!     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
//!         self.0.shake().await; // somebody else has a turn, or time passes
//!         item.progress(1, 1)?;
//!         Ok(())
//!     }
//! }
//!
//! let simulation = Simulation::new()
//!     .handler(|around| Arc::new(Pages(around.clone())))
//!     .invariant("no more than three sessions at once", |view| match view.manager().sessions().len() {
//!         0..=3 => Ok(()),
//!         many => Err(format!("there are {many}")),
//!     });
//! let played = simulation.play(&simulation.script(1));
//! assert_eq!(played, simulation.play(&simulation.script(1)));
//! ```
//!
//! # What it reaches, and what not
//!
//! Each process has a current-thread runtime of its own with paused time. Tokio has no hook for the order of its tasks, so
//! the order is varied at every seam that is ours: what ports and handlers await takes a while or gives way a few times, by
//! chance, and the runtime looks at its timers and its queue in a rhythm that follows from the seed. Two threads at
//! once, blocking work, the watchdog and a real disk are not reached: the contract's own tests, `tests/kill.rs` and the
//! sanitizers of whoever runs them are for those. Handlers that depend on real time
//! ([`REAL_TIME`](syncmgr_core::capabilities::Capabilities::REAL_TIME)) cannot take part.
//!
//! Of what the manager promises, these are not checked here: that manual work overtakes background work, that nothing new begins
//! while it is paused, progress, the stream of events, opening entries of the log, deadlines of calls, the backoff of resources. A
//! provider that needs a network is excused from waiting once somebody has asked for it by hand in the same process.

#![allow(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "it is not published")]

mod act;
mod answers;
mod books;
mod coda;
mod copying;
mod dice;
mod disk;
mod draw;
mod forgetting;
mod heard;
mod observed;
mod parts;
mod peer;
mod play;
mod ports;
mod process;
mod promise;
mod provider;
mod recovery;
mod script;
mod seeds;
mod setup;
mod shrink;
mod step;
mod trouble;
mod users;
mod world;

pub use self::dice::Dice;
pub use self::parts::Parts;
pub use self::play::Played;
pub use self::script::{Commits, Item, Kind, Part, ProviderPlan, Rule, Script};
pub use self::seeds::{Failure, Summary};
pub use self::step::{Bother, Fault, Place, Scope, Start, Step};
pub(crate) use self::users::Extras;
pub use self::users::{Simulation, Surroundings, View};
pub use self::world::Broken;
