//! The store fails, or is slow.

use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;

use super::super::bench::Bench;
use super::super::place::{How, Moment, Place};
use super::super::process::Plan;
use super::super::ruling::{Breach, Played, Ruling};
use super::super::script::{CutScript, Story};

pub(super) fn commits(bench: &Bench<'_>) -> Ruling {
    let asked = |place: &Place| matches!(place.moment, Moment::BeforeCommit(_));
    let places: Vec<_> = bench.commits().into_iter().filter(asked).collect();
    if places.is_empty() {
        return bench.play(vec![slow()]);
    }
    match bench.play(CutScript::all(places, How::Refuse, refused)) {
        Ruling::Kept { scripts, left_out } => match bench.play(vec![slow()]) {
            Ruling::Kept { scripts: more, .. } => Ruling::Kept { scripts: scripts + more, left_out },
            other => other,
        },
        other => other,
    }
}

fn refused(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let (ran, again) =
        rig.program(async |process| (process.session(script.plan()).await, process.session(Plan::default()).await));
    if let Some(item) = script.cut.place.call.item().filter(|_| rig.account.was_cut()) {
        let listed = bench.baseline.items.iter().find(|listed| listed.id() == item.id);
        if listed.and_then(|listed| ran.outcome(listed)) == Some(Outcome::Succeeded) {
            let help = "pass the error of `commit` on with `?`";
            let headline = format!("a commit of {item} failed, and it ends: succeeded");
            return Err(Breach::new(headline, help).with_account(&rig.account));
        }
    }
    bench.compare(&rig, &again, "a commit that failed")
}

fn slow() -> Story {
    Story::new("every write takes a second", |bench| {
        let mut rig = bench.rig();
        let ran = rig.program(async |process| {
            process.store.slow_down(Duration::from_secs(1));
            process.session(Plan::default()).await
        });
        bench.compare(&rig, &ran, "a slow store")
    })
}
