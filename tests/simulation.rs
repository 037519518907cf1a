//! The whole manager, simulated: see [`syncmgr_test::sim`].

use syncmgr_test::sim::Simulation;

/// How many seeds are played unless `SIM_SEEDS` says otherwise.
const SEEDS: u64 = 1_000;

#[test]
fn every_promise_holds_in_every_seed() {
    let summary = Simulation::new().run(SEEDS);
    println!("{summary:?}");
}

#[test]
fn the_same_seed_does_the_same_twice() {
    let simulation = Simulation::new();
    for seed in 0..50 {
        let script = simulation.script(seed);
        assert_eq!(simulation.play(&script), simulation.play(&script), "seed {seed}");
    }
}
