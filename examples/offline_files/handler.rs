//! The handler: what the program does to each item.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use syncmgr::ItemId;
use syncmgr::prelude::*;
use tokio::sync::Semaphore;

use crate::mirror::{self, Done, Extent, FileError, Monitor, Pair, Plan, Stopped, Surplus};
use crate::part::{Part, Remark};

/// Mirrors one directory into another: an item for each directory in FROM, and one for all else at the top.
pub(crate) struct OfflineFiles {
    pair: Pair,
    parts: Parts,
    deletions: Deletions,
    jobs: usize,
    /// A permit for each job, whichever item it works for.
    permits: Arc<Semaphore>,
}

/// The parts of the trees, by the item that stands for each.
pub(crate) type Parts = BTreeMap<ItemId, Arc<Part>>;

/// What may be removed from TO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletions {
    /// Nothing.
    Never,
    /// What FROM no longer has, unless it is suspiciously much.
    Guarded,
    /// What FROM no longer has, however much.
    Always,
}

/// The answers to what is asked before much is deleted.
const DELETE: &str = "delete";
const KEEP: &str = "keep";

#[sync_handler(id = "6f0d8a52-3c1b-4d0e-9a57-52b1c6f4e8d3", name = "Offline Files")]
impl SyncHandler for OfflineFiles {
    async fn items(&self) -> SyncResult<Items> {
        let mut parts: Vec<_> = self.parts.values().collect();
        parts.sort_by(|one, other| one.path().cmp(other.path()));
        Ok(parts.into_iter().map(|part| part.item()).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let _stopwatch = self.part(item).measure();
        let surplus = if self.deletions == Deletions::Never { Surplus::Keep } else { Surplus::Delete };
        let mut plan = self.blocking(item, move |work| work.scan(surplus)).await?;
        self.guard(item, &mut plan);
        let mut plan = self.blocking(item, move |work| work.prepare(plan)).await?;
        item.concurrently(self.jobs, plan.take_batches(), |batch| {
            self.blocking(item, move |work| mirror::make_changes(&work.pair, &batch, work))
        })
        .await?;
        self.blocking(item, move |work| work.finish(&plan)).await
    }
}

impl OfflineFiles {
    /// Lists what there is to mirror. At most `jobs` pieces of blocking work go on at once.
    pub(crate) fn new(pair: Pair, deletions: Deletions, jobs: usize) -> io::Result<Self> {
        let directories = mirror::directories_of(&pair.from)?.into_iter().map(Extent::Directory);
        let parts = directories.chain([Extent::TopLevel]).map(|extent| Arc::new(Part::new(extent)));
        let parts = parts.map(|part| (part.item().id(), part)).collect();
        Ok(Self { pair, parts, deletions, jobs, permits: Arc::new(Semaphore::new(jobs)) })
    }

    /// What becomes of the items, for the report.
    pub(crate) fn parts(&self) -> Parts {
        self.parts.clone()
    }

    fn part(&self, item: &ItemContext) -> &Arc<Part> {
        self.parts.get(&item.id()).expect("a host runs only items that were listed")
    }

    /// Holds back deletions that look like a mistake. The item then ends undone unless somebody agrees to them.
    fn guard(&self, item: &ItemContext, plan: &mut Plan) {
        let Some(refusal) = plan.refusal().filter(|_| self.deletions == Deletions::Guarded) else { return };
        let answer = item.decide("deletions", &refusal.to_string(), &[DELETE, KEEP]);
        if answer == Some(DELETE) {
            return;
        }
        plan.delete_nothing();
        if answer.is_none() {
            let part = self.part(item);
            part.tally().errors.push(Remark::new(part.path(), refusal.to_string()));
        }
    }

    /// Runs one piece of blocking work when its turn comes.
    async fn blocking<T, F>(&self, item: &ItemContext, work: F) -> SyncResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Work) -> Result<T, Stopped> + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await?;
        let (pair, part) = (self.pair.clone(), self.part(item).clone());
        item.blocking(move |item| {
            let _permit = permit;
            Ok(work(&Work { pair, part, item })?)
        })
        .await
    }
}

/// Blocking work on one item: what it needs, and where it reports.
struct Work {
    pair: Pair,
    part: Arc<Part>,
    item: ItemContext,
}

impl Work {
    fn scan(&self, surplus: Surplus) -> Result<Plan, Stopped> {
        let plan = mirror::scan(&self.pair, &self.part.extent, surplus, self)?;
        self.part.tally().counts.unchanged = plan.unchanged;
        Ok(plan)
    }

    fn prepare(&self, mut plan: Plan) -> Result<Plan, Stopped> {
        mirror::remove_leftovers(&self.pair.to, &plan.leftovers, self)?;
        mirror::make_directories(&self.pair.to, &mut plan, self)?;
        self.part.plan(plan.bytes());
        Ok(plan)
    }

    fn finish(&self, plan: &Plan) -> Result<(), Stopped> {
        mirror::delete_entries(&self.pair.to, &plan.deletions, self)?;
        mirror::settle_directories(&self.pair.to, &plan.directories, self)
    }
}

impl Monitor for Work {
    fn moved(&self, bytes: u64) -> Result<(), Stopped> {
        let (written, planned) = self.part.wrote(bytes);
        self.item.progress(written, planned).map_err(|_| Stopped)
    }

    fn done(&self, done: Done) {
        self.part.tally().counts.add(done);
    }

    fn warn(&self, path: &Path, text: &str) {
        let remark = Remark::new(path, text);
        self.item.warn(remark.to_string());
        self.part.tally().warnings.push(remark);
    }

    fn fail(&self, error: FileError) {
        let remark = Remark::new(&error.path, error.to_string());
        // An error after a stop says nothing about the file.
        if self.item.tolerate(&remark.path, Err::<(), _>(error)).is_ok() {
            self.part.tally().errors.push(remark);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use syncmgr::{CancelReason, Detached};

    use super::*;
    use crate::mirror::trees::{Trees, file, snapshot};

    fn handler(trees: &Trees, deletions: Deletions) -> OfflineFiles {
        OfflineFiles::new(trees.pair(), deletions, 2).unwrap()
    }

    /// TO has eleven more entries in `docs` than FROM, and nine that are the same.
    fn mostly_gone() -> Trees {
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
    fn the_items_are_the_directories_and_the_top_level_in_order() {
        let items = block_on(handler(&Trees::full(), Deletions::Never).items()).unwrap();
        assert_eq!(items.iter().map(SyncItem::name).collect::<Vec<_>>(), [".", "docs", "tools"]);
    }

    #[test]
    fn suspicious_deletions_wait_for_somebody_to_agree() {
        let (trees, host) = (mostly_gone(), Detached::new());
        let (handler, item) = (handler(&trees, Deletions::Guarded), host.item("docs"));
        block_on(handler.synchronize_item(&item)).unwrap();
        assert!(item.cell().traces().undecided);
        assert_eq!(snapshot(&trees.to.join("docs")).len(), 20);
        let tally = std::mem::take(&mut *handler.part(&item).tally());
        assert_eq!(
            tally.errors[0].to_string(),
            "docs: nothing was deleted: 11 of the 20 entries in TO would be; --yes deletes them"
        );
        host.answer(&item, "deletions", 0);
        block_on(handler.synchronize_item(&item)).unwrap();
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }

    #[test]
    fn agreeing_beforehand_asks_nothing() {
        let (trees, host) = (mostly_gone(), Detached::new());
        block_on(handler(&trees, Deletions::Always).synchronize_item(&host.item("docs"))).unwrap();
        assert!(host.log().is_empty());
        assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
    }

    #[test]
    fn a_skipped_item_leaves_with_an_error_and_reports_no_failure() {
        let (trees, host) = (Trees::full(), Detached::new());
        let (handler, item) = (handler(&trees, Deletions::Never), host.item("docs"));
        host.cancel(&item, CancelReason::Skipped);
        assert!(block_on(handler.synchronize_item(&item)).is_err());
        assert!(handler.part(&item).tally().errors.is_empty());
        assert!(host.log().is_empty());
    }
}
