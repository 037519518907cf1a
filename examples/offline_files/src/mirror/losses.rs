//! What TO cannot store.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Descriptions of what a file system of TO turned out not to store.
#[derive(Debug, Default)]
pub(super) struct Losses(Mutex<BTreeSet<&'static str>>);

impl Losses {
    /// Notes that a file system cannot store `what`, if `is_lost`.
    pub(super) fn add(&self, is_lost: bool, what: &'static str) {
        if is_lost {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
        }
    }

    /// Describes the losses that are known by now.
    pub(super) fn report(&self) -> Option<String> {
        let mut losses: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        // The description of the loss of times ends the sentence.
        losses.sort_by_key(|what| what.starts_with("modification"));
        (!losses.is_empty()).then(|| format!("TO stores no {}", losses.join(" and no ")))
    }
}
