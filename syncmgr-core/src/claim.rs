//! Named resources that items share: an account, a server, a folder.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text::{Escaped, MAX_NAME, bounded};

/// A named resource that an item needs while it runs.
///
/// Items that claim the same name share its capacity, across all handlers of a manager. The capacity is 1 unless the
/// manager was built with another capacity. An item acquires all its claims together or waits without any, so items
/// never deadlock.
///
/// The host applies claims to items that it runs itself. Claims do not apply to items that a handler runs and
/// [reports](crate::port::RunPort::report) itself.
///
/// ```
/// # use syncmgr_core::{claim::Claim, item::SyncItem};
/// let inbox = SyncItem::named("Inbox").with_claim("imap.example.org");
/// assert_eq!(inbox.claims(), [Claim::new("imap.example.org")]);
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claim(Arc<str>);

impl Claim {
    /// Creates a claim with this name, truncated to [`MAX_NAME`].
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Arc::from(bounded(name.as_ref(), MAX_NAME)))
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.0
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
        Escaped(&self.0).fmt(f)
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({:?})", self.name())
    }
}
