//! The choice of a run's items.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syncmgr_core::decision::choice::{Offer, Preferences};
use syncmgr_core::decision::ledger::{InterruptedRun, StartReason};
use syncmgr_core::decision::listing::{Listing, by_importance};
use syncmgr_core::decision::protocol::{Event, ItemSet, Step};
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::error::one_line;
use syncmgr_core::id::ItemId;
use syncmgr_core::item::{ItemState, SyncItem};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::schedule::Schedule;
use syncmgr_core::store::StateChange;

use super::Run;
use crate::ending::RunChange;
use crate::session::scope::Choosing;

impl Run {
    /// Chooses the items of the run.
    pub(super) async fn choose(&self) -> Step {
        // R56, R63, R64.
        let listing = self.listing();
        let items = match &self.scope.terms.choosing {
            // A run that only explains an entry does not choose.
            Choosing::Explain => Arc::default(),
            Choosing::Unattended => {
                let items = self.preferred(&listing, None).await;
                self.looks_at(&items);
                items
            }
            Choosing::Scheduled(fired) => {
                let fired = fired.get(&self.id.handler).cloned().unwrap_or_default();
                self.preferred(&listing, Some(&fired)).await
            }
            Choosing::Requested(given) => {
                let requested = given.get(&self.id.handler).cloned().unwrap_or_default();
                let mut requested = self.chosen_changes(&listing, requested);
                let more = self.take_along();
                if !more.is_empty() {
                    Arc::make_mut(&mut requested).extend(more);
                }
                self.requested_items(&listing, &requested)
            }
            Choosing::ByChooser => {
                let offer = Offer::new(&self.info, &listing, &self.lock().preferences);
                // A stopped run does not wait for the choice.
                let choice =
                    self.attempt().token().run_until_cancelled_owned(self.scope.choose(self.id.handler, offer)).await;
                let chosen = choice.unwrap_or_default();
                // The choice also covers the items of interrupted runs, so those runs count as resumed.
                let interrupted = self.host().ledger().interrupted(self.id.handler);
                let sessions = interrupted.iter().map(|run| run.session).collect();
                let preferred = listing.select_preferred(self.id.handler, &self.lock().preferences);
                // Items that are not chosen stay suspects.
                self.unfinished(&preferred, interrupted).await;
                self.lock().resumed = sessions;
                listing.select(|item| chosen.contains(&item.id()))
            }
        };
        let chosen = self.set_next_items(items);
        self.on(Event::Chosen(chosen))
    }

    /// Returns the preferred items and the items that interrupted runs left unfinished. In a session that was started
    /// to resume those runs, returns only the unfinished items. Of the preferred items, `fired` limits them to those with
    /// one of these schedules; the run then takes along the items of its handler that are due.
    async fn preferred(&self, listing: &Listing, fired: Option<&BTreeSet<Schedule>>) -> Arc<[SyncItem]> {
        let preferred = match fired {
            None => listing.select_preferred(self.id.handler, &self.lock().preferences),
            Some(fired) => self.scheduled(listing, fired),
        };
        self.with_unfinished(listing, preferred).await
    }

    fn scheduled(&self, listing: &Listing, fired: &BTreeSet<Schedule>) -> Arc<[SyncItem]> {
        let (due, own) = (self.take_along(), self.own_schedule());
        let state = self.lock();
        let is_chosen = |item: &SyncItem| state.preferences.state(self.id.handler, item) == ItemState::Checked;
        listing.select_scheduled(fired, own.as_ref(), &due, is_chosen)
    }

    /// Returns the schedule of the items that have none of their own. The application may have replaced it during the run.
    fn own_schedule(&self) -> Option<Schedule> {
        self.decide(|ledger, _| ledger.own_schedule(self.id.handler).cloned())
    }

    async fn with_unfinished(&self, listing: &Listing, preferred: Arc<[SyncItem]>) -> Arc<[SyncItem]> {
        let interrupted = self.host().ledger().interrupted(self.id.handler);
        let resumes = self.scope.terms.reason == StartReason::Resumed;
        if interrupted.is_empty() {
            return if resumes { Arc::default() } else { preferred };
        }
        let sessions = interrupted.iter().map(|unfinished| unfinished.session).collect();
        let all = listing.select_preferred(self.id.handler, &self.lock().preferences);
        let unfinished = self.unfinished(&all, interrupted).await;
        {
            let mut state = self.lock();
            (state.resumed, state.unfinished) = (sessions, unfinished.clone());
        }
        let preferred: BTreeSet<_> = preferred.iter().filter(|_| !resumes).map(SyncItem::id).collect();
        listing.select(|item| unfinished.contains(&item.id()) || preferred.contains(&item.id()))
    }

    /// Returns the items that were requested in interrupted runs and have not ended since.
    pub(super) async fn unfinished(
        &self,
        preferred: &[SyncItem],
        interrupted: Vec<InterruptedRun>,
    ) -> BTreeSet<ItemId> {
        let (mut unfinished, own) = (BTreeSet::new(), self.own_schedule());
        for InterruptedRun { session, items, schedules, .. } in interrupted {
            let has_one_of = |item: &SyncItem, schedules: &BTreeSet<Schedule>| {
                item.schedule().or(own.as_ref()).is_some_and(|schedule| schedules.contains(schedule))
            };
            let was_requested =
                |item: &&SyncItem| schedules.as_ref().is_none_or(|schedules| has_one_of(item, schedules));
            let all = || preferred.iter().filter(was_requested).map(SyncItem::id).collect();
            let requested = items.unwrap_or_else(|| Arc::new(all()));
            let handler = self.id.handler;
            let ended = self.host().read_many(move |store| store.ended_since(handler, session)).await;
            let ended = ended.unwrap_or_else(|error| {
                let text = format!(
                    "cannot read the items that an interrupted session finished; they run again: {}",
                    one_line(&error)
                );
                self.log(LogEntry::new(LogLevel::Warning, text));
                BTreeSet::new()
            });
            unfinished.extend(&*requested - &ended);
        }
        if !unfinished.is_empty() {
            let listed: BTreeSet<_> = self.listing().items().iter().map(SyncItem::id).collect();
            self.decide(|ledger, _| ledger.add_suspects(self.id.handler, &unfinished & &listed));
        }
        unfinished
    }

    /// Returns the requested items. Ids that a caller requested and the handler does not list are logged.
    fn requested_items(&self, listing: &Listing, given: &BTreeSet<ItemId>) -> Arc<[SyncItem]> {
        let (items, unlisted) = listing.select_given(given);
        if self.scope.terms.reason == StartReason::Requested {
            for item in unlisted {
                let text = format!("item {item} was requested but is not listed; it was left out");
                self.log(LogEntry::new(LogLevel::Warning, text));
            }
        }
        items
    }

    /// Returns the listed items of a retry.
    pub(super) fn retry_items(&self, items: Vec<ItemId>) -> Arc<[SyncItem]> {
        let items = items.into_iter().collect();
        self.lock().skipped.clear();
        self.requested_items(&self.listing(), &items)
    }

    /// Sets the items of the next attempt, without the ones that this run leaves out.
    pub(super) fn set_next_items(&self, items: Arc<[SyncItem]>) -> ItemSet {
        let items = self.runnable(items);
        let is_automatic = self.lock().requested_by == RequestedBy::Automatic;
        let items = if is_automatic { by_importance(items) } else { items };
        // The items that were left out keep waiting for the environment.
        self.decide(|ledger, _| ledger.runs(self.id.handler, items.iter().map(SyncItem::id)));
        let any = if items.is_empty() { ItemSet::Empty } else { ItemSet::NonEmpty };
        self.record_change(RunChange::Selected(items.len()));
        self.lock().next_items = items;
        any
    }

    /// Loads the earlier choices; if they cannot be read, the defaults apply. Choices about items that are no longer listed
    /// are deleted.
    pub(super) async fn load_preferences(&self, listing: &Listing) {
        // R46.
        let handler = self.id.handler;
        let choices = self.host().choices(handler).await.unwrap_or_else(|error| {
            let text = format!("earlier choices cannot be read; default choices apply: {}", one_line(&error));
            self.log(LogEntry::new(LogLevel::Error, text));
            BTreeMap::new()
        });
        let mut preferences = Preferences::default();
        preferences.load(handler, choices);
        let absent = preferences.purge(self.id.handler, listing);
        if !absent.is_empty() {
            let items = absent.into_iter().map(|item| (item, None)).collect();
            self.store(StateChange::Choices { handler: self.id.handler, items });
        }
        self.lock().preferences = preferences;
    }

    /// Stores a change, unless the handler was forgotten meanwhile.
    pub(crate) fn store(&self, change: StateChange) {
        self.store_all(vec![change]);
    }
}
