//! Folder pairs in a manager that hosts them for a long time.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot create its trees has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use offline_files::{Deletions, FolderPair, TwoWayPair};
use syncmgr::ItemId;
use syncmgr::prelude::*;
use syncmgr::store::SqliteStore;
use tempfile::TempDir;

/// A directory with a `from` that has the items `docs` and `.`, and a state.
struct Base(TempDir);

impl Base {
    fn new() -> Self {
        let base = Self(tempfile::tempdir().unwrap());
        base.write("from/docs/plan", "the plan");
        base.write("from/top", "at the top");
        base
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    fn manager(&self) -> (SyncManager, SqliteStore) {
        let store = SqliteStore::open(self.path("state.sqlite")).unwrap();
        (SyncManager::builder().store(store.clone()).build(), store)
    }

    fn pair(&self) -> FolderPair {
        FolderPair::new("Documents", self.path("from"), self.path("to"))
    }

    fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }
}

async fn run(manager: &SyncManager) -> Report {
    manager.session(Trigger::Manual).start().unwrap().finish().await
}

/// The items of a report and their outcomes.
fn outcomes(report: &Report) -> Vec<String> {
    let mut outcomes: Vec<_> = report.items().map(|item| format!("{} {}", item.item.name(), item.outcome)).collect();
    outcomes.sort();
    outcomes
}

#[tokio::test]
async fn directories_appear_and_vanish_between_the_runs_of_one_registration() {
    let base = Base::new();
    let (manager, store) = base.manager();
    manager.register(base.pair().with_deletions(Deletions::Guarded).with_store(&store)).unwrap();
    assert_eq!(outcomes(&run(&manager).await), [". succeeded", "docs succeeded"]);
    base.write("from/photos/tree", "a tree");
    fs::remove_dir_all(base.path("from/docs")).unwrap();
    assert_eq!(outcomes(&run(&manager).await), [". succeeded", "photos succeeded"]);
    assert!(base.has("to/photos/tree") && base.has("to/top") && !base.has("to/docs"));
}

#[tokio::test]
async fn a_pair_is_closed_while_the_results_of_its_runs_are_kept() {
    let base = Base::new();
    let (manager, store) = base.manager();
    manager.register(base.pair().with_store(&store)).unwrap();
    let session = manager.session(Trigger::Manual).start().unwrap();
    assert!(session.report().await.is_success());
    assert!(run(&manager).await.is_success(), "the first run still locks TO");
    drop(session);
}

#[tokio::test]
async fn pairs_with_the_same_items_have_records_of_their_own() {
    let base = Base::new();
    base.write("other/docs/plan", "another plan");
    let (manager, store) = base.manager();
    let first = manager.register(base.pair().with_store(&store)).unwrap();
    let other = FolderPair::new("Other", base.path("other"), base.path("copy")).with_store(&store);
    let second = manager.register(other).unwrap();
    assert_ne!(first, second);
    let names: Vec<_> = manager.handlers().iter().map(|info| info.name().to_owned()).collect();
    assert!(names.contains(&"Documents".to_owned()) && names.contains(&"Other".to_owned()), "{names:?}");
    let report = run(&manager).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(fs::read_to_string(base.path("copy/docs/plan")).unwrap(), "another plan");
    assert_eq!(fs::read_to_string(base.path("to/docs/plan")).unwrap(), "the plan");
}

#[tokio::test]
async fn deletions_that_look_like_a_mistake_are_a_question_only_for_guarded_pairs() {
    for (deletions, outcome, is_left) in [
        (Deletions::Never, "docs succeeded", true),
        (Deletions::Guarded, "docs needs user", true),
        (Deletions::Always, "docs succeeded", false),
    ] {
        let base = Base::new();
        (0..20).for_each(|number| base.write(&format!("from/docs/{number}"), "a page"));
        let (manager, store) = base.manager();
        manager.register(base.pair().with_deletions(deletions).with_store(&store)).unwrap();
        assert!(run(&manager).await.is_success());
        fs::remove_dir_all(base.path("from/docs")).unwrap();
        base.write("from/docs/plan", "the plan");
        let report = run(&manager).await;
        assert!(outcomes(&report).contains(&outcome.to_owned()), "{deletions:?}: {report}");
        assert_eq!(base.has("to/docs/7"), is_left, "{deletions:?}");
    }
}

#[tokio::test]
async fn the_items_of_a_watched_pair_watch_their_directories() {
    let base = Base::new();
    let watches = |items: Items| items.iter().flat_map(|item| item.watches().to_vec()).collect::<Vec<_>>();
    assert_eq!(watches(base.pair().items().await.unwrap()), Vec::<PathBuf>::new());
    let watched = watches(base.pair().watched().items().await.unwrap());
    assert_eq!(watched, [base.path("from"), base.path("from/docs")]);
}

#[tokio::test]
async fn a_from_that_is_missing_fails_the_run_and_the_next_one_continues() {
    let base = Base::new();
    let (manager, store) = base.manager();
    let pair = manager.register(base.pair().with_store(&store)).unwrap();
    fs::rename(base.path("from"), base.path("away")).unwrap();
    let report = run(&manager).await;
    let text = report.run(pair).unwrap().log.iter().map(|entry| entry.text.to_string()).collect::<Vec<_>>().join("\n");
    assert!(!report.is_success() && text.contains("FROM is not a directory that can be read"), "{text}");
    assert!(!base.has("to"));
    fs::rename(base.path("away"), base.path("from")).unwrap();
    assert!(run(&manager).await.is_success());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_target_on_another_disk_is_refused_until_the_pair_is_forgotten() {
    use std::os::unix::fs::MetadataExt;

    let (base, disk) = (Base::new(), Path::new("/dev/shm"));
    let device = |path: &Path| fs::metadata(path).map(|about| about.dev()).ok();
    if device(disk).is_none() || device(disk) == device(base.0.path()) {
        return skip::skip("there is no second file system in /dev/shm");
    }
    let (manager, store) = base.manager();
    let pair = || base.pair().with_deletions(Deletions::Always).with_store(&store);
    let id = manager.register(pair()).unwrap();
    assert!(run(&manager).await.is_success());
    let other = tempfile::tempdir_in(disk).unwrap();
    fs::rename(base.path("to"), base.path("away")).unwrap();
    std::os::unix::fs::symlink(other.path(), base.path("to")).unwrap();
    let report = run(&manager).await;
    let text = report.run(id).unwrap().log.iter().map(|entry| entry.text.to_string()).collect::<Vec<_>>().join("\n");
    assert!(text.contains("TO is on another disk than in the last run") && text.contains("forget Documents"), "{text}");
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
    manager.forget(id).await.unwrap();
    manager.register(pair()).unwrap();
    assert!(run(&manager).await.is_success());
}

#[cfg(target_os = "linux")]
#[path = "offline_files/skip.rs"]
mod skip;

#[tokio::test]
async fn a_file_that_became_a_directory_is_replaced_by_a_later_run_of_its_item() {
    let base = Base::new();
    let (manager, store) = base.manager();
    let pair = TwoWayPair::new("Both", base.path("from"), base.path("to")).with_store(&store);
    let handler = pair.info().id();
    manager.register(pair).unwrap();
    assert!(run(&manager).await.is_success());
    fs::remove_file(base.path("from/top")).unwrap();
    base.write("from/top/new", "in a directory");
    // The new directory has an item of its own.
    let top_level = manager.session(Trigger::Manual).items(handler, [ItemId::from_name(".")]);
    assert!(top_level.start().unwrap().finish().await.is_success());
    let report = run(&manager).await;
    assert!(report.is_success() && base.has("to/top/new"), "{report}");
    // The same in the other direction.
    fs::remove_dir_all(base.path("from/top")).unwrap();
    base.write("from/top", "a file again");
    let directory = manager.session(Trigger::Manual).items(handler, [ItemId::from_name("top")]);
    assert!(directory.start().unwrap().finish().await.is_success());
    let report = run(&manager).await;
    assert!(report.is_success() && fs::read(base.path("to/top")).unwrap() == b"a file again", "{report}");
    manager.shutdown().await;
}
