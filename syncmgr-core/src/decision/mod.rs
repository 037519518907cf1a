//! Every decision of the manager as plain state: events in, what to do out. No clock, no task, no lock.
//!
//! - [`protocol`]: the life of one handler run, with its late, double and stale completions;
//! - [`call`]: one method and its completion, four of which make the protocol;
//! - [`choice`]: which items are offered and which run;
//! - [`run`]: the items of one run;
//! - [`host`]: which runs may start, how many items they may run at once, who has which claim;
//! - [`hold`]: why something does not run;
//! - [`merge`]: which items of a request an earlier run has covered;
//! - [`verdict`]: how an item ended.

pub mod call;
pub mod choice;
mod claims;
pub mod hold;
pub mod host;
mod line;
pub mod merge;
pub mod protocol;
pub mod run;
pub mod verdict;
