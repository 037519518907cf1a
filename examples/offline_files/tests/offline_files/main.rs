//! Tests of the program as users run it, on small trees.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot create its trees has failed")]

mod answer;
mod attributes;
mod bad_input;
mod deletion;
mod hard_links;
mod incremental;
mod mirror;
mod mounts;
mod moved;
mod output;
mod program;
mod quirks;
mod rotation;
mod running;
mod skip;
mod state;
mod stop;
#[path = "../../src/mirror/trees.rs"]
mod trees;
mod two_way;
mod two_way_disks;
mod two_way_large;
mod two_way_peers;
mod two_way_refused;
mod two_way_scripts;
mod unreadable;
mod usage;
#[cfg(target_os = "linux")]
mod watch;
