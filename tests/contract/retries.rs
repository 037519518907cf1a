//! Automatic runs: retries after failures, and runs after changes of the environment.

mod begin;
mod budget;
mod claims;
mod claims_held_back;
mod connect;
mod ended;
pub(crate) mod environment;
mod environment_changes;
mod failed;
mod not_due;
mod not_run;
mod restart;
mod skipped;
mod storm;
mod unlisted;
mod waiting;
