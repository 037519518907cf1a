//! The rows of the table.

use std::time::{Duration, Instant};

use syncmgr::Trigger;
use syncmgr::prelude::*;
use syncmgr_console::{Console, Serving};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::heap::Heap;
use crate::viewer::{ignore, watch};

/// A time after which the console has read all requests.
const QUIET: Duration = Duration::from_millis(500);

/// A time after which a viewer that reads nothing has lost its stream.
const LOST: Duration = Duration::from_secs(12);

/// Items that suspend once.
struct Table(Items);

#[sync_handler(id = "3d5f3b7e-4b0e-4d53-9f0a-2b8f6d6f3a11", name = "Table")]
impl SyncHandler for Table {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.clone())
    }

    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        tokio::task::yield_now().await;
        Ok(())
    }
}

fn manager(items: usize) -> SyncManager {
    let manager = SyncManager::new();
    let items = (0..items).map(|number| SyncItem::named(number.to_string())).collect();
    manager.register(Table(items)).expect("the handler is new");
    manager
}

fn serve(manager: &SyncManager) -> (TempDir, Serving) {
    let folder = tempfile::tempdir().expect("there is a directory for temporary files");
    let console = Console::new(manager).at(folder.path().join("run/bench.sock")).start();
    (folder, console.expect("the socket is free"))
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
async fn session(manager: &SyncManager) -> Duration {
    let start = Instant::now();
    manager.session(Trigger::Manual).start().expect("the manager is open").finish().await;
    start.elapsed()
}

/// Prints the time of an item without a console and with ten viewers, in sessions that take turns.
pub(crate) async fn compare(items: usize, rounds: usize) {
    let (alone, viewed) = (manager(items), manager(items));
    let (_folder, console) = serve(&viewed);
    let viewers: Vec<_> = (0..10).map(|_| watch(console.path())).collect();
    sleep(QUIET).await;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..=rounds {
        without.push(session(&alone).await);
        with.push(session(&viewed).await);
        sleep(QUIET).await;
    }
    viewers.iter().for_each(|viewer| viewer.abort());
    let [without, with] = [without, with].map(|times| median(times).as_nanos() as f64 / items as f64);
    println!(
        "{items} items, ns each: without a console {without:.0}, with ten viewers {with:.0}, ratio {:.2}",
        with / without
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Prints the live heap bytes of each viewer that never reads: before there are events, after sessions, and after it lost its stream.
pub(crate) async fn weigh(items: usize, viewers: usize) {
    let manager = manager(items);
    let (_folder, console) = serve(&manager);
    drop(ignore(console.path()).await);
    session(&manager).await;
    sleep(QUIET).await;
    let heap = Heap::new();
    let live = || heap.live() / viewers as f64;
    let mut streams = Vec::with_capacity(viewers);
    for _ in 0..viewers {
        streams.push(ignore(console.path()).await);
    }
    sleep(QUIET).await;
    let connected = live();
    for _ in 0..3 {
        session(&manager).await;
    }
    sleep(QUIET).await;
    let unread = live();
    sleep(LOST).await;
    let lost = live();
    println!(
        "{viewers} viewers that never read, bytes each: {connected:.0}; after three sessions {unread:.0}; then {lost:.0}"
    );
}
