//! The threads that work at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of threads that work on items or help with them, and its maximum.
#[derive(Debug)]
pub(crate) struct Jobs {
    max: usize,
    running: AtomicUsize,
}

impl Jobs {
    pub(super) fn new(max: usize) -> Self {
        Self { max, running: AtomicUsize::new(0) }
    }

    /// Begins the work on an item, without a wait: the host runs at most `max` items. Helpers beyond the maximum give way.
    pub(crate) fn begin(&self) -> Job<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        Job(self)
    }

    /// Begins the work of a helper, unless the maximum is reached.
    pub(super) fn help(&self) -> Option<Job<'_>> {
        let add = |running| (running < self.max).then_some(running + 1);
        let added = self.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        added.is_ok().then(|| Job(self))
    }

    /// Returns `true` if a helper is to end, because items have begun since it did.
    pub(super) fn is_exceeded(&self) -> bool {
        self.running.load(Ordering::Relaxed) > self.max
    }
}

/// The work of one thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Job<'a>(&'a Jobs);

impl Drop for Job<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_always_begin_and_helpers_only_below_the_maximum() {
        let jobs = Jobs::new(2);
        let (item, helper) = (jobs.begin(), jobs.help());
        assert!(helper.is_some() && jobs.help().is_none() && !jobs.is_exceeded());
        let other = jobs.begin();
        assert!(jobs.is_exceeded());
        drop(helper);
        assert!(!jobs.is_exceeded() && jobs.help().is_none());
        drop((item, other));
        assert!(jobs.help().is_some());
    }
}
