//! The local changes that a run looks at.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr_core::decision::ledger::StartReason;
use syncmgr_core::decision::listing::Listing;
use syncmgr_core::foreign;
use syncmgr_core::id::ItemId;
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel};

use super::Run;

impl Run {
    /// Returns `true` if local changes started the session.
    pub(super) fn is_for_changes(&self) -> bool {
        self.scope.terms.reason == StartReason::LocalChange
    }

    /// Watches the paths of the listed items, and takes the changes that the handler itself reports. `since` is the time at which
    /// the listing began.
    pub(super) fn watch(&self, listing: &Listing, since: SystemTime) {
        let (host, handler) = (self.host(), self.id.handler);
        let own = match host.is_watched(handler, self.generation) {
            true => None,
            false => foreign::call(|| self.handler.changes()).unwrap_or_else(|panic| {
                let text = format!("its own local changes are not noticed: the handler panicked: {panic}");
                self.log(LogEntry::new(LogLevel::Error, text));
                None
            }),
        };
        let appeared = host.watch(handler, self.generation, listing, since, own);
        self.lock().appeared = appeared;
    }

    /// The items of a session that local changes started: the changed ones, and those that are watched for the first time, so that a run
    /// sees both names of a directory that was renamed. Leaves out items that are not chosen or not listed.
    pub(super) fn chosen_changes(&self, listing: &Listing, changed: Arc<BTreeSet<ItemId>>) -> Arc<BTreeSet<ItemId>> {
        if !self.is_for_changes() {
            return changed;
        }
        let chosen = listing.select_preferred(self.id.handler, &self.lock().preferences);
        let chosen: BTreeSet<_> = chosen.iter().map(SyncItem::id).collect();
        self.decide(|ledger, _| ledger.ignore_changes(self.id.handler, &*changed - &chosen));
        let changed = &*changed | &std::mem::take(&mut self.lock().appeared);
        Arc::new(&changed & &chosen)
    }

    /// Tells the ledger which items a run of all chosen items looks at.
    pub(super) fn looks_at(&self, items: &[SyncItem]) {
        let handler = self.id.handler;
        if self.scope.terms.reason != StartReason::Resumed && self.host().ledger().wants_full_look(handler) {
            self.decide(|ledger, _| ledger.looks_at(handler, items.iter().map(SyncItem::id)));
        }
    }

    /// Ends the change of an item that another run has begun since this run was requested. The run of another session may have begun
    /// it before the change.
    pub(super) fn change_covered(&self, item: ItemId) {
        if self.is_for_changes() {
            self.decide(|ledger, _| ledger.change_covered(self.id.handler, item));
        }
    }

    /// Postpones the changes for which this run was started, and which it did not look at.
    pub(super) fn postpone_changes(&self) {
        if self.is_for_changes() && !self.host().tracker.is_closed() {
            let (handler, policy) = (self.id.handler, self.retry_policy());
            let effects = self.decide(|ledger, now| ledger.postpone_changes(handler, &policy, now));
            self.apply(effects);
        }
    }
}
