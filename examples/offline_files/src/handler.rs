//! The sync handler.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::store::{SqliteStore, StateStore};

use crate::guard::Deletions;
use crate::item_monitor::ItemMonitor;
use crate::mirror::{self, Directory, Extent, FileSystems, OwnFiles, Pair, ScanCache};
use crate::part::Part;
use crate::record::{LoadedRecord, Record, RecordMode};
use crate::roots::{RootIds, Roots};
use crate::work::Work;

/// The maximum number of items that run at the same time. The runtime has more threads for blocking work than this.
const MAX_ITEMS: usize = 256;

/// The default number of jobs: two per processor. While one thread waits for the disk, another one uses the processor.
pub(crate) fn default_jobs() -> usize {
    2 * available_parallelism().map_or(1, usize::from)
}

/// The limits of a handler with this number of jobs. As many items run as there are jobs: one that waited for a job would seem
/// stalled.
pub(crate) fn limits(jobs: usize) -> Limits {
    Limits::DEFAULT.with_items(jobs.min(MAX_ITEMS))
}

/// Mirrors one directory into another. Each directory in FROM is an item; one more item has all other top-level entries.
pub(crate) struct OfflineFiles {
    pair: Pair,
    roots: Roots,
    parts: Parts,
    options: Options,
}

/// The parts of the trees by item.
pub(crate) type Parts = Arc<BTreeMap<ItemId, Arc<Part>>>;

/// The parts of the last run of a pair, which the program reads after each session.
#[derive(Clone, Debug, Default)]
pub(crate) struct LatestParts(Arc<Mutex<Parts>>);

impl LatestParts {
    pub(crate) fn set(&self, parts: Parts) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = parts;
    }

    /// Takes the parts. None are left.
    pub(crate) fn take(&self) -> Parts {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The options of a run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The handler whose records the items have.
    pub(crate) handler: HandlerId,
    pub(crate) deletions: Deletions,
    pub(crate) record_mode: RecordMode,
    /// The store of the records, if there is one.
    pub(crate) store: Option<SqliteStore>,
    /// The maximum number of threads that work at the same time.
    pub(crate) jobs: usize,
    pub(crate) own_files: Arc<OwnFiles>,
}

impl Options {
    /// The directories of any item that need no comparison according to its record; `None` if that cannot be used.
    pub(crate) fn recorded_cache(&self, item: ItemId, roots: &RootIds) -> Option<ScanCache> {
        let store = self.store.as_ref().filter(|_| self.record_mode == RecordMode::Use)?;
        let record = store.record(self.handler, item).ok()??;
        Record::decode(&record.checkpoint?.state)?.cache(roots)
    }
}

#[sync_handler(id = "6f0d8a52-3c1b-4d0e-9a57-52b1c6f4e8d3", name = "Offline Files")]
impl SyncHandler for OfflineFiles {
    fn info(&self) -> HandlerInfo {
        Self::HANDLER.with_limits(limits(self.options.jobs))
    }

    async fn items(&self) -> SyncResult<Items> {
        let mut parts: Vec<_> = self.parts.values().collect();
        parts.sort_by(|one, other| one.path().cmp(other.path()));
        Ok(parts.into_iter().map(|part| part.item()).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let part = self.part(item)?;
        let _stopwatch = part.measure();
        let record = LoadedRecord::load(item, self.options.record_mode, &self.roots.ids)?;
        part.result().scan_scope = Some(record.scan_scope);
        let (pair, options, roots) = (self.pair.separate(), self.options.clone(), self.roots.clone());
        let (part, parts) = (part.clone(), self.parts.clone());
        let (record, in_sync, run) = item
            .blocking(move |item| {
                let jobs = pair.jobs.clone();
                let _job = jobs.begin();
                let work = Work { pair, parts, roots, options, monitor: ItemMonitor { item, part } };
                let (in_sync, run) = work.mirror(&record)?;
                Ok((record, in_sync, run))
            })
            .await?;
        match self.options.record_mode {
            RecordMode::Off => Ok(()),
            // The record is written last, so that it never covers a file that is not written yet. Batches need no records of
            // their own: the run after a kill finds the copied files unchanged.
            _ => record.save(&self.roots.ids, in_sync, run),
        }
    }
}

impl OfflineFiles {
    /// Creates a handler and lists its items. At most `options.jobs` threads work at the same time.
    pub(crate) fn new(pair: Pair, roots: Roots, options: Options) -> io::Result<Self> {
        let parts = parts_of(&pair.from, Some(&pair.to), &options.own_files)?;
        let parts = parts.map(|part| (part.item().id(), Arc::new(part)));
        let (parts, pair) = (Arc::new(parts.collect()), pair.with_jobs(options.jobs));
        Ok(Self { pair, roots, parts, options })
    }

    /// The parts, whose results the report contains.
    pub(crate) fn parts(&self) -> Parts {
        self.parts.clone()
    }

    /// The file systems of TO, which know at the end what they cannot store.
    pub(crate) fn file_systems(&self) -> Arc<FileSystems> {
        self.pair.file_systems.clone()
    }

    /// The part of an item. Fails if its directory is gone since the host listed the items; it may come back.
    fn part(&self, item: &ItemContext) -> SyncResult<&Arc<Part>> {
        self.parts.get(&item.id()).ok_or_else(|| anyhow!("the directory is no longer in FROM"))
    }
}

/// Lists the parts of two trees: one for each directory directly in FROM, and the top level.
pub(crate) fn parts_of(
    from: &Directory,
    to: Option<&Directory>,
    own_files: &OwnFiles,
) -> io::Result<impl Iterator<Item = Part> + use<>> {
    let directories = mirror::directories_of(from, to, own_files)?.into_iter().map(Extent::Directory);
    Ok(directories.chain([Extent::TopLevel]).map(Part::new))
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use syncmgr::CancelReason;
    use syncmgr::context::TestContext;
    use tokio::runtime::Builder;

    use super::*;
    use crate::mirror::trees::{Trees, file, snapshot};

    fn handler(trees: &Trees, deletions: Deletions) -> OfflineFiles {
        let roots = Roots::of(&trees.pair(), &trees.from, &trees.to);
        OfflineFiles::new(
            trees.pair(),
            roots,
            Options {
                handler: OfflineFiles::HANDLER.id(),
                deletions,
                record_mode: RecordMode::Use,
                store: None,
                jobs: 2,
                own_files: Arc::default(),
            },
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
    fn with_one_job_an_item_begins_only_after_the_one_before_has_ended() {
        let trees = Trees::full();
        let mut handler = handler(&trees, Deletions::Never);
        handler.options.jobs = 1;
        let manager = SyncManager::builder().build();
        manager.register(handler).unwrap();
        let began = async {
            let session = manager.session(Trigger::Manual).start().unwrap();
            let (mut events, mut began) = (session.events(), Vec::new());
            loop {
                match events.next().await {
                    Some(SessionEvent::Began { .. }) => began.push(true),
                    Some(SessionEvent::Ended { .. }) => began.push(false),
                    None | Some(SessionEvent::Idle) => return began,
                    _ => {}
                }
            }
        };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(began), [true, false].repeat(3));
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
        assert!(committed.starts_with(r#"{"roots":{"from":""#) && committed.contains(r#""in_sync":""#), "{committed}");
    }

    #[test]
    fn a_skipped_item_returns_an_error_and_reports_no_failure() {
        let (trees, host) = (Trees::full(), TestContext::new());
        let (handler, item) = (handler(&trees, Deletions::Never), host.item("docs"));
        host.cancel(&item, CancelReason::Skipped);
        assert!(block_on(handler.synchronize_item(&item)).is_err());
        assert!(handler.part(&item).unwrap().result().errors.is_empty());
        assert!(host.log().is_empty());
    }
}
