//! Serializes reports.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::FailureClass;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::log::LogEntry;
use syncmgr_core::trigger::Trigger;

use super::{ItemReport, Report, RunReport};
use crate::ending::RunEnding;

#[derive(Serialize)]
struct ReportWire<'a> {
    session: SessionId,
    trigger: Trigger,
    /// In milliseconds.
    duration: u128,
    runs: &'a [RunReport],
}

#[derive(Serialize)]
struct RunWire<'a> {
    handler: HandlerId,
    name: &'a str,
    ending: Option<RunEnding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a Hold>,
    items: Vec<ItemReport<'a>>,
    log: &'a [Arc<LogEntry>],
}

#[derive(Serialize)]
struct ItemWire<'a> {
    item: ItemId,
    name: &'a str,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<FailureClass>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a Hold>,
}

impl Serialize for Report {
    /// Serializes the report as a map of its fields. The duration is in milliseconds.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { session, trigger, duration, runs } = self;
        ReportWire { session: *session, trigger: *trigger, duration: duration.as_millis(), runs }.serialize(serializer)
    }
}

impl Serialize for RunReport {
    /// Serializes the run as a map of its fields, with the list `items`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (handler, name, ending, hold) = (self.handler, &*self.name, self.ending, self.hold.as_ref());
        RunWire { handler, name, ending, hold, items: self.items().collect(), log: &self.log }.serialize(serializer)
    }
}

impl Serialize for ItemReport<'_> {
    /// Serializes the item as a map with the fields `item`, `name`, `outcome`, `class` and `hold`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (item, name, outcome) = (self.item.id(), self.item.name(), self.outcome);
        ItemWire { item, name, outcome, class: self.class, hold: self.hold.as_ref() }.serialize(serializer)
    }
}
