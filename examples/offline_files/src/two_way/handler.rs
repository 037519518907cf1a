//! The sync handler.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;

use syncmgr::ItemId;
use syncmgr::anyhow::Context;
use syncmgr::prelude::*;
use tokio::sync::OnceCell;

use super::disks::Disks;
use super::ignored::Ignored;
use super::kept::Keeper;
use super::plan::PartName;
use super::prepare::{PairItems, Preparation, Prepared};
use super::reconcile::Rules;
use super::record::Record;
use super::remedy::Remedies;
use super::work::Work;
use crate::handler::{Parts, limits};
use crate::item_monitor::ItemMonitor;
use crate::mirror::{Done, Extent, OwnFiles};
use crate::part::Part;

/// Synchronizes two directories in both directions. Each directory at the top level of either is an item; one more item, `.`, has all
/// other entries there.
///
/// The first item of a run scans all selected items. What one side has moved is moved on the other one then, also from one item to
/// another. The other changes are made by each item, and deletions come last.
#[derive(Clone)]
pub(crate) struct TwoWay {
    disks: Disks,
    parts: Parts,
    options: Arc<Options>,
}

/// What the items of a run share.
struct Shared {
    items: Arc<PairItems>,
    /// What the first item that begins does for all of them.
    prepared: OnceCell<Arc<Prepared>>,
}

/// The options of a run.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rules: Rules,
    pub(crate) own_files: OwnFiles,
    pub(crate) ignored: Ignored,
    pub(crate) jobs: usize,
    pub(crate) keeper: Keeper,
    /// `true` if deletions that look like a mistake are made, and other roots than those of the last run are taken.
    pub(crate) is_unguarded: bool,
    pub(crate) remedies: Remedies,
}

#[sync_handler(id = "a1c9f0d7-6b1e-4c7a-8f64-0d5b7e2c4a93", name = "Two-way folders")]
impl SyncHandler for TwoWay {
    fn info(&self) -> HandlerInfo {
        Self::HANDLER.with_limits(limits(self.options.jobs))
    }

    async fn items(&self) -> SyncResult<Items> {
        let mut parts: Vec<_> = self.parts.values().collect();
        parts.sort_by(|one, other| one.path().cmp(other.path()));
        Ok(parts.into_iter().map(|part| part.item()).collect())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let shared = Arc::new(Shared { items: self.pair_items(run)?.into(), prepared: OnceCell::new() });
        run.each(|item| {
            let shared = shared.clone();
            async move { self.synchronize_one(&item, &shared).await }
        })
        .await?;
        self.disks.losses().iter().for_each(|text| run.warn(text));
        Ok(())
    }
}

impl TwoWay {
    /// Creates a handler with an item for each of these directories, and one for all other entries.
    pub(crate) fn new(disks: Disks, options: Options, names: BTreeSet<OsString>) -> Self {
        let parts = names.into_iter().map(Extent::Directory).chain([Extent::TopLevel]).map(Part::new);
        let parts: BTreeMap<_, _> = parts.map(|part| (part.item().id(), Arc::new(part))).collect();
        Self { disks, parts: Arc::new(parts), options: Arc::new(options) }
    }

    /// The parts, whose results the report contains.
    pub(crate) fn parts(&self) -> Parts {
        self.parts.clone()
    }

    /// The open directories, which know at the end what they cannot store.
    pub(crate) fn disks(&self) -> Disks {
        self.disks.clone()
    }

    /// Reads the checkpoints before any item is held, because moves concern several items.
    fn pair_items(&self, run: &SynchronizeContext) -> SyncResult<PairItems> {
        let mut items = PairItems::default();
        let selected: BTreeSet<_> = run.selection().iter().map(SyncItem::id).collect();
        let is_selected = |id: ItemId| selected.contains(&id) && !run.is_skipped(id);
        for (id, part) in self.parts.iter() {
            if is_selected(*id) {
                let record = run.saved_of(*id).with_context(|| self.options.remedies.unreadable_state())?;
                items.selected.insert(name_of(part), record);
            } else {
                items.others.insert(name_of(part), *id);
            }
        }
        Ok(items)
    }

    /// Scans and plans all selected items. The first item that begins does so, and the others wait for it.
    async fn prepare(&self, item: &ItemContext, shared: &Shared) -> SyncResult<Arc<Prepared>> {
        let (disks, options, items) = (self.disks.clone(), self.options.clone(), shared.items.clone());
        let prepare = move |item: ItemContext| {
            let Options { rules, own_files, ignored, is_unguarded, remedies, .. } = &*options;
            let takes_other_roots = *is_unguarded;
            let preparation = Preparation {
                disks: &disks,
                rules,
                own_files,
                ignored,
                item: &item,
                items: &items,
                takes_other_roots,
                remedies: *remedies,
            };
            Ok(Arc::new(preparation.prepare()?))
        };
        item.blocking(prepare).await
    }

    async fn synchronize_one(&self, item: &ItemContext, shared: &Shared) -> SyncResult {
        // The directory has gone from both sides since the items were listed, and had nothing agreed.
        let Some(part) = self.parts.get(&item.id()).cloned() else { return Ok(()) };
        let _stopwatch = part.measure();
        let prepared = shared.prepared.get_or_try_init(|| self.prepare(item, shared)).await?.clone();
        let name = name_of(&part);
        (0..prepared.moved.get(&name).copied().unwrap_or(0)).for_each(|_| part.result().counts.count(Done::Moved));
        let Options { is_unguarded, remedies, .. } = *self.options;
        let disks = self.disks.separate();
        let (shared, own_part, keeper) = (prepared.clone(), part.clone(), self.options.keeper.clone());
        let record = item
            .blocking(move |item| {
                let jobs = disks.jobs.clone();
                let _job = jobs.begin();
                let monitor = ItemMonitor { item, part: own_part };
                Ok(Work { disks, prepared: shared, name, monitor, keeper, is_unguarded, remedies }.synchronize()?)
            })
            .await?;
        let mut saved = item.saved::<Record>()?;
        if *saved == record {
            return Ok(());
        }
        *saved = record;
        saved.commit().await
    }
}

fn name_of(part: &Part) -> PartName {
    match &part.extent {
        Extent::Directory(name) => Some(name.clone()),
        Extent::TopLevel => None,
    }
}
