//! What is known of one item.

use std::collections::BTreeSet;
use std::time::Duration;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::SessionId;

/// What is known of one item.
#[derive(Debug, Default)]
pub(crate) struct Item {
    /// The session it runs in.
    pub(crate) running: Option<SessionId>,
    pub(crate) claims: BTreeSet<Claim>,
    /// Guards that keep it from being cut.
    pub(crate) uninterrupted: usize,
    /// Whether there was one in this attempt.
    pub(crate) was_whole: bool,
    /// When it has to have ended, and when if it must not be cut.
    pub(crate) ends_by: Option<(Duration, Duration)>,
    pub(crate) wait: Wait,
    /// Failures in a row, as far as they are certain.
    pub(crate) failures: u32,
    /// Everything that was ever to be saved of it, and the place of the last that was said to be.
    pub(crate) saved: Vec<String>,
    pub(crate) acknowledged: Option<usize>,
    /// How many deletions the host objected to last, and which numbers somebody allowed.
    pub(crate) objected: u64,
    pub(crate) allowed: BTreeSet<u64>,
    /// How many are forgetting it, and the last session it may have been forgotten in.
    pub(crate) forgetting: usize,
    pub(crate) forgotten_in: Option<SessionId>,
    /// The peer did not have it for a while.
    pub(crate) was_absent: bool,
    /// What a report said that resolved, and the session it was of.
    pub(crate) told: Option<(SessionId, Outcome)>,
}

/// What keeps an item from running by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Wait {
    /// Nobody knows.
    #[default]
    Unknown,
    /// Nothing does.
    Nobody,
    /// It backs off until then.
    Backoff(Duration),
    /// The peer wants to be left alone until then.
    NotBefore(Duration),
    /// Only somebody who asks.
    Asked,
}

impl Item {
    /// What went on does not any more.
    pub(super) fn begin_process(&mut self) {
        (self.running, self.ends_by, self.uninterrupted) = (None, None, 0);
        (self.forgetting, self.forgotten_in) = (0, None);
        self.claims.clear();
    }

    /// What is known of its waiting is not certain any more.
    pub(crate) fn doubt(&mut self) {
        (self.wait, self.failures) = (Wait::Unknown, 0);
    }

    /// It is forgotten: nothing has to be there, and something may be if that was not stored.
    pub(crate) fn forget(&mut self) {
        self.doubt();
        (self.acknowledged, self.told) = (None, None);
    }

    /// Something is about to be saved.
    pub(crate) fn saves(&mut self, state: &str) {
        self.saved.push(state.into());
    }

    /// It was said to be saved.
    pub(crate) fn acknowledge(&mut self, state: &str) {
        let place = self.saved.iter().rposition(|saved| saved == state);
        // What is being forgotten need not be there.
        if self.forgetting == 0 {
            self.acknowledged = self.acknowledged.max(place);
        }
    }

    /// Why this cannot be what is saved, if it cannot.
    pub(crate) fn refutes(&self, state: Option<&str>) -> Option<String> {
        let least = self.acknowledged;
        let Some(state) = state else {
            return least.map(|least| format!("nothing is saved, and {} was acknowledged", self.saved[least]));
        };
        let Some(place) = self.saved.iter().rposition(|saved| saved == state) else {
            return Some(format!("{state} is saved, and nobody did that"));
        };
        let least = least.filter(|least| place < *least)?;
        Some(format!("{state} is saved, and {} was acknowledged", self.saved[least]))
    }
}
