//! Explanations of items and handlers: the last outcome, holds and the next run.

use std::collections::BTreeSet;
use std::sync::Arc;

use syncmgr_core::decision::ledger::HANDLER_ITSELF;
use syncmgr_core::error::SyncResult;
use syncmgr_core::explain::{Current, Explanation, Known};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::requirements::Requirements;

use super::facts::{Facts, ItemFacts, Scope};
use super::{StoreAccessError, SyncManager};
use crate::host::{KnownListing, Recorded};
use crate::run::Run;

impl SyncManager {
    /// Explains the condition of an item: its last outcome, the reasons that hold it, and its next run. The explanation
    /// is derived from the state on which the manager decides; `{}` shows it in one line.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let calendar = manager.register(Calendar)?;
    /// manager.update_all()?.finish().await;
    /// let why = manager.explain_item(calendar, ItemId::from_name("Work"))?;
    /// assert!(matches!(why.next, Next::At { .. })); // as data
    /// assert!(why.to_string().contains("backing off until"), "{why}"); // in one line
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub fn explain_item(&self, handler: HandlerId, item: ItemId) -> Result<Explanation, StoreAccessError> {
        self.item_explanation(handler, item).map_err(StoreAccessError::Unreadable)
    }

    /// Explains the condition of a handler as a whole, including the reasons that hold all of its items.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// assert_eq!(manager.explain_handler(mail)?.condition, Condition::Idle);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub fn explain_handler(&self, handler: HandlerId) -> Result<Explanation, StoreAccessError> {
        self.handler_explanation(handler).map_err(StoreAccessError::Unreadable)
    }

    fn item_explanation(&self, handler: HandlerId, item: ItemId) -> SyncResult<Explanation> {
        let record = self.host().record(handler, item)?;
        let facts = ItemFacts::read(self, handler, Scope::Among(&BTreeSet::from([item])))?;
        let stored = if facts.listed.is_empty() { self.host().ports.store.name(handler, item)? } else { None };
        Ok(facts.explain(item, stored.as_ref(), record))
    }

    fn handler_explanation(&self, handler: HandlerId) -> SyncResult<Explanation> {
        let mut known = Known::of(handler);
        known.record = self.host().record(handler, HANDLER_ITSELF)?;
        known.name = self.handler_name(handler)?;
        let active = self.runs_of(handler).find(|run| !run.is_idle());
        known.current =
            active.map(|run| match self.host().admission.is_current(run.id()) && !run.attempt().is_paused() {
                true => Current::Running(run.id().session),
                false => Current::Waiting(run.id().session),
            });
        let interrupted = self.host().ledger().interrupted(handler).pop();
        known.current = known.current.or(interrupted.map(|run| Current::Interrupted(run.session)));
        let facts = Facts::read(self, handler, Scope::Among(&BTreeSet::from([HANDLER_ITSELF])))?;
        Ok(facts.explain(known, HANDLER_ITSELF, (&[], &Requirements::NONE)))
    }

    /// Returns the name of a handler: that of its info, or the stored one if it is not registered.
    fn handler_name(&self, handler: HandlerId) -> SyncResult<Option<Arc<str>>> {
        let registered = self.host().manager_state().handlers.get(&handler).map(|known| known.info.name().into());
        if registered.is_some() {
            return Ok(registered);
        }
        let stored = self.host().ports.store.handler(handler)?;
        Ok(stored.and_then(|stored| stored.registration?.description).map(Into::into))
    }

    /// Returns the runs of a handler in the open sessions.
    pub(super) fn runs_of(&self, handler: HandlerId) -> impl Iterator<Item = Arc<Run>> {
        self.open_sessions().into_iter().filter_map(move |session| session.run(handler))
    }

    /// Returns the latest listing of a handler: that of an open session, or the last one of the registered handler.
    pub(super) fn listing(&self, handler: HandlerId) -> Option<KnownListing> {
        let listings = self.runs_of(handler).map(|run| run.listing()).filter(|listing| !listing.items().is_empty());
        let open = listings.last().map(|listing| KnownListing::new(listing, Recorded::Missing));
        open.or_else(|| self.host().manager_state().handlers.get(&handler)?.listing.clone())
    }
}
