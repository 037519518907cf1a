//! Errors of a manager's store.

use syncmgr_core::error::one_line;
use syncmgr_core::id::HandlerId;

/// An error from a manager's store. The [source](std::error::Error::source) is the error that the store returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreAccessError {
    /// The store cannot be read.
    #[error("the store cannot be read: {}; repair it, or give the manager another store", one_line(.0))]
    Unreadable(#[source] anyhow::Error),
    /// The store refused a change and stored nothing of it.
    #[error("the store refused the change: {}; nothing was stored, try again", one_line(.0))]
    Refused(#[source] anyhow::Error),
    /// The store of secrets refused to delete the secrets of a handler. All other data of the handler is deleted.
    #[error("the secrets were not deleted: {}; everything else was, try again", one_line(.0))]
    SecretsRefused(#[source] anyhow::Error),
    /// A handler asked to forget itself, or the item that it synchronizes, inside its own call.
    #[error(
        "handler {handler} cannot be forgotten inside its own call, which would have to end first; nothing was deleted"
    )]
    Nested {
        /// The handler.
        handler: HandlerId,
    },
}
