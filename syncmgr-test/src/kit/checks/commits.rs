//! The store fails, or is slow.

use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;

use super::super::bench::Bench;
use super::super::breach::{Breach, Played};
use super::super::place::{How, Moment, Place};
use super::super::process::SessionPlan;
use super::super::ruling::Ruling;
use super::super::script::{CutScript, Story};

pub(super) fn commits(bench: &Bench<'_>) -> Ruling {
    let asked = |place: &Place| matches!(place.moment, Moment::BeforeCommit(_));
    let places: Vec<_> = bench.commits().into_iter().filter(asked).collect();
    bench.play_both(vec![Story::new("every write takes a second", slow)], CutScript::all(places, How::Refuse, refused))
}

fn slow(bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let ran = rig.program(async |process| {
        process.store.slow_down(Duration::from_secs(1));
        process.session(SessionPlan::default()).await
    });
    bench.compare(&rig, &ran, "a slow store")
}

fn refused(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let (ran, again) = rig
        .program(async |process| (process.session(script.plan()).await, process.session(SessionPlan::default()).await));
    let item = script.cut.place.call.item().filter(|_| rig.account.was_cut());
    if let Some(item) = item.filter(|item| ran.outcome(item.id) == Some(Outcome::Succeeded)) {
        let headline = format!("a commit of {item} failed, and it ends: succeeded");
        return Err(Breach::new(headline, "pass the error of `commit` on with `?`").with_account(&rig.account));
    }
    bench.compare(&rig, &again, "a commit that failed")
}
