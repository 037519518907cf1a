//! The state of a session as its viewer sees it. Draws nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr::progress::ProgressState;
use syncmgr::session::RunChange;
use syncmgr::text::Escaped;
use syncmgr::{HandlerId, ItemId, LogEntry, LogLevel, Outcome, SessionEvent};

/// The lines that a screen shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// The outcome of each item, and the log.
    Everything,
    /// Items that did not succeed, warnings and errors.
    Problems,
}

/// An item of a handler.
pub(super) type Key = (HandlerId, ItemId);

/// What changed since the last frame, and what runs.
#[derive(Debug)]
pub(super) struct Frame {
    /// The new lines.
    pub(super) lines: Vec<String>,
    /// The running items to show, in the order in which they began.
    pub(super) rows: Vec<(Key, Row)>,
    pub(super) totals: Totals,
}

/// A running item.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: Arc<str>,
    pub(super) state: ProgressState,
    /// The position among all items that have begun.
    began: u64,
}

/// The numbers of items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// The items that were selected so far. 0 before the first handler has listed its items.
    pub(super) selected: usize,
    pub(super) ended: usize,
    pub(super) failed: usize,
}

/// The state of a session.
#[derive(Debug)]
pub(super) struct Board {
    detail: Detail,
    lines: Vec<String>,
    running: BTreeMap<Key, Row>,
    began: u64,
    totals: Totals,
    /// The reasons of items that have not ended yet.
    reasons: BTreeMap<Key, Arc<LogEntry>>,
}

impl Board {
    pub(super) fn new(detail: Detail) -> Self {
        Self {
            detail,
            lines: Vec::new(),
            running: BTreeMap::new(),
            began: 0,
            totals: Totals::default(),
            reasons: BTreeMap::new(),
        }
    }

    pub(super) fn apply(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Run { change: RunChange::Selected(items), .. } => self.totals.selected += items,
            SessionEvent::Began { handler, handler_name, item, name } => {
                self.begin((handler, item), full_name(&handler_name, &name));
            }
            SessionEvent::Progress { handler, item, state, .. } => {
                if let Some(row) = self.running.get_mut(&(handler, item)) {
                    row.state = state;
                }
            }
            SessionEvent::Ended { handler, handler_name, item, name, outcome } => {
                self.end((handler, item), &full_name(&handler_name, &name), outcome);
            }
            SessionEvent::Logged { handler, handler_name, name, entry } => {
                self.log(handler, &handler_name, name.as_deref(), entry);
            }
            // Of several sessions, a later one is counted for itself.
            SessionEvent::Closed if self.running.is_empty() => self.totals = Totals::default(),
            _ => {}
        }
    }

    fn begin(&mut self, key: Key, name: String) {
        let row = Row { name: name.into(), state: ProgressState::default(), began: self.began };
        self.began += 1;
        self.running.insert(key, row);
    }

    fn end(&mut self, key: Key, name: &str, outcome: Outcome) {
        // Items that are left out of the selection end without a begin.
        self.totals.ended += usize::from(self.running.remove(&key).is_some());
        self.totals.failed += usize::from(outcome == Outcome::Failed);
        let reason = self.reasons.remove(&key);
        if self.detail == Detail::Everything || !matches!(outcome, Outcome::Succeeded | Outcome::Skipped) {
            let reason = reason.map_or_else(String::new, |entry| format!(": {}", Escaped(&entry.text)));
            self.lines.push(format!("{name}: {outcome}{reason}"));
        }
    }

    /// Adds a line for an entry of the log. An error of a running item is the reason of its end.
    fn log(&mut self, handler: HandlerId, handler_name: &str, name: Option<&str>, entry: Arc<LogEntry>) {
        let key = entry.item.map(|item| (handler, item)).filter(|key| self.running.contains_key(key));
        if let Some(key) = key.filter(|_| entry.level == LogLevel::Error) {
            self.reasons.insert(key, entry);
            return;
        }
        if self.detail == Detail::Everything || entry.level > LogLevel::Information {
            let about = name.map_or_else(|| Escaped(handler_name).to_string(), |name| full_name(handler_name, name));
            self.lines.push(format!("{about}: {}: {}", level(entry.level), Escaped(&entry.text)));
        }
    }

    /// Takes the new lines, with at most this number of running items.
    pub(super) fn frame(&mut self, at_most: usize) -> Frame {
        let mut rows: Vec<_> = self.running.iter().collect();
        rows.sort_unstable_by_key(|(_, row)| row.began);
        let rows = rows.into_iter().take(at_most).map(|(key, row)| (*key, row.clone())).collect();
        Frame { lines: std::mem::take(&mut self.lines), rows, totals: self.totals }
    }
}

fn full_name(handler: &str, item: &str) -> String {
    format!("{}/{}", Escaped(handler), Escaped(item))
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warning => "warning",
        _ => "information",
    }
}
