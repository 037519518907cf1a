//! The end of a condition during an automatic run: the run or some of its items stop, and go on later.

use std::collections::BTreeMap;
use std::time::Duration;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::decision::attempt::{Pause, Phase};
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::ledger::HeldRun;
use syncmgr_core::decision::needs::Needs;
use syncmgr_core::decision::protocol::Event;
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::environment::{EndingKind, Environment};
use syncmgr_core::id::ItemId;
use syncmgr_core::info::ConditionPolicy;
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::requirements::Requirements;
use syncmgr_core::trigger::Trigger;

use super::Run;
use crate::attempt::Attempt;
use crate::outbox::split;
use crate::session::scope::Choosing;

impl Run {
    /// Notes that the run has begun. From now on, a change of the environment may stop it.
    pub(super) fn watch_conditions(&self) {
        let may_stop = self.info.condition_policy() == ConditionPolicy::Stop || self.run_info.trigger == Trigger::Idle;
        let is_automatic = {
            let mut state = self.lock();
            state.has_begun = true;
            state.requested_by == RequestedBy::Automatic
        };
        if may_stop && is_automatic {
            // Changes are followed by the scheduler.
            self.host().wake_scheduler();
        }
    }

    /// Checks the conditions of items that were just selected: they may have ended while the selection waited for the store.
    pub(super) fn check_selected(&self) {
        if self.info.condition_policy() == ConditionPolicy::Stop {
            self.check_conditions(&self.host().ports.environment.now());
        }
    }

    /// Stops the run, or some of its items, if it is automatic and a condition has ended.
    pub(crate) fn check_conditions(&self, environment: &Environment) {
        if !self.is_automatic_and_active() {
            return;
        }
        let (needs, terms) = (Needs::from(&self.info), (self.run_info.trigger, self.info.condition_policy()));
        match self.decide(|ledger, now| ledger.stops(needs, terms, environment, now)) {
            Some(hold) => self.stop_for(&hold),
            None if self.info.condition_policy() == ConditionPolicy::Stop => self.stop_items(environment),
            None => {}
        }
    }

    /// Stops the run for a reason that ends later. What is left goes on then.
    pub(crate) fn stop_for(&self, hold: &Hold) {
        if self.stop_and(CancelReason::ConditionEnded, |state| state.hold = Some(hold.clone())) {
            self.log(LogEntry::new(LogLevel::Information, format!("stopped: {hold}")));
        }
    }

    /// Returns `true` if this end stops the run at its deadline: not if only the network goes down and the run does not need it,
    /// or was requested.
    pub(crate) fn is_stopped_by(&self, kind: EndingKind) -> bool {
        let is_automatic = self.lock().requested_by == RequestedBy::Automatic;
        self.is_work_before(kind) && (kind != EndingKind::Disconnect || is_automatic)
    }

    /// Returns the time until the run is stopped because something is about to end.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let now = self.host().now().wall;
        let announced = self.host().ledger().time_left(now);
        let (_, left) = announced.filter(|(kind, _)| self.is_stopped_by(*kind))?;
        Some(left)
    }

    /// Returns `true` if the run has work to do before this end. A paused run and one that waits for the user's choice have none.
    pub(crate) fn is_work_before(&self, kind: EndingKind) -> bool {
        let attempt = self.attempt();
        let is_over = {
            let state = self.lock();
            state.ending.is_some() || state.ended
        };
        let needs_network = self.info.capabilities().contains(Capabilities::NEEDS_NETWORK)
            || self.run_info.trigger == Trigger::PendingDisconnect;
        let is_choosing = matches!(self.scope.terms.choosing, Choosing::ByChooser) && attempt.selection().is_empty();
        let is_waiting = is_choosing || attempt.pause() == Pause::Paused && !attempt.is_running();
        !is_over && !is_waiting && (kind != EndingKind::Disconnect || needs_network)
    }

    /// Stops the items whose requirements are no longer met.
    fn stop_items(&self, environment: &Environment) {
        let attempt = self.attempt();
        let mut known = BTreeMap::new();
        let mut unmet = |item: &SyncItem| {
            let requirements = item.requirements();
            if requirements.is_empty() {
                return None;
            }
            let hold = known.entry(requirements.clone()).or_insert_with(|| {
                let all = self.info.requirements().and(requirements);
                self.decide(|ledger, now| ledger.unmet(&all, environment, now))
            });
            hold.clone()
        };
        let ended: Vec<_> = attempt.selection().iter().filter_map(|item| Some((item.id(), unmet(item)?))).collect();
        let any = !ended.is_empty();
        ended.into_iter().for_each(|(item, hold)| self.stop_item(&attempt, item, hold));
        if any && attempt.is_done() {
            self.on(Event::NoItemsLeft);
        }
    }

    fn stop_item(&self, attempt: &Attempt, item: ItemId, hold: Hold) {
        if matches!(attempt.phase_of(item), None | Some(Phase::Ended(_))) {
            return;
        }
        let is_new = self.lock().items_set_aside.insert(item, hold.clone()).is_none();
        if is_new {
            self.log(LogEntry::new(LogLevel::Information, format!("stopped: {hold}")).with_item(item));
        }
        attempt.end_condition(item, hold);
    }

    /// Returns `true` if the end of a condition stopped this item, and it goes on once the condition is met. Its retry state does
    /// not change.
    pub(super) fn is_set_aside(&self, item: ItemId, outcome: Outcome) -> bool {
        let state = self.lock();
        let stopped = state.stop == Some(CancelReason::ConditionEnded) || state.items_set_aside.contains_key(&item);
        outcome == Outcome::Stopped && stopped && self.run_info.trigger != Trigger::PendingDisconnect
    }

    /// Lets what the end of a condition has stopped go on once the conditions are met.
    pub(super) fn set_aside(&self) {
        let (hold, items) = {
            let mut state = self.lock();
            let hold = state.hold.clone().filter(|_| state.stop == Some(CancelReason::ConditionEnded));
            (hold, std::mem::take(&mut state.items_set_aside))
        };
        let attempt = self.attempt();
        let runs: Vec<_> = match hold {
            Some(hold) => self.rest(&attempt).map(|run| run.with_hold(hold)).into_iter().collect(),
            None => {
                let left = items.into_iter().filter(|(item, _)| was_left(attempt.phase_of(*item)));
                left.filter_map(|(item, hold)| Some(self.held_item(attempt.item(item)?).with_hold(hold))).collect()
            }
        };
        for run in runs {
            let effects = self.decide(|ledger, _| ledger.set_aside(run));
            self.host().apply(effects);
        }
    }

    /// Stores what waits of the handler, before the end of the session is stored.
    pub(super) fn store_waiting(&self) {
        let host = self.host();
        let written = {
            let mut ledger = host.ledger();
            let (changes, _) = split(ledger.store_waiting(self.id.handler, self.generation));
            // Queued under the lock of the decision: a later decision is stored later.
            (!changes.is_empty()).then(|| host.queue_write(changes))
        };
        host.finish_write(written);
    }

    /// Returns the rest of the run: the items that were stopped, or all of it if it had not selected any. `None` if nothing is left.
    fn rest(&self, attempt: &Attempt) -> Option<HeldRun> {
        let next_items = self.lock().next_items.clone();
        let left: Vec<_> = match attempt.selection() {
            selection if selection.is_empty() => next_items.iter().map(SyncItem::id).collect(),
            selection => {
                let stopped = selection.iter().map(SyncItem::id);
                let stopped: Vec<_> = stopped.filter(|item| was_left(attempt.phase_of(*item))).collect();
                if stopped.is_empty() {
                    return None;
                }
                stopped
            }
        };
        Some(if left.is_empty() { self.held_run() } else { self.held_run_of(left, Requirements::NONE) })
    }

    /// Returns `true` if the announced end of the machine stopped the run: it goes on even if the process ends before.
    pub(super) fn was_stopped_by_shutdown(&self) -> bool {
        let state = self.lock();
        state.stop == Some(CancelReason::ConditionEnded)
            && state.hold == Some(Hold::Ending { kind: EndingKind::Shutdown })
    }

    fn is_automatic_and_active(&self) -> bool {
        let state = self.lock();
        state.has_begun && state.requested_by == RequestedBy::Automatic && !state.idle && !state.ended
    }
}

/// Returns `true` if an item did not run to its end: it was stopped, or the end of a condition came before it began.
fn was_left(phase: Option<Phase>) -> bool {
    matches!(phase, Some(Phase::Ended(Outcome::Stopped)))
}
