//! Batches of the changes of a directory, which several threads share.

use std::ops::Range;

use super::plan::Change;

/// The maximum number of entries in a batch.
const BATCH_ENTRIES: usize = 256;
/// The number of bytes at which a batch is full.
pub(super) const BATCH_BYTES: u64 = 8 * 1024 * 1024;

/// Divides changes into ranges that are large enough for one task each.
pub(super) fn batches(changes: &[Change]) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut bytes = u64::MAX;
    for (index, change) in changes.iter().enumerate() {
        match batches.last_mut() {
            Some(batch) if bytes < BATCH_BYTES && batch.len() < BATCH_ENTRIES => {
                bytes += change.size();
                batch.end += 1;
            }
            _ => {
                bytes = change.size();
                batches.push(index..index + 1);
            }
        }
    }
    batches
}

/// Returns `true` if changes are divided into several batches.
pub(super) fn is_large(changes: &[Change]) -> bool {
    batches(changes).len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::plan::{Action, Occupant};

    #[test]
    fn a_batch_is_limited_by_entries_and_bytes() {
        let sizes = |count: u32, size| {
            let change = |name| Change::new(name, 0, Occupant::None, Action::CopyFile(size));
            batches(&(0..count).map(change).collect::<Vec<_>>()).iter().map(Range::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(600, 1), [256, 256, 88]);
        assert_eq!(sizes(5, 5 * 1024 * 1024), [2, 2, 1]);
        assert_eq!(sizes(0, 1), [0; 0]);
    }
}
