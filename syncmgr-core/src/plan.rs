//! What a provider is about to do, said before it does it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::decision::guard::Objection;
use crate::error::NeedsUser;

/// What an item is about to do to its sides: declared with [`ItemContext::clear`](crate::context::ItemContext::clear), so
/// that the host can hold what looks like a mistake.
///
/// ```
/// # use syncmgr_core::plan::{Plan, Side};
/// let plan = Plan::new()
///     .with_creates(40)
///     .with_deletes(3, 900) // three of nine hundred
///     .with_bytes(12_000_000)
///     .with_side(Side::new("the disk", 900).with_identity("uuid-of-the-disk"));
/// assert_eq!((plan.existing, plan.sides.len()), (900, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use = "a plan holds nothing back until it is handed to `clear`"]
pub struct Plan {
    /// Entries that will be made.
    pub creates: u64,
    /// Entries that will be changed.
    pub updates: u64,
    /// Entries that will be deleted.
    pub deletes: u64,
    /// Bytes that will be moved; 0 where nobody knows.
    pub bytes: u64,
    /// Entries there are where something is deleted: what [`deletes`](Self::deletes) is compared with.
    pub existing: u64,
    /// The sides, as they are now.
    pub sides: Vec<Side>,
}

/// One side of what is synchronized: a folder, a mailbox, a peer.
///
/// ```
/// # use std::time::SystemTime;
/// # use syncmgr_core::{decision::guard::{GuardPolicy, Objection, object}, plan::{Plan, Side}, record::ItemRecord};
/// let mut record = ItemRecord::new(); // what the last success left
/// record.sides = vec![Side::new("the disk", 900).with_identity("disk-1")];
/// let swapped = Plan::new().with_side(Side::new("the disk", 900).with_identity("disk-2"));
/// let objection = object(&swapped, Some(&record), &GuardPolicy::DEFAULT, SystemTime::UNIX_EPOCH);
/// assert_eq!(objection, Some(Objection::PeerChanged { side: "the disk".into() }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use = "a side is part of a plan once it is handed to `with_side`"]
pub struct Side {
    /// What people call it.
    pub name: Arc<str>,
    /// What tells it from another of the same name: the id of a disk, of a mailbox, a key's fingerprint. `None` where there
    /// is nothing to tell.
    pub identity: Option<Arc<str>>,
    /// How many entries it has.
    pub entries: u64,
}

impl Plan {
    /// Nothing will be done.
    pub const fn new() -> Self {
        Self { creates: 0, updates: 0, deletes: 0, bytes: 0, existing: 0, sides: Vec::new() }
    }

    /// Making so many entries.
    pub const fn with_creates(mut self, creates: u64) -> Self {
        self.creates = creates;
        self
    }

    /// Changing so many entries.
    pub const fn with_updates(mut self, updates: u64) -> Self {
        self.updates = updates;
        self
    }

    /// Deleting so many entries of so many there are.
    pub const fn with_deletes(mut self, deletes: u64, existing: u64) -> Self {
        (self.deletes, self.existing) = (deletes, existing);
        self
    }

    /// Moving so many bytes.
    pub const fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Between this side and the others.
    pub fn with_side(mut self, side: Side) -> Self {
        self.sides.push(side);
        self
    }
}

impl Side {
    /// A side with so many entries.
    pub fn new(name: impl Into<Arc<str>>, entries: u64) -> Self {
        Self { name: name.into(), identity: None, entries }
    }

    /// Told from others by this.
    pub fn with_identity(self, identity: impl Into<Arc<str>>) -> Self {
        Self { identity: Some(identity.into()), ..self }
    }
}

/// What the host says to a [`Plan`].
///
/// ```
/// # use syncmgr_core::plan::Clearance;
/// let deletes = |clearance| match clearance {
///     Clearance::Go => "everything that was planned",
///     Clearance::Revert => "nothing: what is missing comes back",
///     _ => "nothing yet",
/// };
/// assert_eq!(deletes(Clearance::Revert), "nothing: what is missing comes back");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a plan that is held must not be carried out"]
pub enum Clearance {
    /// Do it.
    Go,
    /// Leave out what the host objects to, for this reason; it has asked, and the item ends *needs user*.
    Held(Objection),
    /// Do not delete: bring back what is missing.
    Revert,
    /// This side is right.
    Side(Arc<str>),
}

impl Clearance {
    /// Whether the plan may be carried out as it was declared.
    pub fn is_go(&self) -> bool {
        *self == Self::Go
    }

    /// The way out for those who do nothing while their plan is held: pass it on with `?`.
    ///
    /// ```
    /// # use syncmgr_core::{decision::guard::Objection, plan::Clearance};
    /// let held = Clearance::Held(Objection::TooManyDeletions { deletes: 800, existing: 900 });
    /// assert!(held.or_leave().is_err()); // the item ends *needs user*
    /// assert!(Clearance::Go.or_leave().is_ok());
    /// ```
    ///
    /// # Errors
    /// [`NeedsUser`] where the plan is held.
    pub fn or_leave(self) -> Result<Self, NeedsUser> {
        match self {
            Self::Held(_) => Err(NeedsUser::new("the host holds what was about to be done; the log says why")),
            clearance => Ok(clearance),
        }
    }
}
