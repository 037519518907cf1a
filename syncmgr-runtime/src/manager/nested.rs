//! The calls of handlers that wait for what the current code does.

use std::sync::Arc;

use syncmgr_core::claim::Claim;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::info::HandlerInfo;

use crate::nesting::Call;
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

    /// Returns `true` if the call synchronizes this item.
    pub(crate) fn is_for(&self, handler: HandlerId, item: ItemId) -> bool {
        self.handler() == handler && self.item == Some(item)
    }

    fn handler(&self) -> HandlerId {
        self.run.id().handler
    }
}

impl Owner {
    /// Returns the calls of this manager's handlers that the current code is part of, the innermost first.
    pub(crate) fn callers(&self) -> Vec<Caller> {
        self.callers_from(Call::current().filter(|call| call.manager == self.host.id))
    }

    /// Returns a call and the calls that wait for its session.
    pub(crate) fn callers_from(&self, mut call: Option<Call>) -> Vec<Caller> {
        let mut callers = Vec::new();
        while let Some(Call { run, item, .. }) = call {
            let Some(session) = self.sessions.get(run.session) else { break };
            call = session.terms.parent;
            callers.extend(session.run(run.handler).filter(|run| !run.is_idle()).map(|run| Caller { run, item }));
        }
        callers
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

    /// Returns `true` if a session can only end after the current call: it contains the call, or waits for the handler or for a
    /// claim of the call.
    pub(crate) fn waits_for_caller(&self, session: &SessionShared) -> bool {
        let callers = self.callers();
        let waits = |run: &Arc<Run>| {
            let claims = run.info().claims();
            callers.iter().any(|caller| {
                caller.handler() == run.id().handler || caller.claims().iter().any(|claim| claims.contains(claim))
            })
        };
        !callers.is_empty() && session.runs().iter().filter(|run| !run.is_idle()).any(waits)
    }

    /// Returns `true` if the current code is part of a call of this handler.
    pub(crate) fn is_called_by(&self, handler: HandlerId) -> bool {
        self.callers().iter().any(|caller| caller.handler() == handler)
    }
}
