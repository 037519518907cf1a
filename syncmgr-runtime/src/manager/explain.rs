//! Explanations of items and handlers: the last outcome, holds and the next run.

use std::sync::Arc;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::attempt::Phase;
use syncmgr_core::decision::choice::{Listing, Preferences};
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::ledger::{HANDLER_ITSELF, InterruptedRun};
use syncmgr_core::error::SyncResult;
use syncmgr_core::explain::{Current, Explanation, Known, Listed, explain};
use syncmgr_core::id::{ErrorId, HandlerId, ItemId};
use syncmgr_core::item::{Completeness, ItemState};
use syncmgr_core::log::{Action, LogEntry};

use super::{StoreAccessError, SyncManager};
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
        let mut known = Known::of(handler).with_item(item);
        known.record = self.host().record(handler, item)?;
        known.listed = self.listed_state(handler, item, &mut known);
        known.chosen = self.chosen_state(handler, item)?;
        known.current = self.current(handler, item, known.chosen)?;
        known.quarantined = self.host().admission.quarantined().contains(&(handler, item));
        self.add_common(known)
    }

    fn handler_explanation(&self, handler: HandlerId) -> SyncResult<Explanation> {
        let mut known = Known::of(handler);
        known.record = self.host().record(handler, HANDLER_ITSELF)?;
        known.name = self.host().manager_state().handlers.get(&handler).map(|known| known.info.name().into());
        let active = self.runs_of(handler).find(|run| !run.is_idle());
        known.current =
            active.map(|run| match self.host().admission.is_current(run.id()) && !run.attempt().is_paused() {
                true => Current::Running(run.id().session),
                false => Current::Waiting(run.id().session),
            });
        let interrupted = self.host().ledger().interrupted(handler).pop();
        known.current = known.current.or(interrupted.map(|run| Current::Interrupted(run.session)));
        self.add_common(known)
    }

    /// Adds the inputs that items and handlers share, and derives the explanation.
    fn add_common(&self, mut known: Known) -> SyncResult<Explanation> {
        let (host, handler) = (self.host(), known.handler);
        known.registered = self.registration(handler).map(|registration| registration.flags);
        known.held = self.holds_in_sessions(handler, known.item);
        let listed = known.item.and_then(|item| self.listing(handler)?.item(item).cloned());
        let of_handler =
            host.manager_state().handlers.get(&handler).map(|known| known.info.claims().to_vec()).unwrap_or_default();
        let own = listed.iter().flat_map(|item| item.claims());
        let claims: Vec<&Claim> = of_handler.iter().chain(own).collect();
        let environment = host.ports.environment.now();
        let now = host.decide(|ledger, now| {
            ledger.describe(&mut known, &claims, environment, now);
            ledger.time(now)
        });
        let (question, guarded) = self.open_question(handler, known.item)?;
        known.question = question;
        known.other_holds.extend(guarded);
        Ok(explain(&known, now))
    }

    /// Returns the runs of a handler in the open sessions.
    pub(super) fn runs_of(&self, handler: HandlerId) -> impl Iterator<Item = Arc<Run>> {
        self.open_sessions().into_iter().filter_map(move |session| session.run(handler))
    }

    /// Returns the latest listing of a handler in the open sessions.
    fn listing(&self, handler: HandlerId) -> Option<Listing> {
        let listings = self.runs_of(handler).map(|run| run.listing()).filter(|listing| !listing.items().is_empty());
        listings.last()
    }

    fn listed_state(&self, handler: HandlerId, item: ItemId, known: &mut Known) -> Listed {
        let Some(listing) = self.listing(handler) else { return Listed::Unknown };
        match listing.item(item) {
            Some(item) => {
                known.name = Some(item.shared_name());
                Listed::Present
            }
            None if listing.completeness() == Completeness::Complete => Listed::Absent,
            None => Listed::Unknown,
        }
    }

    fn chosen_state(&self, handler: HandlerId, item: ItemId) -> SyncResult<Option<ItemState>> {
        let preferences: Preferences = self.host().preferences(handler)?;
        let listing = self.listing(handler);
        let default = listing.as_ref().and_then(|listing| listing.item(item)).map(|item| item.state());
        Ok(preferences.of(handler, item).or(default))
    }

    /// Returns the item's current state in an open or interrupted session.
    fn current(&self, handler: HandlerId, item: ItemId, chosen: Option<ItemState>) -> SyncResult<Option<Current>> {
        for run in self.runs_of(handler).filter(|run| !run.has_ended()) {
            let session = run.id().session;
            match run.attempt().phase_of(item) {
                Some(Phase::Running) => return Ok(Some(Current::Running(session))),
                Some(Phase::Queued | Phase::Held) => return Ok(Some(Current::Waiting(session))),
                _ => {}
            }
        }
        let interrupted = self.host().ledger().interrupted(handler);
        for InterruptedRun { session, items, .. } in interrupted.into_iter().rev() {
            let requested = items.map_or(chosen != Some(ItemState::Unchecked), |items| items.contains(&item));
            if requested && !self.host().ports.store.ended_since(handler, session)?.contains(&item) {
                return Ok(Some(Current::Interrupted(session)));
            }
        }
        Ok(None)
    }

    fn holds_in_sessions(&self, handler: HandlerId, item: Option<ItemId>) -> Vec<Hold> {
        let about = |of: Option<ItemId>| of.is_none() || of == item;
        let held = self.held().into_iter().filter(|held| held.handler == handler && about(held.item));
        held.map(|held| held.hold).filter(|hold| *hold != Hold::Quarantined).collect()
    }

    /// Returns the id of the last log entry that the user can open or answer, and [`Hold::Guarded`] if the entry is a
    /// guard's question.
    fn open_question(&self, handler: HandlerId, item: Option<ItemId>) -> SyncResult<(Option<ErrorId>, Option<Hold>)> {
        let about = item.unwrap_or(HANDLER_ITSELF);
        let open = |entry: &Arc<LogEntry>| entry.item == Some(about) && entry.is_link();
        let live = self.runs_of(handler).flat_map(|run| run.events().entries()).filter(open).last();
        let stored = || -> SyncResult<Option<Arc<LogEntry>>> {
            let records = self.host().ports.store.log_about(handler, about)?;
            Ok(records.into_iter().map(|record| record.entry).rfind(open))
        };
        let entry = match live {
            Some(entry) => Some(entry),
            None => stored()?,
        };
        let guarded = entry.as_ref().is_some_and(|entry| {
            matches!(&entry.action, Some(Action::Decide(question)) if &*question.key == syncmgr_core::decision::guard::KEY)
        });
        Ok((entry.and_then(|entry| entry.id), guarded.then_some(Hold::Guarded)))
    }
}
