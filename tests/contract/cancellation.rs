//! Cancellation: how it is told, how soon it is heard, and what is left when nobody listens.

mod cancel;
pub(crate) mod grace;
mod latencies;
mod pull;
mod push;
mod reasons;
pub(crate) mod stopped;
mod stubborn;
