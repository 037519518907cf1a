//! A store whose writes fail, are slow, or are lost.

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

/// An in-memory store with a simulated disk that a test controls. Clones share one store.
///
/// Reads see a write immediately, as the port requires. Writes reach the disk in order: immediately, or after the delay of
/// [`slow_down`](Self::slow_down). [`after_crash`](Self::after_crash) returns the contents of the disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyStore {
    seen: MemoryStore,
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    stored: MemoryStore,
    /// The writes that have not reached the disk, with the time at which they will. A write without a time is stored only by a flush.
    pending: VecDeque<(Option<Instant>, Vec<StateChange>)>,
    writes: u64,
    fault: Fault,
    delay: Duration,
    mode: DiskMode,
}

/// The writes that fail.
#[derive(Clone, Copy, Debug, Default)]
enum Fault {
    #[default]
    None,
    Once(u64),
    From(u64),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum DiskMode {
    #[default]
    Store,
    /// Writes are acknowledged, but not stored before a flush.
    Drop,
}

impl FaultyStore {
    /// Creates an empty store without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a store with a copy of the contents of `store`.
    pub fn with_contents(store: &MemoryStore) -> Self {
        let disk = Disk { stored: store.after_crash(), ..Disk::default() };
        Self { seen: store.after_crash(), disk: Arc::new(Mutex::new(disk)) }
    }

    /// Returns the number of writes, including failed ones.
    pub fn writes(&self) -> u64 {
        self.disk.lock().writes
    }

    /// Makes the write with this number fail; the store's first write is number 1. Nothing of a failed write is stored.
    pub fn fail_write(&self, number: u64) {
        self.disk.lock().fault = Fault::Once(number);
    }

    /// Makes the write with this number and all later ones fail, until [`recover`](Self::recover).
    pub fn fail_from(&self, number: u64) {
        self.disk.lock().fault = Fault::From(number);
    }

    /// Sets the time that further writes take to reach the disk, in tokio's time.
    pub fn slow_down(&self, delay: Duration) {
        self.disk.lock().delay = delay;
    }

    /// Acknowledges further writes without storing them before a [`flush`](Self::flush), like a disk that lies about durability.
    pub fn drop_writes(&self) {
        self.disk.lock().mode = DiskMode::Drop;
    }

    /// Stores all pending writes on the disk.
    pub fn flush(&self) {
        let mut disk = self.disk.lock();
        let all = disk.pending.len();
        disk.store_first(all);
    }

    /// Removes all faults and delays. Dropped writes stay pending, and so do later ones, until a [`flush`](Self::flush), because the
    /// disk preserves the order of writes.
    pub fn recover(&self) {
        let mut disk = self.disk.lock();
        (disk.fault, disk.delay, disk.mode) = (Fault::None, Duration::ZERO, DiskMode::Store);
    }

    /// Returns the number of writes that have not reached the disk.
    pub fn pending_writes(&self) -> usize {
        let mut disk = self.disk.lock();
        disk.store_due();
        disk.pending.len()
    }

    /// Returns a store with the contents that a crash at this moment would leave: the writes that have reached the disk. This
    /// store is unchanged.
    pub fn after_crash(&self) -> MemoryStore {
        self.after_crash_with(0)
    }

    /// Like [`after_crash`](Self::after_crash), but the first `writes` pending writes have also reached the disk.
    pub fn after_crash_with(&self, writes: usize) -> MemoryStore {
        let mut disk = self.disk.lock();
        disk.store_due();
        let stored = disk.stored.after_crash();
        for (_, changes) in disk.pending.iter().take(writes) {
            apply(&stored, changes.clone());
        }
        stored.after_crash()
    }
}

impl Disk {
    /// Counts a write. Returns `false` if it fails.
    fn count_write(&mut self) -> bool {
        self.writes += 1;
        match self.fault {
            Fault::None => true,
            Fault::Once(number) => self.writes != number,
            Fault::From(number) => self.writes < number,
        }
    }

    /// Adds a write. Returns the time at which it is acknowledged, if not immediately.
    fn add(&mut self, changes: Vec<StateChange>) -> Option<Instant> {
        if self.mode == DiskMode::Drop {
            self.pending.push_back((None, changes));
            return None;
        }
        let now = Instant::now();
        // The disk preserves the order: no write is stored before an earlier one.
        let before = self.pending.iter().filter_map(|(stored, _)| *stored).max();
        let stored = before.unwrap_or(now).max(now + self.delay);
        self.pending.push_back((Some(stored), changes));
        self.store_due();
        (stored > now).then_some(stored)
    }

    /// Stores the writes that are due, up to the first dropped one.
    fn store_due(&mut self) {
        let now = Instant::now();
        let due = self.pending.iter().take_while(|(stored, _)| stored.is_some_and(|stored| stored <= now)).count();
        self.store_first(due);
    }

    fn store_first(&mut self, writes: usize) {
        self.pending.drain(..writes).for_each(|(_, changes)| apply(&self.stored, changes));
    }
}

/// Applies changes that the store has already accepted, so the disk does not refuse them.
fn apply(disk: &MemoryStore, changes: Vec<StateChange>) {
    drop(disk.write(changes));
}

impl StateStore for FaultyStore {
    reads_from!(seen);

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let mut disk = self.disk.lock();
        let number = disk.writes + 1;
        if !disk.count_write() {
            return async move { Err(DiskFault { number }.into()) }.boxed();
        }
        let refused = self.seen.write(changes.clone()).now_or_never().is_some_and(|taken| taken.is_err());
        if refused {
            return self.seen.write(changes);
        }
        let stored = disk.add(changes);
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

/// The error of a write that the test makes fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write {number} fails because the test requests it; nothing of it was stored")]
#[non_exhaustive]
pub struct DiskFault {
    /// The number of the write, starting at 1.
    pub number: u64,
}

#[cfg(test)]
mod tests;
