//! Automatic runs: retries after failures, and runs after changes of the environment.

mod asked;
mod begin;
mod budget;
mod claims;
mod ended;
pub(crate) mod environment;
mod environment_changes;
mod failed;
mod restart;
mod skipped;
mod unrun;
mod waiting;
