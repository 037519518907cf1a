//! The program as its users run it, on small trees.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its trees has failed")]

mod answer;
mod bad_input;
mod deletion;
mod mirror;
mod output;
mod program;
mod running;
mod state;
mod stop;
#[path = "../../src/mirror/trees.rs"]
mod trees;
mod trust;
mod usage;
