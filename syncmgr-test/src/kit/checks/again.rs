//! Everything is done once more.

use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;

use super::super::account::{Account, Event};
use super::super::bench::Bench;
use super::super::breach::{Breach, Played};
use super::super::place::{Call, How, Moment, Named, Place};
use super::super::process::{Ran, SessionPlan};
use super::super::rig::Rig;
use super::super::ruling::Ruling;
use super::super::script::{CutScript, Story};

const NOTHING_TO_DO: &str = "compare before you write, and write what is there already not at all; where the data tell a time, \
                             leave it out of `Provider::data`";

pub(super) fn again(bench: &Bench<'_>) -> Ruling {
    bench.play(vec![
        Story::new("run everything, twice", |bench| {
            twice(bench, |rig, plan| {
                rig.program(async |process| {
                    process.session(plan.clone()).await;
                    process.session(plan).await
                })
            })
        }),
        Story::new("run everything, and again in another program", |bench| {
            twice(bench, |rig, plan| {
                rig.program(async |process| drop(process.session(plan.clone()).await));
                rig.program(async |process| process.session(plan).await)
            })
        }),
    ])
}

fn twice(bench: &Bench<'_>, run: impl Fn(&mut Rig, SessionPlan) -> Ran) -> Played {
    let mut rig = bench.rig();
    let ran = run(&mut rig, SessionPlan::default());
    bench.compare(&rig, &ran, "a run that was whole").map_err(|breach| breach.with_help(NOTHING_TO_DO))
}

pub(super) fn repeat(bench: &Bench<'_>) -> Ruling {
    if !bench.baseline.info.capabilities().contains(Capabilities::IDEMPOTENT) {
        return Ruling::Skipped("the handler does not promise IDEMPOTENT".into());
    }
    if !bench.shows_data() {
        return Ruling::Skipped("there are no data to compare; see `Provider::data`".into());
    }
    bench.play(vec![Story::new("run everything, lose the store, run everything", |bench| {
        let mut rig = bench.rig();
        rig.program(async |process| drop(process.session(SessionPlan::default()).await));
        rig.lose_the_store();
        let ran = rig.program(async |process| process.session(SessionPlan::default()).await);
        bench.compare(&rig, &ran, "everything was done again from nothing")
    })])
}

pub(super) fn resumable(bench: &Bench<'_>) -> Ruling {
    if !bench.baseline.info.capabilities().contains(Capabilities::RESUMABLE) {
        return Ruling::Skipped("the handler does not promise RESUMABLE".into());
    }
    if bench.baseline.commits.is_empty() {
        let breach = Breach::new("the handler promises RESUMABLE and commits nothing", SAVE);
        return Ruling::Broken(breach.in_script("run everything"));
    }
    let last = |place: &Place| bench.baseline.commits.get(&place.call).copied().unwrap_or_default();
    // After its last commit an item may have nothing left that shows.
    let judged = |place: &Place| matches!(place.moment, Moment::AfterCommit(number) if number < last(place));
    bench.play(CutScript::all(bench.commits().into_iter().filter(judged).collect(), How::Kill, goes_on))
}

const SAVE: &str = "commit what is done as the work goes on, and begin with what `ItemContext::saved` returns";

fn goes_on(script: &CutScript, bench: &Bench<'_>) -> Played {
    let call = &script.cut.place.call;
    let Some(item) = call.item() else { return Ok(()) };
    let mut rig = bench.rig();
    rig.program(async |process| drop(process.session(script.plan()).await));
    let (waits, took) = rig.program(async |process| {
        process.session(SessionPlan::default()).await;
        (process.watch.counts().0.get(call).copied().unwrap_or_default(), took(&process.account, item))
    });
    let from_nothing = (bench.baseline.waits.get(call).copied().unwrap_or_default(), bench.baseline.took(item.id));
    let does_less = waits < from_nothing.0 || took < from_nothing.1;
    if does_less || from_nothing.0 == 0 || !rig.account.was_cut() {
        return Ok(());
    }
    let headline = format!("{item} had committed when it was killed, and does everything again");
    let waited = format!("it waits {waits} times after that, and {} times from nothing", from_nothing.0);
    Err(Breach::new(headline, SAVE).with_details([waited]).with_account(&rig.account))
}

/// How long the last call of an item took.
fn took(account: &Account, item: &Named) -> Duration {
    let is_it = |call: &Call| call.item() == Some(item);
    let events = account.events();
    let last =
        |wanted: &dyn Fn(&Event) -> bool| events.iter().rev().find(|(_, event)| wanted(event)).map(|(time, _)| *time);
    let began = last(&|event| matches!(event, Event::Called(call) if is_it(call)));
    let ended = last(&|event| matches!(event, Event::Returned(call, _) if is_it(call)));
    ended.zip(began).map_or(Duration::ZERO, |(ended, began)| ended.saturating_sub(began))
}
