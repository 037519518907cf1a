//! What is remembered from session to session, and forgotten.

mod absence;
mod checkpoints;
mod consumed;
mod failing_store;
mod forget;
mod forgotten;
mod forgotten_stored;
mod history;
mod interrupted;
mod records;
pub(crate) mod settings;
mod taken;
mod versions;
