//! The order of changes, some of which wait for others.

use super::plan::{Action, Change, Plan};

/// The time at which a change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// With the others of its directory.
    First,
    /// A new name of a file of the first stage.
    Link,
    /// The replacement of a directory with entries.
    Replacement,
    /// A new name of such a file, or one that replaces such a directory.
    LateLink,
}

impl Stage {
    /// The stages of which each follows the end of the one before.
    pub(super) const LATE: [Self; 3] = [Self::Link, Self::Replacement, Self::LateLink];

    pub(super) fn of(plan: &Plan, change: &Change) -> Self {
        match &change.action {
            Action::LinkTo(first) if change.removes_entries() || plan.removes_entries(first) => Self::LateLink,
            Action::LinkTo(_) => Self::Link,
            _ if change.removes_entries() => Self::Replacement,
            _ => Self::First,
        }
    }
}
