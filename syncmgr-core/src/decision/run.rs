//! The items of one attempt of a run: who is next, who has ended and how.

use std::collections::VecDeque;

use crate::cancel::CancelReason;
use crate::decision::verdict::{Outcome, cancelled};

/// The items of one attempt, by their place in the selection.
///
/// Kept behind one mutex by the runtime: workers, skips, stops and observers each call one method and go. Every item
/// ends exactly once; the [journal](Self::journal) has every beginning and end in order.
///
/// ```
/// # use syncmgr_core::decision::{run::{RunState, Skip}, verdict::Outcome};
/// let mut run = RunState::new(2);
/// assert_eq!(run.begin_next(), Some(0));
/// assert_eq!(run.skip(0), Skip::Signal); // it runs, and is told
/// assert_eq!(run.skip(1), Skip::Ended); // it had not begun
/// assert!(run.end(0, Outcome::Skipped));
/// assert_eq!(run.open(), 0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct RunState {
    items: Vec<Phase>,
    cursor: usize,
    open: usize,
    /// Items that wait for their claims, or have them and wait for a worker.
    held: usize,
    ready: VecDeque<usize>,
    pause: Pause,
    stop: Option<CancelReason>,
    journal: Vec<Packed>,
}

/// Where an item stands in its attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not begun.
    Queued,
    /// Not begun, and its turn came: it waits for what it claims.
    Held,
    /// Begun.
    Running,
    /// Ended.
    Ended(Outcome),
}

/// A [`JournalEntry`] as it is kept: packed, because there are two for each item.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)]
struct Packed(u32, Change);

/// A beginning or an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// The item, by its place in the selection.
    pub item: u32,
    /// What happened.
    pub change: Change,
}

/// What happened to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It began.
    Began,
    /// It ended.
    Ended(Outcome),
}

/// Whether items may begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pause {
    /// They may.
    #[default]
    Going,
    /// No new item begins; what runs goes on.
    Paused,
}

/// What to do about a skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The item had not begun and has ended now.
    Ended,
    /// The same, and what it claims is to be released.
    Released,
    /// The item is running: signal it.
    Signal,
    /// The item had ended before.
    TooLate,
}

impl RunState {
    /// An attempt over `count` items, none begun.
    pub fn new(count: usize) -> Self {
        Self {
            items: vec![Phase::Queued; count],
            open: count,
            journal: Vec::with_capacity(2 * count),
            ..Self::default()
        }
    }

    /// An attempt without items is about `count` of them, none begun. What was stopped or paused stays so.
    pub fn select(&mut self, count: usize) {
        let (pause, stop) = (self.pause, self.stop);
        *self = Self { pause, ..Self::new(count) };
        if let Some(reason) = stop {
            // Nothing was held, so nothing is to be released.
            let _ = self.stop(reason);
        }
    }

    /// How many items have not ended.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Why everything was stopped, if it was.
    pub fn stopped(&self) -> Option<CancelReason> {
        self.stop
    }

    /// Where an item stands.
    pub fn phase(&self, item: usize) -> Option<Phase> {
        self.items.get(item).copied()
    }

    /// Every item's phase, in the order of the selection.
    pub fn phases(&self) -> &[Phase] {
        &self.items
    }

    /// Begins the next item that has not begun.
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
                self.note(item, Change::Began);
                return Some(item);
            }
        }
        None
    }

    /// The next item that has not begun and is not held, without beginning it.
    pub fn peek_next(&mut self) -> Option<usize> {
        while self.items.get(self.cursor).is_some_and(|phase| *phase != Phase::Queued) {
            self.cursor += 1;
        }
        (self.pause == Pause::Going && self.cursor < self.items.len()).then_some(self.cursor)
    }

    /// An item whose turn it is waits for its claims.
    pub fn hold(&mut self, item: usize) {
        if self.phase(item) == Some(Phase::Queued) {
            self.items[item] = Phase::Held;
            self.held += 1;
        }
    }

    /// A held item has its claims and begins as soon as a worker is free. `false` when it no longer waits, or nothing may
    /// begin: its claims are to be released.
    pub fn ready(&mut self, item: usize) -> bool {
        match (self.phase(item), self.pause) {
            (Some(Phase::Held), Pause::Going) => {
                if !self.ready.contains(&item) {
                    self.ready.push_back(item);
                }
                true
            }
            (Some(Phase::Held), Pause::Paused) => {
                self.put_back(item);
                false
            }
            _ => false,
        }
    }

    /// How many items wait for their claims.
    pub fn waiting_for_claims(&self) -> usize {
        self.held - self.ready.len()
    }

    /// How many items have their claims and wait for a worker.
    pub fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// Whether a held item has its claims.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether items may begin.
    pub fn pause(&self) -> Pause {
        self.pause
    }

    /// Pauses or resumes. Returns the items that had their claims and had not begun: they go back to wait for their turn,
    /// and what they claim is to be released.
    #[must_use = "release what they claim"]
    pub fn set_pause(&mut self, pause: Pause) -> Vec<usize> {
        self.pause = pause;
        if pause == Pause::Going {
            return Vec::new();
        }
        let ready: Vec<_> = std::mem::take(&mut self.ready).into();
        ready.iter().for_each(|item| self.put_back(*item));
        ready
    }

    /// A held item waits for its turn again, without its claims.
    fn put_back(&mut self, item: usize) {
        self.items[item] = Phase::Queued;
        self.held -= 1;
        self.cursor = self.cursor.min(item);
    }

    /// Whether an item could begin now.
    pub fn has_next(&self) -> bool {
        self.pause == Pause::Going && (!self.ready.is_empty() || self.has_queued())
    }

    /// Whether any item has still to begin, now or later.
    pub fn has_waiting(&self) -> bool {
        self.held > 0 || self.has_queued()
    }

    /// Begins this item out of turn. `false` when it has begun before.
    pub fn begin(&mut self, item: usize) -> bool {
        self.phase(item) == Some(Phase::Queued) && self.begin_at(item).is_some()
    }

    fn begin_at(&mut self, item: usize) -> Option<usize> {
        self.items[item] = Phase::Running;
        self.note(item, Change::Began);
        Some(item)
    }

    fn has_queued(&self) -> bool {
        self.items[self.cursor.min(self.items.len())..].contains(&Phase::Queued)
    }

    /// Ends an item. `false` when it had ended before, which changes nothing.
    pub fn end(&mut self, item: usize, outcome: Outcome) -> bool {
        match self.items.get_mut(item) {
            None | Some(Phase::Ended(_)) => false,
            Some(phase) => {
                let before = std::mem::replace(phase, Phase::Ended(outcome));
                if before == Phase::Held {
                    self.held -= 1;
                    self.ready.retain(|ready| *ready != item);
                }
                self.open -= 1;
                self.note(item, Change::Ended(outcome));
                true
            }
        }
    }

    /// Skips one item.
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

    /// Stops everything: what has not begun ends here, what is running is the caller's to signal. The first reason stays.
    /// Returns the items whose claims are to be released.
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

    /// Ends the items that wait for their claims.
    fn end_held(&mut self, outcome: Outcome) -> Vec<usize> {
        self.ready.clear();
        if self.held == 0 {
            return Vec::new();
        }
        let held: Vec<_> = (0..self.items.len()).filter(|item| self.items[*item] == Phase::Held).collect();
        held.iter().for_each(|item| _ = self.end(*item, outcome));
        held
    }

    /// The beginnings and ends so far, in order, but for the first `from`.
    pub fn journal(&self, from: usize) -> impl ExactSizeIterator<Item = JournalEntry> {
        let entries = self.journal.get(from..).unwrap_or_default();
        entries.iter().map(|&Packed(item, change)| JournalEntry { item, change })
    }

    /// How many beginnings and ends there are so far.
    pub fn journal_len(&self) -> usize {
        self.journal.len()
    }

    fn note(&mut self, item: usize, change: Change) {
        let item = u32::try_from(item).expect("a listing has fewer than 2^32 items");
        self.journal.push(Packed(item, change));
    }
}

#[cfg(test)]
mod tests;
