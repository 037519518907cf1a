//! Cancellation: push, pull, reasons, graces, latencies and work that ignores cancellation.

mod cancel;
pub(crate) mod grace;
mod latencies;
mod pull;
mod push;
mod reasons;
pub(crate) mod stopped;
mod unresponsive;
