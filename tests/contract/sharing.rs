//! Limits on workers and claims, and the quarantine of items whose work outlives them.

mod claims;
mod claims_crowd;
mod claims_released;
mod fair_shares;
mod priority;
mod priority_inheritance;
pub(crate) mod quarantine;
mod quarantine_end;
