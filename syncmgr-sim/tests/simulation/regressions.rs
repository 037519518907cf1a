//! Scripts that once failed, each with what it was.

use syncmgr_sim::{Parts, Simulation};

/// The seed, the parts of it that matter, and what was wrong. Where the generator changes, a script is another one: what it
/// stood for is found again by leaving its fix out.
const FAILED: &[(u64, &str, &str)] = &[
    (
        3528,
        "0,3-4,8-9,17-19",
        "what waited behind a run of a handler ran what needs somebody, once that was not registered",
    ),
    (5539, "15,21-22", "a shutdown left tasks behind that waited for a slow store"),
    (15538, "0,3-6,10,12,28-31,35", "what was to go on at once was held by its handler's backoff, and then forgotten"),
    (
        18630,
        "0,3,8-10,14,17,29,32,42-43",
        "a retry that waited for the network went down in a session that preferred others",
    ),
    (26576, "0,4-5,11,13,16,22,24", "an item taken up by a run that was stopped before it began was never due again"),
    (
        29035,
        "0,3-4,8,13-15,32,34,40",
        "a retry that was stopped before its handler had listed anything was never due again",
    ),
];

#[test]
fn what_once_failed_does_not_fail_again() {
    let simulation = Simulation::new();
    for (seed, kept, what) in FAILED {
        let script = match *kept {
            "" => simulation.script(*seed),
            kept => simulation.shortened(*seed, &kept.parse::<Parts>().unwrap()),
        };
        let broken = simulation.play(&script).broken;
        assert_eq!(broken, None, "{what}: {script}");
    }
}
