//! The items of one attempt of a run: the queue, the phases, and the journal.

use std::collections::VecDeque;

use crate::cancel::CancelReason;
use crate::decision::verdict::{Outcome, cancelled};

/// The items of one attempt, identified by their index in the selection.
///
/// The runtime protects the state with one mutex; each worker, skip, stop and observer calls one method per lock. Every item ends
/// exactly once; the [journal](Self::journal) lists all beginnings and ends in order.
///
/// ```
/// # use syncmgr_core::decision::{attempt::{AttemptState, Skip}, verdict::Outcome};
/// let mut attempt = AttemptState::new(2);
/// assert_eq!(attempt.begin_next(), Some(0));
/// assert_eq!(attempt.skip(0), Skip::Signal); // it is running: signal it
/// assert_eq!(attempt.skip(1), Skip::Ended); // it has not begun: it ends now
/// assert!(attempt.end(0, Outcome::Skipped));
/// assert_eq!(attempt.remaining(), 0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct AttemptState {
    items: Vec<Phase>,
    cursor: usize,
    remaining: usize,
    /// The number of items that wait for their claims, or have them and wait for a worker.
    held: usize,
    ready: VecDeque<usize>,
    pause: Pause,
    stop: Option<CancelReason>,
    journal: Vec<Packed>,
}

/// The phase of an item in its attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not begun.
    Queued,
    /// Not begun; it waits for its claims, or has them and waits for a worker.
    Held,
    /// Begun.
    Running,
    /// Ended.
    Ended(Outcome),
}

/// The stored form of a [`JournalEntry`]: packed, because each item has two entries.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)]
struct Packed(u32, Change);

/// The beginning or the end of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// The index of the item in the selection.
    pub item: u32,
    /// The change.
    pub change: Change,
}

/// A change of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The item began.
    Began,
    /// The item ended.
    Ended(Outcome),
}

/// The pause state of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pause {
    /// Items may begin.
    #[default]
    Running,
    /// No new item begins; running items continue.
    Paused,
}

/// The result of a skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The item had not begun and has ended.
    Ended,
    /// The item had not begun and has ended. The caller has to release its claims.
    Released,
    /// The item is running. The caller has to signal it.
    Signal,
    /// The item has already ended.
    TooLate,
}

impl AttemptState {
    /// Creates an attempt with `count` items.
    pub fn new(count: usize) -> Self {
        Self {
            items: vec![Phase::Queued; count],
            remaining: count,
            journal: Vec::with_capacity(2 * count),
            ..Self::default()
        }
    }

    /// Sets the number of items of an attempt that has none yet. A pause or a stop stays in effect.
    pub fn select(&mut self, count: usize) {
        let (pause, stop) = (self.pause, self.stop);
        *self = Self { pause, ..Self::new(count) };
        if let Some(reason) = stop {
            // No item was held, so there are no claims to release.
            let _ = self.stop(reason);
        }
    }

    /// Returns the number of items that have not ended.
    pub fn remaining(&self) -> usize {
        self.remaining
    }

    /// Returns the reason of the stop, or `None` if the attempt was not stopped.
    pub fn stopped(&self) -> Option<CancelReason> {
        self.stop
    }

    /// Returns the phase of an item.
    pub fn phase(&self, item: usize) -> Option<Phase> {
        self.items.get(item).copied()
    }

    /// Returns the phases of all items in the order of the selection.
    pub fn phases(&self) -> &[Phase] {
        &self.items
    }

    /// Begins the next item and returns its index. Items that are ready begin first.
    pub fn begin_next(&mut self) -> Option<usize> {
        if self.pause == Pause::Paused {
            return None;
        }
        if let Some(item) = self.ready.pop_front() {
            self.held -= 1;
            return self.begin_at(item);
        }
        while let Some(phase) = self.items.get_mut(self.cursor) {
            let item = self.cursor;
            self.cursor += 1;
            if *phase == Phase::Queued {
                *phase = Phase::Running;
                self.push_entry(item, Change::Began);
                return Some(item);
            }
        }
        None
    }

    /// Returns the next item that is neither begun nor held, without beginning it.
    pub fn peek_next(&mut self) -> Option<usize> {
        while self.items.get(self.cursor).is_some_and(|phase| *phase != Phase::Queued) {
            self.cursor += 1;
        }
        (self.pause == Pause::Running && self.cursor < self.items.len()).then_some(self.cursor)
    }

    /// Marks the next item as held: it waits for its claims.
    pub fn hold(&mut self, item: usize) {
        if self.phase(item) == Some(Phase::Queued) {
            self.items[item] = Phase::Held;
            self.held += 1;
        }
    }

    /// Marks a held item as ready: it has its claims and begins once a worker is free. Returns `false` if the item is no longer held
    /// or the attempt is paused; the caller then has to release the claims.
    pub fn ready(&mut self, item: usize) -> bool {
        match (self.phase(item), self.pause) {
            (Some(Phase::Held), Pause::Running) => {
                if !self.ready.contains(&item) {
                    self.ready.push_back(item);
                }
                true
            }
            (Some(Phase::Held), Pause::Paused) => {
                self.requeue(item);
                false
            }
            _ => false,
        }
    }

    /// Returns the number of items that wait for their claims.
    pub fn waiting_for_claims(&self) -> usize {
        self.held - self.ready.len()
    }

    /// Returns the number of items that have their claims and wait for a worker.
    pub fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// Returns the item that has its claims and begins next, if there is one.
    pub fn next_ready(&self) -> Option<usize> {
        self.ready.front().copied()
    }

    /// Returns `true` if an item has its claims and waits for a worker.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Returns the pause state.
    pub fn pause(&self) -> Pause {
        self.pause
    }

    /// Pauses or resumes. Returns the items that had their claims and have not begun: they are queued again, and the caller has to
    /// release their claims.
    #[must_use = "release their claims"]
    pub fn set_pause(&mut self, pause: Pause) -> Vec<usize> {
        self.pause = pause;
        if pause == Pause::Running {
            return Vec::new();
        }
        let ready: Vec<_> = std::mem::take(&mut self.ready).into();
        ready.iter().for_each(|item| self.requeue(*item));
        ready
    }

    /// Queues a held item again, without its claims.
    fn requeue(&mut self, item: usize) {
        self.items[item] = Phase::Queued;
        self.held -= 1;
        self.cursor = self.cursor.min(item);
    }

    /// Returns `true` if an item could begin now.
    pub fn has_next(&self) -> bool {
        self.pause == Pause::Running && (!self.ready.is_empty() || self.has_queued())
    }

    /// Returns `true` if an item has not begun.
    pub fn has_waiting(&self) -> bool {
        self.held > 0 || self.has_queued()
    }

    /// Begins this item before its turn. Returns `false` if it has begun, has ended or is held.
    pub fn begin(&mut self, item: usize) -> bool {
        self.phase(item) == Some(Phase::Queued) && self.begin_at(item).is_some()
    }

    fn begin_at(&mut self, item: usize) -> Option<usize> {
        self.items[item] = Phase::Running;
        self.push_entry(item, Change::Began);
        Some(item)
    }

    fn has_queued(&self) -> bool {
        self.items[self.cursor.min(self.items.len())..].contains(&Phase::Queued)
    }

    /// Ends an item. Returns `false` and changes nothing if it has already ended.
    pub fn end(&mut self, item: usize, outcome: Outcome) -> bool {
        match self.items.get_mut(item) {
            None | Some(Phase::Ended(_)) => false,
            Some(phase) => {
                let before = std::mem::replace(phase, Phase::Ended(outcome));
                if before == Phase::Held {
                    self.held -= 1;
                    self.ready.retain(|ready| *ready != item);
                }
                self.remaining -= 1;
                self.push_entry(item, Change::Ended(outcome));
                true
            }
        }
    }

    /// Skips an item.
    pub fn skip(&mut self, item: usize) -> Skip {
        match self.phase(item) {
            Some(Phase::Queued) => {
                self.end(item, Outcome::Skipped);
                Skip::Ended
            }
            Some(Phase::Held) => {
                self.end(item, Outcome::Skipped);
                Skip::Released
            }
            Some(Phase::Running) => Skip::Signal,
            Some(Phase::Ended(_)) | None => Skip::TooLate,
        }
    }

    /// Stops the attempt: items that have not begun end; the caller has to signal the running ones. The first reason wins. Returns
    /// the held items, whose claims the caller has to release.
    pub fn stop(&mut self, reason: CancelReason) -> Vec<usize> {
        let reason = *self.stop.get_or_insert(reason);
        let held = self.end_held(cancelled(reason));
        for item in self.cursor..self.items.len() {
            if self.items[item] == Phase::Queued {
                self.end(item, cancelled(reason));
            }
        }
        self.cursor = self.items.len();
        held
    }

    /// Ends the held items and returns them.
    fn end_held(&mut self, outcome: Outcome) -> Vec<usize> {
        self.ready.clear();
        if self.held == 0 {
            return Vec::new();
        }
        let held: Vec<_> = (0..self.items.len()).filter(|item| self.items[*item] == Phase::Held).collect();
        held.iter().for_each(|item| _ = self.end(*item, outcome));
        held
    }

    /// Returns the journal without its first `from` entries.
    pub fn journal(&self, from: usize) -> impl ExactSizeIterator<Item = JournalEntry> {
        let entries = self.journal.get(from..).unwrap_or_default();
        entries.iter().map(|&Packed(item, change)| JournalEntry { item, change })
    }

    /// Returns the number of journal entries.
    pub fn journal_len(&self) -> usize {
        self.journal.len()
    }

    fn push_entry(&mut self, item: usize, change: Change) {
        let item = u32::try_from(item).expect("a listing has fewer than 2^32 items");
        self.journal.push(Packed(item, change));
    }
}

#[cfg(test)]
mod tests;
