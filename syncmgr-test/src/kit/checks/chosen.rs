//! The chosen items and no others, each with one end.

use std::collections::BTreeMap;

use syncmgr_core::item::SyncItem;
use syncmgr_core::status::Status;

use super::super::account::{Account, Event};
use super::super::bench::{Bench, spread};
use super::super::breach::{Breach, Played};
use super::super::place::Named;
use super::super::process::{Ran, SessionPlan};
use super::super::rig::Rig;
use super::super::ruling::Ruling;
use super::super::script::Story;

pub(super) fn choice(bench: &Bench<'_>) -> Ruling {
    if bench.baseline.items.len() < 2 {
        return Ruling::Skipped("the handler lists fewer than two items".into());
    }
    bench.play(vec![
        Story::new("run the last item alone", last_alone),
        Story::new("run each item alone, the last first", backwards),
    ])
}

const INDEPENDENT: &str = "look at the selection of the run, and let no item need what another has done";

fn last_alone(bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let Some((last, others)) = bench.baseline.items.split_last() else { return Ok(()) };
    let ran = rig.program(async |process| process.session(SessionPlan::alone(last.id())).await);
    ended(bench, &ran, last, &rig.account)?;
    legal(&rig.account)?;
    let touches = |event: &Event| match event {
        Event::Committed(item, _) | Event::Showed(item, _) => {
            others.iter().find(|other| other.id() == item.id).map(Named::from)
        }
        _ => None,
    };
    if let Some(other) = rig.account.find(touches) {
        let headline = format!("only {} was chosen, and {other} is worked on", Named::from(last));
        return Err(Breach::new(headline, INDEPENDENT).with_account(&rig.account));
    }
    makes_everything(bench, &rig, last)
}

/// Whether this item alone makes the data of all, and another does so too: one of them may be all there is.
fn makes_everything(bench: &Bench<'_>, rig: &Rig, last: &SyncItem) -> Played {
    let is_whole = |rig: &Rig| bench.shows_data() && rig.end_state(bench.handler()) == bench.baseline.end;
    let Some(first) = bench.baseline.items.first().filter(|_| is_whole(rig)) else { return Ok(()) };
    let mut other = bench.rig();
    other.program(async |process| drop(process.session(SessionPlan::alone(first.id())).await));
    match is_whole(&other) {
        true => {
            let headline = format!("only {} was chosen, and the data are those of all items", Named::from(last));
            Err(Breach::new(headline, INDEPENDENT).with_account(&rig.account))
        }
        false => Ok(()),
    }
}

fn backwards(bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let (most, all) = (bench.most(), bench.baseline.items.len());
    for item in spread(bench.baseline.items.iter().rev().collect(), most) {
        let ran = rig.program(async |process| process.session(SessionPlan::alone(item.id())).await);
        ended(bench, &ran, item, &rig.account)?;
    }
    if all > most {
        rig.program(async |process| drop(process.session(SessionPlan::default()).await));
    }
    bench.compare_data(&rig, "each item was run alone")
}

/// Whether an item that was run alone ends as it does among the others.
fn ended(bench: &Bench<'_>, ran: &Ran, item: &SyncItem, account: &Account) -> Played {
    let (ended, wanted) = (ran.outcome(item.id()), bench.baseline.outcome(item.id()));
    if bench.baseline.allows(item.id(), ended) {
        return Ok(());
    }
    let item = Named::from(item);
    let ended = ended.map_or_else(|| "has no end".into(), |outcome| format!("ends: {outcome}"));
    let headline = format!("run alone, {item} {ended}; among the others it ends: {wanted}");
    Err(Breach::new(headline, INDEPENDENT).with_account(account).with_item(&item))
}

pub(super) fn statuses(bench: &Bench<'_>) -> Ruling {
    bench.play(vec![
        Story::new("run everything", |bench| reported(bench, 1)),
        Story::new("run everything, twice", |bench| reported(bench, 2)),
    ])
}

fn reported(bench: &Bench<'_>, times: usize) -> Played {
    let mut rig = bench.rig();
    rig.program(async |process| {
        for _ in 0..times {
            process.session(SessionPlan::default()).await;
        }
    });
    legal(&rig.account)
}

const ONCE: &str =
    "report an item from when it begins to its one terminal status, and no other item of the run after it";

/// Whether every report was one the contract allows.
fn legal(account: &Account) -> Played {
    if let Some(refused) = account.find(|event| match event {
        Event::Misreported(text) => Some(text.clone()),
        _ => None,
    }) {
        return Err(Breach::new(format!("a report was refused: {refused}"), ONCE).with_account(account));
    }
    let mut ended: BTreeMap<Named, Status> = BTreeMap::new();
    let breach =
        |item: &Named, headline: String| Err(Breach::new(headline, ONCE).with_account(account).with_item(item));
    for (_, event) in account.events() {
        match event {
            Event::Act(_) => ended.clear(),
            Event::Showed(item, status) if ended.contains_key(&item) => {
                return breach(&item, format!("{item} reports {status:?} after it had reported its end"));
            }
            Event::Showed(item, status) if status.is_terminal() => drop(ended.insert(item, status)),
            Event::Ended(item, outcome) if ended.get(&item).is_some_and(|status| *status != outcome.status()) => {
                return breach(&item, format!("{item} has reported another end than the one it has: {outcome}"));
            }
            _ => {}
        }
    }
    Ok(())
}
