//! The events of a session, from its beginning to its end, and whether they tell a story that can be true.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use syncmgr::session::{Events, RunChange};
use syncmgr::{HandlerId, ItemId, SessionEvent, SessionId};

use super::people::Log;

/// What somebody saw of a session.
#[derive(Default)]
pub(crate) struct Story {
    session: Option<SessionId>,
    events: Vec<SessionEvent>,
}

/// What is known of an item since the handler's run ended last.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    began: bool,
    ended: bool,
}

impl Story {
    /// Watches until nothing more comes.
    pub(crate) async fn of(session: SessionId, mut events: Events, log: Log) -> Self {
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            if let SessionEvent::Logged { handler, entry } = &event
                && entry.error.is_some()
            {
                log.lock().unwrap_or_else(PoisonError::into_inner).push((*handler, entry.clone()));
            }
            seen.push(event);
        }
        Self { session: Some(session), events: seen }
    }

    /// What cannot be true.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut handlers: BTreeMap<HandlerId, Reader> = BTreeMap::new();
        for event in &self.events {
            let Some((handler, item)) = about(event) else { continue };
            let reader = handlers.entry(handler).or_default();
            if let Some(fault) = reader.read(event, item) {
                faults.push(format!("session {:?}: {fault}: {event:?}", self.session));
            }
        }
        let open = handlers.values().filter(|reader| reader.is_open());
        faults.extend(open.map(|reader| format!("session {:?}: began and never ended: {reader:?}", self.session)));
        if !self.events.contains(&SessionEvent::Rested) {
            faults.push(format!("session {:?} never rested: {:?}", self.session, self.events));
        }
        faults
    }
}

/// Whom an event is about.
fn about(event: &SessionEvent) -> Option<(HandlerId, Option<ItemId>)> {
    match event {
        SessionEvent::Run { handler, .. } => Some((*handler, None)),
        SessionEvent::Began { handler, item, .. }
        | SessionEvent::Progress { handler, item, .. }
        | SessionEvent::Ended { handler, item, .. } => Some((*handler, Some(*item))),
        _ => None,
    }
}

/// Reads the story of one handler.
#[derive(Debug, Default)]
struct Reader {
    runs_ended: usize,
    items: BTreeMap<ItemId, Part>,
}

impl Reader {
    fn read(&mut self, event: &SessionEvent, item: Option<ItemId>) -> Option<&'static str> {
        let Some(item) = item else { return self.turn_page(event) };
        let first = self.runs_ended == 0;
        let part = self.items.entry(item).or_default();
        let Part { began, ended } = *part;
        match event {
            SessionEvent::Began { .. } => part.began = true,
            SessionEvent::Ended { .. } => part.ended = true,
            _ => {}
        }
        match event {
            SessionEvent::Began { .. } if began => Some("an item began twice"),
            SessionEvent::Began { .. } if ended => Some("an item began after its end"),
            SessionEvent::Ended { .. } if ended && (began || first) => Some("an item ended twice"),
            SessionEvent::Progress { .. } if !began || ended => Some("progress of an item that does not run"),
            _ => None,
        }
    }

    /// With the end of a run, everything it began has ended.
    fn turn_page(&mut self, event: &SessionEvent) -> Option<&'static str> {
        if !matches!(event, SessionEvent::Run { change: RunChange::Ended(_), .. }) {
            return None;
        }
        let open = self.is_open();
        self.runs_ended += 1;
        self.items.clear();
        open.then_some("a run ended before its items")
    }

    fn is_open(&self) -> bool {
        self.items.values().any(|part| part.began && !part.ended)
    }
}
