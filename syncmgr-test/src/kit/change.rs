//! Changes outside of the handler's runs, and the data that are right afterwards.

use std::collections::BTreeMap;
use std::fmt;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::item::SyncItem;

use super::injection::ItemLabel;

/// A change to an item that the handler did not make. A provider makes it in [`Provider::change`](crate::Provider::change).
///
/// An item may be one thing, such as a document, or a container, such as a folder. In a container, change one of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Change {
    /// The peer gets something new: an entry of the item, or another item.
    Create,
    /// The peer changes the item.
    Update,
    /// The peer deletes the item.
    Delete,
    /// The user changes the local copy.
    LocalUpdate,
    /// The user deletes the local copy.
    LocalDelete,
    /// The peer and the user each change the item in a different way.
    Conflict,
}

impl Change {
    /// All changes.
    pub const ALL: [Self; 6] =
        [Self::Create, Self::Update, Self::Delete, Self::LocalUpdate, Self::LocalDelete, Self::Conflict];

    /// Returns `true` if only the peer changes. The result then does not depend on how far a run has come.
    pub(super) fn is_remote(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }

    /// Returns `true` if the item may be missing from later listings.
    pub(super) fn is_deletion(self) -> bool {
        matches!(self, Self::Delete | Self::LocalDelete)
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Create => "list what the peer has in every run, and keep no listing from an earlier one",
            Self::Update => {
                "compare the peer's version with the one in the checkpoint: an ETag, a revision or a hash. Commit the version \
                 that was fetched, not the newest one"
            }
            Self::Delete => {
                "record in the checkpoint what was copied: what it names and the peer no longer has was deleted by the peer"
            }
            Self::LocalUpdate | Self::LocalDelete => {
                "compare the local data with the checkpoint: a difference is a change by the user, which is sent to the peer, \
                 or reverted in a one-way copy"
            }
            Self::Conflict => {
                "compare both sides with the checkpoint. If both differ, resolve the conflict by your rule and overwrite neither \
                 side before that; check again after the last await"
            }
        }
    }
}

/// A change to one item. `Display` prints a sentence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ItemChange {
    pub(super) item: SyncItem,
    pub(super) change: Change,
}

impl fmt::Display for ItemChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = ItemLabel::from(&self.item);
        match self.change {
            Change::Create => write!(f, "the peer creates something next to {item}"),
            Change::Update => write!(f, "the peer updates {item}"),
            Change::Delete => write!(f, "the peer deletes {item}"),
            Change::LocalUpdate => write!(f, "the user updates {item}"),
            Change::LocalDelete => write!(f, "the user deletes {item}"),
            Change::Conflict => write!(f, "the peer and the user update {item}"),
        }
    }
}

/// The state that is right once a complete run has followed a change.
///
/// ```
/// # use std::collections::BTreeMap;
/// # use syncmgr_core::decision::verdict::Outcome;
/// use syncmgr_test::Expected;
///
/// let data = BTreeMap::from([("atlas".to_owned(), "second edition".to_owned())]);
/// let asks_the_user = Expected::data(data).with_outcome(Outcome::NeedsUser);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub(super) data: BTreeMap<String, String>,
    pub(super) outcome: Outcome,
}

impl Expected {
    /// Expects that [`Provider::data`](crate::Provider::data) returns these data, and that the item succeeds.
    pub fn data(data: BTreeMap<String, String>) -> Self {
        Self { data, outcome: Outcome::Succeeded }
    }

    /// Expects another outcome of the item, for example if the user has to resolve the conflict.
    #[must_use]
    pub fn with_outcome(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }
}
