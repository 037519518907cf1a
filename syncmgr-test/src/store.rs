//! A store whose writes fail, wait, or are lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::error::SyncResult;
use syncmgr_core::store::{Durability, StateChange, StateStore};
use syncmgr_core::sync::Mutex;
use syncmgr_runtime::memory::MemoryStore;
use tokio::time::{Instant, sleep_until};

use crate::reads_from;

/// A store in memory with a disk behind it, both of which do as they are told. Clones are the same store.
///
/// A write is seen by every read at once, as the port asks, and reaches the disk in the order of the writes: at once, or
/// after [`slow_down`](Self::slow_down). What a process that is killed now leaves behind is [`left_behind`](Self::left_behind).
#[derive(Clone, Debug, Default)]
pub struct FaultyStore {
    seen: MemoryStore,
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    kept: MemoryStore,
    /// What has not reached the disk; without a time it never does by itself.
    under_way: VecDeque<(Option<Instant>, Vec<StateChange>)>,
    writes: u64,
    fault: Fault,
    delay: Duration,
    honesty: Honesty,
}

/// Which writes fail.
#[derive(Clone, Copy, Debug, Default)]
enum Fault {
    #[default]
    None,
    Once(u64),
    From(u64),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Honesty {
    #[default]
    Honest,
    Lying,
}

impl FaultyStore {
    /// An empty store that does nothing wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that begins with what this one has now.
    pub fn over(store: &MemoryStore) -> Self {
        let disk = Disk { kept: store.left_behind(), ..Disk::default() };
        Self { seen: store.left_behind(), disk: Arc::new(Mutex::new(disk)) }
    }

    /// How many writes there were, counting those that failed.
    pub fn writes(&self) -> u64 {
        self.disk.lock().writes
    }

    /// The write of this number, counted from 1 and from the beginning of the store, fails. Nothing of it is stored.
    pub fn fail_write(&self, number: u64) {
        self.disk.lock().fault = Fault::Once(number);
    }

    /// The write of this number fails, and every one after it, until [`heal`](Self::heal).
    pub fn fail_from(&self, number: u64) {
        self.disk.lock().fault = Fault::From(number);
    }

    /// From now on a write takes so long, in tokio's time, to reach the disk.
    pub fn slow_down(&self, delay: Duration) {
        self.disk.lock().delay = delay;
    }

    /// From now on writes are said to be stored, and wait for [`flush`](Self::flush): a disk that lies about durability.
    pub fn lie(&self) {
        self.disk.lock().honesty = Honesty::Lying;
    }

    /// Whatever was said to be stored is.
    pub fn flush(&self) {
        let mut disk = self.disk.lock();
        let all = disk.under_way.len();
        disk.settle(all);
    }

    /// From now on nothing fails or waits by itself. What was lost by a lie stays lost, and what comes after it waits for
    /// [`flush`](Self::flush) too: nothing reaches a disk before what was written earlier.
    pub fn heal(&self) {
        let mut disk = self.disk.lock();
        (disk.fault, disk.delay, disk.honesty) = (Fault::None, Duration::ZERO, Honesty::Honest);
    }

    /// How many writes have not reached the disk.
    pub fn under_way(&self) -> usize {
        let mut disk = self.disk.lock();
        disk.settle_due();
        disk.under_way.len()
    }

    /// What a process that is killed now leaves behind: what has reached the disk. The store itself goes on as it is.
    pub fn left_behind(&self) -> MemoryStore {
        self.left_behind_with(0)
    }

    /// The same, where the first `writes` of those under way reached the disk as the process died.
    pub fn left_behind_with(&self, writes: usize) -> MemoryStore {
        let mut disk = self.disk.lock();
        disk.settle_due();
        let left = disk.kept.left_behind();
        for (_, changes) in disk.under_way.iter().take(writes) {
            apply(&left, changes.clone());
        }
        left.left_behind()
    }
}

impl Disk {
    /// Counts a write. `false` where it fails.
    fn takes_another(&mut self) -> bool {
        self.writes += 1;
        match self.fault {
            Fault::None => true,
            Fault::Once(number) => self.writes != number,
            Fault::From(number) => self.writes < number,
        }
    }

    /// Takes a write. Returns when it is said to be stored, unless that is now.
    fn take(&mut self, changes: Vec<StateChange>) -> Option<Instant> {
        if self.honesty == Honesty::Lying {
            self.under_way.push_back((None, changes));
            return None;
        }
        let now = Instant::now();
        // The disk keeps the order: no write is stored before those that were taken before it.
        let before = self.under_way.iter().filter_map(|(stored, _)| *stored).max();
        let stored = before.unwrap_or(now).max(now + self.delay);
        self.under_way.push_back((Some(stored), changes));
        self.settle_due();
        (stored > now).then_some(stored)
    }

    /// What is due reaches the disk, up to what never does by itself.
    fn settle_due(&mut self) {
        let now = Instant::now();
        let due = self.under_way.iter().take_while(|(stored, _)| stored.is_some_and(|stored| stored <= now)).count();
        self.settle(due);
    }

    fn settle(&mut self, writes: usize) {
        self.under_way.drain(..writes).for_each(|(_, changes)| apply(&self.kept, changes));
    }
}

/// Changes that the store has taken before are not refused by its disk.
fn apply(disk: &MemoryStore, changes: Vec<StateChange>) {
    drop(disk.write(changes));
}

impl StateStore for FaultyStore {
    reads_from!(seen);

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let mut disk = self.disk.lock();
        let number = disk.writes + 1;
        if !disk.takes_another() {
            return async move { Err(DiskFault { number }.into()) }.boxed();
        }
        let refused = self.seen.write(changes.clone()).now_or_never().is_some_and(|taken| taken.is_err());
        if refused {
            return self.seen.write(changes);
        }
        let stored = disk.take(changes);
        async move {
            if let Some(stored) = stored {
                sleep_until(stored).await;
            }
            Ok(())
        }
        .boxed()
    }

    fn durability(&self) -> Durability {
        Durability::Process
    }
}

/// What a write that was told to fail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write {number} fails because the test says so; nothing of it was stored")]
#[non_exhaustive]
pub struct DiskFault {
    /// The number of the write, counted from 1.
    pub number: u64,
}

#[cfg(test)]
mod tests;
