//! Kills at every failpoint, at any moment, and repeatedly.

use fastrand::Rng;
use syncmgr::store::sqlite::FAILPOINTS;

use crate::child::{ChildConfig, ExitKind, ResumeMode, Task};
use crate::random::{rng, sample_of, times};
use crate::snapshot::{integrity, open_read_only};
use crate::trial::{Trial, baseline};

/// The number of kills at failpoints in a sample.
const AT_STEPS: usize = 12;
/// The number of kills at random moments, in a sample and in a full run. A full run kills more than 500 times in total.
const MOMENTS: (usize, usize) = (12, 300);
/// The number of kills while runs are resumed, in a sample and in a full run.
const WHILE_RESUMING: (usize, usize) = (3, 40);

/// The failpoints that a store passes only if its log has too many entries.
const TRIMMING: [&str; 2] = ["before log trimmed", "after log trimmed"];

fn random_resume(rng: &mut Rng) -> ResumeMode {
    if rng.bool() { ResumeMode::AtNextTrigger } else { ResumeMode::Immediately }
}

/// Returns the hits of a failpoint at which to kill: all commits, because each leaves a different state, and a few hits of
/// any other failpoint.
fn hits_to_kill_at(step: &str, times: usize) -> Vec<usize> {
    if step == "after commit" {
        return (1..=times).collect();
    }
    let mut hits = vec![1, 2, times / 3, times * 2 / 3];
    hits.retain(|hit| (1..=times).contains(hit));
    hits.sort_unstable();
    hits.dedup();
    hits
}

#[test]
fn a_kill_at_any_failpoint_leads_to_the_same_result() {
    let (mut rng, mut killed) = (rng(1), 0);
    let steps = baseline().steps.iter();
    let all = steps.flat_map(|(step, times)| hits_to_kill_at(step, *times).into_iter().map(move |nth| (step, nth)));
    for (step, hit) in sample_of(&mut rng, AT_STEPS, all.collect()) {
        let mut trial = Trial::new();
        println!("kill at hit {hit} of {step}");
        let (exit, _) = ChildConfig::killed_at(step, hit).run(&trial.folder);
        killed += usize::from(exit == ExitKind::Killed);
        trial.check();
        trial.finish(random_resume(&mut rng));
    }
    println!("killed {killed} times at failpoints");
    assert!(killed >= times(AT_STEPS / 2, 140), "killed only {killed} times");
}

#[test]
fn a_run_passes_all_failpoints_but_those_of_an_overlong_log() {
    let passed = &baseline().steps;
    let missed: Vec<_> = FAILPOINTS.iter().filter(|step| !passed.contains_key(**step)).collect();
    assert_eq!(missed, TRIMMING.iter().collect::<Vec<_>>());
}

#[test]
fn a_kill_while_trimming_the_log_leaves_only_committed_entries() {
    for step in TRIMMING {
        let trial = Trial::new();
        let config = ChildConfig { task: Task::WriteLongLog, ..ChildConfig::killed_at(step, 1) };
        assert_eq!(config.run(&trial.folder).0, ExitKind::Killed);
        let path = trial.folder.state();
        let (rows, last): (i64, i64) = open_read_only(&path)
            .query_row("SELECT count(*), max(entry) FROM log", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("the query succeeds");
        assert_eq!((rows, last), (10_000, 10_000), "an uncommitted entry was stored");
        assert_eq!(integrity(&path), "ok");
    }
}

#[test]
fn a_kill_at_any_moment_leads_to_the_same_result() {
    let (mut rng, mut killed) = (rng(2), 0);
    let steps: usize = baseline().steps.values().sum();
    while killed < times(MOMENTS.0, MOMENTS.1) {
        let (after, spins) = (rng.usize(..steps), rng.usize(..200_000));
        let mut trial = Trial::new();
        let exit = ChildConfig::default().kill_after(&trial.folder, after, spins);
        println!("killed after {after} of {steps} steps and {spins} spins: {exit:?}");
        killed += usize::from(exit == ExitKind::Killed);
        trial.check();
        trial.finish(random_resume(&mut rng));
    }
}

#[test]
fn a_second_kill_while_resuming_leads_to_the_same_result() {
    let (mut rng, mut killed) = (rng(3), 0);
    let steps: usize = baseline().steps.values().sum();
    while killed < 2 * times(WHILE_RESUMING.0, WHILE_RESUMING.1) {
        let mut trial = Trial::new();
        for _ in 0..2 {
            let (after, spins) = (rng.usize(..steps * 2 / 3), rng.usize(..200_000));
            let config = ChildConfig { resume: random_resume(&mut rng), ..ChildConfig::default() };
            println!("{config:?} after {after} steps and {spins} spins");
            killed += usize::from(config.kill_after(&trial.folder, after, spins) == ExitKind::Killed);
            trial.check();
        }
        trial.finish(random_resume(&mut rng));
    }
}
