//! The sync handler.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use syncmgr::prelude::*;
use tokio::sync::Semaphore;

use crate::guard::{Deletions, Tally, emptied_message, held_message, host_plan};
use crate::mirror::{self, Extent, OwnFiles, Pair, Plan, ScanCache, Stopped};
use crate::part::{Diagnostic, Part};
use crate::record::{LoadedRecord, RecordMode};
use crate::roots::Roots;
use crate::work::Work;

/// Mirrors one directory into another. Each directory in FROM is an item; one more item has all other top-level entries.
pub(crate) struct OfflineFiles {
    pair: Pair,
    roots: Roots,
    parts: Parts,
    options: Options,
    /// One permit per job, shared by all items.
    permits: Arc<Semaphore>,
}

/// The parts of the trees by item.
pub(crate) type Parts = BTreeMap<ItemId, Arc<Part>>;

/// The options of a run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) deletions: Deletions,
    pub(crate) record_mode: RecordMode,
    /// The maximum number of parallel file operations.
    pub(crate) jobs: usize,
    pub(crate) own_files: Arc<OwnFiles>,
}

#[sync_handler(id = "6f0d8a52-3c1b-4d0e-9a57-52b1c6f4e8d3", name = "Offline Files")]
impl SyncHandler for OfflineFiles {
    async fn items(&self) -> SyncResult<Items> {
        let mut parts: Vec<_> = self.parts.values().collect();
        parts.sort_by(|one, other| one.path().cmp(other.path()));
        Ok(parts.into_iter().map(|part| part.item()).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let part = self.part(item);
        let _stopwatch = part.measure();
        let record = LoadedRecord::load(item, self.options.record_mode, &self.roots.ids)?;
        part.result().scan_scope = Some(record.scan_scope);
        let (cache, changed_since) = (record.cache.clone(), record.changed_since());
        let mut plan = self.blocking(item, move |work| work.scan(&cache, changed_since)).await?;
        let began = plan.began;
        self.guard(item, &record, &mut plan).await?;
        let in_sync = self.carry_out(item, plan).await?;
        // A file that failed may have changed since an earlier run.
        let as_of = began.filter(|_| part.result().errors.is_empty());
        match self.options.record_mode {
            RecordMode::Off => Ok(()),
            // The record is written last, so that it never covers a file that is not written yet. Batches need no records of
            // their own: the run after a kill finds the copied files unchanged.
            _ => record.save(&self.roots.ids, in_sync, as_of).await,
        }
    }
}

impl OfflineFiles {
    /// Creates a handler and lists its items. At most `options.jobs` blocking operations run at the same time.
    pub(crate) fn new(pair: Pair, roots: Roots, options: Options) -> io::Result<Self> {
        let directories = mirror::directories_of(&pair.from)?.into_iter().map(Extent::Directory);
        let parts = directories.chain([Extent::TopLevel]).map(|extent| Arc::new(Part::new(extent)));
        let parts = parts.map(|part| (part.item().id(), part)).collect();
        let permits = Arc::new(Semaphore::new(options.jobs));
        Ok(Self { pair, roots, parts, options, permits })
    }

    /// The parts, whose results the report contains.
    pub(crate) fn parts(&self) -> Parts {
        self.parts.clone()
    }

    fn part(&self, item: &ItemContext) -> &Arc<Part> {
        self.parts.get(&item.id()).expect("the host runs only listed items")
    }

    /// Proposes the plan to the host and removes the deletions that the host does not allow. The item of a held plan ends as
    /// *needs user* until the user allows the deletions.
    async fn guard(&self, item: &ItemContext, record: &LoadedRecord, plan: &mut Plan) -> SyncResult {
        let own = Tally::of(plan);
        let whole = match self.options.deletions {
            Deletions::Guarded if own.loses_most() => self.whole_run(item).await?,
            _ => own,
        };
        let judged = if own.is_large_loss() { own } else { whole };
        let proposed = item.propose(&host_plan(plan, judged, &self.roots));
        let is_emptied =
            plan.entries == 0 && own.deletes > 0 && record.is_known() || whole.is_emptied(record.is_known());
        let message = match proposed {
            Err(PlanError::Held(violation)) => held_message(own, whole, &violation),
            Err(error) => error.to_string(),
            Ok(()) if self.options.deletions == Deletions::Guarded && is_emptied => match emptied_message(item, own) {
                None => return Ok(()),
                Some(message) => message,
            },
            Ok(()) => return Ok(()),
        };
        let part = self.part(item);
        let largest = plan.deletions.iter().max_by_key(|deletion| deletion.entries);
        let message = match largest.filter(|_| part.extent == Extent::TopLevel) {
            Some(largest) => format!("{message} (among them {})", largest.path.display()),
            None => message,
        };
        part.result().errors.push(Diagnostic::new(part.path(), message));
        plan.discard_deletions();
        Ok(())
    }

    /// The numbers of all items together. Scans the items that have not been scanned yet.
    async fn whole_run(&self, item: &ItemContext) -> SyncResult<Tally> {
        let parts: Vec<_> = self.parts.values().cloned().collect();
        let add = move |work: &Work| parts.iter().try_fold(Tally::default(), |sum, part| Ok(sum + work.tally(part)?));
        self.blocking(item, add).await
    }

    /// Carries out the plan. Returns the directories that are in sync afterwards.
    async fn carry_out(&self, item: &ItemContext, mut plan: Plan) -> SyncResult<ScanCache> {
        let (in_sync, began) = (std::mem::take(&mut plan.in_sync), plan.began);
        if plan.is_empty() {
            return Ok(in_sync);
        }
        let mut plan = self.blocking(item, move |work| work.prepare(plan)).await?;
        item.concurrently(self.options.jobs, plan.take_batches(), |batch| {
            self.blocking(item, move |work| mirror::make_changes(&work.pair, &batch, work))
        })
        .await?;
        self.blocking(item, move |work| work.finish(&plan)).await?;
        if self.options.record_mode == RecordMode::Off {
            return Ok(in_sync);
        }
        self.blocking(item, move |work| work.scan_again(&in_sync, began)).await
    }

    /// Runs a blocking operation once a permit is free.
    async fn blocking<T, F>(&self, item: &ItemContext, work: F) -> SyncResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Work) -> Result<T, Stopped> + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await?;
        let (pair, part, options) = (self.pair.clone(), self.part(item).clone(), self.options.clone());
        item.blocking(move |item| {
            let _permit = permit;
            Ok(work(&Work { pair, part, options, item })?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use syncmgr::CancelReason;
    use syncmgr::context::TestContext;

    use super::*;
    use crate::mirror::trees::{Trees, file, snapshot};

    fn handler(trees: &Trees, deletions: Deletions) -> OfflineFiles {
        let roots = Roots::of(&trees.pair(), &trees.from, &trees.to);
        OfflineFiles::new(
            trees.pair(),
            roots,
            Options { deletions, record_mode: RecordMode::Use, jobs: 2, own_files: Arc::default() },
        )
        .unwrap()
    }

    /// In `docs`, TO has eleven extra entries and nine that equal those of FROM.
    fn trees_with_extra_entries() -> Trees {
        let trees = Trees::new();
        for number in 0..20 {
            file(&trees.to.join(format!("docs/{number}")), "same", 1);
        }
        for number in 0..9 {
            file(&trees.from.join(format!("docs/{number}")), "same", 1);
        }
        trees
    }

    #[test]
    fn the_items_are_the_directories_and_the_top_level_sorted() {
        let items = block_on(handler(&Trees::full(), Deletions::Never).items()).unwrap();
        assert_eq!(items.iter().map(SyncItem::name).collect::<Vec<_>>(), [".", "docs", "tools"]);
    }

    #[test]
    fn the_proposed_plan_has_the_counts_and_the_sides() {
        let (trees, host) = (trees_with_extra_entries(), TestContext::new());
        file(&trees.from.join("docs/new"), "new", 1);
        file(&trees.from.join("docs/8"), "other", 2);
        block_on(handler(&trees, Deletions::Guarded).synchronize_item(&host.item("docs"))).unwrap();
        let plan = host.plans().remove(0);
        assert_eq!((plan.creates, plan.updates, plan.deletes, plan.existing, plan.bytes), (1, 2, 11, 20, 8));
        let sides: Vec<_> = plan.sides.iter().map(|side| (&*side.name, side.entries)).collect();
        assert_eq!(sides, [("FROM", 10), ("TO", 21)]);
        assert!(plan.sides[0].identity.is_some() && plan.sides[0].identity == plan.sides[1].identity);
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }

    #[test]
    fn a_record_is_committed_only_if_state_is_stored() {
        let (trees, host) = (trees_with_extra_entries(), TestContext::new());
        let item = host.item("docs");
        let mut without_state = handler(&trees, Deletions::Never);
        without_state.options.record_mode = RecordMode::Off;
        block_on(without_state.synchronize_item(&item)).unwrap();
        assert_eq!(host.committed(&item), None);
        block_on(handler(&trees, Deletions::Never).synchronize_item(&item)).unwrap();
        let committed = host.committed(&item).unwrap();
        assert!(committed.starts_with(r#"{"roots":{"from":""#) && committed.contains(r#""settled":{"#), "{committed}");
    }

    #[test]
    fn a_skipped_item_returns_an_error_and_reports_no_failure() {
        let (trees, host) = (Trees::full(), TestContext::new());
        let (handler, item) = (handler(&trees, Deletions::Never), host.item("docs"));
        host.cancel(&item, CancelReason::Skipped);
        assert!(block_on(handler.synchronize_item(&item)).is_err());
        assert!(handler.part(&item).result().errors.is_empty());
        assert!(host.log().is_empty());
    }
}
