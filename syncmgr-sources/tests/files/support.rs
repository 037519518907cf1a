//! A watched directory, and waits for its events.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use futures::stream::BoxStream;
use syncmgr::changes::{ChangeSource, LocalChange, Watch, WatchEvent, WatchProblem};
use syncmgr::{HandlerId, ItemId};
use syncmgr_sources::FileChanges;
use tempfile::TempDir;
use tokio::time::timeout;

/// A temporary directory with items that each watch the path of their name, among them `~probe`.
pub(crate) struct Files {
    pub(crate) directory: TempDir,
    pub(crate) problems: Vec<WatchProblem>,
    events: BoxStream<'static, WatchEvent>,
    probes: u32,
}

/// The item with the last path. It tells when the paths before it are watched.
const PROBE: &str = "~probe";

impl Files {
    /// Creates these directories and watches them. Returns once they are watched.
    pub(crate) async fn watch(items: &[&str]) -> Self {
        Self::watch_with(items, |directory| items.iter().for_each(|item| make(&directory.join(item)))).await
    }

    /// Watches these paths below a temporary directory that `prepare` fills. Returns once they are watched.
    pub(crate) async fn watch_with(items: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be created");
        prepare(directory.path());
        make(&directory.path().join(PROBE));
        let events = FileChanges::new().watch(paths(directory.path(), items, SystemTime::UNIX_EPOCH));
        let mut files = Self { directory, problems: Vec::new(), events, probes: 0 };
        // All files are newer than the time since which changes count, and the probe is searched last.
        files.until(PROBE).await;
        files
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    pub(crate) fn write(&self, path: &str) {
        fs::write(self.path(path), "text").expect("the file can be written");
    }

    /// Waits until an item has changed.
    pub(crate) async fn until(&mut self, item: &str) {
        while self.next().await != ItemId::from_name(item) {}
    }

    /// Waits until a problem was reported.
    pub(crate) async fn until_problem(&mut self) -> WatchProblem {
        while self.problems.is_empty() {
            self.next_event().await;
        }
        self.problems.remove(0)
    }

    /// Returns the items that have changed so far, in order. A later change marks the end.
    pub(crate) async fn changed(&mut self) -> Vec<&'static str> {
        self.probes += 1;
        // A new empty file is a single change, so that no later one is left for the next probe.
        let probe = fs::File::create_new(self.path(&format!("{PROBE}/{}", self.probes)));
        drop(probe.expect("the file can be created"));
        let mut changed = Vec::new();
        loop {
            let item = self.next().await;
            if item == ItemId::from_name(PROBE) {
                changed.sort_unstable();
                changed.dedup();
                return changed;
            }
            let name = ["a", "b", "c"].into_iter().find(|name| ItemId::from_name(name) == item);
            changed.push(name.expect("the item has one of these names"));
        }
    }

    async fn next(&mut self) -> ItemId {
        loop {
            if let Some(item) = self.next_event().await {
                return item;
            }
        }
    }

    async fn next_event(&mut self) -> Option<ItemId> {
        match timeout(Duration::from_secs(60), self.events.next()).await.expect("an event arrives in time") {
            Some(WatchEvent::Changed(LocalChange::Item(item))) => Some(item),
            Some(WatchEvent::Problem(problem)) => {
                self.problems.push(problem);
                None
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Returns a watch of these paths below a directory, and of the probe.
pub(crate) fn paths(directory: &Path, items: &[&str], since: SystemTime) -> Watch {
    let name = |path: &str| path.split('/').next_back().map(ItemId::from_name).expect("a path has a name");
    let watch = Watch::new(HandlerId::from_u128(1), since);
    let paths = items.iter().chain(&[PROBE]);
    paths.fold(watch, |watch, path| watch.with_path(directory.join(path), name(path)))
}

pub(crate) fn make(directory: &Path) {
    fs::create_dir_all(directory).expect("the directory can be created");
}

pub(crate) fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).expect("the path can be renamed");
}
