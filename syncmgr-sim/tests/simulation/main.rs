//! The whole manager, simulated: see [`syncmgr_sim`].
//!
//! `SIM_SEEDS=1000 cargo test -p syncmgr-sim --test simulation` plays more; what a failure prints first plays it again.

mod determinism;
mod regressions;
mod users;

use syncmgr_sim::Simulation;

/// How many seeds are played unless `SIM_SEEDS` says otherwise.
const SEEDS: u64 = 50;

#[test]
fn every_promise_holds_in_every_seed() {
    let summary = Simulation::new().run(SEEDS);
    println!("{} seeds, hash {:016x}", summary.seeds, summary.hash);
}
