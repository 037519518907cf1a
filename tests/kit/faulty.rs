//! Faulty handlers. Each has one typical mistake, which one check must find.

pub(crate) mod cancellation;
pub(crate) mod changes;
pub(crate) mod checkpoints;
pub(crate) mod cleanup;
pub(crate) mod conditions;
pub(crate) mod failures;
pub(crate) mod holds;
pub(crate) mod hosts;
pub(crate) mod local_changes;
pub(crate) mod reporting;
pub(crate) mod user;
