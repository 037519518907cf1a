//! Asks the ledger which runs and items may begin, and reports those that did not begin to the ledger.

use std::collections::BTreeSet;
use std::time::SystemTime;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::ledger::{Effect, EndedAttempt, HANDLER_ITSELF, HeldRun, RetryLedger, StartReason};
use syncmgr_core::decision::listing::Listing;
use syncmgr_core::decision::needs::Needs;
use syncmgr_core::decision::retry::{AttemptProgress, ClearedBy, RequestedBy};
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::id::{ErrorScope, ItemId, Subject};
use syncmgr_core::item::{Completeness, SyncItem};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::record::ItemEnd;
use syncmgr_core::request::RunRequest;
use syncmgr_core::requirements::Requirements;
use syncmgr_core::retry::RetryPolicy;
use syncmgr_core::store::StateChange;

use super::Run;
use super::attempts::OfRun;
use crate::ending::RunEnding;
use crate::scheduler::RunLog;
use crate::session::scope::{Choosing, SessionTerms};

impl Run {
    /// Returns the reason the run may not begin now, if any. If the environment holds the run, the ledger starts it
    /// later.
    pub(super) fn hold(&self) -> Option<Hold> {
        let SessionTerms { requested_by, reason, .. } = self.scope.terms;
        let environment = self.host().ports.environment.now();
        let (request, needs) = (self.request(), Needs::from(&self.info));
        let (hold, effects) =
            self.decide(|ledger, now| ledger.begin(request, (requested_by, reason), needs, &environment, now));
        self.apply(effects);
        hold
    }

    /// Returns the request that repeats this run.
    fn request(&self) -> RunRequest {
        let mut request = RunRequest::new(self.id.handler).with_trigger(self.run_info.trigger);
        match &self.scope.terms.choosing {
            Choosing::Requested(given) => {
                request.items = Some(given.get(&self.id.handler).cloned().unwrap_or_default());
            }
            Choosing::Scheduled(fired) => request.schedules = fired.get(&self.id.handler).cloned(),
            _ => {}
        }
        request
    }

    /// Returns the reason an item may not run now, if any. An item that may run leaves the retry queue.
    pub(super) fn hold_of(&self, item: &SyncItem) -> Option<Hold> {
        if let Some(hold) = self.hold_of_requirements(item) {
            return Some(hold);
        }
        let (handler, requested_by) = (self.id.handler, self.requested_by(item.id()));
        let claims: Vec<&Claim> = self.claims_of(item).collect();
        let (hold, effects) = self.decide(|ledger, now| ledger.select(handler, item.id(), &claims, requested_by, now));
        self.apply(effects);
        if let Some(hold @ Hold::Disabled { .. }) = &hold {
            self.wait_again(item, hold);
        }
        hold
    }

    /// Lets an item that was disabled between the end of its wait and its selection wait until it is enabled.
    fn wait_again(&self, item: &SyncItem, hold: &Hold) {
        let has_waited = self.scope.terms.reason == StartReason::HoldLifted;
        if has_waited && matches!(self.scope.terms.choosing, Choosing::Requested(_)) {
            let effects = self.decide(|ledger, _| ledger.set_aside(self.held_item(item).with_hold(hold.clone())));
            self.apply(effects);
        }
    }

    /// Returns the reason an item waits because its requirements are not met. The ledger starts it once they are.
    fn hold_of_requirements(&self, item: &SyncItem) -> Option<Hold> {
        if item.requirements().is_empty() {
            return None;
        }
        let environment = self.host().ports.environment.now();
        let (run, origin) = (self.held_item(item), (item.id(), self.requested_by(item.id())));
        let (hold, effects) = self.decide(|ledger, now| ledger.check_requirements(origin, run, &environment, now));
        self.apply(effects);
        if hold == Some(Hold::Contradictory) {
            let text =
                format!("left out: {} and the item require conditions that exclude each other", self.info.name());
            self.log(LogEntry::new(LogLevel::Warning, text).with_item(item.id()));
        }
        hold
    }

    /// Returns a run of the item that waits for the requirements of the item and its handler.
    pub(super) fn held_item(&self, item: &SyncItem) -> HeldRun {
        self.held_run_of([item.id()], self.info.requirements().and(item.requirements()))
    }

    /// Returns a run of these items that waits for these requirements.
    pub(super) fn held_run_of(&self, items: impl IntoIterator<Item = ItemId>, requirements: Requirements) -> HeldRun {
        self.held_run().with_items(items).with_requirements(requirements)
    }

    /// Returns a run that repeats this one.
    pub(super) fn held_run(&self) -> HeldRun {
        HeldRun::new(self.request(), (self.lock().requested_by, self.scope.terms.reason))
    }

    /// Returns the reason an item that was selected may not begin, if one of its claims is held back. The item is then due
    /// once the claim is no longer held back.
    pub(super) fn hold_of_claims(&self, item: &SyncItem) -> Option<Hold> {
        let (handler, claims) = (self.id.handler, self.claims_of(item).collect::<Vec<_>>());
        let (hold, effects) = self.decide(|ledger, now| ledger.hold_of_claims(handler, item.id(), &claims, now));
        self.apply(effects);
        hold
    }

    /// Reports the end of an item to the ledger, which may hold its claims back from now on.
    pub(super) fn claims_used(&self, item: &SyncItem, verdict: Verdict) {
        let policy = self.retry_policy();
        let attempted = self.attempted(item.id(), verdict, AttemptProgress::None, &policy);
        let effects = self.decide(|ledger, _| ledger.claims_used(&attempted, self.claims_of(item)));
        self.apply(effects);
    }

    /// Removes the items that a complete listing lacks from the retry queue.
    pub(super) fn settle_unlisted(&self, listing: &Listing) {
        let handler = self.id.handler;
        if listing.completeness() == Completeness::Complete && !self.host().ledger().is_clean(handler) {
            let listed: BTreeSet<_> = listing.items().iter().map(SyncItem::id).collect();
            let effects =
                self.decide(|ledger, now| ledger.listed(handler, self.generation, now, |item| listed.contains(&item)));
            self.apply(effects);
        }
    }

    /// Skips the items that have not begun and belong to `subject`, which is disabled now.
    pub(crate) fn skip_waiting(&self, subject: Subject, hold: &Hold) {
        let mut waiting = self.attempt().waiting();
        waiting.retain(|item| subject.item().is_none_or(|disabled| disabled == *item));
        if waiting.is_empty() {
            return;
        }
        let entry = LogEntry::new(LogLevel::Information, format!("left out: {hold}"));
        self.log(match subject {
            Subject::Handler => entry,
            Subject::Item(item) => entry.with_item(item),
        });
        waiting.into_iter().for_each(|item| self.skip(item));
    }

    /// Postpones the items that were due and did not run.
    pub(super) fn postpone_missed(&self) {
        let reason = self.scope.terms.reason;
        // Other holds start the items themselves once they end.
        let may_requeue =
            self.held().is_none_or(|hold| matches!(hold, Hold::BackingOff { .. } | Hold::NotBefore { .. }));
        if reason == StartReason::Requested || !may_requeue || self.host().tracker.is_closed() {
            return;
        }
        // A run with one of these endings may have ended before its items were listed.
        let unlisted = matches!(self.ending(), Some(RunEnding::Declined | RunEnding::Stopped | RunEnding::Held));
        let (policy, listing) = (self.retry_policy(), self.listing());
        let complete = listing.completeness() == Completeness::Complete;
        let lists = |item| unlisted || !complete || listing.item(item).is_some();
        let handler = self.id.handler;
        let effects = self.decide(|ledger, now| ledger.postpone_missed(handler, reason, &policy, lists, now));
        self.apply(effects);
    }

    /// Makes the items of the next attempt due again if the run was stopped before an attempt selected them.
    pub(super) fn requeue_unstarted(&self) {
        let (next_items, attempt) = {
            let state = self.lock();
            (state.next_items.clone(), self.attempts.latest())
        };
        if !attempt.selection().is_empty() {
            return;
        }
        let (handler, items, policy) = (self.id.handler, next_items.iter().map(SyncItem::id), self.retry_policy());
        let effects = self.decide(|ledger, now| ledger.requeue(handler, items, &policy, now));
        self.apply(effects);
    }

    /// Postpones an item that was due and is in quarantine.
    pub(super) fn postpone_quarantined(&self, item: ItemId) {
        let (handler, reason, policy) = (self.id.handler, self.scope.terms.reason, self.retry_policy());
        let effects = self.decide(|ledger, now| ledger.postpone_quarantined(handler, item, reason, &policy, now));
        self.apply(effects);
    }

    /// Counts the run as requested by the user, who has opened its results.
    pub(super) fn count_as_user_request(&self) {
        let mut state = self.lock();
        state.requested_by = state.requested_by.max(RequestedBy::User);
    }

    /// Returns the origin of the request for an item. An interrupted item counts as requested by the user, because it was already
    /// running, unless it was interrupted several times.
    fn requested_by(&self, item: ItemId) -> RequestedBy {
        let state = self.lock();
        let continues = state.unfinished.contains(&item) && self.host().ledger().continues(self.id.handler, item);
        if continues { state.requested_by.max(RequestedBy::User) } else { state.requested_by }
    }

    /// Returns the claims of an item, including those of its handler.
    pub(super) fn claims_of<'a>(&'a self, item: &'a SyncItem) -> impl Iterator<Item = &'a Claim> {
        self.info.claims().iter().chain(item.claims())
    }

    /// Returns the retry policy: the handler's own, or the manager's.
    pub(super) fn retry_policy(&self) -> RetryPolicy {
        self.info.retry().unwrap_or(self.host().retry)
    }

    /// Returns the kind of a manual request, which determines the retry states that the request clears. `None` if it is
    /// automatic.
    pub(super) fn cleared_by(&self) -> Option<ClearedBy> {
        self.lock().requested_by.clears()
    }

    /// Describes the ended attempt at an item, for the ledger.
    pub(super) fn attempted<'a>(
        &self,
        item: ItemId,
        verdict: Verdict,
        progress: AttemptProgress,
        policy: &'a RetryPolicy,
    ) -> EndedAttempt<'a> {
        let chance = if verdict.outcome == Outcome::Succeeded { 0 } else { self.jitter() };
        let (handler, now, cleared_by) = (self.id.handler, self.host().now().wall, self.cleared_by());
        EndedAttempt { handler, item, verdict, progress, policy, now, chance, cleared_by }
    }

    /// Returns the jitter of the current attempt.
    pub(super) fn jitter(&self) -> u64 {
        *self.recorded_so_far().jitter.get_or_insert_with(|| self.host().random_number())
    }

    /// Returns the due items of the handler that this run runs too, if this run is automatic.
    pub(super) fn take_along(&self) -> BTreeSet<ItemId> {
        if !self.lock().automatic {
            return BTreeSet::new();
        }
        self.decide(|ledger, now| ledger.take_along(self.id.handler, self.generation, now))
    }

    /// Ends the automatic run of the handler: another automatic run may start.
    pub(super) fn end_automatic(&self) {
        if std::mem::take(&mut self.lock().automatic) {
            let effects = self.decide(|ledger, _| ledger.automatic_run_ended(self.id.handler));
            self.host().apply(effects);
        }
    }

    /// Records if the handler could begin, as the outcome of the item [`HANDLER_ITSELF`].
    pub(super) fn record_begin(&self, verdict: Verdict) {
        if verdict.outcome == Outcome::Succeeded && self.host().ledger().is_clean(self.id.handler) {
            return;
        }
        let policy = self.retry_policy();
        let attempted = self.attempted(HANDLER_ITSELF, verdict, AttemptProgress::None, &policy);
        let Some((retry, effects)) = self.decide(|ledger, _| ledger.began(&attempted, &self.request())) else { return };
        let mut changes = self.host().perform(effects, self);
        let items = vec![(HANDLER_ITSELF, ItemEnd::new(verdict.outcome).with_retry(retry))];
        let (fence, time) = (self.attempt().fence(), self.host().now().wall);
        changes.push(StateChange::Ended { handler: self.id.handler, fence, time, items });
        changes.extend(self.still_counted(verdict));
        changes.extend(self.events.all_unsaved().map(|unsaved| self.log_change(unsaved)));
        self.store_all(changes);
    }

    /// Applies effects of the ledger, and stores their changes.
    pub(super) fn apply(&self, effects: Vec<Effect>) {
        self.store_all(self.host().perform(effects, self));
    }

    /// Stores changes atomically, unless the handler was forgotten meanwhile.
    pub(super) fn store_all(&self, changes: Vec<StateChange>) {
        let written = {
            let _reporting = self.reporting.lock();
            (!changes.is_empty() && !self.is_forgotten()).then(|| self.host().queue_write(changes))
        };
        self.host().finish_write(written);
    }

    /// Passes an event to the ledger, with the current time. Nothing happens if the handler was forgotten: the ledger may
    /// already know a new registration with the same id.
    pub(super) fn decide<T: Default>(&self, event: impl FnOnce(&mut RetryLedger, SystemTime) -> T) -> T {
        let now = self.host().now().wall;
        let _reporting = self.reporting.lock();
        if self.is_forgotten() { T::default() } else { event(&mut self.host().ledger(), now) }
    }

    /// Adds a question in place of the entry with its id, without notifying the observers of the attempt.
    pub(super) fn replace_question(&self, question: LogEntry) -> Option<OfRun<'_>> {
        question.id.into_iter().for_each(|id| self.events.delete(ErrorScope::One(id)));
        self.log_quietly(question)
    }
}

impl RunLog for Run {
    fn add_question(&self, question: LogEntry) {
        if let Some(attempt) = self.replace_question(question) {
            attempt.notify();
        }
    }

    fn remove_questions(&self, item: ItemId) {
        self.events.remove_questions(item);
    }
}
