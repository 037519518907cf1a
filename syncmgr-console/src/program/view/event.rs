//! The events of the program, and what they change in the model.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use syncmgr::progress::ProgressState;
use syncmgr::{HandlerId, ItemId};

use super::data::{name_of, safe_option};
use super::load::Part;
use super::model::Model;
use super::rate::Rate;

/// An event. Each kind has some of the fields.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) event: String,
    pub(super) session: u64,
    pub(super) handler: Option<HandlerId>,
    pub(super) item: Option<ItemId>,
    #[serde(deserialize_with = "safe_option")]
    pub(super) name: Option<String>,
    pub(super) state: Option<ProgressState>,
    pub(super) outcome: Option<String>,
    pub(super) reason: Value,
    pub(super) change: Value,
}

/// A session that runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    /// The reason for its start.
    pub(super) reason: String,
    /// The number of items that each handler runs.
    pub(super) selected: BTreeMap<HandlerId, u64>,
    /// The running items, in the order in which they began.
    pub(super) items: Vec<Running>,
    /// The number of ended items by outcome.
    pub(super) ended: BTreeMap<String, u64>,
}

/// A running item.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) handler: HandlerId,
    pub(super) item: ItemId,
    pub(super) name: String,
    pub(super) progress: ProgressState,
    pub(super) rate: Rate,
}

impl Session {
    fn position(&self, handler: HandlerId, item: ItemId) -> Option<usize> {
        self.items.iter().position(|running| (running.handler, running.item) == (handler, item))
    }

    fn begin(&mut self, handler: HandlerId, item: ItemId, name: String) {
        if self.position(handler, item).is_none() {
            let (progress, rate) = (ProgressState::default(), Rate::default());
            self.items.push(Running { handler, item, name, progress, rate });
        }
    }

    fn progress(&mut self, handler: HandlerId, item: ItemId, state: ProgressState, at: Duration) {
        if let Some(position) = self.position(handler, item) {
            let running = &mut self.items[position];
            running.rate.sample(at, state.value);
            running.progress = state;
        }
    }

    fn end(&mut self, handler: HandlerId, item: ItemId, outcome: String) {
        if let Some(position) = self.position(handler, item) {
            self.items.remove(position);
        }
        *self.ended.entry(outcome.replace('_', " ")).or_default() += 1;
    }
}

impl Model {
    /// Applies an event that came at this time.
    pub(super) fn apply(&mut self, event: Event, at: Duration) {
        self.mark(&event);
        let Event { session, handler, item, .. } = event;
        match (event.event.as_str(), handler.zip(item)) {
            ("started", _) => {
                let reason = name_of(&event.reason).replace('_', " ");
                self.sessions.insert(session, Session { reason, ..Session::default() });
            }
            ("idle" | "closed", _) => _ = self.sessions.remove(&session),
            ("run", _) => self.count_selected(session, handler, &event.change),
            (kind, Some((handler, item))) => {
                let Some(session) = self.sessions.get_mut(&session) else { return };
                match kind {
                    "began" => session.begin(handler, item, event.name.unwrap_or_default()),
                    "progress" => session.progress(handler, item, event.state.unwrap_or_default(), at),
                    "ended" => session.end(handler, item, event.outcome.unwrap_or_default()),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn count_selected(&mut self, session: u64, handler: Option<HandlerId>, change: &Value) {
        let count = change["selected"].as_u64();
        if let (Some(session), Some(handler), Some(count)) = (self.sessions.get_mut(&session), handler, count) {
            session.selected.insert(handler, count);
        }
    }

    /// Notes which parts an event makes stale.
    fn mark(&mut self, event: &Event) {
        let of = |part: fn(HandlerId) -> Part| event.handler.map(part);
        match event.event.as_str() {
            "questions" => self.stale.extend([Part::Questions]),
            "agenda" => self.stale.extend([Part::Agenda, Part::Handlers]),
            "changed" => self.stale_all(),
            "started" => self.stale.extend([Part::Agenda, Part::Handlers, Part::History]),
            "run" | "ended" => self.stale.extend([Some(Part::Handlers), of(Part::Items)].into_iter().flatten()),
            "logged" => self.stale.extend(of(Part::Log)),
            "idle" => self.stale_all(),
            _ => {}
        }
    }
}
