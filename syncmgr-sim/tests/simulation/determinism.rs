//! The same seed gives the same result.

use syncmgr_sim::{Parts, Simulation};

#[test]
fn the_same_seed_gives_the_same_result_twice() {
    let simulation = Simulation::new();
    for seed in 0..10 {
        let script = simulation.script(seed);
        assert_eq!(simulation.play(&script), simulation.play(&script), "seed {seed}");
    }
}

#[test]
fn different_seeds_give_different_results() {
    let simulation = Simulation::new();
    let mut hashes: Vec<u64> = (0..20).map(|seed| simulation.play(&simulation.script(seed)).hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20);
}

#[test]
fn parallel_runs_over_the_same_seeds_give_the_same_summary() {
    let simulation = Simulation::new();
    assert_eq!(simulation.seeds(0..10).unwrap(), simulation.seeds(0..10).unwrap());
}

#[test]
fn the_printed_variables_replay_the_script() {
    let simulation = Simulation::new();
    let script = simulation.script(7);
    let every_second = Parts(script.kept().0.iter().copied().step_by(2).collect());
    let shorter = script.only(&every_second);
    let printed = shorter.to_string();
    let (seed, kept) = printed.lines().next().and_then(|line| line.split_once(' ')).unwrap();
    assert_eq!(seed, "SIM_SEED=7");
    let kept = kept.strip_prefix("SIM_KEEP=").unwrap().parse().unwrap();
    assert_eq!(simulation.shortened(7, &kept), shorter);
    assert_eq!(simulation.play(&simulation.shortened(7, &kept)), simulation.play(&shorter));
}
