//! The items of a handler without a session: their last results, their next runs, and the choice among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use syncmgr_core::decision::ledger::HANDLER_ITSELF;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::SyncResult;
use syncmgr_core::explain::Explanation;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::item::ItemState;
use syncmgr_core::overrides::KnownSettings;
use syncmgr_core::progress::ProgressState;
use syncmgr_core::record::ItemRecord;
use syncmgr_core::store::{ItemName, StateChange};
use syncmgr_core::text::Escaped;

use super::facts::{ItemFacts, Scope};
use super::{StoreAccessError, SyncManager};
use crate::persistence::off_thread;

impl SyncManager {
    /// Returns the known items of a handler, in order of name: those of its last listing, and those with a stored name or
    /// record. Calls no handler: after a restart, the list has the stored names and results.
    ///
    /// Reads the store on a thread of the runtime that may block. Cancel safe.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let store = MemoryStore::new();
    /// let manager = SyncManager::builder().store(store.clone()).build();
    /// let calendar = manager.register(Calendar)?;
    /// manager.update_all()?.finish().await;
    /// # drop(manager);
    /// let later = SyncManager::builder().store(store).build(); // after a restart, before anything is registered
    /// let items = later.items(calendar).await?;
    /// let work = items.iter().find(|item| &*item.name == "Work").expect("the calendar has listed it");
    /// assert_eq!(work.explanation.last.map(|last| last.outcome), Some(Outcome::Failed));
    /// assert_eq!(work.reason.as_deref(), Some("the server is busy")); // from the log
    /// assert_eq!((work.choice, &work.progress), (ItemState::Checked, &None)); // chosen, and not running
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn items(&self, handler: HandlerId) -> Result<Vec<ItemStatus>, StoreAccessError> {
        let manager = self.clone();
        off_thread(move || manager.item_statuses(handler, Scope::All)).await.map_err(StoreAccessError::Unreadable)
    }

    /// Returns those of these items that [`items`](Self::items) has, in order of name. Looks up each of them, so that a few of many
    /// items cost little.
    ///
    /// Reads the store on a thread of the runtime that may block. Cancel safe.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// manager.update_all()?.finish().await;
    /// let first = manager.item_names(mail).await?.into_iter().map(|(item, _)| item).take(1);
    /// let items = manager.items_among(mail, first).await?;
    /// assert_eq!(&*items[0].name, "Inbox");
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn items_among(
        &self,
        handler: HandlerId,
        items: impl IntoIterator<Item = ItemId>,
    ) -> Result<Vec<ItemStatus>, StoreAccessError> {
        let (manager, items) = (self.clone(), items.into_iter().collect());
        let statuses = off_thread(move || manager.item_statuses(handler, Scope::Among(&items)));
        statuses.await.map_err(StoreAccessError::Unreadable)
    }

    /// Returns the names of the items that [`items`](Self::items) has, in order of name.
    ///
    /// Reads the store on a thread of the runtime that may block. Cancel safe.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// manager.update_all()?.finish().await;
    /// let names: Vec<_> = manager.item_names(mail).await?.into_iter().map(|(_, name)| name.to_string()).collect();
    /// assert_eq!(names, ["Inbox", "Sent"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn item_names(&self, handler: HandlerId) -> Result<Vec<(ItemId, Arc<str>)>, StoreAccessError> {
        let manager = self.clone();
        off_thread(move || manager.known_names(handler)).await.map_err(StoreAccessError::Unreadable)
    }

    /// Stores the choice of these items: whether they run in sessions that do not name their items. The choice applies
    /// from the next listing of the handler on, and replaces the default state of the items and earlier choices.
    ///
    /// Resolves once the choice is stored. Cancel safe once it was polled: the choice is stored.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// manager.choose(mail, [ItemId::from_name("Sent")], ItemState::Unchecked).await?;
    /// let report = manager.update_all()?.finish().await;
    /// assert_eq!(report.items().map(|item| item.item.name()).collect::<Vec<_>>(), ["Inbox"]);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// See also: R56.
    ///
    /// # Errors
    /// Returns an error if the store refuses the change.
    pub async fn choose(
        &self,
        handler: HandlerId,
        items: impl IntoIterator<Item = ItemId>,
        state: ItemState,
    ) -> Result<(), StoreAccessError> {
        let items = items.into_iter().map(|item| (item, Some(state))).collect();
        let choice = StateChange::Choices { handler, items };
        self.host().write(vec![choice]).await.map_err(StoreAccessError::Refused)
    }

    fn item_statuses(&self, handler: HandlerId, scope: Scope<'_>) -> SyncResult<Vec<ItemStatus>> {
        let store = &self.host().ports.store;
        let names = scope.read(|item| store.name(handler, item), || store.names(handler))?;
        let mut records = scope.read(|item| store.record(handler, item), || store.records(handler))?;
        records.remove(&HANDLER_ITSELF);
        let facts = ItemFacts::read(self, handler, scope)?;
        let progress = progress(&facts);
        let known: BTreeSet<_> = facts.listed.keys().chain(names.keys()).chain(records.keys()).copied().collect();
        let status = |item| facts.status(item, names.get(&item), records.remove(&item), progress.get(&item).cloned());
        let mut items: Vec<_> = known.into_iter().map(status).collect();
        items.sort_by(|one, other| (&one.name, one.item).cmp(&(&other.name, other.item)));
        Ok(items)
    }

    fn known_names(&self, handler: HandlerId) -> SyncResult<Vec<(ItemId, Arc<str>)>> {
        let store = &self.host().ports.store;
        let (stored, recorded) = (store.names(handler)?, store.recorded_items(handler)?);
        let recorded = recorded.into_keys().filter(|item| *item != HANDLER_ITSELF);
        let mut names: BTreeMap<_, Arc<str>> = recorded.map(|item| (item, item.to_string().into())).collect();
        names.extend(stored.into_iter().map(|(item, stored)| (item, stored.name)));
        if let Some(listing) = self.listing(handler) {
            names.extend(listing.items().map(|item| (item.id(), item.shared_name())));
        }
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_by(|(item, name), (other, other_name)| (name, item).cmp(&(other_name, other)));
        Ok(names)
    }
}

impl ItemFacts {
    fn status(
        &self,
        item: ItemId,
        stored: Option<&ItemName>,
        record: Option<ItemRecord>,
        progress: Option<ProgressState>,
    ) -> ItemStatus {
        let entries = record.as_ref().and_then(|record| record.sides.iter().map(|side| side.entries).max());
        let explanation = self.explain(item, stored, record);
        let last = explanation.last.map(|last| last.outcome);
        let reason = self.of_handler.reason(item, explanation.succeeded);
        ItemStatus {
            item,
            name: explanation.name.clone().unwrap_or_else(|| item.to_string().into()),
            reason: reason.filter(|_| last != Some(Outcome::Succeeded)),
            explanation,
            choice: self.choice(item, stored).unwrap_or(ItemState::Checked),
            settings: self.settings(item),
            entries,
            progress,
        }
    }
}

/// Returns the progress of the running items.
fn progress(facts: &ItemFacts) -> BTreeMap<ItemId, ProgressState> {
    let mut progress = BTreeMap::new();
    for run in &facts.of_handler.runs {
        progress.extend(run.attempt().progress().into_iter().map(|(item, state)| (item.id(), state)));
    }
    progress
}

/// An item in a list of items. `{}` shows it in one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ItemStatus {
    /// The item.
    pub item: ItemId,
    /// Its name; its id as text if no name is known.
    pub name: Arc<str>,
    /// The last result, the holds (also that the item is disabled), and the next run.
    pub explanation: Explanation,
    /// The text of the last warning or error about the item in the log, unless its last attempt succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    /// The choice: the stored one, or the default of the item, which is stored with its name.
    pub choice: ItemState,
    /// When it runs by itself and what it requires: what its handler declares, and what a person has set.
    #[serde(default)]
    pub settings: KnownSettings,
    /// The size of the item: the number of entries of its largest side in the last plan that was carried out. `None` if its
    /// handler has proposed no plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// The progress, if the item is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressState>,
}

impl fmt::Display for ItemStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.explanation.name {
            Some(_) => write!(f, "{}", self.explanation)?,
            None => write!(f, "{}: {}", Escaped(&self.name), self.explanation)?,
        }
        match self.entries {
            Some(1) => f.write_str("; 1 entry"),
            Some(entries) => write!(f, "; {entries} entries"),
            None => Ok(()),
        }
    }
}
