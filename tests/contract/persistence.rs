//! State that a manager stores between sessions, and its deletion.

mod absence;
mod calls_back;
mod checkpoints;
mod consumed;
mod cut_short;
mod disabling;
mod dropped_commits;
mod failing_store;
mod forget;
mod forgotten;
mod forgotten_stored;
mod history;
mod interrupted;
mod items;
mod log_entries;
mod one_manager;
mod reading;
mod records;
mod reregistered;
pub(crate) mod settings;
mod suspects;
mod versions;
