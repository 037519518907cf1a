//! Tests of the server over TCP, in this process and as the built program.

#![expect(clippy::unwrap_used, reason = "a test that cannot talk to its server has failed")]

mod agenda;
mod client;
mod events;
mod guard;
#[cfg(unix)]
mod program;
mod requests;
mod running;
mod sessions;
mod shutdown;
