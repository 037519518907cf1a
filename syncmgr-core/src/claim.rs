//! Named resources that items share: an account, a server, a folder.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text::{Escaped, MAX_NAME, bounded};

/// A named resource that an item needs while it runs.
///
/// Items that claim the same name share its capacity, across all handlers of a manager. An item acquires all its claims together
/// or waits without any, so items never deadlock.
///
/// The capacity is that of the application, if the manager was built with one for this name. Otherwise it is the smallest capacity
/// that the items at work and the item itself declare; a claim that declares none counts as 1. The host keeps declared
/// capacities only while items hold the claim, so a handler may claim any number of names that it finds while listing.
///
/// The host applies claims to items that it runs itself. Claims do not apply to items that a handler runs and
/// [reports](crate::port::RunPort::report) itself.
///
/// ```
/// # use syncmgr_core::{claim::Claim, item::SyncItem};
/// let inbox = SyncItem::named("Inbox").with_claim("imap.example.org");
/// assert_eq!(inbox.claims(), [Claim::new("imap.example.org")]);
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Arc<str>", into = "Arc<str>")]
pub struct Claim {
    name: Arc<str>,
    capacity: Option<NonZeroUsize>,
}

impl Claim {
    /// Creates a claim with this name, truncated to [`MAX_NAME`].
    pub fn new(name: impl AsRef<str>) -> Self {
        Self { name: Arc::from(bounded(name.as_ref(), MAX_NAME)), capacity: None }
    }

    /// Declares the number of items that may hold this claim at the same time. Zero counts as 1.
    ///
    /// Two claims with the same name are equal, whatever their capacities.
    ///
    /// ```
    /// # use syncmgr_core::{claim::Claim, item::SyncItem};
    /// let hosts = ["a.example.org", "b.example.org"]; // found while listing
    /// let pages = hosts.map(|host| SyncItem::named(host).with_claim(Claim::new(host).with_capacity(4)));
    /// assert_eq!(pages[0].claims()[0].capacity(), Some(4));
    /// assert_eq!(pages[0].claims()[0], Claim::new("a.example.org"));
    /// ```
    pub fn with_capacity(self, items: usize) -> Self {
        Self { capacity: Some(NonZeroUsize::new(items).unwrap_or(NonZeroUsize::MIN)), ..self }
    }

    /// Returns the declared capacity. `None` if none is declared.
    pub fn capacity(&self) -> Option<usize> {
        self.capacity.map(NonZeroUsize::get)
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl PartialEq for Claim {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Claim {}

impl PartialOrd for Claim {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Claim {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for Claim {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl From<Arc<str>> for Claim {
    fn from(name: Arc<str>) -> Self {
        Self { name, capacity: None }
    }
}

impl From<Claim> for Arc<str> {
    fn from(claim: Claim) -> Self {
        claim.name
    }
}

impl From<&str> for Claim {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Claim {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.name).fmt(f)
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({:?})", self.name())
    }
}
