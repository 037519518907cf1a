//! The attempts of a run.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use syncmgr_core::sync::Mutex;

use crate::attempt::Attempt;

/// The attempts of a run, in order. Most runs have one, which needs no lock.
#[derive(Default)]
pub(super) struct Attempts {
    first: OnceLock<Arc<Attempt>>,
    later: Mutex<Vec<Arc<Attempt>>>,
    count: AtomicUsize,
}

/// An attempt of a run.
pub(crate) enum OfRun<'a> {
    First(&'a Arc<Attempt>),
    Later(Arc<Attempt>),
}

impl Deref for OfRun<'_> {
    type Target = Arc<Attempt>;

    fn deref(&self) -> &Arc<Attempt> {
        match self {
            Self::First(attempt) => attempt,
            Self::Later(attempt) => attempt,
        }
    }
}

impl Attempts {
    pub(super) fn add(&self, attempt: Arc<Attempt>) {
        if let Err(attempt) = self.first.set(attempt) {
            self.later.lock().push(attempt);
        }
        self.count.fetch_add(1, Ordering::Release);
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(super) fn latest(&self) -> OfRun<'_> {
        let latest = self.count().saturating_sub(1);
        self.nth(latest).expect("a run is made with an attempt")
    }

    /// Returns the attempt with this number, from 0.
    pub(super) fn nth(&self, number: usize) -> Option<OfRun<'_>> {
        match number.checked_sub(1) {
            None => self.first.get().map(OfRun::First),
            Some(later) => self.later.lock().get(later).cloned().map(OfRun::Later),
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Attempt>> {
        let later = self.later.lock();
        self.first.get().into_iter().chain(later.iter()).cloned().collect()
    }
}
