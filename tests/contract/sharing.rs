//! Limits on workers and claims, and the quarantine of items whose work outlives them.

mod claims;
mod claims_crowd;
mod claims_released;
mod hurry;
mod lifting;
mod priority;
pub(crate) mod quarantine;
