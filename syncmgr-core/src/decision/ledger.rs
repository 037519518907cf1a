//! The retry ledger: the retry states of all handlers, and the sessions the scheduler starts.
//!
//! [`RetryLedger`] is the only place that decides to start a session without a request:
//!
//! ```text
//! an attempt ends ──────────▶ retry states ──▶ due items ──┐
//! the environment holds a run ────────────▶ held runs ─────┼─▶ tick ──▶ Effect::Start
//! a process ended during a session ─▶ interrupted runs ────┤
//! something changed on this machine ─▶ local changes ──────┘
//! ```
//!
//! Every method receives an event and the time of day, and returns the resulting [`Effect`]s. The host performs them in order
//! after it has released the ledger's lock, and calls [`tick`](RetryLedger::tick) at
//! [`next_deadline`](RetryLedger::next_deadline) and after each [`Effect::Wake`].
//!
//! The methods are split into files by event: `attempts` (an item has ended), `selection` (an item or a run is about to start),
//! `requirements` (a condition is not met or ends), `held`, `interrupted`, `changes` and `answers` (other reasons to start a session),
//! `suspects` (an item that may end its process begins), `disabled` (handlers and items that do not run), `schedules`, `windows`,
//! `idle` and `endings` (it is time, the user is idle, the machine goes down), `settings` (a person sets a schedule or
//! requirements), `waiting` (the held runs, as they are stored), `tick` (time has passed, or the network is back).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::local_changes::LocalChanges;
use super::needs::Needs;
use super::retry_queue::RetryQueue;
use super::shared_values::SharedValues;
use crate::claim::Claim;
use crate::id::{HandlerId, ItemId, SessionId, Subject};
use crate::register::{Generation, RegisterFlags};
use crate::retry::RetryState;
use crate::schedule::Schedule;
use crate::store::{SessionRecord, StateChange};

mod agenda;
mod answers;
mod attempts;
mod changes;
mod disabled;
mod effect;
mod endings;
mod held;
mod idle;
mod interrupted;
mod interval;
mod requirements;
mod schedules;
mod selection;
mod settings;
mod suspects;
mod tick;
mod waiting;
mod windows;

#[cfg(test)]
mod tests;

pub use self::attempts::{ATTENTION, EndedAttempt};
pub use self::effect::{Effect, Start, StartReason, Targets};
pub use self::endings::Work;
pub use self::held::HeldRun;
pub use self::interrupted::{InterruptedRun, Resume};
pub use self::suspects::Suspect;

use self::answers::Answers;
use self::disabled::Disabled;
use self::endings::Endings;
use self::held::HeldRuns;
use self::idle::Idle;
use self::interrupted::Interrupted;
use self::interval::Interval;
use self::schedules::Schedules;
use self::windows::Windows;

/// The id under which the retry state of the handler itself is stored. No item has this id.
pub const HANDLER_ITSELF: ItemId = ItemId::from_u128(0);

/// The retry states of all registered handlers and of the resources they claim, the runs that wait for the environment, the
/// interrupted runs, and the answers to questions.
///
/// The store holds the same data. Decisions and explanations read the data from the ledger.
///
/// ```
/// # use std::{collections::BTreeMap, time::SystemTime};
/// # use syncmgr_core::{capabilities::Capabilities, decision::ledger::{Effect, Resume, RetryLedger}, environment::Environment};
/// # use syncmgr_core::{id::{HandlerId, ItemId}, register::Generation, retry::{RetryState, RetryStatus}};
/// # let now = SystemTime::UNIX_EPOCH;
/// let (mail, inbox) = (HandlerId::from_u128(7), ItemId::from_name("Inbox"));
/// let due = RetryState::new(RetryStatus::Backoff, now, Some(now));
/// let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
/// let _ = ledger.register(mail, Generation::FIRST, Capabilities::default(), BTreeMap::from([(inbox, due)]), now);
/// let effects = ledger.tick(None, &Environment::UNKNOWN, now);
/// assert!(matches!(effects[..], [Effect::Start(_)]), "{effects:?}"); // a session for the due item
/// ```
#[derive(Clone, Debug)]
pub struct RetryLedger {
    handlers: BTreeMap<HandlerId, Handler>,
    resources: BTreeMap<Claim, RetryState>,
    retry_queue: RetryQueue,
    /// The items that are due although they have no retry state that says so: those that one of their claims has held back, with
    /// their claims, and those whose backoff the network has ended. Not stored: after a restart, such an item runs again with the
    /// next session that includes it.
    due_without_state: BTreeMap<(HandlerId, ItemId), Vec<Claim>>,
    /// The items that may have ended an earlier process and have not run since. Not stored.
    suspects: BTreeSet<(HandlerId, ItemId)>,
    held: HeldRuns,
    schedules: Schedules,
    windows: Windows,
    interrupted: Interrupted,
    answers: Answers,
    disabled: Disabled,
    /// Not stored: a session after a restart looks at everything.
    changes: LocalChanges,
    /// The least time between two starts that are caused by changes of the environment.
    environment_starts: Interval,
    /// The time for which the network has to be up before it counts as back.
    connect_delay: Interval,
    idle: Idle,
    endings: Endings,
    /// Set once the network is back, until the end of the delay and the interval for which the reconnect waits.
    reconnected: Option<FailedSince>,
    /// The latest deadline for which the scheduler has waited.
    reached: SystemTime,
    /// The last session before this process.
    last_session: SessionId,
    /// The latest registration of any handler.
    latest: Generation,
    /// The number of changes of what is disabled, interrupted or registered, of the idle period and of what is announced.
    version: u64,
}

/// The items and resources that have failed since the network came back. A delayed reconnect does not end their backoffs.
#[derive(Clone, Debug, Default)]
struct FailedSince {
    items: BTreeSet<(HandlerId, ItemId)>,
    claims: BTreeSet<Claim>,
}

/// The retry states of a handler's items.
#[derive(Clone, Debug, Default)]
struct Handler {
    items: SharedValues<RetryState>,
    generation: Generation,
    /// `None` if the handler was unregistered during one of its runs; none of its items is due then.
    registered: Option<Needs>,
    /// The events at which the handler runs.
    events: RegisterFlags,
    /// The schedule of the items that have none of their own.
    schedule: Option<Schedule>,
    /// The items with a retry state that the last complete listing lacked; none of them is due.
    unlisted: BTreeSet<ItemId>,
    /// `true` if its last run could not begin, so items that were due then had no attempt.
    failed_to_begin: bool,
}

impl RetryLedger {
    /// Creates an empty ledger. `resume` says when interrupted runs continue.
    pub fn new(resume: Resume) -> Self {
        Self {
            handlers: BTreeMap::new(),
            resources: BTreeMap::new(),
            retry_queue: RetryQueue::default(),
            due_without_state: BTreeMap::new(),
            suspects: BTreeSet::new(),
            held: HeldRuns::default(),
            schedules: Schedules::new(0),
            windows: Windows::default(),
            interrupted: Interrupted::new(resume),
            answers: Answers::default(),
            disabled: Disabled::default(),
            changes: LocalChanges::default(),
            environment_starts: Interval::default(),
            connect_delay: Interval::default(),
            idle: Idle::default(),
            endings: Endings::default(),
            reconnected: None,
            reached: SystemTime::UNIX_EPOCH,
            last_session: SessionId::default(),
            latest: Generation::default(),
            version: 0,
        }
    }

    /// Sets the least time between two starts that are caused by changes of the environment. The default is zero.
    #[must_use]
    pub fn with_reconnect_interval(self, interval: Duration) -> Self {
        Self { environment_starts: Interval::new(interval), ..self }
    }

    /// Sets the time for which the network has to be up without a break before it counts as back. The default is zero.
    #[must_use]
    pub fn with_connect_delay(self, delay: Duration) -> Self {
        Self { connect_delay: Interval::new(delay), ..self }
    }

    /// Loads the data stored by earlier processes: the retry states of resources, and the sessions that have not ended.
    #[must_use = "perform the effects"]
    pub fn restore(
        &mut self,
        mut resources: BTreeMap<Claim, RetryState>,
        sessions: Vec<SessionRecord>,
        now: SystemTime,
    ) -> Vec<Effect> {
        resources.values_mut().for_each(|state| *state = begun_by(*state, now));
        self.resources = resources;
        writes(self.interrupted.restore(sessions, now))
    }

    /// Sets the number of the last session before this process, for the questions about interruptions in sessions that are not
    /// resumed, such as those for due items.
    pub fn set_last_session(&mut self, session: SessionId) {
        self.last_session = session;
    }

    /// Registers a handler and loads the stored retry states of its items. Asks about those whose interruptions have used up the
    /// retry budget.
    ///
    /// If a run of an earlier registration is active, the states of the items are known, and the stored ones are not used: a
    /// suspect that runs has the state that it has if its process ends.
    #[must_use = "perform the effects"]
    pub fn register(
        &mut self,
        handler: HandlerId,
        generation: Generation,
        needs: impl Into<Needs>,
        items: BTreeMap<ItemId, RetryState>,
        now: SystemTime,
    ) -> Vec<Effect> {
        let (clock, now, needs) = (now, self.time(now), needs.into());
        self.latest = self.latest.max(generation);
        self.version += 1;
        self.windows.add(handler, &needs.requirements, clock);
        let loaded = items.into_iter().map(|(item, state)| (item, begun_by(state, now)));
        let retired = self.handlers.remove(&handler).filter(|earlier| earlier.registered.is_none());
        let items = retired.map_or_else(|| loaded.collect(), |retired| retired.items);
        let (registered, failed_to_begin) = (Some(needs), items.get(HANDLER_ITSELF).is_some());
        self.handlers.insert(handler, Handler { items, generation, registered, failed_to_begin, ..Handler::default() });
        let mut effects = writes(self.ask_about_interrupted(handler, now));
        self.make_due(handler, now, |_| true);
        effects.extend(self.has_pending().then_some(Effect::Wake));
        effects
    }

    /// Sets the events at which a registered handler runs. These runs are started by the ledger. What waits for an event at which the
    /// handler no longer runs does not start.
    #[must_use = "perform the effects"]
    pub fn set_events(&mut self, handler: HandlerId, events: RegisterFlags) -> Option<Effect> {
        self.handlers.get_mut(&handler)?.events = events;
        self.version += 1;
        self.held.remove_events(handler, events);
        (!events.is_empty()).then_some(Effect::Wake)
    }

    /// Unregisters a handler that has no active run.
    pub fn unregister(&mut self, handler: HandlerId) {
        self.handlers.remove(&handler);
        self.drop_starts(handler);
    }

    /// Unregisters a handler that has an active run. The results of that run are still recorded, also after a new registration.
    pub fn retire(&mut self, handler: HandlerId) {
        if let Some(handler) = self.handlers.get_mut(&handler) {
            handler.registered = None;
        }
        self.drop_starts(handler);
    }

    /// Removes everything that would start the handler.
    fn drop_starts(&mut self, handler: HandlerId) {
        self.retry_queue.forget(handler);
        self.due_without_state.retain(|(of, _), _| *of != handler);
        self.changes.forget(handler);
        self.held.remove(handler);
        self.schedules.remove(handler);
        self.windows.remove(handler);
        // The session that was to resume its runs may have been one of the held runs.
        self.interrupted.resume_again(handler);
    }

    /// Forgets a handler, and the retry states of `claims`, which no other handler claims. The caller reports nothing more about
    /// the handler's runs so far.
    #[must_use = "perform the effects"]
    pub fn forget(&mut self, handler: HandlerId, claims: Vec<Claim>, now: SystemTime) -> Vec<Effect> {
        self.unregister(handler);
        self.suspects.retain(|(of, _)| *of != handler);
        self.retry_queue.finish(handler);
        self.answers.forget(handler, None);
        self.disabled.forget(handler);
        let mut changes = self.interrupted.forget(handler, now);
        changes.push(StateChange::Forget { handler });
        for claim in claims {
            self.resources.remove(&claim);
            changes.push(StateChange::Resource { claim, retry: None });
        }
        writes(changes)
    }

    /// Forgets an item.
    #[must_use = "perform the effects"]
    pub fn forget_item(&mut self, handler: HandlerId, item: ItemId) -> Vec<Effect> {
        let next = self.retry_queue.next_of(handler);
        self.version += 1;
        self.answers.forget(handler, Some(item));
        self.due_without_state.remove(&(handler, item));
        self.suspects.remove(&(handler, item));
        self.disabled.set(handler, Subject::Item(item), None);
        self.changes.forget_items(handler, [item]);
        self.clear(handler, item);
        self.interrupted.forget_item(handler, item);
        self.held.runs(handler, [item]);
        let mut effects = writes([StateChange::ForgetItem { handler, item }]);
        if self.held.stored.contains(&handler) {
            effects.extend(writes(self.waiting_change(handler)));
        }
        effects.extend(self.wake_if_earlier(handler, next));
        effects
    }

    /// Returns the effect for the end of an item's wait: without the item, the others that waited for it may be due earlier than
    /// `before`, and a change or a firing that waited for it may start.
    fn wake_if_earlier(&self, handler: HandlerId, before: Option<SystemTime>) -> Option<Effect> {
        let next = self.retry_queue.next_of(handler);
        let is_earlier = next.is_some_and(|next| before.is_some_and(|before| next < before));
        (is_earlier || self.changes.is_fresh(handler) || self.schedules.has_waiting(handler)).then_some(Effect::Wake)
    }

    /// Returns the time used for all waits: `now`, but never earlier than the latest deadline for which the scheduler has
    /// waited. A clock that stops or goes back therefore neither blocks an item for ever nor starts it in a loop.
    pub fn time(&self, now: SystemTime) -> SystemTime {
        now.max(self.reached)
    }

    /// Returns the retry state of an item.
    pub fn state_of(&self, handler: HandlerId, item: ItemId) -> Option<&RetryState> {
        self.handlers.get(&handler)?.items.get(item)
    }

    /// Returns `true` if there is no retry state of any resource, nor of any item of this handler, no such item is due or has
    /// changed, and nothing of the handler is disabled.
    pub fn is_clean(&self, handler: HandlerId) -> bool {
        let has_states = self.handlers.get(&handler).is_some_and(|handler| !handler.items.is_empty());
        let is_due = self.retry_queue.next_of(handler).is_some() || self.due_without_state_of(handler).next().is_some();
        let has_suspects =
            self.suspects.range((handler, HANDLER_ITSELF)..).next().is_some_and(|(of, _)| *of == handler);
        let is_unchanged = self.changes.is_empty(handler);
        self.resources.is_empty()
            && !has_states
            && !is_due
            && !has_suspects
            && is_unchanged
            && self.disabled.is_empty(handler)
    }

    /// Returns the items of a handler that are due although they have no retry state that says so.
    fn due_without_state_of(&self, handler: HandlerId) -> impl Iterator<Item = ItemId> {
        let from = self.due_without_state.range((handler, ItemId::from_u128(0))..);
        from.take_while(move |((of, _), _)| *of == handler).map(|((_, item), _)| *item)
    }

    /// Sets the retry state of an item. Does nothing if the handler is unknown.
    fn set(&mut self, handler: HandlerId, item: ItemId, state: RetryState, now: SystemTime) {
        self.set_due(handler, item, &state, now);
        if let Some(Handler { items, .. }) = self.handlers.get_mut(&handler) {
            items.insert(item, state);
        }
    }

    /// Clears the retry state of an item. A change that waited for this is due.
    fn clear(&mut self, handler: HandlerId, item: ItemId) {
        self.changes.release(handler, self.reached, |released| released == item);
        self.retry_queue.forget_item(handler, item);
        if let Some(Handler { items, .. }) = self.handlers.get_mut(&handler) {
            items.remove(item);
        }
    }

    /// Sets the due time of an item, or clears it if the handler is not registered or the item is disabled.
    fn set_due(&mut self, handler: HandlerId, item: ItemId, state: &RetryState, now: SystemTime) {
        let may_start = self.needs(handler).is_some() && self.disabled.hold_of(handler, item).is_none();
        self.retry_queue.set(handler, item, Some(state).filter(|_| may_start), now);
    }

    /// Sets the due times of these items from their retry states. An item that is not listed is not due.
    fn make_due(&mut self, handler: HandlerId, now: SystemTime, wanted: impl Fn(ItemId) -> bool) {
        let Some(Handler { items, unlisted, .. }) = self.handlers.get(&handler) else { return };
        let is_due = |item: ItemId| wanted(item) && !unlisted.contains(&item);
        let states = items.iter().filter(|(item, _)| is_due(*item)).map(|(item, state)| (item, *state));
        let states: Vec<_> = states.collect();
        states.iter().for_each(|(item, state)| self.set_due(handler, *item, state, now));
    }

    /// Returns the needs of a registered handler.
    fn needs(&self, handler: HandlerId) -> Option<&Needs> {
        self.handlers.get(&handler)?.registered.as_ref()
    }
}

/// Adjusts a state whose start is in the future because the clock was set back: its wait starts now and is as long as before.
fn begun_by(state: RetryState, now: SystemTime) -> RetryState {
    let Ok(ahead) = state.since.duration_since(now) else { return state };
    let until = state.until.map(|until| until.checked_sub(ahead).unwrap_or(now).max(now));
    RetryState { since: now, until, ..state }
}

fn writes(changes: impl IntoIterator<Item = StateChange>) -> Vec<Effect> {
    changes.into_iter().map(Effect::Write).collect()
}
