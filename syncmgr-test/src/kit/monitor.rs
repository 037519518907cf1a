//! The shared state of a process under test: the event log, the pending injection, and the kill flag.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use syncmgr_core::cell::ItemCell;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::port::Kept;
use syncmgr_core::sync::Mutex;
use syncmgr_runtime::session::Session;
use tokio::sync::Notify;

use super::change::{Expected, ItemChange};
use super::events::{Event, EventLog};
use super::fixture::{Fixture, OnKill};
use super::injection::{Call, CallCounts, Fault, Injection, ItemLabel, Moment};
use super::monitored::wall;
use super::provider::Provider;
use super::system::System;

/// The time until the machine sleeps when the sleep is announced only to end the condition of a run.
const A_LONG_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The monitor of one process.
pub(super) struct Monitor {
    pub(super) log: EventLog,
    handler: HandlerId,
    provider: Arc<dyn Provider>,
    on_kill: OnKill,
    killed: AtomicBool,
    kill_notify: Notify,
    pause_notify: Notify,
    system: System,
    state: Mutex<State>,
}

/// The store's answer to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stored,
    Refused,
}

/// The use of a permit for the user's attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PermitState {
    /// Nothing has been asked yet. The handler may show a dialog of its own.
    Granted,
    Asking,
    Answered,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    injection: Option<Injection>,
    /// The state that is right after the injected change.
    expected: Option<Expected>,
    /// The call that is not polled again, if any.
    suspended: Option<Call>,
    /// The calls of this session.
    counts: CallCounts,
    tasks: u32,
    /// The permits that calls hold.
    permits: BTreeMap<Call, PermitState>,
    ended: BTreeSet<SessionId>,
    kept: BTreeMap<SessionId, Arc<Kept>>,
    /// The item cells by address. The map holds the cells, so addresses are not reused.
    cells: BTreeMap<usize, (ItemLabel, Arc<ItemCell>)>,
    /// The time of the injection, in real time.
    injected_at: Option<Duration>,
    /// The time from the injection to the end of the last blocking work, in real time.
    blocked: Duration,
    /// The number of blocking jobs that run.
    blocking: usize,
    /// The longest poll before each await, in real time.
    polls: BTreeMap<(Call, u32), Duration>,
}

impl Monitor {
    pub(super) fn new(fixture: &Fixture, handler: HandlerId, on_kill: OnKill, system: &System) -> Arc<Self> {
        let (log, provider) = (fixture.log.clone(), fixture.provider().clone());
        let (killed, state) = (AtomicBool::new(false), Mutex::default());
        let (kill_notify, pause_notify, system) = (Notify::new(), Notify::new(), system.clone());
        Arc::new(Self { log, handler, provider, on_kill, killed, kill_notify, pause_notify, system, state })
    }

    /// Starts a session with this injection.
    pub(super) fn begin_session(&self, session: &Session, injection: Option<Injection>) {
        let mut state = self.state.lock();
        (state.session, state.injection, state.suspended) = (Some(session.clone()), injection, None);
        (state.tasks, state.counts) = (0, CallCounts::default());
    }

    /// Ends the session. Called after its results were closed, its process was killed, or the session hung.
    pub(super) fn end_session(&self) {
        let mut state = self.state.lock();
        let session = state.session.take();
        state.injection = None;
        state.ended.extend(session.as_ref().map(Session::id));
        drop(state);
        drop(session);
    }

    /// Returns `true` if the process was killed.
    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    /// Returns `true` if the process was killed and its values must be leaked.
    pub(super) fn leaks(&self) -> bool {
        self.is_killed() && self.on_kill == OnKill::Leak
    }

    /// Records an event, unless the process was killed.
    pub(super) fn record(&self, event: Event) {
        if !self.is_killed() {
            self.log.record(event);
        }
    }

    /// Returns `true` if the call may be polled: the process was not killed and the call is not suspended.
    pub(super) fn is_running(&self, call: &Call) -> bool {
        !self.is_killed() && self.state.lock().suspended.as_ref() != Some(call)
    }

    pub(super) async fn wait_for_kill(&self) {
        self.kill_notify.notified().await;
    }

    /// Returns the number of awaits and of commits of each call in this session.
    pub(super) fn counts(&self) -> CallCounts {
        self.state.lock().counts.clone()
    }

    /// Counts an await of the call and returns its number.
    pub(super) fn begin_await(&self, call: &Call) -> u32 {
        let mut state = self.state.lock();
        let number = count(&mut state.counts.waits, call);
        let holds_answered_permit = state.permits.get(call) == Some(&PermitState::Answered);
        drop(state);
        if holds_answered_permit {
            self.record(Event::HeldDuringWork(call.clone()));
        }
        _ = self.reach(call, Moment::Await(number));
        number
    }

    pub(super) fn permit_granted(&self, call: &Call) {
        self.state.lock().permits.insert(call.clone(), PermitState::Granted);
    }

    pub(super) fn permit_released(&self, call: &Call) {
        self.state.lock().permits.remove(call);
    }

    pub(super) fn permit_state(&self, call: &Call, now: PermitState) {
        self.state.lock().permits.insert(call.clone(), now);
    }

    /// Returns the number of the call's next await.
    pub(super) fn next_await(&self, call: &Call) -> u32 {
        self.state.lock().counts.waits.get(call).map_or(1, |waits| waits + 1)
    }

    /// Counts a commit of the call and returns its number.
    pub(super) fn begin_commit(&self, call: &Call) -> u32 {
        count(&mut self.state.lock().counts.commits, call)
    }

    pub(super) fn begin_task(&self) -> Call {
        let mut state = self.state.lock();
        state.tasks += 1;
        Call::Task(state.tasks)
    }

    pub(super) fn has_ended(&self, session: SessionId) -> bool {
        self.state.lock().ended.contains(&session)
    }

    /// Returns the values that the run keeps. The monitor owns the values, because a killed process drops nothing.
    pub(super) fn kept(&self, session: SessionId) -> Arc<Kept> {
        self.state.lock().kept.entry(session).or_default().clone()
    }

    pub(super) fn track(&self, item: ItemLabel, cell: Arc<ItemCell>) {
        self.state.lock().cells.insert(Arc::as_ptr(&cell) as usize, (item, cell));
    }

    /// Returns weak references to the kept values.
    pub(super) fn kept_values(&self) -> Vec<Weak<dyn Any + Send + Sync>> {
        let kept: Vec<_> = self.state.lock().kept.values().cloned().collect();
        kept.iter().flat_map(|kept| kept.values()).map(|value| Arc::downgrade(&value)).collect()
    }

    /// Returns the items on which the handler reported after they had ended.
    pub(super) fn items_reported_late(&self) -> Vec<ItemLabel> {
        let state = self.state.lock();
        let late = state.cells.values().filter(|(_, cell)| cell.was_reported_late());
        late.map(|(item, _)| item.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Counts a blocking job that starts.
    pub(super) fn begin_blocking(&self) {
        self.state.lock().blocking += 1;
    }

    /// Counts a blocking job that has ended.
    pub(super) fn end_blocking(&self) {
        let mut state = self.state.lock();
        state.blocking -= 1;
        if let Some(injected) = state.injected_at {
            state.blocked = wall().saturating_sub(injected);
        }
    }

    /// Returns the time from the injection to the end of the last blocking job, in real time, because virtual time does not
    /// advance meanwhile.
    pub(super) fn blocking_time_after_injection(&self) -> Duration {
        let state = self.state.lock();
        match state.injected_at {
            Some(injected) if state.blocking > 0 => wall().saturating_sub(injected),
            _ => state.blocked,
        }
    }

    /// Records the duration of a poll before this await, in real time.
    pub(super) fn record_poll(&self, call: &Call, number: u32, took: Duration) {
        let mut state = self.state.lock();
        let longest = state.polls.entry((call.clone(), number)).or_default();
        *longest = took.max(*longest);
    }

    /// Returns the polls that took longer than the limit.
    pub(super) fn slow_polls(&self, limit: Duration) -> BTreeMap<(Call, u32), Duration> {
        let state = self.state.lock();
        state.polls.iter().filter(|(_, took)| **took > limit).map(|(poll, took)| (poll.clone(), *took)).collect()
    }

    /// Performs the pending injection if its injection point is this one.
    ///
    /// # Panics
    /// If the injected fault is a panic.
    pub(super) fn reach(&self, call: &Call, moment: Moment) -> Answer {
        let mut state = self.state.lock();
        let matches = |injection: &mut Injection| injection.point.moment == moment && injection.point.call == *call;
        let Some(injection) = state.injection.take_if(matches) else { return Answer::Stored };
        let session = state.session.clone();
        state.suspended = Some(injection.point.call.clone()).filter(|_| injection.fault == Fault::Drop);
        state.injected_at = Some(wall());
        drop(state);
        self.log.record(Event::Injected(injection.clone()));
        match (injection.fault, session) {
            (Fault::Refuse, _) => return Answer::Refused,
            (Fault::Kill, _) => self.kill(),
            (Fault::Panic, _) => std::panic::resume_unwind(Box::new("panic injected by the kit")),
            (Fault::Stop | Fault::Drop, session) => session.iter().for_each(Session::stop),
            (Fault::Skip(item), session) => self.skip(&item, session),
            (Fault::Change(change), _) => self.change(&change),
            (Fault::Pause, session) => self.pause(session),
            (Fault::EndCondition, _) => self.system.announce_sleep(A_LONG_TIME),
        }
        Answer::Stored
    }

    fn skip(&self, item: &ItemLabel, session: Option<Session>) {
        // The skip fails if the item has already ended.
        session.iter().for_each(|session| _ = session.skip(self.handler, item.id));
    }

    fn change(&self, change: &ItemChange) {
        let expected = self.provider.change(&change.item, change.change);
        self.state.lock().expected = expected;
    }

    /// Returns the state that is right after the injected change, if the provider could make the change.
    pub(super) fn take_expected(&self) -> Option<Expected> {
        self.state.lock().expected.take()
    }

    fn pause(&self, session: Option<Session>) {
        session.iter().for_each(Session::pause);
        self.hold_begins();
        self.pause_notify.notify_one();
    }

    /// Waits until the session is paused.
    pub(super) async fn wait_for_pause(&self) {
        self.pause_notify.notified().await;
    }

    /// Records that items that have not begun are held from now on.
    pub(super) fn hold_begins(&self) {
        self.log.record(Event::HoldBegins(self.provider.data()));
    }

    /// Records that items are no longer held.
    pub(super) fn hold_ends(&self) {
        self.log.record(Event::HoldEnds(self.provider.data()));
    }

    fn kill(&self) {
        self.killed.store(true, Ordering::Release);
        self.kill_notify.notify_one();
    }
}

fn count(counts: &mut BTreeMap<Call, u32>, call: &Call) -> u32 {
    let number = counts.entry(call.clone()).or_default();
    *number += 1;
    *number
}
