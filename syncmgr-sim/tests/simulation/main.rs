//! Simulations of a whole manager. See [`syncmgr_sim`].
//!
//! `SIM_SEEDS=1000 cargo test -p syncmgr-sim --test simulation` plays more seeds. A failure starts with the variables that replay it.

mod custom_handlers;
mod determinism;
mod mistakes;
mod regressions;

use syncmgr_sim::Simulation;

/// The number of seeds, unless `SIM_SEEDS` is set.
const SEEDS: u64 = 50;

#[test]
fn every_invariant_holds_in_every_seed() {
    let summary = Simulation::new().run(SEEDS);
    println!("{} seeds, hash {:016x}", summary.seeds, summary.hash);
}
