//! The reference model: a simple, independent account of the state that the manager must be in.

mod attempt;
mod books;
mod conditions;
mod endings;
mod item;
mod kill;
mod unlisted;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::claim::Claim;
use syncmgr_core::context::ItemContext;
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::environment::{EndingKind, Environment, Network};
use syncmgr_core::id::{HandlerId, ItemId, SessionId, Subject};
use syncmgr_core::requirements::Requirement;
use syncmgr_core::retry::RetryPolicy;
use syncmgr_core::trigger::{RunFlags, Trigger};

pub(crate) use self::attempt::{Attempt, AttemptEnd, Finding};
pub(crate) use self::books::{Book, Moment, ScheduleKey, millis};
pub(crate) use self::item::{Item, Wait};
pub(crate) use self::unlisted::Listed;
use crate::peer::Key;
use crate::rule::Plan;

/// The expected state, derived from the requests to the manager and the calls to its handlers.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) items: BTreeMap<Key, Item>,
    pub(crate) sessions: BTreeMap<SessionId, ModelSession>,
    pub(crate) attempts: Vec<Attempt>,
    /// Items whose spawned work outlives their future.
    pub(crate) lingering: Vec<(Key, ItemContext)>,
    /// The handlers in `prepare` or `synchronize`, each with its session.
    pub(crate) active_calls: BTreeMap<HandlerId, SessionId>,
    pub(crate) preparing: BTreeSet<HandlerId>,
    /// The interrupted items that must be resumed.
    pub(crate) to_resume: BTreeSet<Key>,
    /// The items that may have ended an earlier process. The manager counts each of them in its store before it calls the handler.
    pub(crate) suspects: BTreeSet<Key>,
    /// The handlers of interrupted sessions whose items the script does not know; all of their items are suspects.
    pub(crate) suspect_handlers: BTreeSet<HandlerId>,
    /// The items that the previous process has left unfinished.
    pub(crate) unfinished: BTreeSet<Key>,
    /// The item that has ended the previous process, unless its attempt may not be counted.
    pub(crate) killed_by: Option<Key>,
    /// The handlers that must run because the network came up.
    pub(crate) to_connect: BTreeSet<HandlerId>,
    /// The handlers that must run before what is about to end.
    pub(crate) to_end: BTreeSet<HandlerId>,
    /// What is about to end, if its deadline is known.
    pub(crate) announced: Option<endings::Announced>,
    pub(crate) is_paused: bool,
    /// The handlers whose listing has failed in this process. They may back off.
    pub(crate) failed_listings: BTreeSet<HandlerId>,
    /// `true` once the network came up, or a run for that was requested. If such a run has to wait, it starts without a delay.
    pub(crate) has_connected: bool,
    /// The time since which the network is up, if that delays the runs for this event.
    pub(crate) up_since: Option<Duration>,
    /// The items that the last listing of their handler lacked.
    unlisted: BTreeSet<Key>,
    /// The runs that were requested for unlisted items only.
    pub(crate) unlisted_runs: BTreeSet<(SessionId, HandlerId)>,
    /// Handlers that the user may have requested while they were held. Sessions the manager starts for them later count as
    /// forced.
    pub(crate) deferred: BTreeSet<HandlerId>,
    /// The handlers that were registered again, each with the last session requested before. Requests merge within one
    /// registration.
    pub(crate) registered_after: BTreeSet<(HandlerId, SessionId)>,
    /// The handlers and items that the process has disabled, each with the time.
    pub(crate) disabled: BTreeMap<(HandlerId, Subject), Duration>,
    /// The last firings of all schedules.
    pub(crate) books: BTreeMap<ScheduleKey, Book>,
    /// The sessions that began for a schedule, without a firing that was stored with their start.
    pub(crate) unfired: BTreeSet<SessionId>,
    /// The handlers that are not registered, each with the time of the wall clock in milliseconds.
    pub(crate) unregistered: BTreeMap<HandlerId, i64>,
    /// The handlers that may start by themselves before the next step. `None` during other steps.
    pub(crate) agenda: Option<BTreeSet<HandlerId>>,
    /// The runs that started although the agenda did not name their handler.
    pub(crate) unannounced: BTreeMap<SessionId, HandlerId>,
    /// The times at which runs started, and their triggers.
    pub(crate) run_starts: BTreeMap<(SessionId, HandlerId), (Duration, Trigger)>,
    /// The time of the last change of the environment.
    pub(crate) environment_changed: Duration,
    /// The items that must run because they have changed on this machine, each with the time.
    pub(crate) changed: BTreeMap<Key, Duration>,
    /// The items that must run once their conditions are met.
    pub(crate) waits_for_conditions: BTreeSet<Key>,
    /// `true` if the wall clock was set back, which may shorten waits.
    pub(crate) clock_set_back: bool,
    /// The time by which the manager has read the corrected wall clock.
    pub(crate) clock_stale_until: Duration,
    /// `true` if a write failed in this process, so the stored records are uncertain.
    pub(crate) store_failed: bool,
    /// `true` while the disk acknowledges writes without storing them.
    pub(crate) writes_lost: bool,
    pub(crate) open_prompts: usize,
    pub(crate) open_connections: usize,
    /// `true` once the process shuts down. Items that it stops are resumed by the next process and have no stored outcome.
    pub(crate) shutting_down: bool,
    /// `true` once the machine was about to shut down. What that stops is resumed by the next process too.
    pub(crate) machine_shuts_down: bool,
    /// The sessions of this process and the one before that were reported as a success.
    pub(crate) completed: BTreeSet<SessionId>,
    /// The id of this process's manager.
    pub(crate) manager: Option<uuid::Uuid>,
    /// The sessions whose report has been checked.
    pub(crate) checked_reports: BTreeSet<SessionId>,
    pub(crate) step: Option<usize>,
    pub(crate) settings: Settings,
}

/// The limits and policies of the manager.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) max_concurrent_items: usize,
    pub(crate) capacities: BTreeMap<Claim, usize>,
    pub(crate) retry: RetryPolicy,
    pub(crate) handlers: BTreeMap<HandlerId, syncmgr_core::info::HandlerInfo>,
    /// The handlers that are registered for the event that the network comes up.
    pub(crate) connect: BTreeSet<HandlerId>,
    /// The handlers that are registered for an announced end.
    pub(crate) before_end: BTreeSet<HandlerId>,
    /// The time for which the user has to be idle.
    pub(crate) idle_after: Duration,
    /// The time for which the network has to be up.
    pub(crate) connect_delay: Duration,
    pub(crate) plans: BTreeMap<ScheduleKey, Plan>,
    /// The requirements of handlers and of items.
    pub(crate) requirements: BTreeMap<(HandlerId, Option<ItemId>), Vec<Requirement>>,
}

/// A session that was requested from the manager.
#[derive(Clone, Debug)]
pub(crate) struct ModelSession {
    pub(crate) requested_by: RequestedBy,
    pub(crate) terms: MergeTerms,
    /// The number of attempts before the request.
    pub(crate) attempts_before: usize,
}

/// The terms of a session. Requests with equal terms merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MergeTerms {
    pub(crate) trigger: u32,
    pub(crate) flags: RunFlags,
    pub(crate) uses_preferences: bool,
}

/// The tolerance for late timers and for times stored in whole milliseconds.
const TICK: Duration = Duration::from_millis(2);

impl Model {
    /// Returns `true` if the item may have ended an earlier process.
    pub(crate) fn is_suspect(&self, key: Key) -> bool {
        self.suspects.contains(&key) || self.suspect_handlers.contains(&key.0)
    }

    /// Starts a process and drops the running work of the previous one.
    pub(crate) fn begin_process(&mut self, environment: &Environment) {
        let Self { items, clock_stale_until, manager, completed, killed_by, has_connected, step, settings, .. } =
            std::mem::take(self);
        *self = Self {
            items,
            clock_stale_until,
            manager,
            completed,
            killed_by,
            has_connected,
            step,
            settings,
            ..Self::default()
        };
        self.items.values_mut().for_each(Item::begin_process);
        self.machine_shuts_down = environment.ending.is_some_and(|ending| ending.kind == EndingKind::Shutdown);
    }

    pub(crate) fn item(&mut self, key: Key) -> &mut Item {
        self.items.entry(key).or_default()
    }

    /// Returns the origin of a handler's run in a session. A deferred handler counts as forced.
    pub(crate) fn requested_by(&self, session: SessionId, handler: HandlerId) -> RequestedBy {
        let deferred = self.deferred.contains(&handler).then_some(RequestedBy::UserForced);
        self.sessions.get(&session).map(|session| session.requested_by).or(deferred).unwrap_or(RequestedBy::Automatic)
    }

    /// Returns `true` if the item or its spawned work runs.
    pub(crate) fn is_running(&self, key: Key) -> bool {
        let runs = self.items.get(&key).is_some_and(|item| item.running.is_some());
        runs || self.lingering.iter().any(|(of, item)| *of == key && item.cell().is_working())
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = (&Key, &Item)> {
        self.items.iter().filter(|(_, item)| item.running.is_some())
    }

    pub(crate) fn count_running_of(&self, handler: HandlerId) -> usize {
        self.running().filter(|((of, _), _)| *of == handler).count()
    }

    /// Cancels the matching running items; their graces start now.
    pub(crate) fn begin_cancel(&mut self, now: Duration, wanted: impl Fn(&Key, SessionId) -> bool) {
        let handlers = &self.settings.handlers;
        for (key, item) in &mut self.items {
            if !item.running.is_some_and(|session| wanted(key, session)) {
                continue;
            }
            let Some(info) = handlers.get(&key.0) else { continue };
            item.cancel_deadlines.get_or_insert((now + info.limits().soft_grace(), now + info.limits().hard_grace()));
        }
    }

    /// Returns `true` if an item that ends now exceeds its soft grace.
    pub(crate) fn is_late(&self, key: Key, now: Duration) -> bool {
        let item = self.items.get(&key).filter(|item| !item.was_uninterrupted);
        item.and_then(|item| item.cancel_deadlines).is_some_and(|(soft, _)| now > soft + TICK)
    }

    /// Returns the running items that exceed their grace.
    pub(crate) fn overdue_items(&self, now: Duration) -> Vec<Key> {
        let overdue = |item: &Item| {
            item.cancel_deadlines
                .is_some_and(|(soft, hard)| now > TICK + if item.uninterrupted > 0 { hard } else { soft })
        };
        self.running().filter(|(_, item)| overdue(item)).map(|(key, _)| *key).collect()
    }

    /// Clears all backoffs, as the manager does when the network returns. Those of the `registered` handlers that run at this
    /// event must run.
    pub(crate) fn reconnect(&mut self, registered: impl IntoIterator<Item = HandlerId>) {
        let runs = registered.into_iter().filter(|handler| self.settings.connect.contains(handler));
        self.to_connect.extend(runs.collect::<Vec<_>>());
        for item in self.items.values_mut().filter(|item| matches!(item.wait, Wait::Backoff(_))) {
            (item.wait, item.failures) = (Wait::Ready, 0);
        }
    }

    /// Marks the waits of the matching items as unknown.
    pub(crate) fn mark_unknown(&mut self, affected: impl Fn(&Key) -> bool) {
        self.items.iter_mut().filter(|(key, _)| affected(key)).for_each(|(_, item)| item.mark_unknown());
    }

    /// Returns `true` if the network holds automatic runs of a handler.
    pub(crate) fn network_holds(&self, handler: HandlerId, environment: &Environment) -> bool {
        let capabilities = self.settings.handlers.get(&handler).map(|info| info.capabilities()).unwrap_or_default();
        let holds = match environment.network {
            Network::Offline => true,
            Network::Metered => !capabilities.contains(Capabilities::LOW_DATA),
            _ => false,
        };
        holds && capabilities.contains(Capabilities::NEEDS_NETWORK)
    }

    /// Returns the retry policy of a handler.
    pub(crate) fn policy(&self, handler: HandlerId) -> RetryPolicy {
        self.settings.handlers.get(&handler).and_then(|info| info.retry()).unwrap_or(self.settings.retry)
    }

    pub(crate) fn claims(&self, handler: HandlerId, item: &syncmgr_core::item::SyncItem) -> BTreeSet<Claim> {
        let of_handler = self.settings.handlers.get(&handler).map(|info| info.claims()).unwrap_or_default();
        of_handler.iter().chain(item.claims()).cloned().collect()
    }

    /// Returns `true` if a claim may hold the item back.
    pub(crate) fn claims_any(&self, key: Key) -> bool {
        let of_handler = self.settings.handlers.get(&key.0).is_some_and(|info| !info.claims().is_empty());
        of_handler || self.items.get(&key).is_none_or(|item| item.has_claims)
    }

    /// Returns the number of running items that hold the claim.
    pub(crate) fn count_claimed(&self, claim: &Claim) -> usize {
        self.running().filter(|(_, item)| item.claims.contains(claim)).count()
    }
}
