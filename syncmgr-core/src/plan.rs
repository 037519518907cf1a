//! Plans: the changes that a provider proposes before it makes them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::decision::guard::GuardViolation;
use crate::error::NeedsUser;

/// The changes that an item is about to make. A handler proposes them with
/// [`ItemContext::propose`](crate::context::ItemContext::propose), so that the host can hold a plan that looks like a
/// mistake.
///
/// ```
/// # use syncmgr_core::plan::{Plan, Side};
/// let plan = Plan::new()
///     .with_creates(40)
///     .with_deletes(3, 900) // 3 of 900 entries
///     .with_bytes(12_000_000)
///     .with_side(Side::new("the disk", 900).with_identity("uuid-of-the-disk"));
/// assert_eq!((plan.existing, plan.sides.len()), (900, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use = "a plan has no effect until it is passed to `propose`"]
pub struct Plan {
    /// The number of entries to create.
    pub creates: u64,
    /// The number of entries to change.
    pub updates: u64,
    /// The number of entries to delete.
    pub deletes: u64,
    /// The number of bytes to transfer; 0 if it is not known.
    pub bytes: u64,
    /// The number of entries before the deletions: the base for the share of [`deletes`](Self::deletes).
    pub existing: u64,
    /// The sides in their current state.
    pub sides: Vec<Side>,
}

/// One side of a synchronization: a folder, a mailbox, a peer.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::{decision::guard::{GuardPolicy, GuardViolation, violation}, plan::{Plan, Side}, record::ItemRecord};
/// let mut record = ItemRecord::new(); // the record of the last success
/// record.sides = vec![Side::new("the disk", 900).with_identity("disk-1")];
/// let swapped = Plan::new().with_side(Side::new("the disk", 900).with_identity("disk-2"));
/// let violation = violation(&swapped, Some(&record), &GuardPolicy::DEFAULT, SystemTime::UNIX_EPOCH);
/// assert_eq!(violation, Some(GuardViolation::PeerChanged { side: "the disk".into() }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use = "a side is part of a plan once it is passed to `with_side`"]
pub struct Side {
    /// The display name.
    pub name: Arc<str>,
    /// An identity that differs between sides of the same name: the id of a disk or mailbox, a key's fingerprint.
    /// `None` if there is none.
    pub identity: Option<Arc<str>>,
    /// The number of entries.
    pub entries: u64,
}

impl Plan {
    /// Creates a plan without changes.
    pub const fn new() -> Self {
        Self { creates: 0, updates: 0, deletes: 0, bytes: 0, existing: 0, sides: Vec::new() }
    }

    /// Sets the number of entries to create.
    pub const fn with_creates(mut self, creates: u64) -> Self {
        self.creates = creates;
        self
    }

    /// Sets the number of entries to change.
    pub const fn with_updates(mut self, updates: u64) -> Self {
        self.updates = updates;
        self
    }

    /// Sets the number of entries to delete, and the number of entries before the deletions.
    pub const fn with_deletes(mut self, deletes: u64, existing: u64) -> Self {
        (self.deletes, self.existing) = (deletes, existing);
        self
    }

    /// Sets the number of bytes to transfer.
    pub const fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Adds a side.
    pub fn with_side(mut self, side: Side) -> Self {
        self.sides.push(side);
        self
    }
}

impl Side {
    /// Creates a side with this number of entries.
    pub fn new(name: impl Into<Arc<str>>, entries: u64) -> Self {
        Self { name: name.into(), identity: None, entries }
    }

    /// Sets the identity.
    pub fn with_identity(self, identity: impl Into<Arc<str>>) -> Self {
        Self { identity: Some(identity.into()), ..self }
    }
}

/// The decision of the host about a [`Plan`].
///
/// ```
/// # use syncmgr_core::plan::PlanDecision;
/// let deletions = |decision| match decision {
///     PlanDecision::Proceed => "as planned",
///     PlanDecision::Revert => "none: the missing entries are restored",
///     _ => "none yet",
/// };
/// assert_eq!(deletions(PlanDecision::Revert), "none: the missing entries are restored");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a plan that is held must not be carried out"]
pub enum PlanDecision {
    /// Carry out the plan.
    Proceed,
    /// Leave out the part that violates the guard. The host has asked the user, and the item ends *needs user*.
    Held(GuardViolation),
    /// Delete nothing and restore the missing entries.
    Revert,
    /// Take the side with this name as the correct one, as the user chose, and change only the other sides.
    Side(Arc<str>),
}

impl PlanDecision {
    /// Returns `true` if the plan may be carried out as proposed.
    pub fn may_proceed(&self) -> bool {
        *self == Self::Proceed
    }

    /// Turns a held plan into an error, for handlers that do nothing in this case: return it with `?`.
    ///
    /// ```
    /// # use syncmgr_core::{decision::guard::GuardViolation, plan::PlanDecision};
    /// let held = PlanDecision::Held(GuardViolation::TooManyDeletions { deletes: 800, existing: 900 });
    /// assert!(held.or_needs_user().is_err()); // the item ends *needs user*
    /// assert!(PlanDecision::Proceed.or_needs_user().is_ok());
    /// ```
    ///
    /// # Errors
    /// [`NeedsUser`] if the plan is held.
    pub fn or_needs_user(self) -> Result<Self, NeedsUser> {
        match self {
            Self::Held(_) => Err(NeedsUser::new("the host holds the plan; the log has the reason")),
            decision => Ok(decision),
        }
    }
}
