//! The events of a session and a check of their order.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use syncmgr::session::{Events, RunChange};
use syncmgr::{HandlerId, ItemId, SessionEvent, SessionId};

use super::users::Log;

/// The recorded events of a session.
#[derive(Default)]
pub(crate) struct SessionTrace {
    session: Option<SessionId>,
    events: Vec<SessionEvent>,
}

/// The events of an item since its handler's last run ended.
#[derive(Clone, Copy, Debug, Default)]
struct ItemTrace {
    began: bool,
    ended: bool,
}

impl SessionTrace {
    /// Records a session's events until the stream ends.
    pub(crate) async fn record(session: SessionId, mut events: Events, log: Log) -> Self {
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            if let SessionEvent::Logged { handler, entry, .. } = &event
                && entry.id.is_some()
            {
                log.lock().unwrap_or_else(PoisonError::into_inner).push((*handler, entry.clone()));
            }
            seen.push(event);
        }
        Self { session: Some(session), events: seen }
    }

    /// Returns the violations of the order.
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let mut handlers: BTreeMap<HandlerId, HandlerTrace> = BTreeMap::new();
        for event in &self.events {
            let Some((handler, item)) = subject(event) else { continue };
            let handler = handlers.entry(handler).or_default();
            if let Some(violation) = handler.apply(event, item) {
                violations.push(format!("session {:?}: {violation}: {event:?}", self.session));
            }
        }
        let open = handlers.values().filter(|handler| handler.has_open_items());
        violations.extend(
            open.map(|handler| format!("session {:?}: items began and never ended: {handler:?}", self.session)),
        );
        if !self.events.contains(&SessionEvent::Idle) {
            violations.push(format!("session {:?} never became idle: {:?}", self.session, self.events));
        }
        violations
    }
}

/// The handler and item of an event.
fn subject(event: &SessionEvent) -> Option<(HandlerId, Option<ItemId>)> {
    match event {
        SessionEvent::Run { handler, .. } => Some((*handler, None)),
        SessionEvent::Began { handler, item, .. }
        | SessionEvent::Progress { handler, item, .. }
        | SessionEvent::Ended { handler, item, .. } => Some((*handler, Some(*item))),
        _ => None,
    }
}

/// The state of one handler while its events are checked.
#[derive(Debug, Default)]
struct HandlerTrace {
    runs_ended: usize,
    items: BTreeMap<ItemId, ItemTrace>,
}

impl HandlerTrace {
    fn apply(&mut self, event: &SessionEvent, item: Option<ItemId>) -> Option<&'static str> {
        let Some(item) = item else { return self.end_run(event) };
        let first = self.runs_ended == 0;
        let trace = self.items.entry(item).or_default();
        let ItemTrace { began, ended } = *trace;
        match event {
            SessionEvent::Began { .. } => trace.began = true,
            SessionEvent::Ended { .. } => trace.ended = true,
            _ => {}
        }
        match event {
            SessionEvent::Began { .. } if began => Some("an item began twice"),
            SessionEvent::Began { .. } if ended => Some("an item began after its end"),
            SessionEvent::Ended { .. } if ended && (began || first) => Some("an item ended twice"),
            SessionEvent::Progress { .. } if !began || ended => Some("an item that does not run reported progress"),
            _ => None,
        }
    }

    /// Checks at the end of a run that every item it began has ended.
    fn end_run(&mut self, event: &SessionEvent) -> Option<&'static str> {
        if !matches!(event, SessionEvent::Run { change: RunChange::Ended(_), .. }) {
            return None;
        }
        let open = self.has_open_items();
        self.runs_ended += 1;
        self.items.clear();
        open.then_some("a run ended before its items")
    }

    fn has_open_items(&self) -> bool {
        self.items.values().any(|trace| trace.began && !trace.ended)
    }
}
