//! The check that the handler does no work for items that are held.

use std::collections::{BTreeMap, BTreeSet};

use syncmgr_core::id::ItemId;

use super::super::checker::Checker;
use super::super::events::{Event, EventLog};
use super::super::injection::{Call, Fault, ItemLabel};
use super::super::result::CheckResult;
use super::super::script::FaultScript;
use super::super::violation::{ScriptResult, Violation};

const HOLD_HELP: &str = "do the work of an item only in its own call: the host begins the call when nothing holds the item. A loop over all \
                         items, or work on the next items in advance, bypasses a pause, a claim that is in use, and a wait that the \
                         peer has asked for";

pub(super) fn holds(checker: &Checker<'_>) -> CheckResult {
    if !checker.baseline.has_item_calls() {
        return CheckResult::Skipped("the handler processes all items in one call, which cannot be held".into());
    }
    if checker.baseline.items.len() < 2 {
        return CheckResult::Skipped("the handler lists fewer than two items".into());
    }
    // The calls before `synchronize` prepare all items, also those that are held later.
    let runs_items = |call: &Call| matches!(call, Call::Synchronize | Call::Item(_) | Call::Task(_));
    checker.play(FaultScript::all(checker.awaits(runs_items), Fault::Pause, check_pause))
}

fn check_pause(script: &FaultScript, checker: &Checker<'_>) -> ScriptResult {
    let mut fixture = checker.fixture();
    let ran = fixture.run_process(async |process| process.session(script.plan()).await);
    let Some(hold) = Hold::of(&fixture.log) else { return Ok(()) };
    let held = checker.baseline.items.iter().map(ItemLabel::from).filter(|item| !hold.began.contains(&item.id));
    for item in held {
        if let Some(work) = hold.work_on(&item).or_else(|| hold.change_of(&item, checker)) {
            let headline = format!("{work}, although the session is paused and the item has not begun");
            return Err(Violation::new(headline, HOLD_HELP).with_log(&fixture.log).with_item(&item));
        }
    }
    checker.compare(&fixture, &ran, "a pause")
}

/// The events during a hold.
struct Hold {
    events: Vec<Event>,
    /// The items whose calls began before the hold ended.
    began: BTreeSet<ItemId>,
    /// The names of the data that changed.
    changed: BTreeSet<String>,
}

impl Hold {
    /// Returns the hold in a log; `None` if nothing was held.
    fn of(log: &EventLog) -> Option<Self> {
        let events: Vec<Event> = log.events().into_iter().map(|(_, event)| event).collect();
        let data = |event: &Event| match event {
            Event::HoldBegins(data) | Event::HoldEnds(data) => Some(data.clone()),
            _ => None,
        };
        let begins = events.iter().position(|event| matches!(event, Event::HoldBegins(_)))?;
        let ends = events.iter().position(|event| matches!(event, Event::HoldEnds(_)))?;
        let began = events[..ends].iter().filter_map(|event| match event {
            Event::Called(Call::Item(item)) => Some(item.id),
            _ => None,
        });
        let (before, after) = (data(&events[begins])?, data(&events[ends])?);
        Some(Self { began: began.collect(), changed: changed(&before, &after), events: events[begins..ends].to_vec() })
    }

    /// Returns the first work on an item that shows in the handler's requests, in one sentence.
    fn work_on(&self, held: &ItemLabel) -> Option<String> {
        let is_work = |event: &&Event| match event {
            Event::StatusReported(item, _)
            | Event::ProgressReported(item)
            | Event::ReadState(item)
            | Event::Committed(item, _) => item == held,
            Event::Accessed { item, .. } => **item == *held.name,
            _ => false,
        };
        self.events.iter().find(is_work).map(ToString::to_string)
    }

    /// Returns the first change of data that only this item writes when it runs alone, in one sentence.
    fn change_of(&self, held: &ItemLabel, checker: &Checker<'_>) -> Option<String> {
        let data = checker.data_per_item();
        let of_others = |name: &String| data.iter().any(|(item, own)| *item != held.id && own.0.contains_key(name));
        let name = data.get(&held.id)?.0.keys().find(|name| self.changed.contains(*name) && !of_others(name))?;
        Some(format!("{name}, which belongs to {held}, changes"))
    }
}

/// Returns the names whose values differ.
fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> BTreeSet<String> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}
