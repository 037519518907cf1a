//! The limit of the memory that all logs of a store take together.

use std::collections::{BTreeMap, BTreeSet};

use syncmgr_core::id::HandlerId;

/// The default limit in bytes.
const DEFAULT_BYTES: usize = 8 * 1024 * 1024;

/// The limit, and the sizes of the logs in bytes.
#[derive(Clone)]
pub(super) struct LogLimit {
    pub(super) max: usize,
    total: usize,
    sizes: BTreeMap<HandlerId, usize>,
    by_size: BTreeSet<(usize, HandlerId)>,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self { max: DEFAULT_BYTES, total: 0, sizes: BTreeMap::new(), by_size: BTreeSet::new() }
    }
}

impl LogLimit {
    /// Sets the size of the log of a handler.
    pub(super) fn set(&mut self, handler: HandlerId, size: usize) {
        let before =
            if size == 0 { self.sizes.remove(&handler) } else { self.sizes.insert(handler, size) }.unwrap_or(0);
        self.by_size.remove(&(before, handler));
        if size > 0 {
            self.by_size.insert((size, handler));
        }
        self.total = self.total - before + size;
    }

    /// Returns the handler with the largest log if all logs together are too large.
    pub(super) fn exceeded_by(&self) -> Option<HandlerId> {
        self.by_size.last().filter(|_| self.total > self.max).map(|(_, handler)| *handler)
    }

    /// Returns the size of all logs.
    #[cfg(test)]
    pub(super) fn total(&self) -> usize {
        self.total
    }
}
