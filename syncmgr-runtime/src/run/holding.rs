//! What keeps a run, or items of it, from running now.

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::conditions::holds;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::retry::{Advance, Ask, Clearing};
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::id::ItemId;
use syncmgr_core::item::SyncItem;
use syncmgr_core::record::ItemEnd;
use syncmgr_core::request::RunRequest;
use syncmgr_core::retry::RetryPolicy;
use syncmgr_core::store::StateChange;

use super::{Run, RunEnding};
use crate::attend::HANDLER_ITSELF;
use crate::pending::{Reason, Waiting};
use crate::session::Choosing;
use crate::setbacks::Attempted;

impl Run {
    /// Why the run may not begin now. If the world may change that, it waits for it.
    pub(super) fn hold(&self) -> Option<Hold> {
        let session = self.session();
        let host = session.host();
        let (handler, ask) = (self.id.handler, session.ask());
        let facts = host.ports.facts.now();
        if let Some(hold) = holds(facts, self.info.capabilities(), self.facts.trigger, ask) {
            host.pending.wait(Waiting { request: self.request(), hold: hold.clone(), ask, reason: session.reason() });
            // It may have been lifted since the facts were read.
            host.setbacks.changed().notify_one();
            host.attend();
            return Some(hold);
        }
        host.pending.begins(&self.request());
        if host.setbacks.is_clean(handler) {
            return None;
        }
        host.setbacks.hold(handler, HANDLER_ITSELF, &[], ask, host.time())
    }

    /// What the run is asked to do, as data.
    fn request(&self) -> RunRequest {
        let request = RunRequest::new(self.id.handler).with_trigger(self.facts.trigger);
        match self.session().choosing() {
            Choosing::Given(given) => {
                let items = given.get(&self.id.handler).into_iter().flatten().copied();
                request.with_items(items)
            }
            _ => request,
        }
    }

    /// Why an item may not run now. One that may is not due meanwhile.
    pub(super) fn hold_of(&self, item: &SyncItem) -> Option<Hold> {
        let session = self.session();
        let host = session.host();
        let (handler, id) = (self.id.handler, item.id());
        if host.setbacks.is_clean(handler) {
            return None;
        }
        let (ask, now) = (self.ask_of(id), host.time());
        if let Some(hold) = host.setbacks.hold(handler, id, &[], ask, now) {
            return Some(hold);
        }
        let claims: Vec<&Claim> = self.claims_of(item).collect();
        let hold = host.setbacks.hold(handler, HANDLER_ITSELF, &claims, ask, now);
        match &hold {
            Some(Hold::BackingOff { until, .. } | Hold::NotBefore { until }) => {
                host.setbacks.postpone(handler, id, now, *until);
                host.attend();
            }
            _ => host.setbacks.take_up(handler, id),
        }
        hold
    }

    /// What was due and did not run, because the handler declined for example, is due again later, and runs in any session
    /// before. What is not listed any more is not.
    pub(super) fn put_off_missed(&self) {
        let session = self.session();
        let host = session.host();
        // What waited for the world may have been due among other things, and those alone were preferred.
        let was_due = matches!(session.reason(), Reason::Retry | Reason::Lifted);
        if !was_due || self.held().is_some() || host.tracker.is_closed() {
            return;
        }
        let (handler, now) = (self.id.handler, host.time());
        let later = now.checked_add(self.retry_policy().cap).unwrap_or(now);
        // Neither has looked what there is.
        let unlisted = matches!(self.ending(), Some(RunEnding::Declined | RunEnding::Stopped));
        for item in host.setbacks.missed(handler, now) {
            if unlisted || self.has_item(item) {
                host.setbacks.postpone(handler, item, now, later);
                host.attend();
            }
        }
    }

    /// What was to run and is in no attempt, because the run was stopped before, is due again.
    pub(super) fn put_back_unbegun(&self) {
        let session = self.session();
        let host = session.host();
        let (wanted, attempt) = {
            let state = self.lock();
            (state.wanted.clone(), state.latest())
        };
        if wanted.is_empty() || !attempt.selection().is_empty() || host.setbacks.is_clean(self.id.handler) {
            return;
        }
        let (now, wait) = (host.time(), self.retry_policy().cap);
        wanted.iter().for_each(|item| host.setbacks.put_back(self.id.handler, item.id(), now, wait));
        host.attend();
    }

    /// An item that was due and is in quarantine stays due.
    pub(super) fn try_later(&self, item: ItemId) {
        let session = self.session();
        let host = session.host();
        if session.reason() == Reason::Retry {
            let (now, wait) = (host.time(), self.retry_policy().initial);
            host.setbacks.postpone(self.id.handler, item, now, now.checked_add(wait).unwrap_or(now));
            host.attend();
        }
    }

    /// Somebody looks at the results and wants something: from now on the run is asked for by hand.
    pub(super) fn is_asked_by_hand(&self) {
        let mut state = self.lock();
        state.ask = state.ask.max(Ask::ByHand);
    }

    /// How firmly an item is asked for. What was interrupted had been allowed to run.
    fn ask_of(&self, item: ItemId) -> Ask {
        let state = self.lock();
        if state.unfinished.contains(&item) { state.ask.max(Ask::ByHand) } else { state.ask }
    }

    /// What an item claims, and its handler for it.
    pub(super) fn claims_of<'a>(&'a self, item: &'a SyncItem) -> impl Iterator<Item = &'a Claim> {
        self.info.claims().iter().chain(item.claims())
    }

    /// By which rules the handler is retried: its own, or the manager's.
    pub(super) fn retry_policy(&self) -> RetryPolicy {
        self.info.retry().unwrap_or(self.session().host().retry)
    }

    /// By what the run was asked for, if by anybody.
    pub(super) fn asked_by(&self) -> Option<Clearing> {
        match self.lock().ask {
            Ask::Forced => Some(Clearing::Force),
            Ask::ByHand => Some(Clearing::Manual),
            _ => None,
        }
    }

    /// The handler could not begin, or could: that is remembered like what becomes of an item.
    pub(super) fn record_beginning(&self, verdict: Verdict) {
        let session = self.session();
        let host = session.host();
        let (handler, item) = (self.id.handler, HANDLER_ITSELF);
        if verdict.outcome == Outcome::Succeeded && host.setbacks.of(handler, item).is_none() {
            return;
        }
        let policy = self.retry_policy();
        let (now, chance) = (host.time(), host.chance());
        let advance = Advance::Nothing;
        let by = self.asked_by();
        let attempted = Attempted { handler, item, verdict, advance, policy: &policy, now, chance, by };
        let before = host.setbacks.of(handler, item);
        let retry = host.setbacks.after(&attempted);
        self.ask_for_attention(item, before, retry);
        // Who was given what to run takes up nothing else.
        let given = matches!(session.choosing(), Choosing::Given(_));
        if retry.is_none() && given && host.pending.resume_again(handler) {
            host.setbacks.changed().notify_one();
        }
        let end = ItemEnd { outcome: verdict.outcome, retry, sides: None, consumed: Vec::new() };
        let fence = self.attempt().fence();
        let time = host.now().wall;
        self.store(StateChange::Ended { handler, fence, time, items: vec![(item, end)] });
        if retry.is_some() {
            host.attend();
        }
    }
}
