//! What is about to end, and the work before it.

use std::collections::BTreeSet;
use std::time::Duration;

use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::environment::{Ending, EndingKind};
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::trigger::Trigger;

use super::{Finding, Model, TICK};

/// The manager's default margin before a deadline.
const MARGIN: Duration = Duration::from_millis(500);

/// The time after which an announcement is out of date.
const OUT_OF_DATE: Duration = Duration::from_secs(60);

/// What is about to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced {
    ending: Ending,
    /// The deadline, in simulated time.
    deadline: Duration,
    is_released: bool,
}

impl Model {
    /// Records an announcement. The automatic runs that it concerns stop, and the `free` handlers that are registered for it run
    /// before it.
    pub(crate) fn announce(&mut self, ending: Ending, now: Duration, deadline: Duration, free: BTreeSet<HandlerId>) {
        self.machine_shuts_down |= ending.kind == EndingKind::Shutdown;
        if self.clock_set_back {
            // The manager counts from the latest time that it has reached, so it is not known whether it stops anything.
            self.defer_all();
            return;
        }
        self.announced = Some(Announced { ending, deadline, is_released: false });
        let has_time = now + MARGIN + TICK < deadline && !self.is_paused;
        self.to_end = if has_time { &free & &self.settings.before_end } else { BTreeSet::new() };
        self.cancel_runs(now, |model, handler, trigger| {
            trigger != Trigger::PendingDisconnect && model.concerns(ending.kind, handler)
        });
    }

    /// Returns `true` if what was stopped may be stored as interrupted.
    pub(crate) fn may_interrupt(&self) -> bool {
        self.shutting_down || self.machine_shuts_down
    }

    /// Records the end of an announcement, or that its deadline is no longer known.
    pub(crate) fn withdraw(&mut self) {
        self.announced = None;
        self.to_end.clear();
    }

    /// Cancels the items of the matching automatic runs.
    pub(crate) fn cancel_runs(&mut self, now: Duration, wanted: impl Fn(&Self, HandlerId, Trigger) -> bool) {
        let is_wanted = |(session, handler): (SessionId, HandlerId), trigger| {
            self.requested_by(session, handler) == RequestedBy::Automatic && wanted(self, handler, trigger)
        };
        let runs = self.run_starts.iter().filter(|(run, (_, trigger))| is_wanted(**run, *trigger));
        let runs: BTreeSet<_> = runs.map(|(run, _)| *run).collect();
        self.begin_cancel(now, |key, session| runs.contains(&(session, key.0)));
    }

    /// Returns `true` if this end concerns the handler's runs.
    fn concerns(&self, kind: EndingKind, handler: HandlerId) -> bool {
        let needs_network =
            |info: &syncmgr_core::info::HandlerInfo| info.capabilities().contains(Capabilities::NEEDS_NETWORK);
        kind != EndingKind::Disconnect || self.settings.handlers.get(&handler).is_some_and(needs_network)
    }

    /// Checks that an automatic run does not start while its end is announced.
    pub(crate) fn check_ending(&self, handler: HandlerId, trigger: Trigger, now: Duration) -> Option<Finding> {
        let announced = self.announced.filter(|announced| now + TICK < announced.deadline + OUT_OF_DATE)?;
        let kind = announced.ending.kind;
        let is_held = trigger != Trigger::PendingDisconnect && self.concerns(kind, handler);
        let details = || format!("{handler:?} starts before {kind:?}");
        is_held.then(|| ("only runs for an announced end start before it", details()))
    }

    /// Returns `true` if the system waits for the manager.
    pub(crate) fn is_awaited(&self) -> bool {
        self.announced.is_some_and(|announced| !announced.is_released)
    }

    pub(crate) fn is_past_deadline(&self, now: Duration) -> bool {
        self.announced.is_some_and(|announced| announced.deadline + TICK < now)
    }

    /// Records that the manager lets the system go on. Returns the invariants that this violates.
    pub(crate) fn release(&mut self, ending: Ending, now: Duration) -> Vec<Finding> {
        let Some(announced) = self.announced.as_mut().filter(|announced| announced.ending == ending) else {
            return Vec::new();
        };
        if std::mem::replace(&mut announced.is_released, true) {
            return vec![("the system is released once", format!("{:?} is released twice", ending.kind))];
        }
        if announced.deadline <= now + MARGIN + TICK {
            self.defer_all();
            return Vec::new();
        }
        self.check_early_release(ending.kind, now)
    }

    /// Records that any run may have been stopped before a deadline. It may go on afterwards, with the rights of its request.
    fn defer_all(&mut self) {
        self.deferred.extend(self.settings.handlers.keys().copied());
    }

    fn check_early_release(&mut self, kind: EndingKind, now: Duration) -> Vec<Finding> {
        let is_abandoned = |item: &super::Item| item.cancel_deadlines.is_some_and(|(_, hard)| hard <= now + TICK);
        let running = self.running().filter(|(key, item)| self.concerns(kind, key.0) && !is_abandoned(item));
        let running: Vec<_> = running.map(|(key, _)| *key).collect();
        let missing = std::mem::take(&mut self.to_end);
        let missing: Vec<_> = missing.into_iter().filter(|handler| !self.failed_listings.contains(handler)).collect();
        let busy = (!running.is_empty())
            .then(|| ("the system waits for the work in progress", format!("{kind:?} goes on while {running:?} run")));
        let left = (!missing.is_empty()).then(|| {
            (
                "a handler registered for an announced end runs before it",
                format!("{missing:?} did not run before {kind:?}"),
            )
        });
        busy.into_iter().chain(left).collect()
    }
}
