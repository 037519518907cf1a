//! The stream of a session's events.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{FutureExt, Stream};
use syncmgr_core::decision::attempt::{Change, JournalEntry};
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::log::LogEntry;
use syncmgr_core::progress::ProgressState;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::lifecycle::SessionShared;
use crate::attempt::Attempt;
use crate::ending::RunChange;
use crate::owner::Owner;
use crate::run::{PositionedEvent, Run, RunEvent};

/// The interval at which progress is sampled for a stream of events.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// The number of journal entries read under one lock.
const BATCH: usize = 256;

/// An event in a session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A handler's run has changed its state.
    Run {
        /// The handler.
        handler: HandlerId,
        /// The new state.
        change: RunChange,
    },
    /// An item began.
    Began {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
        /// The item's name.
        name: Arc<str>,
    },
    /// An item reported progress. Sampled: reports between two samples are dropped.
    Progress {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
        /// The latest progress.
        state: ProgressState,
    },
    /// An item ended.
    Ended {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
        /// The outcome.
        outcome: Outcome,
    },
    /// An entry was added to a handler's log.
    Logged {
        /// The handler.
        handler: HandlerId,
        /// The entry.
        entry: Arc<LogEntry>,
    },
    /// The session is idle. More events follow if the user opens an error; the stream ends once the session is closed.
    Idle,
}

/// The events of a session, from its start on.
///
/// A [`Stream`]; [`next`](Self::next) works without importing the trait. The stream yields all events of items and runs,
/// in order for each handler, even if it is read late; progress is sampled ten times a second. A slow reader does not
/// slow down the session: the stream reads the runs' journals at its own pace.
#[must_use = "the stream yields no events unless it is polled"]
pub struct Events {
    session: Arc<SessionShared>,
    /// Keeps the manager alive.
    _manager: Arc<Owner>,
    cursors: BTreeMap<HandlerId, Cursor>,
    ready: VecDeque<SessionEvent>,
    /// Created at the first read, which is inside a runtime.
    sample_timer: Option<Interval>,
    shown: BTreeMap<(HandlerId, ItemId), ProgressState>,
    /// `true` once the woken stream has yielded to the session's workers, so that it reads many entries together.
    yielded: bool,
    /// The number of idle periods at the last idle event.
    last_idle: Option<u64>,
    changes: Pin<Box<OwnedNotified>>,
}

/// The stream's position in a run.
#[derive(Clone, Copy, Default)]
struct Cursor {
    attempt: u32,
    entry: usize,
    event: usize,
}

impl Events {
    pub(crate) fn new(session: Arc<SessionShared>, manager: Arc<Owner>) -> Self {
        Self {
            changes: Box::pin(session.next_change()),
            session,
            _manager: manager,
            cursors: BTreeMap::new(),
            ready: VecDeque::new(),
            sample_timer: None,
            shown: BTreeMap::new(),
            yielded: false,
            last_idle: None,
        }
    }

    /// Returns the next event, or `None` once the session is closed. Cancel safe.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<SessionEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(event));
            }
            if !std::mem::replace(&mut self.yielded, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let ended = self.session.has_ended();
            let idle_count = self.session.times_idle();
            let idle = self.session.time_to_idle().is_some() && self.session.is_idle();
            self.read_runs(cx);
            self.emit_idle(idle.then_some(idle_count));
            if !self.ready.is_empty() {
                continue;
            }
            if ended {
                return Poll::Ready(None);
            }
            let changed = self.changes.poll_unpin(cx).is_ready();
            if changed {
                self.changes.set(self.session.next_change());
            }
            let sample_due = self.sample_timer.get_or_insert_with(sample_interval).poll_tick(cx).is_ready();
            if sample_due {
                // Sampled before the journals are read, so that an item's `Began` event precedes its progress.
                let samples = self.sample();
                self.read_runs(cx);
                let ready = &self.ready;
                let running = |sample: &SessionEvent| !ready.iter().any(|event| ends(event, sample));
                let samples: Vec<_> = samples.into_iter().filter(running).collect();
                self.ready.extend(samples);
            }
            if !changed && !sample_due {
                self.yielded = false;
                return Poll::Pending;
            }
        }
    }

    fn read_runs(&mut self, cx: &mut Context<'_>) {
        for run in self.session.runs() {
            let cursor = self.cursors.entry(run.id().handler).or_default();
            while read(&run, cursor, &mut self.ready, cx) {}
        }
    }

    /// Emits one idle event for each time the session becomes idle.
    fn emit_idle(&mut self, idle_count: Option<u64>) {
        if idle_count.is_some() && idle_count != self.last_idle {
            self.last_idle = idle_count;
            self.ready.push_back(SessionEvent::Idle);
        }
    }

    /// Returns the progress that has changed since the last sample.
    fn sample(&mut self) -> Vec<SessionEvent> {
        let (mut samples, mut shown) = (Vec::new(), BTreeMap::new());
        for run in self.session.runs() {
            let handler = run.id().handler;
            for (item, state) in run.attempt().progress() {
                let before = self.shown.get(&(handler, item)).cloned().unwrap_or_default();
                if before != state {
                    samples.push(SessionEvent::Progress { handler, item, state: state.clone() });
                }
                shown.insert((handler, item), state);
            }
        }
        self.shown = shown;
        samples
    }
}

/// Returns `true` if `event` is the end of the item in `sample`.
fn ends(event: &SessionEvent, sample: &SessionEvent) -> bool {
    match (event, sample) {
        (SessionEvent::Ended { handler, item, .. }, SessionEvent::Progress { handler: of, item: shown, .. }) => {
            (handler, item) == (of, shown)
        }
        _ => false,
    }
}

fn sample_interval() -> Interval {
    let mut timer = interval(SAMPLE_INTERVAL);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}

impl Stream for Events {
    type Item = SessionEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SessionEvent>> {
        self.poll_event(cx)
    }
}

/// Reads the next events of a run. Returns `false` if there are none yet; the stream is woken once there are.
fn read(run: &Run, cursor: &mut Cursor, ready: &mut VecDeque<SessionEvent>, cx: &mut Context<'_>) -> bool {
    let attempts = run.attempts();
    let attempt = &attempts[cursor.attempt as usize];
    attempt.observe(cx.waker());
    let entries = attempt.journal(cursor.entry, BATCH);
    let read_to = cursor.entry + entries.len();
    // Looked up once, after the entries: every event that precedes one of the entries exists by now.
    let mut next = run.events().at(cursor.event);
    for entry in &entries {
        take_events(run, cursor, Some(cursor.entry), &mut next, ready);
        ready.push_back(item_event(run, attempt, *entry));
        cursor.entry += 1;
    }
    next = run.events().at(cursor.event);
    take_events(run, cursor, Some(read_to), &mut next, ready);
    let more_attempts = attempts.len() > cursor.attempt as usize + 1;
    if entries.is_empty() && more_attempts && attempt.journal_len() == cursor.entry {
        take_events(run, cursor, None, &mut next, ready);
        (cursor.attempt, cursor.entry) = (cursor.attempt + 1, 0);
        return true;
    }
    !entries.is_empty()
}

/// Takes the events that precede this entry of the attempt's journal, starting with `next`.
fn take_events(
    run: &Run,
    cursor: &mut Cursor,
    entry: Option<usize>,
    next: &mut Option<PositionedEvent>,
    ready: &mut VecDeque<SessionEvent>,
) {
    let handler = run.id().handler;
    let attempt = cursor.attempt;
    let due = |positioned: &mut PositionedEvent| {
        positioned.attempt < attempt
            || positioned.attempt == attempt && entry.is_none_or(|entry| positioned.after <= entry)
    };
    while let Some(positioned) = next.take_if(due) {
        ready.push_back(match positioned.event {
            RunEvent::Changed(change) => SessionEvent::Run { handler, change },
            RunEvent::Logged(entry) => SessionEvent::Logged { handler, entry },
            RunEvent::NotRun(not_run) => {
                SessionEvent::Ended { handler, item: not_run.item.id(), outcome: not_run.verdict.outcome }
            }
        });
        cursor.event += 1;
        *next = run.events().at(cursor.event);
    }
}

fn item_event(run: &Run, attempt: &Attempt, entry: JournalEntry) -> SessionEvent {
    let handler = run.id().handler;
    let item = &attempt.selection()[entry.item as usize];
    match entry.change {
        Change::Began => SessionEvent::Began { handler, item: item.id(), name: item.shared_name() },
        Change::Ended(outcome) => SessionEvent::Ended { handler, item: item.id(), outcome },
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Events({})", self.session.id)
    }
}
