use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::stream::poll_fn;
use syncmgr_core::id::ItemId;
use syncmgr_core::local_change::LocalChange;
use syncmgr_runtime::change_source::WatchEvent;
use tempfile::TempDir;

use super::super::roots::Roots;
use super::*;

/// A directory with the items `a` (1) and `probe` (2), and its watch once both are watched.
fn watched() -> (TempDir, Arc<Shared>) {
    let directory = tempfile::tempdir().unwrap();
    let paths =
        [("a", 1), ("probe", 2)].map(|(name, item)| (directory.path().join(name), [ItemId::from_u128(item)].into()));
    paths.iter().for_each(|(path, _)| fs::create_dir(path).unwrap());
    let shared = Arc::new(Shared::new(Roots::new(BTreeMap::<PathBuf, BTreeSet<ItemId>>::from(paths))));
    start(&shared, UNIX_EPOCH);
    until_changed(&shared, 2);
    (directory, shared)
}

fn next(shared: &Shared) -> Option<WatchEvent> {
    wait(poll_fn(|cx| shared.poll_next(cx)).next())
}

fn wait<T>(expected: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a current-thread runtime builds");
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(60), expected).await })
        .expect("it happens in time")
}

fn until_changed(shared: &Shared, item: u128) {
    let changed = WatchEvent::Changed(LocalChange::Item(ItemId::from_u128(item)));
    while next(shared).expect("the watch goes on") != changed {}
}

#[test]
fn an_overflow_of_the_kernels_queue_loses_no_change() {
    let (directory, shared) = watched();
    let queue: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    let threads = shared.stop_threads();
    // Creating, opening and closing a file are three events at least.
    (0..queue / 3 + 1_000)
        .for_each(|number| drop(fs::File::create(directory.path().join(format!("a/{number}"))).unwrap()));
    // This directory raises no event: the queue is full.
    fs::create_dir_all(directory.path().join("probe/n/m")).unwrap();
    drop(threads);
    until_changed(&shared, 2);
    // Only a watch of the new directory can notice the last of these changes.
    for number in 0..20 {
        fs::write(directory.path().join(format!("probe/n/m/{number}")), "").unwrap();
        until_changed(&shared, 2);
    }
    shared.close();
}

#[test]
fn the_threads_of_a_watch_end_with_its_stream() {
    let (_directory, shared) = watched();
    let threads = Arc::downgrade(&shared);
    shared.close();
    drop(shared);
    wait(async {
        while threads.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_source_that_fails_reports_every_item_and_ends() {
    let roots = BTreeMap::<PathBuf, BTreeSet<ItemId>>::from([("/missing".into(), [ItemId::from_u128(1)].into())]);
    let shared = Shared::new(Roots::new(roots));
    shared.fail(WatchProblem::new("the fault"));
    let changed = WatchEvent::Changed(LocalChange::Item(ItemId::from_u128(1)));
    let events = [next(&shared), next(&shared), next(&shared)];
    assert_eq!(events, [Some(WatchEvent::Problem(WatchProblem::new("the fault"))), Some(changed), None]);
}
