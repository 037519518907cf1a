//! What is scarce: workers, claims, and the items whose work outlived them.

mod claims;
mod claims_crowd;
mod claims_released;
mod hurry;
mod lifting;
mod priority;
pub(crate) mod quarantine;
