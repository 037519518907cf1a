//! Something happens to a call in the middle: it is skipped, stopped, killed, or panics.

use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::decision::verdict::Outcome;

use super::super::account::Event;
use super::super::bench::{Bench, no_panic};
use super::super::breach::{Breach, Played};
use super::super::place::{Call, Cut, How, Named, Place};
use super::super::process::{Process, Ran, SessionPlan};
use super::super::rig::Rig;
use super::super::ruling::Ruling;
use super::super::script::CutScript;

const NOT_CANCELLABLE: &str = "the handler does not promise CANCELLABLE";

const PASS_ON: &str = "pass the error of `progress` and `check` on with `?`; what does not stop by itself soon needs `cancelled()` \
                       or the token beside it. In one piece of work over all items, leave the skipped one out and go on";

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
    bench.play(CutScript::all(bench.waits(|_| true), How::Stop, stopped))
}

pub(super) fn resume(bench: &Bench<'_>) -> Ruling {
    let stops = CutScript::all(bench.places(), How::Stop, resumed);
    // A task that never wakes would keep its item, which waits for it.
    let drops = bench.places().into_iter().filter(|place| !matches!(place.call, Call::Task(_))).collect();
    let drops = CutScript::all(drops, How::Drop, resumed);
    bench.play(CutScript::or_alone([stops, drops].concat(), bench))
}

pub(super) fn kill(bench: &Bench<'_>) -> Ruling {
    let scripts = CutScript::all(bench.places(), How::Kill, killed);
    bench.play(CutScript::or_alone(scripts, bench))
}

pub(super) fn panics(bench: &Bench<'_>) -> Ruling {
    bench.play(CutScript::all(bench.waits(|_| true), How::Panic, panicked))
}

fn is_cancellable(bench: &Bench<'_>) -> bool {
    bench.baseline.info.capabilities().contains(Capabilities::CANCELLABLE)
}

fn skipped(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let (ran, took) = rig.program(async |process| {
        let ran = process.session(script.plan()).await;
        let took = process.manager.stop_latencies().max().unwrap_or_default();
        (ran, took.max(process.watch.blocked_after_cut()))
    });
    let Some(item) = script.cut.item().filter(|_| rig.account.was_cut()) else { return Ok(()) };
    no_panic(&rig)?;
    let breach = |headline: String| Breach::new(headline, PASS_ON).with_account(&rig.account);
    match ran.outcome(item.id) {
        Some(Outcome::Skipped) => left_out(bench, &rig, item)
            .map_err(|found| breach(format!("{item} was skipped before it began, and {found}")))?,
        Some(Outcome::Succeeded) => bench.compare_data(&rig, "it was skipped").map_err(|found| {
            breach(format!("{item} was skipped and ends: succeeded, with its work undone")).with_details_of(found)
        })?,
        Some(outcome) if bench.baseline.allows(item.id, Some(outcome)) => {}
        Some(outcome) => return Err(breach(format!("{item} was skipped and ends: {outcome}"))),
        None => return Err(breach(format!("{item} was skipped, and the session does not come to an end"))),
    }
    in_time(bench, took).map_err(|late| breach(format!("{item} was skipped and ended {late}")))?;
    untouched(bench, &rig, &ran, item, "was skipped")
}

/// Whether nothing was done for an item that was skipped before it began.
fn left_out(bench: &Bench<'_>, rig: &Rig, item: &Named) -> Result<(), &'static str> {
    let began = rig.account.find(|event| match event {
        Event::Cut(_) => Some(false),
        Event::Called(Call::Item(begun)) | Event::Showed(begun, _) | Event::Reported(begun) if begun == item => {
            Some(true)
        }
        _ => None,
    });
    let is_done = bench.shows_data() && rig.end_state(bench.handler()) == bench.baseline.end;
    if began == Some(false) && is_done { Err("its work was done all the same") } else { Ok(()) }
}

/// Whether the items besides this one ended as they do undisturbed, and all there is of them alone is there.
pub(super) fn untouched(bench: &Bench<'_>, rig: &Rig, ran: &Ran, item: &Named, what: &str) -> Played {
    let help = "share nothing between items that the end of one can take from the others";
    let breach = |other: &Named, found: String| {
        let headline = format!("{item} {what}, and its neighbour {other} {found}");
        Breach::new(headline, help).with_account(&rig.account).with_item(other)
    };
    let end = rig.end_state(bench.handler());
    let own = bench.pieces().get(&item.id);
    for other in bench.baseline.items.iter().filter(|other| other.id() != item.id) {
        let (ended, named) = (ran.outcome(other.id()), Named::from(other));
        if !bench.baseline.allows(other.id(), ended) {
            let ended = ended.map_or_else(|| "has no end".into(), |outcome| format!("ends: {outcome}"));
            return Err(breach(&named, ended));
        }
        let pieces =
            bench.pieces().get(&other.id()).filter(|_| bench.baseline.outcome(other.id()) == Outcome::Succeeded);
        let lacks = pieces.and_then(|pieces| end.lacks(pieces, own));
        if let Some(lacks) = lacks {
            return Err(breach(&named, format!("ends: succeeded, and lacks {lacks}")));
        }
    }
    Ok(())
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
        (ran, since_cut(process), process.shut_down().await.0)
    });
    if !rig.account.was_cut() {
        return Ok(());
    }
    no_panic(&rig)?;
    let breach = |headline: String| Breach::new(headline, PASS_ON).with_account(&rig.account);
    let Ran::Rested(report, _) = ran else { return Err(breach("stopped, the session does not come to an end".into())) };
    in_time(bench, took).map_err(|late| breach(format!("stopped, the session came to rest {late}")))?;
    if let Some(unstopped) = unstopped.first() {
        return Err(breach(unstopped.clone()));
    }
    let is_failed = |item, outcome| outcome == Outcome::Failed && bench.baseline.outcome(item) == Outcome::Succeeded;
    let failed = report.items().find(|item| is_failed(item.item.id(), item.outcome));
    failed.map_or(Ok(()), |item| {
        let item = Named::from(item.item);
        Err(breach(format!("everything was stopped, and {item} ends: failed")).with_item(&item))
    })
}

/// How long it is since the cut, on whichever clock it is longer: virtual time stands still for blocking work.
fn since_cut(process: &Process) -> Duration {
    let cut = process.account.when(|event| matches!(event, Event::Cut(_)));
    let took = cut.map_or(Duration::ZERO, |cut| process.account.now().saturating_sub(cut));
    took.max(process.watch.blocked_after_cut())
}

fn resumed(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let again = rig.program(async |process| {
        process.session(script.plan()).await;
        process.breathe().await;
        process.session(SessionPlan::default()).await
    });
    bench.compare(&rig, &again, "a stop")
}

fn killed(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    rig.program(async |process| drop(process.session(script.plan()).await));
    let again = rig.program(async |process| process.session(SessionPlan::default()).await);
    bench.compare(&rig, &again, "a kill")
}

fn panicked(script: &CutScript, bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let (ran, again) = rig.program(async |process| {
        let ran = process.session(script.plan()).await;
        process.breathe().await;
        (ran, process.session(SessionPlan::default()).await)
    });
    if let Some(item) = script.cut.place.call.item().filter(|_| rig.account.was_cut()) {
        untouched(bench, &rig, &ran, item, "panicked")?;
    }
    bench.compare(&rig, &again, "a panic")
}
