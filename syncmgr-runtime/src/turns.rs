//! The turns of a handler's runs: one run at a time has the turn. A run remembers the turn during which it was requested, and
//! finds all later turns from there, so that a request costs the same however many other runs wait.

use std::iter::successors;
use std::sync::{Arc, OnceLock, Weak};

use syncmgr_core::decision::host::RunId;
use syncmgr_core::decision::merge::Terms;
use syncmgr_core::decision::verdict::Verdict;
use syncmgr_core::id::ItemId;
use syncmgr_core::sync::Mutex;

/// The turns of the runs of one registration. Only runs keep turns alive: the one that has the turn, and those that wait.
#[derive(Default)]
pub(crate) struct Turns {
    latest: Mutex<Weak<Turn>>,
}

/// A run that takes turns with the other runs of its handler.
pub(crate) trait TakesTurns: Send + Sync {
    fn id(&self) -> RunId;
    /// Returns the current position of the run.
    fn position(&self) -> Position;
    /// Returns `true` if a request with these terms may leave out the items that this run covers.
    fn covers(&self, later: &Terms<'_>) -> bool;
    /// Returns the items that began and ended in the run since a position, each with its verdict.
    fn covered_since(&self, position: Position) -> Vec<(ItemId, Verdict)>;
}

/// A turn. Empty if no run had the turn when a run was requested.
#[derive(Default)]
pub(crate) struct Turn {
    run: Option<Arc<dyn TakesTurns>>,
    /// The position of the run at the beginning of the turn: a run that retries items has several turns.
    began: Position,
    next: OnceLock<Arc<Turn>>,
}

/// The turns since a position.
pub(crate) struct Since {
    turn: Arc<Turn>,
    position: Position,
}

/// A position in a run: the number of an attempt, from 0, and the number of entries in its journal.
#[derive(Clone, Copy, Default)]
pub(crate) struct Position {
    pub(crate) attempt: u32,
    pub(crate) entry: usize,
}

impl Turns {
    /// Returns the turns from now on.
    pub(crate) fn since_now(&self) -> Since {
        let turn = {
            let mut latest = self.latest.lock();
            latest.upgrade().unwrap_or_else(|| {
                let none = Arc::<Turn>::default();
                *latest = Arc::downgrade(&none);
                none
            })
        };
        let position = turn.run.as_ref().map(|run| run.position()).unwrap_or_default();
        Since { turn, position }
    }

    /// Adds the turn of a run. The turn is over once it is dropped.
    pub(crate) fn add(&self, run: Arc<dyn TakesTurns>) -> Arc<Turn> {
        let began = run.position();
        let turn = Arc::new(Turn { run: Some(run), began, next: OnceLock::new() });
        let before = std::mem::replace(&mut *self.latest.lock(), Arc::downgrade(&turn)).upgrade();
        if let Some(before) = before {
            assert!(before.next.set(turn.clone()).is_ok(), "a turn is the latest one until the next begins");
        }
        turn
    }
}

impl Since {
    /// Returns the runs that had a turn, in order, each with its position at the request or at the beginning of a later turn.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (&dyn TakesTurns, Position)> {
        let later = successors(self.turn.next.get(), |turn| turn.next.get()).map(|turn| (turn, turn.began));
        let turns = std::iter::once((&self.turn, self.position)).chain(later);
        turns.filter_map(|(turn, position)| Some((&**turn.run.as_ref()?, position)))
    }
}

impl Drop for Turn {
    /// Drops the later turns one after another, because a recursion through many of them would exhaust the stack.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut turn) = next.and_then(Arc::into_inner) {
            next = turn.next.take();
        }
    }
}
