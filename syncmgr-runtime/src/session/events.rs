//! What happens in a session, as a stream.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{FutureExt, Stream};
use syncmgr_core::decision::run::{Change, JournalEntry};
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::log::LogEntry;
use syncmgr_core::progress::ProgressState;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::life::SessionShared;
use crate::attempt::Attempt;
use crate::ending::RunChange;
use crate::owner::Owner;
use crate::run::{Note, Placed, Run};

/// How often progress is sampled for a stream of events.
const FRAME: Duration = Duration::from_millis(100);

/// How many journal entries are read under one lock.
const BATCH: usize = 256;

/// Something that happened in a session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A handler's run went on to something else.
    Run {
        /// The handler.
        handler: HandlerId,
        /// What it does now.
        change: RunChange,
    },
    /// An item began.
    Began {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
        /// Its name.
        name: Arc<str>,
    },
    /// An item reported progress. Sampled: reports in between are not seen.
    Progress {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
        /// What it reported last.
        state: ProgressState,
    },
    /// An item ended.
    Ended {
        /// The handler.
        handler: HandlerId,
        /// The item.
        item: ItemId,
        /// How.
        outcome: Outcome,
    },
    /// An entry was added to a handler's log.
    Logged {
        /// The handler.
        handler: HandlerId,
        /// The entry.
        entry: Arc<LogEntry>,
    },
    /// Nothing goes on any more. More may follow if somebody opens an error; the stream ends when the session is closed.
    Rested,
}

/// The events of a session, from its beginning on.
///
/// A [`Stream`], and [`next`](Self::next) without importing one. What happened to items and runs is complete and in
/// order for each handler, however late it is read; progress is sampled ten times a second. Reading costs the session
/// nothing: the stream reads the runs' journals at its own pace.
#[must_use = "events are lost on whoever does not poll the stream"]
pub struct Events {
    session: Arc<SessionShared>,
    /// Whoever watches a session keeps its manager.
    _manager: Arc<Owner>,
    cursors: BTreeMap<HandlerId, Cursor>,
    ready: VecDeque<SessionEvent>,
    /// Made at the first read, which is inside a runtime.
    frame: Option<Interval>,
    shown: BTreeMap<(HandlerId, ItemId), ProgressState>,
    /// A woken stream gives the session's workers a turn before it reads, so that it reads many entries at once.
    yielded: bool,
    /// How often runs had come to rest when the stream said so last.
    rested: Option<u64>,
    changes: Pin<Box<OwnedNotified>>,
}

/// How far a stream has read in a run.
#[derive(Clone, Copy, Default)]
struct Cursor {
    attempt: u32,
    entry: usize,
    note: usize,
}

impl Events {
    pub(crate) fn new(session: Arc<SessionShared>, manager: Arc<Owner>) -> Self {
        Self {
            changes: Box::pin(session.next_change()),
            session,
            _manager: manager,
            cursors: BTreeMap::new(),
            ready: VecDeque::new(),
            frame: None,
            shown: BTreeMap::new(),
            yielded: false,
            rested: None,
        }
    }

    /// The next event; `None` once the session is closed. Cancel safe.
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
            let over = self.session.is_over();
            let rests = self.session.times_rested();
            let resting = self.session.lasted().is_some() && self.session.is_at_rest();
            self.read_runs(cx);
            self.note_rest(resting.then_some(rests));
            if !self.ready.is_empty() {
                continue;
            }
            if over {
                return Poll::Ready(None);
            }
            let changed = self.changes.poll_unpin(cx).is_ready();
            if changed {
                self.changes.set(self.session.next_change());
            }
            let framed = self.frame.get_or_insert_with(frames).poll_tick(cx).is_ready();
            if framed {
                // Sampled before the journals are read, so that what is shown has begun.
                let samples = self.sample();
                self.read_runs(cx);
                let ready = &self.ready;
                let running = |sample: &SessionEvent| !ready.iter().any(|event| ends(event, sample));
                let samples: Vec<_> = samples.into_iter().filter(running).collect();
                self.ready.extend(samples);
            }
            if !changed && !framed {
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

    /// Says that the session rests, once for each time it comes to rest.
    fn note_rest(&mut self, rests: Option<u64>) {
        if rests.is_some() && rests != self.rested {
            self.rested = rests;
            self.ready.push_back(SessionEvent::Rested);
        }
    }

    /// What has changed since the last frame.
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

/// Whether `event` is the end of the item that `sample` shows.
fn ends(event: &SessionEvent, sample: &SessionEvent) -> bool {
    match (event, sample) {
        (SessionEvent::Ended { handler, item, .. }, SessionEvent::Progress { handler: of, item: shown, .. }) => {
            (handler, item) == (of, shown)
        }
        _ => false,
    }
}

fn frames() -> Interval {
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    frames
}

impl Stream for Events {
    type Item = SessionEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SessionEvent>> {
        self.poll_event(cx)
    }
}

/// Reads on in a run. `false` when there is nothing more; the stream is then woken when there is.
fn read(run: &Run, cursor: &mut Cursor, ready: &mut VecDeque<SessionEvent>, cx: &mut Context<'_>) -> bool {
    let attempts = run.attempts();
    let attempt = &attempts[cursor.attempt as usize];
    attempt.observe(cx.waker());
    let entries = attempt.journal(cursor.entry, BATCH);
    let read_to = cursor.entry + entries.len();
    // Looked up after the entries, and once: what was noted before one of them is there by now.
    let mut next = run.notes().at(cursor.note);
    for entry in &entries {
        take_notes(run, cursor, Some(cursor.entry), &mut next, ready);
        ready.push_back(item_event(run, attempt, *entry));
        cursor.entry += 1;
    }
    next = run.notes().at(cursor.note);
    take_notes(run, cursor, Some(read_to), &mut next, ready);
    let more_attempts = attempts.len() > cursor.attempt as usize + 1;
    if entries.is_empty() && more_attempts && attempt.journal_len() == cursor.entry {
        take_notes(run, cursor, None, &mut next, ready);
        (cursor.attempt, cursor.entry) = (cursor.attempt + 1, 0);
        return true;
    }
    !entries.is_empty()
}

/// Takes the notes that belong into this attempt and before this entry of its journal, beginning with `next`.
fn take_notes(
    run: &Run,
    cursor: &mut Cursor,
    entry: Option<usize>,
    next: &mut Option<Placed>,
    ready: &mut VecDeque<SessionEvent>,
) {
    let handler = run.id().handler;
    let attempt = cursor.attempt;
    let due = |placed: &mut Placed| {
        placed.attempt < attempt || placed.attempt == attempt && entry.is_none_or(|entry| placed.after <= entry)
    };
    while let Some(placed) = next.take_if(due) {
        ready.push_back(match placed.note {
            Note::Run(change) => SessionEvent::Run { handler, change },
            Note::Logged(entry) => SessionEvent::Logged { handler, entry },
            Note::Apart(apart) => {
                SessionEvent::Ended { handler, item: apart.item.id(), outcome: apart.verdict.outcome }
            }
        });
        cursor.note += 1;
        *next = run.notes().at(cursor.note);
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
