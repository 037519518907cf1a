//! Schedules, and the agenda: what a manager runs without a request, when, and why.
//!
//! A [`Schedule`] is a cron expression in a time zone, an interval, or a single time. A handler declares one for its items with
//! [`HandlerInfo::with_schedule`], or for one item with [`SyncItem::with_schedule`]. The manager's scheduler has to run
//! ([`SyncManager::start_scheduler`]). [`rules`] says what happens after sleep, when clocks change, and when runs overlap.
//!
//! A person's schedule, requirements or window of a handler or an item replace what the code declares:
//! [`SyncManager::set_override`]. They are stored.
//!
//! A [`Window`] limits automatic runs to some hours of the day, whatever starts them: see [`HandlerInfo::within`] and
//! [`SyncItem::within`].
//!
//! ```
//! use std::time::Duration;
//! use syncmgr::prelude::*;
//! use syncmgr::schedule::{Missed, Schedule};
//!
//! struct Backup;
//!
//! #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Backup")]
//! impl SyncHandler for Backup {
//!     fn info(&self) -> HandlerInfo {
//!         let night = Schedule::cron("30 2 * * *", "Europe/Berlin").expect("the expression is valid");
//!         Self::HANDLER.with_schedule(night.with_missed(Missed::Skip))
//!     }
//!
//!     async fn items(&self) -> SyncResult<Items> {
//!         let often = Schedule::every(Duration::from_secs(900))?;
//!         Ok([SyncItem::named("Photos"), SyncItem::named("Notes").with_schedule(often)].into_iter().collect())
//!     }
//!
//!     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> SyncResult {
//! let manager = SyncManager::new();
//! manager.register(Backup)?;
//! manager.start_scheduler()?;
//! println!("{}", manager.agenda()[0]); // when the next run starts, and which items it runs
//! # manager.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! [`HandlerInfo::with_schedule`]: crate::HandlerInfo::with_schedule
//! [`HandlerInfo::within`]: crate::HandlerInfo::within
//! [`SyncItem::within`]: crate::SyncItem::within
//! [`SyncItem::with_schedule`]: crate::SyncItem::with_schedule
//! [`SyncManager::set_override`]: crate::SyncManager::set_override
//! [`SyncManager::start_scheduler`]: crate::SyncManager::start_scheduler

#[doc(inline)]
pub use syncmgr_core::{
    agenda::{AgendaEntry, AgendaWork},
    overrides::{KnownSettings, Override, OverrideError, OverrideKind, Overrides, Settings, StoredOverrides},
    schedule::{Day, Missed, Schedule, ScheduleError, TimeOfDay, Window, rules},
};
#[doc(inline)]
pub use syncmgr_runtime::manager::AgendaChanges;
