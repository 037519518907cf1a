//! Every decision of the manager as plain state: events in, what to do out. No clock, no task, no lock.
//!
//! - [`protocol`]: the life of one handler run, with its late, double and stale completions;
//! - [`call`]: one method and its completion, four of which make the protocol;
//! - [`choice`]: which items are offered and which run;
//! - [`run`]: the items of one run;
//! - [`host`]: which runs may start, and how many items they may run at once;
//! - [`verdict`]: how an item ended.

pub mod call;
pub mod choice;
pub mod host;
pub mod protocol;
pub mod run;
pub mod verdict;
