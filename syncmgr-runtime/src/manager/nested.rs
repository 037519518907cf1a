//! The calls of handlers that wait for what the current code does.

use std::sync::Arc;

use syncmgr_core::claim::Claim;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::info::HandlerInfo;

use crate::nesting::{Call, Waiting};
use crate::owner::Owner;
use crate::run::Run;
use crate::session::StartError;
use crate::session::lifecycle::SessionShared;

/// A call of a handler, its run, and the item that it synchronizes.
pub(crate) struct Caller {
    pub(crate) run: Arc<Run>,
    pub(crate) item: Option<ItemId>,
}

impl Caller {
    /// Returns the claims that the call holds.
    pub(crate) fn claims(&self) -> Vec<Claim> {
        let Some(item) = self.item.filter(|item| self.run.is_running(*item)) else { return Vec::new() };
        let own = self.run.listing().item(item).map(|item| item.claims().to_vec()).unwrap_or_default();
        self.run.info().claims().iter().cloned().chain(own).collect()
    }

    /// Returns `true` if the call has the user's attention.
    pub(crate) fn has_attention(&self) -> bool {
        self.run.has_attention(self.item)
    }

    /// Returns `true` if the call synchronizes this item.
    pub(crate) fn is_for(&self, handler: HandlerId, item: ItemId) -> bool {
        self.handler() == handler && self.item == Some(item)
    }

    fn handler(&self) -> HandlerId {
        self.run.id().handler
    }

    /// Returns `true` if a session can only end after the call: one of its runs contains the call, or waits for the handler,
    /// for a claim or for the user's attention, which the call has.
    fn blocks(&self, session: &SessionShared) -> bool {
        let (claims, has_attention) = (self.claims(), self.has_attention());
        session.runs().iter().filter(|run| !run.is_idle()).any(|run| {
            run.id().handler == self.handler()
                || claims.iter().any(|claim| run.needs(claim))
                || has_attention && run.awaits_attention()
        })
    }
}

impl Owner {
    /// Returns the calls of this manager's handlers that the current code is part of or that wait for it.
    pub(crate) fn callers(&self) -> Vec<Caller> {
        self.callers_from(self.current_call())
    }

    /// Returns the calls that wait for a session: the one that started it, and those that await it.
    pub(crate) fn callers_of(&self, session: SessionId) -> Vec<Caller> {
        let parent = self.sessions.get(session).and_then(|session| session.terms.parent);
        self.callers_from(parent.into_iter().chain(self.host.waits.of(session)))
    }

    /// Returns these calls and, at any depth, the calls that started their sessions or await a session that they block.
    fn callers_from(&self, calls: impl IntoIterator<Item = Call>) -> Vec<Caller> {
        let mut found: Vec<Call> = calls.into_iter().collect();
        let (mut callers, mut next) = (Vec::new(), 0);
        while let Some(Call { run, item, .. }) = found.get(next).copied() {
            next += 1;
            let Some(session) = self.sessions.get(run.session) else { continue };
            let caller = session.run(run.handler).filter(|run| !run.is_idle()).map(|run| Caller { run, item });
            let waiting = caller.iter().flat_map(|caller| self.waiting_for(caller));
            for call in session.terms.parent.into_iter().chain(waiting) {
                if !found.contains(&call) {
                    found.push(call);
                }
            }
            callers.extend(caller);
        }
        callers
    }

    /// Returns the calls that await a session which this call blocks.
    fn waiting_for(&self, caller: &Caller) -> Vec<Call> {
        let blocked = |session| self.sessions.get(session).is_some_and(|session| caller.blocks(&session));
        self.host.waits.all().into_iter().filter(|(session, _)| blocked(*session)).map(|(_, call)| call).collect()
    }

    fn current_call(&self) -> Option<Call> {
        Call::current().filter(|call| call.manager == self.host.id)
    }

    /// Checks that a session of these handlers would not wait for the calls that start it.
    pub(crate) fn check_nesting<'a>(&self, handlers: impl Iterator<Item = &'a HandlerInfo>) -> Result<(), StartError> {
        let callers = self.callers();
        if callers.is_empty() {
            return Ok(());
        }
        let held: Vec<Claim> = callers.iter().flat_map(Caller::claims).collect();
        for info in handlers {
            let handler = info.id();
            if callers.iter().any(|caller| caller.handler() == handler) {
                return Err(StartError::Nested { handler });
            }
            if let Some(claim) = info.claims().iter().find(|claim| held.contains(claim)) {
                return Err(StartError::NestedClaim { handler, claim: claim.clone() });
            }
        }
        Ok(())
    }

    /// Begins to wait for a session. Returns `None` if the session can only end after the current call. Of several calls
    /// that would wait for each other, the last one is refused; if they begin at the same time, more than one may be.
    pub(crate) fn wait_for(&self, session: &SessionShared) -> Option<Waiting<'_>> {
        let Some(call) = self.current_call() else { return Some(Waiting::of_no_call()) };
        // Recorded before the check, so that of two calls at least one sees the other.
        let waiting = self.host.waits.begin(session.id, call);
        let is_blocked = self.callers().iter().any(|caller| caller.blocks(session));
        (!is_blocked).then_some(waiting)
    }

    /// Returns `true` if the current code is part of a call of this handler.
    pub(crate) fn is_called_by(&self, handler: HandlerId) -> bool {
        self.callers().iter().any(|caller| caller.handler() == handler)
    }
}
