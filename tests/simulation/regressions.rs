//! Scripts that once failed, each with what it was.

use syncmgr_test::sim::{Kept, Simulation};

/// The seed, the parts of it that matter, and what was wrong. Where the generator changes, a script is another one: what it
/// stood for has a test in the contract, too.
const FAILED: &[(u64, &str, &str)] =
    &[(74, "", "the recording of a handler that was forgotten while its items ran spun until they ended")];

#[test]
fn what_once_failed_does_not_fail_again() {
    let simulation = Simulation::new();
    for (seed, kept, what) in FAILED {
        let script = match *kept {
            "" => simulation.script(*seed),
            kept => simulation.shortened(*seed, &kept.parse::<Kept>().unwrap()),
        };
        let broken = simulation.play(&script).broken;
        assert_eq!(broken, None, "{what}: {script}");
    }
}
