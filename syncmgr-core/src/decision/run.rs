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
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_million_queued_items_take_11_bytes_each() {
        assert_eq!(size_of::<Phase>(), 1);
        assert_eq!(size_of::<Packed>(), 5, "two for each item");
    }

    #[test]
    fn a_skipped_item_is_never_begun() {
        let mut run = RunState::new(3);
        assert_eq!(run.skip(1), Skip::Ended);
        assert_eq!([run.begin_next(), run.begin_next(), run.begin_next()], [Some(0), Some(2), None]);
        assert_eq!(run.skip(0), Skip::Signal);
        assert!(run.end(0, Outcome::Skipped));
        assert_eq!(run.skip(0), Skip::TooLate);
    }

    #[test]
    fn stopping_ends_what_has_not_begun_and_leaves_what_runs_to_its_worker() {
        let mut run = RunState::new(3);
        run.begin_next();
        run.stop(CancelReason::SessionStopped);
        run.stop(CancelReason::ShuttingDown);
        assert_eq!(run.stopped(), Some(CancelReason::SessionStopped));
        assert_eq!(run.phases(), [Phase::Running, Phase::Ended(Outcome::Stopped), Phase::Ended(Outcome::Stopped)]);
        assert_eq!((run.open(), run.begin_next()), (1, None));
    }

    #[test]
    fn an_attempt_that_is_given_its_items_stays_paused_or_stopped() {
        let mut run = RunState::default();
        run.select(2);
        assert_eq!((run.open(), run.begin_next(), run.pause()), (2, Some(0), Pause::Going));
        let mut run = RunState::default();
        assert!(run.set_pause(Pause::Paused).is_empty());
        run.select(2);
        assert_eq!((run.pause(), run.begin_next()), (Pause::Paused, None));
        let mut run = RunState::default();
        run.stop(CancelReason::Skipped);
        run.select(1);
        assert_eq!(run.phases(), [Phase::Ended(Outcome::Skipped)]);
        assert_eq!(run.stopped(), Some(CancelReason::Skipped));
    }

    #[test]
    fn a_held_item_begins_before_others_once_it_is_ready() {
        let mut run = RunState::new(3);
        assert_eq!(run.peek_next(), Some(0));
        run.hold(0);
        assert_eq!(run.begin_next(), Some(1));
        assert!(run.has_waiting() && run.ready(0));
        assert_eq!([run.begin_next(), run.begin_next(), run.begin_next()], [Some(0), Some(2), None]);
        assert!(!run.has_waiting() && !run.ready(0));
    }

    #[test]
    fn an_item_that_ends_with_its_claims_leaves_the_others_theirs() {
        let mut run = RunState::new(3);
        (0..3).for_each(|item| run.hold(item));
        assert!((0..3).all(|item| run.ready(item)));
        assert_eq!(run.skip(1), Skip::Released);
        assert_eq!([run.begin_next(), run.begin_next(), run.begin_next()], [Some(0), Some(2), None]);
    }

    #[test]
    fn items_that_wait_for_claims_are_counted_apart_from_those_that_have_them() {
        let mut run = RunState::new(5);
        (0..5).for_each(|item| run.hold(item));
        assert_eq!((run.waiting_for_claims(), run.ready_count(), run.has_ready()), (5, 0, false));
        assert!(!run.has_next() && run.has_waiting(), "all of them wait");
        assert!(run.ready(1) && run.ready(2));
        assert_eq!((run.waiting_for_claims(), run.ready_count(), run.has_ready()), (3, 2, true));
        assert!(run.has_next() && run.has_waiting());
        assert_eq!([run.begin_next(), run.begin_next()], [Some(1), Some(2)]);
        assert_eq!((run.waiting_for_claims(), run.ready_count(), run.has_ready()), (3, 0, false));
        assert!(run.end(0, Outcome::Failed));
        assert_eq!(run.waiting_for_claims(), 2);
    }

    #[test]
    fn an_item_begins_out_of_turn_only_if_it_has_not_begun_and_waits_for_nothing() {
        let mut run = RunState::new(3);
        run.hold(0);
        assert!(run.begin(2));
        assert_eq!([0, 2, 3].map(|item| run.begin(item)), [false; 3], "held, begun, unknown");
        assert_eq!(run.phases(), [Phase::Held, Phase::Queued, Phase::Running]);
        assert!(run.journal(0).eq([JournalEntry { item: 2, change: Change::Began }]));
    }

    #[test]
    fn where_every_item_has_begun_there_is_no_next() {
        let mut run = RunState::new(1);
        assert!(run.has_next() && run.has_waiting());
        run.begin_next();
        assert_eq!((run.peek_next(), run.has_next(), run.has_waiting()), (None, false, false));
    }

    #[test]
    fn an_item_that_is_told_twice_that_it_is_ready_begins_once() {
        let mut run = RunState::new(1);
        run.hold(0);
        assert!(run.ready(0) && run.ready(0));
        assert_eq!([run.begin_next(), run.begin_next()], [Some(0), None]);
    }

    #[test]
    fn a_held_item_that_is_skipped_or_stopped_releases_its_claims() {
        let mut run = RunState::new(3);
        run.hold(0);
        run.hold(1);
        assert_eq!(run.skip(0), Skip::Released);
        assert_eq!(run.stop(CancelReason::SessionStopped), [1]);
        assert!(!run.ready(1));
        assert_eq!((run.begin_next(), run.open()), (None, 0));
    }

    #[test]
    fn a_pause_takes_claims_away_from_what_has_not_begun() {
        let mut run = RunState::new(3);
        (0..3).for_each(|item| run.hold(item));
        assert!(run.ready(1));
        assert_eq!(run.set_pause(Pause::Paused), [1]);
        assert!(!run.ready(2), "granted while paused");
        assert!(run.set_pause(Pause::Going).is_empty());
        assert_eq!(run.peek_next(), Some(1));
        run.hold(1);
        assert_eq!(run.peek_next(), Some(2));
    }

    #[test]
    fn nothing_begins_while_paused() {
        let mut run = RunState::new(2);
        run.begin_next();
        assert!(run.set_pause(Pause::Paused).is_empty());
        assert_eq!(run.pause(), Pause::Paused);
        assert_eq!((run.begin_next(), run.peek_next(), run.has_next(), run.has_waiting()), (None, None, false, true));
        assert!(run.set_pause(Pause::Going).is_empty());
        assert_eq!(run.begin_next(), Some(1));
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Next,
        Hold,
        Ready(usize),
        Pause(Pause),
        Begin(usize),
        End(usize, Outcome),
        Skip(usize),
        Stop,
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let item = 0..12_usize;
        let outcome = prop_oneof![Just(Outcome::Succeeded), Just(Outcome::Failed), Just(Outcome::NeedsUser)];
        let act = prop_oneof![
            4 => Just(Act::Next),
            2 => Just(Act::Hold),
            2 => item.clone().prop_map(Act::Ready),
            1 => prop_oneof![Just(Pause::Paused), Just(Pause::Going)].prop_map(Act::Pause),
            1 => item.clone().prop_map(Act::Begin),
            4 => (item.clone(), outcome).prop_map(|(item, outcome)| Act::End(item, outcome)),
            2 => item.prop_map(Act::Skip),
            1 => Just(Act::Stop),
        ];
        proptest::collection::vec(act, 0..80)
    }

    proptest! {
        #[test]
        fn every_item_begins_at_most_once_and_ends_at_most_once_whatever_happens(acts in acts()) {
            let mut run = RunState::new(10);
            for act in acts {
                match act {
                    Act::Next => { run.begin_next(); }
                    Act::Hold => if let Some(item) = run.peek_next() { run.hold(item); },
                    Act::Ready(item) => { run.ready(item); }
                    Act::Pause(pause) => { _ = run.set_pause(pause); }
                    Act::Begin(item) => { run.begin(item); }
                    Act::End(item, outcome) => { run.end(item, outcome); }
                    Act::Skip(item) => { run.skip(item); }
                    Act::Stop => { run.stop(CancelReason::SessionStopped); }
                }
            }
            for item in 0..10 {
                let of = |wanted: fn(Change) -> bool| {
                    run.journal(0).filter(|entry| entry.item == item && wanted(entry.change)).count()
                };
                let ends = of(|change| matches!(change, Change::Ended(_)));
                prop_assert!(of(|change| change == Change::Began) <= 1);
                prop_assert_eq!(ends, usize::from(matches!(run.phase(item as usize), Some(Phase::Ended(_)))));
            }
            let open = run.phases().iter().filter(|phase| !matches!(phase, Phase::Ended(_))).count();
            prop_assert_eq!(run.open(), open);
            let held = run.phases().iter().filter(|phase| **phase == Phase::Held).count();
            prop_assert_eq!(run.held, held);
        }
    }
}
