//! Daemons on a message bus.

mod address;
mod daemon;
mod follow;
mod service;

pub use address::{Bus, BusAddressError};
#[cfg(feature = "logind")]
pub(crate) use daemon::is_timeout;
pub(crate) use daemon::{Daemon, Object};
pub(crate) use follow::follow;
pub(crate) use service::{Interest, Service};
