//! What a handler says of itself and of its items.

use std::collections::BTreeSet;
use std::sync::Arc;

use syncmgr_core::handler::SyncHandler;
use syncmgr_core::item::SyncItem;

use super::super::bench::Bench;
use super::super::breach::{Breach, Played};
use super::super::place::Named;
use super::super::ruling::Ruling;
use super::super::script::Story;

pub(super) fn undisturbed(bench: &Bench<'_>) -> Ruling {
    bench.play(vec![Story::new("run everything", |_| Ok(()))])
}

pub(super) fn description(bench: &Bench<'_>) -> Ruling {
    bench.play(vec![Story::new("ask for the info three times", described)])
}

pub(super) fn listing(bench: &Bench<'_>) -> Ruling {
    bench.play(vec![Story::new("list four times, in two programs", listed)])
}

fn described(bench: &Bench<'_>) -> Played {
    let rig = bench.rig();
    let (first, second) = (rig.provider().clone().handler(), rig.provider().clone().handler());
    let said = [first.info(), first.info(), second.info()].map(|info| format!("{info:?}"));
    if said[0] != said[1] || said[0] != said[2] {
        let help =
            "make the info from constants and from what the handler was made with, and from nothing that changes";
        return Err(Breach::new("the handler says different things of itself", help).with_details(said));
    }
    match first.info().name().trim().is_empty() {
        true => Err(Breach::new("the handler has no name", "give it one people know it by")),
        false => Ok(()),
    }
}

fn listed(bench: &Bench<'_>) -> Played {
    let mut rig = bench.rig();
    let mut listings = Vec::new();
    for _ in 0..2 {
        listings.extend(rig.program(async |process| [list(&process.witness).await, list(&process.witness).await]));
    }
    let first = &listings[0];
    let mut known = BTreeSet::new();
    for item in first {
        if item.id().is_nil() {
            return Err(Breach::new(format!("{} has the nil id", Named::from(item)), NAMED));
        }
        if !known.insert(item.id()) {
            return Err(Breach::new(format!("the id of {} occurs twice", Named::from(item)), NAMED));
        }
    }
    let lines =
        |items: &[SyncItem]| items.iter().map(|item| format!("{} {}", item.id(), item.name())).collect::<BTreeSet<_>>();
    for other in &listings[1..] {
        let (was, is) = (lines(first), lines(other));
        let differs = was.symmetric_difference(&is).take(4).map(|line| format!("not in both: {line}"));
        if was != is {
            return Err(
                Breach::new("listed again, with nothing changed, the items are others", NAMED).with_details(differs)
            );
        }
    }
    Ok(())
}

const NAMED: &str = "derive ids from what an item is called at its peer, with `SyncItem::named` or `ItemId::from_name`";

async fn list(handler: &Arc<dyn SyncHandler>) -> Vec<SyncItem> {
    handler.items().await.map(|items| items.iter().cloned().collect()).unwrap_or_default()
}
