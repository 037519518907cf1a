//! Which items a run is about.

use std::collections::BTreeSet;
use std::sync::Arc;

use syncmgr_core::decision::choice::{Listing, Offer, Preferences};
use syncmgr_core::decision::ledger::{StartReason, Unfinished};
use syncmgr_core::decision::protocol::{Chosen, Event, Step};
use syncmgr_core::error::one_line;
use syncmgr_core::id::ItemId;
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::store::StateChange;

use super::Run;
use crate::session::scope::Choosing;

impl Run {
    /// R56, R63, R64.
    pub(super) async fn choose(&self) -> Step {
        let listing = self.listing();
        let wanted = match &self.scope.terms.choosing {
            // A run that only explains is never asked to choose.
            Choosing::Explain => Arc::default(),
            Choosing::Unattended => self.preferred(&listing),
            Choosing::Given(given) => self.given(&listing, given.get(&self.id.handler)),
            Choosing::Ask => {
                let offer = Offer::new(&self.info, &listing, &self.lock().preferences);
                // Whoever is stopped waits for nobody's choice.
                let choice =
                    self.attempt().token().run_until_cancelled_owned(self.scope.choose(self.id.handler, offer)).await;
                let chosen = choice.unwrap_or_default();
                // Whoever chooses has the say about what was interrupted, too.
                let interrupted = self.host().ledger().interrupted(self.id.handler);
                self.lock().taken_up = interrupted.into_iter().map(|run| run.session).collect();
                listing.select(|item| chosen.contains(&item.id()))
            }
        };
        let chosen = self.want(wanted);
        self.on(Event::Chosen(chosen))
    }

    /// What is preferred, and what an interrupted run has left unfinished; only the latter, where the session is there to
    /// take it up.
    fn preferred(&self, listing: &Listing) -> Arc<[SyncItem]> {
        let preferred = listing.select_preferred(self.id.handler, &self.lock().preferences);
        let interrupted = self.host().ledger().interrupted(self.id.handler);
        let resumes = self.scope.terms.reason == StartReason::Resumed;
        if interrupted.is_empty() {
            return if resumes { Arc::default() } else { preferred };
        }
        let sessions = interrupted.iter().map(|unfinished| unfinished.session).collect();
        let unfinished = self.unfinished(&preferred, interrupted);
        {
            let mut state = self.lock();
            (state.taken_up, state.unfinished) = (sessions, unfinished.clone());
        }
        let preferred: BTreeSet<_> = preferred.iter().filter(|_| !resumes).map(SyncItem::id).collect();
        listing.select(|item| unfinished.contains(&item.id()) || preferred.contains(&item.id()))
    }

    /// What interrupted runs were asked for and have not done.
    fn unfinished(&self, preferred: &[SyncItem], interrupted: Vec<Unfinished>) -> BTreeSet<ItemId> {
        let mut unfinished = BTreeSet::new();
        for Unfinished { session, items, .. } in interrupted {
            let asked = items.unwrap_or_else(|| preferred.iter().map(SyncItem::id).collect());
            let ended = self.host().ports.store.ended_since(self.id.handler, session);
            let ended = ended.unwrap_or_else(|error| {
                let text = format!("what was done before is not known, and is done again: {}", one_line(&error));
                self.log(LogEntry::new(LogLevel::Warning, text));
                BTreeSet::new()
            });
            unfinished.extend(&asked - &ended);
        }
        unfinished
    }

    /// The items that were asked for. Ids the handler does not list are reported, not dropped in silence.
    fn given(&self, listing: &Listing, given: Option<&BTreeSet<ItemId>>) -> Arc<[SyncItem]> {
        let nothing = BTreeSet::new();
        let given = given.unwrap_or(&nothing);
        let listed: BTreeSet<_> = listing.items().iter().map(SyncItem::id).collect();
        for item in given - &listed {
            let text = format!("item {item} was asked for but is not listed; it was left out");
            self.log(LogEntry::new(LogLevel::Warning, text));
        }
        listing.select(|item| given.contains(&item.id()))
    }

    /// The items of a retry, of those that were listed.
    pub(super) fn listed(&self, items: Vec<ItemId>) -> Arc<[SyncItem]> {
        let items = items.into_iter().collect();
        self.lock().skipped.clear();
        self.given(&self.listing(), Some(&items))
    }

    /// The next attempt is about these items, less what others spare it.
    pub(super) fn want(&self, wanted: Arc<[SyncItem]>) -> Chosen {
        let wanted = self.set_apart(wanted);
        // What is set apart goes on waiting for the world.
        self.host().ledger().runs(self.id.handler, wanted.iter().map(SyncItem::id));
        let any = if wanted.is_empty() { Chosen::None } else { Chosen::Some };
        self.lock().wanted = wanted;
        any
    }

    /// Reads what was chosen before. Where that cannot be read, nothing was. What was chosen of items that are gone is
    /// forgotten (R46).
    pub(super) fn load_preferences(&self, listing: &Listing) {
        let mut preferences = self.host().preferences(self.id.handler).unwrap_or_else(|error| {
            let text = format!("earlier choices cannot be read; default choices apply: {}", one_line(&error));
            self.log(LogEntry::new(LogLevel::Error, text));
            Preferences::default()
        });
        let absent = preferences.purge(self.id.handler, listing);
        if !absent.is_empty() {
            let items = absent.into_iter().map(|item| (item, None)).collect();
            self.store(StateChange::Choices { handler: self.id.handler, items });
        }
        self.lock().preferences = preferences;
    }

    /// Stores a change, unless the handler was forgotten meanwhile.
    pub(crate) fn store(&self, change: StateChange) {
        if !self.lock().forgotten {
            self.host().store(change);
        }
    }
}
