//! Reads the events of one session from the journals of its runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use syncmgr_core::decision::attempt::{Change, JournalEntry};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::item::SyncItem;
use syncmgr_core::progress::ProgressState;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::event::SessionEvent;
use super::lifecycle::SessionShared;
use super::woken::Woken;
use crate::attempt::Attempt;
use crate::changes::NextChange;
use crate::run::{PositionedEvent, Run, RunEvent};

/// The interval at which progress is sampled.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// The number of events that are read together, so that a stream that is not read costs little, however many items have run.
const BATCH: usize = 32;

/// What follows the events of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Following {
    /// Events that are there already.
    Unread,
    /// Events that have not happened yet. The reader is woken once there are some.
    Later,
    /// The session is closed.
    Nothing,
}

/// Reads the events of a session at its own pace, from the start of the session until the session is closed.
pub(super) struct Reader {
    session: Arc<SessionShared>,
    /// The runs of the session, once it has begun.
    runs: Vec<Cursor>,
    /// The runs that have something new.
    changed: Arc<Woken<usize>>,
    /// The number of ended turns of handlers that the reader knows.
    ended_turns: usize,
    next_turn: NextChange,
    /// The runs whose items run.
    running: BTreeSet<usize>,
    ready: VecDeque<SessionEvent>,
    /// Created at the first read, which is inside a runtime.
    sample_timer: Option<Interval>,
    shown: BTreeMap<(HandlerId, ItemId), ProgressState>,
    /// `true` once the woken stream has yielded to the session's workers, so that it reads many entries together.
    yielded: bool,
    /// The number of idle periods at the last idle event.
    last_idle: Option<u64>,
    /// Whether the session has ended, and the idle period without an event, when the reader last looked.
    last: (bool, Option<u64>),
    /// `None` once the last event is ready.
    changes: Option<NextChange>,
}

/// The position in a run, and the name of its handler.
struct Cursor {
    run: Arc<Run>,
    waker: Waker,
    handler_name: Arc<str>,
    attempt: u32,
    entry: usize,
    event: usize,
}

impl Reader {
    pub(super) fn new(session: Arc<SessionShared>) -> Self {
        let started = SessionEvent::Started { trigger: session.terms.trigger, reason: session.terms.reason };
        Self {
            changes: Some(session.next_change()),
            next_turn: session.next_turn(),
            session,
            runs: Vec::new(),
            changed: Arc::default(),
            ended_turns: 0,
            running: BTreeSet::new(),
            ready: VecDeque::from([started]),
            sample_timer: None,
            shown: BTreeMap::new(),
            yielded: false,
            last_idle: None,
            last: (false, None),
        }
    }

    /// Creates a reader of what happens from now on. `None` if the session is closed.
    pub(super) fn at_end(session: Arc<SessionShared>) -> Option<Self> {
        let mut reader = Self::new(session);
        reader.ready.clear();
        let session = &reader.session;
        reader.ended_turns = session.ended_turns(0).len();
        reader.last_idle = session.time_to_idle().is_some().then(|| session.times_idle());
        let runs = session.runs().iter().enumerate();
        reader.runs = runs.map(|(index, run)| Cursor::at_end(run, &reader.changed, index)).collect();
        // Read first once, so that each run wakes the reader.
        reader.changed.add(0..reader.runs.len());
        (!session.has_ended()).then_some(reader)
    }

    pub(super) fn session(&self) -> &SessionShared {
        &self.session
    }

    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<SessionEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(event));
            }
            if self.is_done() {
                return Poll::Ready(None);
            }
            if !mem::replace(&mut self.yielded, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.read_more(cx) {
                self.yielded = false;
                return Poll::Pending;
            }
        }
    }

    /// Returns the next events, and what follows them. Looks at every run whose turn has ended since the last read, because the next
    /// run of its handler, in another session, may have events already.
    pub(super) fn read_batch(&mut self, cx: &mut Context<'_>) -> (Vec<SessionEvent>, Following) {
        let mut events = Vec::new();
        self.read_turns(cx);
        loop {
            events.extend(self.ready.drain(..));
            if self.is_done() {
                return (events, Following::Nothing);
            }
            if events.len() >= BATCH {
                return (events, Following::Unread);
            }
            if !self.read_more(cx) {
                return (events, Following::Later);
            }
        }
    }

    /// Notes the runs whose turns have ended. The reader is woken when the next one ends.
    fn read_turns(&mut self, cx: &mut Context<'_>) {
        while self.next_turn.poll_unpin(cx).is_ready() {
            self.next_turn = self.session.next_turn();
        }
        let ended = self.session.ended_turns(self.ended_turns);
        self.ended_turns += ended.len();
        let index =
            |handler: &HandlerId| self.runs.binary_search_by_key(handler, |cursor| cursor.run.id().handler).ok();
        self.changed.add(ended.iter().filter_map(index));
    }

    /// Returns `true` once the last event is ready.
    pub(super) fn is_done(&self) -> bool {
        self.changes.is_none()
    }

    /// Reads what is new. Returns `false` if there is nothing yet; the stream is woken once there is.
    fn read_more(&mut self, cx: &mut Context<'_>) -> bool {
        let ended = self.session.has_ended();
        // The count is read first: a run may become busy and idle again in between.
        let idle_count = self.session.time_to_idle().map(|_| self.session.times_idle());
        let idle_count = idle_count.filter(|_| self.session.is_idle());
        // A thread that ends an item marks its run as changed some time later. All events precede these two.
        let last = (ended, idle_count.filter(|_| idle_count != self.last_idle));
        if last != mem::replace(&mut self.last, last) {
            self.changed.add(0..self.runs.len());
        }
        if self.read_runs(cx) {
            self.emit_idle(idle_count);
        }
        if !self.ready.is_empty() {
            return true;
        }
        if ended {
            self.ready.push_back(SessionEvent::Closed);
            self.changes = None;
            return true;
        }
        let changed = self.changes.as_mut().is_some_and(|changes| changes.poll_unpin(cx).is_ready());
        if changed {
            self.changes = Some(self.session.next_change());
        }
        // The begin of an item wakes the stream, so no timer runs before.
        let sampled = !self.running.is_empty() && self.poll_samples(cx);
        changed || sampled
    }

    /// Reads the next events of the runs that have changed. Returns `false` if there are more, which the next call reads.
    fn read_runs(&mut self, cx: &mut Context<'_>) -> bool {
        if self.runs.is_empty() {
            let runs = self.session.runs();
            self.runs =
                runs.iter().enumerate().map(|(index, run)| Cursor::at_start(run, &self.changed, index)).collect();
            self.changed.add(0..self.runs.len());
        }
        let mut changed = self.changed.take(cx.waker());
        while let Some(index) = changed.first().copied() {
            let cursor = &mut self.runs[index];
            while self.ready.len() < BATCH && cursor.read(&mut self.ready) {}
            if self.ready.len() >= BATCH {
                self.changed.add(changed);
                return false;
            }
            match cursor.run.attempt().is_running() {
                true => self.running.insert(index),
                false => self.running.remove(&index),
            };
            changed.remove(&index);
        }
        true
    }

    /// Emits one idle event for each time the session becomes idle.
    fn emit_idle(&mut self, idle_count: Option<u64>) {
        if idle_count.is_some() && idle_count != self.last_idle {
            self.last_idle = idle_count;
            self.ready.push_back(SessionEvent::Idle);
        }
    }

    /// Adds the progress that has changed since the last sample. Returns `false` if no sample is due.
    fn poll_samples(&mut self, cx: &mut Context<'_>) -> bool {
        let due = self.sample_timer.get_or_insert_with(sample_interval).poll_tick(cx).is_ready();
        if due {
            // Sampled before the journals are read, so that an item's `Began` event precedes its progress.
            let samples = self.sample();
            self.changed.add(self.running.iter().copied());
            if !self.read_runs(cx) {
                // Some items of the samples may have ended in what is not read yet.
                self.shown.clear();
                return due;
            }
            let ready = &self.ready;
            let running = |sample: &SessionEvent| !ready.iter().any(|event| ends(event, sample));
            let samples: Vec<_> = samples.into_iter().filter(running).collect();
            self.ready.extend(samples);
        }
        due
    }

    fn sample(&mut self) -> Vec<SessionEvent> {
        let (mut samples, mut shown) = (Vec::new(), BTreeMap::new());
        for cursor in self.running.iter().map(|run| &self.runs[*run]) {
            let handler = cursor.run.id().handler;
            for (item, state) in cursor.run.attempt().progress() {
                let key = (handler, item.id());
                if self.shown.get(&key).cloned().unwrap_or_default() != state {
                    samples.push(cursor.progress(handler, item, state.clone()));
                }
                shown.insert(key, state);
            }
        }
        self.shown = shown;
        samples
    }
}

impl Cursor {
    fn at_start(run: &Arc<Run>, changed: &Arc<Woken<usize>>, index: usize) -> Self {
        let waker = changed.waker(index);
        Self { run: run.clone(), waker, handler_name: run.info().name().into(), attempt: 0, entry: 0, event: 0 }
    }

    fn at_end(run: &Arc<Run>, changed: &Arc<Woken<usize>>, index: usize) -> Self {
        let attempt = u32::try_from(run.attempt_count().saturating_sub(1)).unwrap_or(u32::MAX);
        let entry = run.nth_attempt(attempt).map_or(0, |attempt| attempt.journal_len());
        Self { attempt, entry, event: run.events().len(), ..Self::at_start(run, changed, index) }
    }

    /// Reads the next events of the run, until a batch is ready. Returns `false` if there are none yet; the stream is woken once there
    /// are.
    fn read(&mut self, ready: &mut VecDeque<SessionEvent>) -> bool {
        let run = self.run.clone();
        let Some(attempt) = run.nth_attempt(self.attempt) else { return false };
        attempt.observe(&self.waker);
        let entries = attempt.journal(self.entry, BATCH);
        let read_to = self.entry + entries.len();
        // Looked up once, after the entries: every event that precedes one of the entries exists by now.
        let mut next = run.events().at(self.event);
        for entry in &entries {
            self.take_events(Some(self.entry), &mut next, ready);
            if ready.len() >= BATCH {
                return true;
            }
            ready.push_back(self.item_event(&attempt, *entry));
            self.entry += 1;
        }
        next = run.events().at(self.event);
        self.take_events(Some(read_to), &mut next, ready);
        // Counted after the waker was registered, so that no attempt is missed.
        let more_attempts = run.attempt_count() > self.attempt as usize + 1;
        if entries.is_empty() && more_attempts && attempt.journal_len() == self.entry {
            self.take_events(None, &mut next, ready);
            (self.attempt, self.entry) = (self.attempt + 1, 0);
            return true;
        }
        !entries.is_empty()
    }

    /// Takes the events that precede this entry of the attempt's journal, starting with `next`, until a batch is ready.
    fn take_events(
        &mut self,
        entry: Option<usize>,
        next: &mut Option<PositionedEvent>,
        ready: &mut VecDeque<SessionEvent>,
    ) {
        let attempt = self.attempt;
        let due = |positioned: &mut PositionedEvent| {
            positioned.attempt < attempt
                || positioned.attempt == attempt && entry.is_none_or(|entry| positioned.after <= entry)
        };
        while ready.len() < BATCH
            && let Some(positioned) = next.take_if(due)
        {
            ready.push_back(self.run_event(positioned.event));
            self.event += 1;
            *next = self.run.events().at(self.event);
        }
    }

    fn progress(&self, handler: HandlerId, item: &SyncItem, state: ProgressState) -> SessionEvent {
        let (handler_name, name) = (self.handler_name.clone(), item.shared_name());
        SessionEvent::Progress { handler, handler_name, item: item.id(), name, state }
    }

    fn run_event(&self, event: RunEvent) -> SessionEvent {
        let (handler, handler_name) = (self.run.id().handler, self.handler_name.clone());
        match event {
            RunEvent::Changed(change) => SessionEvent::Run { handler, handler_name, change },
            RunEvent::Logged(entry) | RunEvent::Deleted(entry) => {
                let name = entry.item.and_then(|item| self.run.name_of(item));
                SessionEvent::Logged { handler, handler_name, name, entry }
            }
            RunEvent::NotRun(not_run) => {
                let (item, name) = (not_run.item.id(), not_run.item.shared_name());
                SessionEvent::Ended { handler, handler_name, item, name, outcome: not_run.verdict.outcome }
            }
        }
    }

    fn item_event(&self, attempt: &Attempt, entry: JournalEntry) -> SessionEvent {
        let (handler, handler_name) = (self.run.id().handler, self.handler_name.clone());
        let item = &attempt.selection()[entry.item as usize];
        let (item, name) = (item.id(), item.shared_name());
        match entry.change {
            Change::Began => SessionEvent::Began { handler, handler_name, item, name },
            Change::Ended(outcome) => SessionEvent::Ended { handler, handler_name, item, name, outcome },
        }
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
