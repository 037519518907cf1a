//! What stands between a manager and its store.

use syncmgr_core::error::one_line;

/// Why a manager could not read its store, or have it changed. What the store said is the
/// [source](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreAccessError {
    /// It cannot be read.
    #[error("the store cannot be read: {}; mend it, or give the manager another", one_line(.0))]
    Unreadable(#[source] anyhow::Error),
    /// It did not take a change. Nothing of it is stored.
    #[error("the store refused the change: {}; nothing of it was stored, ask again", one_line(.0))]
    Refused(#[source] anyhow::Error),
}
