//! The example `offline_files` as its users run it: the built program on small trees.
//!
//! `cargo test` builds the program. When only these tests are asked for, build it first:
//! `cargo build --example offline_files`.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot make its trees has failed")]

#[path = "offline_files/answer.rs"]
mod answer;
#[path = "offline_files/bad_input.rs"]
mod bad_input;
#[path = "offline_files/deletion.rs"]
mod deletion;
#[path = "offline_files/mirror.rs"]
mod mirror;
#[path = "offline_files/output.rs"]
mod output;
#[path = "offline_files/program.rs"]
mod program;
#[path = "offline_files/running.rs"]
mod running;
#[path = "offline_files/state.rs"]
mod state;
#[path = "offline_files/stop.rs"]
mod stop;
#[path = "../examples/offline_files/mirror/trees.rs"]
mod trees;
#[path = "offline_files/trust.rs"]
mod trust;
#[path = "offline_files/usage.rs"]
mod usage;
