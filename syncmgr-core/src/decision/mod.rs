//! Every decision of the manager as plain state: events in, what to do out. No clock, no task, no lock.
//!
//! Semver promises nothing of this module but what the facade re-exports.
//!
//! - [`protocol`]: the life of one handler run, with its late, double and stale completions;
//! - [`call`]: one method and its completion, four of which make the protocol;
//! - [`choice`]: which items are offered and which run;
//! - [`run`]: the items of one run;
//! - [`host`]: which runs may start, how many items they may run at once, who has which claim;
//! - [`hold`]: why something does not run;
//! - [`conditions`]: which of them the world imposes, and when they lift;
//! - [`guard`]: what a host objects to in what an item is about to do;
//! - [`absence`]: which items have been missing for how long;
//! - [`merge`]: which items of a request an earlier run has covered;
//! - [`verdict`]: how an item ended;
//! - [`retry`]: what failures leave behind of an item, and when it runs again;
//! - [`resource`]: what they leave behind of a resource that items share;
//! - [`due`]: what runs by itself, and when;
//! - [`ledger`]: all of what failures leave behind, and what starts by itself because of it.

pub mod absence;
pub mod call;
pub mod choice;
mod claims;
pub mod conditions;
pub mod due;
pub mod guard;
pub mod hold;
pub mod host;
pub mod ledger;
mod line;
pub mod merge;
pub mod protocol;
pub mod resource;
pub mod retry;
pub mod run;
pub mod verdict;
