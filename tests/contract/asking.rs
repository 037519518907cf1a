//! What people are told and asked: the log, what can be done about its entries, attention, connections.

mod attention;
mod connections;
mod deciding;
mod errors;
mod modeless;
mod remedies;
mod retry;
pub(crate) mod show_error;
pub(crate) mod stored_log;
