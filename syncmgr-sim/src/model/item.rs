//! The expected state of an item.

use std::collections::BTreeSet;
use std::time::Duration;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::SessionId;
use syncmgr_core::record::Fence;

/// The expected state of an item.
#[derive(Debug, Default)]
pub(crate) struct Item {
    /// The session in which the item runs, if any.
    pub(crate) running: Option<SessionId>,
    pub(crate) claims: BTreeSet<Claim>,
    /// `true` if the item is listed with claims of its own.
    pub(crate) has_claims: bool,
    /// The number of open uninterrupted sections.
    pub(crate) uninterrupted: usize,
    /// `true` if this attempt had an uninterrupted section.
    pub(crate) was_uninterrupted: bool,
    /// The end of the soft and of the hard grace, once the item is cancelled.
    pub(crate) cancel_deadlines: Option<(Duration, Duration)>,
    pub(crate) wait: Wait,
    /// The number of known failures in a row.
    pub(crate) failures: u32,
    /// The number of processes in a row that the item has ended and whose end was counted.
    pub(crate) kills: u32,
    /// All states that a commit tried to save.
    pub(crate) written: Vec<String>,
    /// The number of states in `written` before the item was last forgotten.
    forgotten: usize,
    /// The index in `written` of the last acknowledged state.
    pub(crate) acknowledged_index: Option<usize>,
    /// The number of deletions in the last proposed plan.
    pub(crate) proposed_deletes: u64,
    /// The numbers of deletions that the user allowed.
    pub(crate) allowed_deletes: BTreeSet<u64>,
    /// The number of pending calls that forget the item.
    pub(crate) pending_forgets: usize,
    /// The last session that may have run the item before it was forgotten.
    pub(crate) forgotten_in: Option<SessionId>,
    /// `true` if the item was ever absent from the peer.
    pub(crate) was_absent: bool,
    /// The last reported outcome, with the fence of its record.
    pub(crate) reported: Option<(Fence, Outcome)>,
}

/// The reason why an item does not run automatically.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Wait {
    /// The model does not know the reason.
    #[default]
    Unknown,
    /// The item may run.
    Ready,
    /// The item backs off until this time.
    Backoff(Duration),
    /// The peer set this as the earliest time of the next attempt.
    NotBefore(Duration),
    /// The item runs only on request.
    NeedsRequest,
}

impl Item {
    /// Drops the state of the previous process.
    pub(super) fn begin_process(&mut self) {
        (self.running, self.cancel_deadlines, self.uninterrupted) = (None, None, 0);
        (self.pending_forgets, self.forgotten_in) = (0, None);
        self.claims.clear();
    }

    /// Marks the wait as unknown.
    pub(crate) fn mark_unknown(&mut self) {
        (self.wait, self.failures, self.kills) = (Wait::Unknown, 0, 0);
    }

    /// Forgets the item. Its record may still exist if the deletion was not stored.
    pub(crate) fn forget(&mut self) {
        self.mark_unknown();
        (self.acknowledged_index, self.reported) = (None, None);
        self.forgotten = self.written.len();
    }

    /// Records that a commit of a state starts.
    pub(crate) fn begin_save(&mut self, state: &str) {
        self.written.push(state.into());
    }

    /// Records that a commit of a state was acknowledged.
    pub(crate) fn acknowledge(&mut self, state: &str) {
        let index = self.written.iter().rposition(|saved| saved == state).filter(|index| *index >= self.forgotten);
        // The state of an item that is being forgotten need not be stored.
        if self.pending_forgets == 0 {
            self.acknowledged_index = self.acknowledged_index.max(index);
        }
    }

    /// Returns the reason why `state` cannot be the stored state; `None` if it can be.
    pub(crate) fn contradicts(&self, state: Option<&str>) -> Option<String> {
        let least = self.acknowledged_index;
        let Some(state) = state else {
            return least.map(|least| format!("no state is stored, but {} was acknowledged", self.written[least]));
        };
        let Some(index) = self.written.iter().rposition(|saved| saved == state) else {
            return Some(format!("{state} is stored, but no commit wrote it"));
        };
        let least = least.filter(|least| index < *least)?;
        Some(format!("{state} is stored, but the later state {} was acknowledged", self.written[least]))
    }
}
