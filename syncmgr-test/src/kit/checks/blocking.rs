//! Nothing blocks the thread: the one check in real time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::bench::Bench;
use super::super::place::Call;
use super::super::process::Plan;
use super::super::ruling::{Breach, Ruling};
use super::super::script::Story;

/// How often a poll has to be slow: once may be the machine's fault.
const TIMES: usize = 3;

pub(super) fn blocking(bench: &Bench<'_>) -> Ruling {
    bench.play(vec![Story::new("run everything", |bench| {
        let Some(((call, wait), took)) = always_slow(bench) else { return Ok(()) };
        let headline = format!("{call} blocks its thread for {} ms before its await {wait}", took.as_millis());
        let help = "put blocking work into `ItemContext::blocking`, and await instead of sleeping";
        Err(Breach::new(headline, help))
    })])
}

/// A poll that is slow every time.
fn always_slow(bench: &Bench<'_>) -> Option<((Call, u32), Duration)> {
    let mut slow: Option<BTreeMap<(Call, u32), Duration>> = None;
    for _ in 0..TIMES {
        let mut rig = bench.rig();
        let now = rig.program(async |process| {
            process.session(Plan::default()).await;
            process.watch.longer_than(bench.kit.poll)
        });
        let before = slow.take();
        let both = now.into_iter().filter(|(poll, _)| before.as_ref().is_none_or(|before| before.contains_key(poll)));
        slow = Some(both.collect());
        if slow.as_ref().is_some_and(BTreeMap::is_empty) {
            return None;
        }
    }
    slow?.into_iter().max_by_key(|(_, took)| *took)
}
