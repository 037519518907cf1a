//! The handler: what the program does to each item.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use syncmgr::prelude::*;
use tokio::sync::Semaphore;

use crate::guard::{Deletions, FROM, declare, held};
use crate::mirror::{self, Extent, Memory, Pair, Plan, Stopped};
use crate::part::{Part, Remark};
use crate::record::{Recorded, Records};
use crate::roots::Roots;
use crate::work::Work;

/// Mirrors one directory into another: an item for each directory in FROM, and one for all else at the top.
pub(crate) struct OfflineFiles {
    pair: Pair,
    roots: Roots,
    parts: Parts,
    terms: Terms,
    /// A permit for each job, whichever item it works for.
    permits: Arc<Semaphore>,
}

/// The parts of the trees, by the item that stands for each.
pub(crate) type Parts = BTreeMap<ItemId, Arc<Part>>;

/// How the user wants it.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) deletions: Deletions,
    pub(crate) records: Records,
    /// How much blocking work may go on at once.
    pub(crate) jobs: usize,
    /// The state, if it lies in FROM: where from there on.
    pub(crate) aside: Option<Arc<Path>>,
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
        let recorded = Recorded::load(item, self.terms.records, &self.roots.markers)?;
        part.tally().compared = Some(recorded.compared);
        let known = recorded.known.clone();
        let mut plan = self.blocking(item, move |work| work.scan(&known)).await?;
        self.guard(item, &mut plan);
        let settled = self.carry_out(item, plan).await?;
        self.record(recorded, settled).await
    }
}

impl OfflineFiles {
    /// Lists what there is to mirror. At most `terms.jobs` pieces of blocking work go on at once.
    pub(crate) fn new(pair: Pair, roots: Roots, terms: Terms) -> io::Result<Self> {
        let directories = mirror::directories_of(&pair.from)?.into_iter().map(Extent::Directory);
        let parts = directories.chain([Extent::TopLevel]).map(|extent| Arc::new(Part::new(extent)));
        let parts = parts.map(|part| (part.item().id(), part)).collect();
        let permits = Arc::new(Semaphore::new(terms.jobs));
        Ok(Self { pair, roots, parts, terms, permits })
    }

    /// What becomes of the items, for the report.
    pub(crate) fn parts(&self) -> Parts {
        self.parts.clone()
    }

    fn part(&self, item: &ItemContext) -> &Arc<Part> {
        self.parts.get(&item.id()).expect("a host runs only items that were listed")
    }

    /// Declares the plan, and takes out of it what the host does not clear: held deletions leave the item undone until
    /// somebody agrees to them.
    fn guard(&self, item: &ItemContext, plan: &mut Plan) {
        let part = self.part(item);
        match item.clear(&declare(plan, &self.roots)) {
            Clearance::Go => return,
            Clearance::Side(side) if &*side == FROM => return,
            Clearance::Held(objection) => {
                let told = held(plan.deletes(), plan.existing, &objection);
                part.tally().errors.push(Remark::new(part.path(), told));
            }
            Clearance::Side(_) => {
                plan.do_nothing();
                part.warn(item, part.path(), "TO was left as it is, as was answered; a mirror copies nothing back");
            }
            _ => part.warn(item, part.path(), "nothing was deleted, as was answered; a mirror copies nothing back"),
        }
        plan.delete_nothing();
    }

    /// Does what is planned. Returns what is in order then.
    async fn carry_out(&self, item: &ItemContext, mut plan: Plan) -> SyncResult<Memory> {
        let settled = std::mem::take(&mut plan.settled);
        if plan.is_empty() {
            return Ok(settled);
        }
        let mut plan = self.blocking(item, move |work| work.prepare(plan)).await?;
        item.concurrently(self.terms.jobs, plan.take_batches(), |batch| {
            self.blocking(item, move |work| mirror::make_changes(&work.pair, &batch, work))
        })
        .await?;
        self.blocking(item, move |work| work.finish(&plan)).await?;
        if self.terms.records == Records::Nothing {
            return Ok(settled);
        }
        self.blocking(item, move |work| work.scan_again(&settled)).await
    }

    /// Records what is in order, last: a record never speaks of a file that is not there yet. One that a killed run had no
    /// time for is not missed, as what it copied is found equal by the next; so there is none after each batch.
    async fn record(&self, recorded: Recorded, settled: Memory) -> SyncResult {
        match self.terms.records {
            Records::Nothing => Ok(()),
            _ => recorded.save(&self.roots.markers, settled).await,
        }
    }

    /// Runs one piece of blocking work when its turn comes.
    async fn blocking<T, F>(&self, item: &ItemContext, work: F) -> SyncResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Work) -> Result<T, Stopped> + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await?;
        let (pair, part, terms) = (self.pair.clone(), self.part(item).clone(), self.terms.clone());
        item.blocking(move |item| {
            let _permit = permit;
            Ok(work(&Work { pair, part, terms, item })?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use syncmgr::CancelReason;
    use syncmgr::context::Detached;

    use super::*;
    use crate::mirror::trees::{Trees, file, snapshot};

    const TERMS: Terms = Terms { deletions: Deletions::Never, records: Records::Known, jobs: 2, aside: None };

    fn handler(trees: &Trees, deletions: Deletions) -> OfflineFiles {
        let roots = Roots::of(&trees.pair(), &trees.from, &trees.to);
        OfflineFiles::new(trees.pair(), roots, Terms { deletions, ..TERMS }).unwrap()
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
    fn the_host_is_told_what_is_about_to_be_done_to_which_sides() {
        let (trees, host) = (mostly_gone(), Detached::new());
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
    fn what_was_in_order_is_saved_once_it_is_and_not_without_a_state() {
        let (trees, host) = (mostly_gone(), Detached::new());
        let item = host.item("docs");
        let without =
            OfflineFiles { terms: Terms { records: Records::Nothing, ..TERMS }, ..handler(&trees, Deletions::Never) };
        block_on(without.synchronize_item(&item)).unwrap();
        assert_eq!(host.committed(&item), None);
        block_on(handler(&trees, Deletions::Never).synchronize_item(&item)).unwrap();
        let committed = host.committed(&item).unwrap();
        assert!(committed.starts_with(r#"{"roots":{"from":""#) && committed.contains(r#""settled":{"#), "{committed}");
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
