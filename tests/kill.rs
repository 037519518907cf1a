//! Tests that kill a process at any moment, then check the state it leaves and the work of the next process.
//!
//! The tests start this program again as [a child](child) that synchronizes files, kill it with SIGKILL, check its
//! state, and let another child continue. `KILL_SEED` sets the seed of the random moments; the tests print it. By
//! default the tests run a sample of the cases; with `KILL_WHOLE=1` they run all cases.
#![cfg(all(unix, feature = "sqlite"))]

#[path = "kill/child.rs"]
mod child;
#[path = "kill/consistency.rs"]
mod consistency;
#[path = "kill/copying.rs"]
mod copying;
#[path = "kill/edge_cases.rs"]
mod edge_cases;
#[path = "kill/folder.rs"]
mod folder;
#[path = "kill/kills.rs"]
mod kills;
#[path = "kill/owners.rs"]
mod owners;
#[path = "kill/random.rs"]
mod random;
#[path = "kill/scenario.rs"]
mod scenario;
#[path = "kill/snapshot.rs"]
mod snapshot;
#[path = "kill/trial.rs"]
mod trial;
#[path = "kill/truncated_log.rs"]
mod truncated_log;
