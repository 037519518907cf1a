//! Plans: the changes that a provider proposes before it makes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::decision::guard::GuardViolation;
use crate::text::Escaped;

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
    /// The remedies that the handler can carry out in place of the plan.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub remedies: BTreeSet<PlanRemedy>,
}

/// A way to resolve a guard violation that a handler can carry out in place of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PlanRemedy {
    /// Delete nothing and restore the missing entries. The answer arrives as [`PlanError::Revert`].
    Revert,
    /// Take one side as the correct one and change only the others. The answer arrives as [`PlanError::Side`].
    ChooseSide,
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
        Self { creates: 0, updates: 0, deletes: 0, bytes: 0, existing: 0, sides: Vec::new(), remedies: BTreeSet::new() }
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

    /// Adds remedies that the handler can carry out in place of the plan. The question about a held plan offers only these, and
    /// to allow or to refuse the plan.
    ///
    /// A handler that adds a remedy handles its answer: see [`PlanError`].
    pub fn with_remedies(mut self, remedies: impl IntoIterator<Item = PlanRemedy>) -> Self {
        self.remedies.extend(remedies);
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

/// The reason why a [`Plan`] must not be carried out as proposed. Nothing may be deleted.
///
/// Return it with `?`: the item of a held plan ends *needs user*. A handler that offers a [`PlanRemedy`] handles its variant; if it
/// returns that variant, the item ends *failed*.
///
/// ```
/// # use syncmgr_core::{context::{ItemContext, TestContext}, error::SyncResult, plan::{Plan, PlanError, PlanRemedy}};
/// async fn synchronize_item(item: &ItemContext) -> SyncResult {
///     let plan = Plan::new().with_deletes(800, 900).with_remedies([PlanRemedy::Revert]);
///     match item.propose(&plan) {
///         Ok(()) => { /* delete the 800 entries */ }
///         Err(PlanError::Revert) => { /* restore them from the other side */ }
///         Err(error) => return Err(error.into()),
///     }
///     Ok(())
/// }
/// # futures::executor::block_on(synchronize_item(&TestContext::new().item("Photos")))?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The plan violates a guard, and the host has asked the user. The item ends *needs user*, also if the handler carries out the
    /// part of the plan that deletes nothing.
    #[error("the plan is held: {0}; answer the question in the log")]
    Held(GuardViolation),
    /// Delete nothing and restore the missing entries, as the user chose. Only for plans that offer [`PlanRemedy::Revert`].
    #[error("the user chose to restore the missing entries, but the handler did not; this is a bug in the handler")]
    Revert,
    /// Take the side with this name as the correct one, as the user chose, and change only the other sides. Only for plans that
    /// offer [`PlanRemedy::ChooseSide`].
    #[error("the user chose the side {}, but the handler did not use it; this is a bug in the handler", Escaped(.0))]
    Side(Arc<str>),
}
