//! The decisions of the manager as plain state machines: events in, actions out. No clock, no task, no lock.
//!
//! Semver covers only the parts of this module that the facade re-exports.
//!
//! - [`protocol`]: the lifecycle of one handler run, with late, duplicate and stale completions;
//! - [`call`]: a method call and its completion, of which the protocol has four pairs;
//! - [`listing`]: the checked items of a handler;
//! - [`choice`]: the stored choices of the user, and the items offered for choice;
//! - [`attempt`]: the items of one attempt;
//! - [`host`]: the admission of runs, the permits of workers, and the claims of items;
//! - [`hold`]: the reasons why an item or a run waits;
//! - [`surroundings`], [`needs`], [`environment_holds`]: the environment as it counts now, what a run needs from it, and the
//!   holds that follow;
//! - [`guard`]: the guard rules for plans;
//! - [`absence`]: the items that are missing from complete listings;
//! - [`names`]: the names of items that a listing changes;
//! - [`merge`]: the items of a request that an earlier run has covered;
//! - [`verdict`]: the outcomes of items;
//! - [`retry`]: the retry state of an item;
//! - [`resource`]: the retry state of a shared resource;
//! - [`retry_queue`]: the items and resources that wait for a retry;
//! - [`local_changes`]: the local changes that no run has looked at;
//! - [`ledger`]: all retry states, and the sessions the scheduler starts;
//! - [`timetable`]: the schedules of all handlers, and their next firings.

pub mod absence;
pub mod attempt;
pub mod call;
pub mod choice;
mod claims;
pub mod environment_holds;
mod fair_queue;
pub mod guard;
pub mod hold;
pub mod host;
pub mod item_index;
pub mod ledger;
pub mod listing;
pub mod local_changes;
pub mod merge;
pub mod names;
pub mod needs;
mod permit_queue;
pub mod protocol;
pub mod resource;
pub mod retry;
pub mod retry_queue;
mod schedule_index;
mod search;
mod shared_values;
pub mod surroundings;
pub mod timetable;
pub mod verdict;
