//! The events while items are held.

use std::collections::{BTreeMap, BTreeSet};

use syncmgr_core::error::FailureClass;
use syncmgr_core::id::ItemId;
use syncmgr_core::item::SyncItem;

use super::end::EndState;
use super::events::{Event, EventLog};
use super::injection::{Call, ItemLabel};

/// A part of a log in which items are held.
pub(super) struct HeldTime {
    events: Vec<Event>,
    /// The items whose calls began before the end of this time.
    began: BTreeSet<ItemId>,
    /// The names of the data that changed.
    changed: BTreeSet<String>,
}

impl HeldTime {
    /// Returns the time between [`Event::HoldBegins`] and [`Event::HoldEnds`]; `None` if the log has none.
    pub(super) fn of(log: &EventLog) -> Option<Self> {
        let events = all_events(log);
        let data = |event: &Event| match event {
            Event::HoldBegins(data) | Event::HoldEnds(data) => Some(data.clone()),
            _ => None,
        };
        let begins = events.iter().position(|event| matches!(event, Event::HoldBegins(_)))?;
        let ends = events.iter().position(|event| matches!(event, Event::HoldEnds(_)))?;
        let (before, after) = (data(&events[begins])?, data(&events[ends])?);
        Some(Self::between(&events, begins, ends, changed(&before, &after)))
    }

    /// Returns the time from the answer of a peer that asks to wait, to the end of the session; `None` if there was no such answer.
    pub(super) fn after_wait(log: &EventLog) -> Option<Self> {
        let events = all_events(log);
        let asks_to_wait =
            |event: &Event| matches!(event, Event::Accessed { failure: Some(FailureClass::NotBefore(_)), .. });
        let begins = events.iter().position(asks_to_wait)?;
        let ends = events.iter().position(|event| *event == Event::Closed)?;
        Some(Self::between(&events, begins, ends, BTreeSet::new()))
    }

    fn between(events: &[Event], begins: usize, ends: usize, changed: BTreeSet<String>) -> Self {
        let began = events[..ends].iter().filter_map(|event| match event {
            Event::Called(Call::Item(item)) => Some(item.id),
            _ => None,
        });
        Self { began: began.collect(), changed, events: events[begins..ends].to_vec() }
    }

    /// Returns the items that have not begun.
    pub(super) fn waiting(&self, items: &[SyncItem]) -> Vec<ItemLabel> {
        items.iter().map(ItemLabel::from).filter(|item| !self.began.contains(&item.id)).collect()
    }

    /// Returns the first work on an item that shows in the requests of the handler, in one sentence.
    pub(super) fn work_on(&self, held: &ItemLabel) -> Option<String> {
        let is_work = |event: &&Event| match event {
            Event::StatusReported(item, _)
            | Event::ProgressReported(item)
            | Event::ReadState(item)
            | Event::Committed(item, _) => item == held,
            Event::Accessed { item, .. } => *item == held.name,
            _ => false,
        };
        self.events.iter().find(is_work).map(ToString::to_string)
    }

    /// Returns the first change of data that only this item writes when it runs alone, in one sentence.
    pub(super) fn change_of(&self, held: &ItemLabel, data_per_item: &BTreeMap<ItemId, EndState>) -> Option<String> {
        let of_others =
            |name: &String| data_per_item.iter().any(|(item, own)| *item != held.id && own.0.contains_key(name));
        let own = data_per_item.get(&held.id)?.0.keys();
        let name = own.into_iter().find(|name| self.changed.contains(*name) && !of_others(name))?;
        Some(format!("{name}, which belongs to {held}, changes"))
    }

    /// Returns the first access to the peer or change of data, in one sentence; `None` if the host has called the handler, for
    /// example for a retry.
    pub(super) fn work_without_call(&self) -> Option<String> {
        if self.events.iter().any(|event| matches!(event, Event::Called(_))) {
            return None;
        }
        let access = self.events.iter().find(|event| matches!(event, Event::Accessed { .. }));
        let changed = || self.changed.first().map(|name| format!("{name} changes"));
        access.map(ToString::to_string).or_else(changed)
    }
}

fn all_events(log: &EventLog) -> Vec<Event> {
    log.events().into_iter().map(|(_, event)| event).collect()
}

/// Returns the names whose values differ.
fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> BTreeSet<String> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}
