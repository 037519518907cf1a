//! Nothing blocks the thread: the one check in real time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::bench::{Bench, spread};
use super::super::breach::{Breach, Played};
use super::super::place::{Call, How};
use super::super::process::SessionPlan;
use super::super::rig::Rig;
use super::super::ruling::Ruling;
use super::super::script::{CutScript, Story};

/// How often a poll has to be slow: once may be the machine's fault.
const TIMES: usize = 3;

/// At how many places a call is dropped.
const FEW: usize = 12;

pub(super) fn blocking(bench: &Bench<'_>) -> Ruling {
    let whole = Story::new("run everything, twice", |bench| {
        never_slow(bench, |rig| {
            rig.program(async |process| {
                process.session(SessionPlan::default()).await;
                process.session(SessionPlan::default()).await;
                process.watch.longer_than(bench.kit.poll)
            })
        })
    });
    let places = bench.waits(|call| matches!(call, Call::Item(_) | Call::Prepare | Call::Synchronize));
    let dropped = CutScript::all(spread(places, FEW), How::Drop, |script, bench| {
        never_slow(bench, |rig| {
            rig.program(async |process| {
                process.session(script.plan()).await;
                process.watch.longer_than(bench.kit.poll)
            })
        })
    });
    bench.play_both(vec![whole], dropped)
}

/// The polls and drops that took too long.
type Slow = BTreeMap<(Call, u32), Duration>;

/// Whether no poll is slow every time this is played.
fn never_slow(bench: &Bench<'_>, play: impl Fn(&mut Rig) -> Slow) -> Played {
    let mut slow: Option<Slow> = None;
    for _ in 0..TIMES {
        let now = play(&mut bench.rig());
        let again = match slow.take() {
            None => now,
            Some(before) => now.into_iter().filter(|(poll, _)| before.contains_key(poll)).collect(),
        };
        if again.is_empty() {
            return Ok(());
        }
        slow = Some(again);
    }
    let Some(((call, wait), took)) = slow.into_iter().flatten().max_by_key(|(_, took)| *took) else { return Ok(()) };
    let headline = format!("{call} blocks its thread for {} ms before its await {wait}", took.as_millis());
    let help = "put blocking work into `ItemContext::blocking`, and await instead of sleeping";
    Err(Breach::new(headline, help))
}
