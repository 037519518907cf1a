//! Something happens to a call in the middle: it is skipped, stopped, killed, or panics.

use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::item::SyncItem;

use super::super::account::Event;
use super::super::bench::Bench;
use super::super::place::{Call, Cut, How, Named, Place};
use super::super::process::{Plan, Ran};
use super::super::rig::Rig;
use super::super::ruling::{Breach, Played, Ruling};
use super::super::script::CutScript;

const NOT_CANCELLABLE: &str = "the handler does not promise CANCELLABLE";

const PASS_ON: &str = "pass the error of `progress` and `check` on with `?`; what does not stop by itself soon needs \
                       `cancelled()` or the token beside it";

pub(super) fn skip(bench: &Bench<'_>) -> Ruling {
    if !is_cancellable(bench) {
        return Ruling::Skipped(NOT_CANCELLABLE.into());
    }
    let own = |place: Place| place.call.item().cloned().map(|item| Cut { place, how: How::Skip(item) });
    let mut cuts: Vec<_> = bench.waits(|call| matches!(call, Call::Item(_))).into_iter().filter_map(own).collect();
    if cuts.is_empty() {
        // A handler that does all items in one piece of work.
        let any = |place: Place| {
            let items = bench.baseline.items.iter().map(Named::from);
            items.map(move |item| Cut { place: place.clone(), how: How::Skip(item) })
        };
        cuts = bench.waits(|call| *call == Call::Synchronize).into_iter().flat_map(any).collect();
    }
    bench.play(CutScript::each(cuts.into_iter(), skipped))
}

pub(super) fn stop(bench: &Bench<'_>) -> Ruling {
    if !is_cancellable(bench) {
        return Ruling::Skipped(NOT_CANCELLABLE.into());
    }
    let places = bench.waits(|call| !matches!(call, Call::Task(_)));
    bench.play(CutScript::all(places, How::Stop, stopped))
}

pub(super) fn resume(bench: &Bench<'_>) -> Ruling {
    let scripts = [How::Stop, How::Drop].map(|how| CutScript::all(bench.places(), how, resumed)).concat();
    bench.play(CutScript::or_alone(scripts, bench))
}

pub(super) fn kill(bench: &Bench<'_>) -> Ruling {
    let scripts = CutScript::all(bench.places(), How::Kill, killed);
    bench.play(CutScript::or_alone(scripts, bench))
}

pub(super) fn panics(bench: &Bench<'_>) -> Ruling {
    let places = bench.waits(|call| matches!(call, Call::Item(_) | Call::Prepare | Call::Initialize | Call::Items));
    bench.play(CutScript::all(places, How::Panic, panicked))
}

fn is_cancellable(bench: &Bench<'_>) -> bool {
    bench.baseline.info.capabilities().contains(Capabilities::CANCELLABLE)
}

fn skipped(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let (ran, took) = rig.program(async |process| {
        let ran = process.session(script.plan()).await;
        (ran, process.manager.stop_latencies().max().unwrap_or_default())
    });
    let Some(item) = script.cut.item().filter(|_| rig.account.was_cut()) else { return Ok(()) };
    let breach = |headline: String| Breach::new(headline, PASS_ON).with_account(&rig.account);
    let listed = bench.baseline.items.iter().find(|listed| listed.id() == item.id);
    match listed.and_then(|listed| ran.outcome(listed)) {
        Some(Outcome::Skipped) => left_out(bench, &rig, item)
            .map_err(|found| breach(format!("{item} was skipped before it began, and {found}")))?,
        Some(Outcome::Succeeded) => bench.compare_data(&rig, "it was skipped").map_err(|found| {
            breach(format!("{item} was skipped and ends: succeeded, with its work undone")).with_details_of(found)
        })?,
        Some(outcome) if outcome == bench.baseline.outcome(item.id) => {}
        Some(outcome) => return Err(breach(format!("{item} was skipped and ends: {outcome}"))),
        None => return Err(breach(format!("{item} was skipped, and the session does not come to an end"))),
    }
    in_time(bench, took).map_err(|late| breach(format!("{item} was skipped and ended {late}")))?;
    untouched(bench, &ran, item).map_err(|found| breach(format!("{item} was skipped, and {found}")))
}

/// Whether nothing was done for an item that was skipped before it began.
fn left_out(bench: &Bench<'_>, rig: &Rig, item: &Named) -> Result<(), &'static str> {
    let began = rig.account.find(|event| match event {
        Event::Cut(_) => Some(false),
        Event::Called(Call::Item(begun)) | Event::Showed(begun, _) if begun == item => Some(true),
        _ => None,
    });
    let is_done = bench.shows_data() && rig.end_state(bench.handler()) == bench.baseline.end;
    if began == Some(false) && is_done { Err("its work was done all the same") } else { Ok(()) }
}

/// The items besides this one ended as they do undisturbed.
fn untouched(bench: &Bench<'_>, ran: &Ran, item: &Named) -> Result<(), String> {
    let others = bench.baseline.items.iter().filter(|other| other.id() != item.id);
    let touched = |other: &&SyncItem| ran.outcome(other) != Some(bench.baseline.outcome(other.id()));
    let Some(other) = others.into_iter().find(touched) else { return Ok(()) };
    let ended = ran.outcome(other).map_or_else(|| "has no end".into(), |outcome| format!("ends: {outcome}"));
    Err(format!("its neighbour {} {ended}", Named::from(other)))
}

/// Whether something ended within the deadline of the handler, and before it was given up.
fn in_time(bench: &Bench<'_>, took: Duration) -> Result<(), String> {
    let limit = bench.baseline.info.limits().hard_grace();
    match took < limit {
        true => Ok(()),
        false => Err(format!(
            "only after {} ms, when it was given up; its hard grace is {} ms",
            took.as_millis(),
            limit.as_millis()
        )),
    }
}

fn stopped(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let (ran, took, unstopped) = rig.program(async |process| {
        let ran = process.session(script.plan()).await;
        let cut = process.account.when(|event| matches!(event, Event::Cut(_)));
        let took = cut.map_or(Duration::ZERO, |cut| process.account.now() - cut);
        (ran, took, process.shut_down().await.0)
    });
    if !rig.account.was_cut() {
        return Ok(());
    }
    let breach = |headline: String| Breach::new(headline, PASS_ON).with_account(&rig.account);
    let Ran::Rested(report) = ran else { return Err(breach("stopped, the session does not come to an end".into())) };
    in_time(bench, took).map_err(|late| breach(format!("stopped, the session came to rest {late}")))?;
    if let Some(unstopped) = unstopped.first() {
        return Err(breach(unstopped.clone()));
    }
    let failed = report
        .items()
        .find(|item| item.outcome == Outcome::Failed && bench.baseline.outcome(item.item.id()) != Outcome::Failed);
    failed.map_or(Ok(()), |item| {
        Err(breach(format!("everything was stopped, and {} ends: failed", Named::from(item.item))))
    })
}

fn resumed(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let again = rig.program(async |process| {
        process.session(script.plan()).await;
        process.session(Plan::default()).await
    });
    bench.compare(&rig, &again, "a stop")
}

fn killed(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    rig.program(async |process| drop(process.session(script.plan()).await));
    let again = rig.program(async |process| process.session(Plan::default()).await);
    bench.compare(&rig, &again, "a kill")
}

fn panicked(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let (ran, again) =
        rig.program(async |process| (process.session(script.plan()).await, process.session(Plan::default()).await));
    if let Some(item) = script.cut.place.call.item().filter(|_| rig.account.was_cut()) {
        let help = "share nothing between items that a panic can leave half-changed";
        untouched(bench, &ran, item)
            .map_err(|found| Breach::new(format!("{item} panicked, and {found}"), help).with_account(&rig.account))?;
    }
    bench.compare(&rig, &again, "a panic")
}
