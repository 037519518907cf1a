//! The whole manager, simulated: see [`syncmgr_test::sim`].
//!
//! `SIM_SEEDS=100000 cargo test --test simulation` plays more; what a failure prints first plays it again.

#[path = "simulation/determinism.rs"]
mod determinism;
#[path = "simulation/regressions.rs"]
mod regressions;
#[path = "simulation/users.rs"]
mod users;

use syncmgr_test::sim::Simulation;

/// How many seeds are played unless `SIM_SEEDS` says otherwise.
const SEEDS: u64 = 1_000;

#[test]
fn every_promise_holds_in_every_seed() {
    let summary = Simulation::new().run(SEEDS);
    println!("{} seeds, hash {:016x}", summary.seeds, summary.hash);
}
