//! The server as its clients see it: over TCP, most of it in this process, the program as it was built at the end.

#![expect(clippy::unwrap_used, reason = "a test that cannot talk to its server has failed")]

mod client;
mod events;
mod guard;
#[cfg(unix)]
mod program;
mod requests;
mod running;
mod sessions;
mod shutdown;
