//! The holds of a run and its items, decided by the ledger.

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::ledger::{Effect, EndedAttempt, HANDLER_ITSELF, StartReason, StoppedBy};
use syncmgr_core::decision::retry::{AttemptProgress, ClearedBy, RequestedBy};
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::id::{ErrorScope, ItemId};
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::LogEntry;
use syncmgr_core::record::ItemEnd;
use syncmgr_core::request::RunRequest;
use syncmgr_core::retry::RetryPolicy;
use syncmgr_core::store::StateChange;

use super::Run;
use crate::ending::RunEnding;
use crate::scheduler::RunLog;
use crate::session::scope::{Choosing, SessionTerms};

impl Run {
    /// Returns the reason the run may not begin now, if any. A run held by the environment waits for a change.
    pub(super) fn hold(&self) -> Option<Hold> {
        let SessionTerms { requested_by, reason, .. } = self.scope.terms;
        let environment = self.host().ports.environment.now();
        let (request, capabilities) = (self.request(), self.info.capabilities());
        let begin = self
            .host()
            .decide(|ledger, now| ledger.begin(request, (requested_by, reason), capabilities, environment, now));
        let (hold, effects) = begin;
        self.follow(effects);
        hold
    }

    /// Returns the request of the run, as data.
    fn request(&self) -> RunRequest {
        let request = RunRequest::new(self.id.handler).with_trigger(self.run_info.trigger);
        match &self.scope.terms.choosing {
            Choosing::Given(given) => request.with_items(given.get(&self.id.handler).into_iter().flatten().copied()),
            _ => request,
        }
    }

    /// Returns the reason an item may not run now, if any. An item that may run is no longer due.
    pub(super) fn hold_of(&self, item: &SyncItem) -> Option<Hold> {
        let (handler, requested_by) = (self.id.handler, self.requested_by(item.id()));
        let claims: Vec<&Claim> = self.claims_of(item).collect();
        let select = self.host().decide(|ledger, now| ledger.select(handler, item.id(), &claims, requested_by, now));
        let (hold, effects) = select;
        self.follow(effects);
        hold
    }

    /// Puts off the items that were due and did not run.
    pub(super) fn put_off_missed(&self) {
        let reason = self.scope.terms.reason;
        if reason == StartReason::Requested || self.held().is_some() || self.host().tracker.is_closed() {
            return;
        }
        // In neither case was the list of items read.
        let unlisted = matches!(self.ending(), Some(RunEnding::Declined | RunEnding::Stopped));
        let (policy, listing) = (self.retry_policy(), self.listing());
        let lists = |item| unlisted || listing.item(item).is_some();
        let handler = self.id.handler;
        let effects = self.host().decide(|ledger, now| ledger.put_off_missed(handler, reason, &policy, lists, now));
        self.follow(effects);
    }

    /// Makes wanted items due again if the run was stopped before their attempt.
    pub(super) fn put_back_unbegun(&self) {
        let (wanted, attempt) = {
            let state = self.lock();
            (state.wanted.clone(), state.latest())
        };
        if !attempt.selection().is_empty() {
            return;
        }
        let (handler, items, policy) = (self.id.handler, wanted.iter().map(SyncItem::id), self.retry_policy());
        let effects = self.host().decide(|ledger, now| ledger.requeue(handler, items, &policy, now));
        self.follow(effects);
    }

    /// Puts off an item that was due and is in quarantine.
    pub(super) fn try_later(&self, item: ItemId) {
        let (handler, reason, policy) = (self.id.handler, self.scope.terms.reason, self.retry_policy());
        let effects = self.host().decide(|ledger, now| ledger.put_off_quarantined(handler, item, reason, &policy, now));
        self.follow(effects);
    }

    /// Raises the origin of the request to `ByHand`, for requests about the results.
    pub(super) fn raise_to_by_hand(&self) {
        let mut state = self.lock();
        state.requested_by = state.requested_by.max(RequestedBy::User);
    }

    /// Returns the origin of the request for an item. An interrupted item had been allowed to run already.
    fn requested_by(&self, item: ItemId) -> RequestedBy {
        let state = self.lock();
        if state.unfinished.contains(&item) { state.requested_by.max(RequestedBy::User) } else { state.requested_by }
    }

    /// Returns the claims of an item, including those of its handler.
    pub(super) fn claims_of<'a>(&'a self, item: &'a SyncItem) -> impl Iterator<Item = &'a Claim> {
        self.info.claims().iter().chain(item.claims())
    }

    /// Returns the retry policy: the handler's own, or the manager's.
    pub(super) fn retry_policy(&self) -> RetryPolicy {
        self.info.retry().unwrap_or(self.host().retry)
    }

    /// Returns what the request clears, unless it is automatic.
    fn clearing(&self) -> Option<ClearedBy> {
        match self.lock().requested_by {
            RequestedBy::UserForced => Some(ClearedBy::UserForced),
            RequestedBy::User => Some(ClearedBy::User),
            _ => None,
        }
    }

    /// Describes the ended attempt at an item, for the ledger.
    pub(super) fn attempted<'a>(
        &self,
        item: ItemId,
        verdict: Verdict,
        advance: AttemptProgress,
        policy: &'a RetryPolicy,
    ) -> EndedAttempt<'a> {
        let chance = if verdict.outcome == Outcome::Succeeded { 0 } else { self.host().random_number() };
        let stopped_by = if self.host().tracker.is_closed() { StoppedBy::Shutdown } else { StoppedBy::Request };
        let (handler, now, by) = (self.id.handler, self.host().now().wall, self.clearing());
        EndedAttempt { handler, item, verdict, advance, policy, now, chance, by, stopped_by }
    }

    /// Records whether the handler could begin, like the end of an item.
    pub(super) fn record_beginning(&self, verdict: Verdict) {
        if verdict.outcome == Outcome::Succeeded && self.host().ledger().is_clean(self.id.handler) {
            return;
        }
        let policy = self.retry_policy();
        let attempted = self.attempted(HANDLER_ITSELF, verdict, AttemptProgress::None, &policy);
        let began = self.host().ledger().began(&attempted, &self.request());
        let Some((retry, effects)) = began else { return };
        self.follow(effects);
        let end = ItemEnd::new(verdict.outcome).with_retry(retry);
        let (fence, time) = (self.attempt().fence(), self.host().now().wall);
        self.store(StateChange::Ended { handler: self.id.handler, fence, time, items: vec![(HANDLER_ITSELF, end)] });
    }

    /// Performs decisions of the ledger, and stores their changes.
    pub(super) fn follow(&self, effects: Vec<Effect>) {
        let changes = self.host().perform(effects, self);
        if !self.lock().forgotten {
            self.host().store_all(changes);
        }
    }
}

impl RunLog for Run {
    fn ask(&self, question: LogEntry) {
        question.id.into_iter().for_each(|id| self.notes.delete(ErrorScope::One(id)));
        self.log(question);
    }

    fn settle(&self, item: ItemId) {
        self.notes.settle(item);
    }
}
