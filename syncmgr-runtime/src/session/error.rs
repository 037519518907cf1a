//! The errors of sessions.

use syncmgr_core::id::{ErrorId, HandlerId, ItemId};

/// An error from a method of a [`Session`](super::Session).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The handler is not part of the session.
    #[error("handler {handler} is not part of this session")]
    UnknownHandler {
        /// The requested id.
        handler: HandlerId,
    },
    /// The handler has not listed the item.
    #[error("handler {handler} has not listed item {item} in this session")]
    UnknownItem {
        /// The handler.
        handler: HandlerId,
        /// The requested id.
        item: ItemId,
    },
    /// The handler's log does not have the entry.
    #[error("the handler's log has no entry {error}; the entry may have been deleted")]
    UnknownError {
        /// The requested id.
        error: ErrorId,
    },
    /// The entry is not a link.
    #[error("entry {error} is not a link; it cannot be opened")]
    NotALink {
        /// The entry.
        error: ErrorId,
    },
    /// The entry asks a question.
    #[error("entry {error} asks a question; answer it instead of opening it")]
    Question {
        /// The entry.
        error: ErrorId,
    },
    /// The entry asks no question.
    #[error("entry {error} asks no question")]
    NotAQuestion {
        /// The entry.
        error: ErrorId,
    },
    /// The question does not have the choice.
    #[error("the question {error} has no choice number {choice}")]
    NoSuchChoice {
        /// The entry.
        error: ErrorId,
        /// The requested index, from 0.
        choice: usize,
    },
    /// The question has changed since the user read it.
    #[error("the question {error} has changed; read it again")]
    OtherRevision {
        /// The entry.
        error: ErrorId,
    },
    /// The handler did not declare properties for itself or the item.
    #[error("handler {handler} did not declare the requested properties")]
    NoProperties {
        /// The handler.
        handler: HandlerId,
    },
    /// The session waits for the call of a handler that made the request.
    #[error(
        "handler {handler} made the request inside a call that its session waits for; make it after the call has ended"
    )]
    Nested {
        /// The handler.
        handler: HandlerId,
    },
    /// The results of the handler's run are closed.
    #[error("the results of this run are closed; start a new session")]
    Closed,
}
