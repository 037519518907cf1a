//! What runs again by itself: after failures, and when the world around a manager changes.

mod asked;
mod begin;
mod budget;
mod claims;
mod ended;
mod failed;
mod restart;
mod skipped;
mod unrun;
mod waiting;
pub(crate) mod world;
mod world_changes;
