//! User interaction: the log, the actions of its entries, attention and connections.

mod attention;
mod connections;
mod deciding;
mod errors;
mod modeless;
mod remedies;
mod retry;
mod secrets;
pub(crate) mod show_error;
pub(crate) mod stored_log;
