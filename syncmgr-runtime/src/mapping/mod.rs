//! The contract mapped onto futures, both ways.
//!
//! | Windows | here |
//! |---|---|
//! | a method and its `..Completed` | one future: ready at its first poll is completed before the return, pending is the open window, its output is the code |
//! | `PrepareForSyncCompleted`, `SynchronizeCompleted` | called when `prepare` or `synchronize` resolves |
//! | the answers of `Progress` | the tokens of the contexts |
//! | `SetItemStatus` | between two polls, while the future is pending |
//!
//! [`Driven`] puts a [`SyncHandler`](syncmgr_core::handler::SyncHandler) behind those methods, for a host that brings its
//! own [`SyncCallback`](syncmgr_core::classic::SyncCallback). [`Hosted`] makes a
//! [`SyncHandler`](syncmgr_core::handler::SyncHandler) of a handler that is written with those methods, for our manager.
//! Both are judged by the same [`Protocol`](syncmgr_core::decision::protocol::Protocol).

mod driven;
mod feed;
mod hosted;
mod instance;

pub use driven::Driven;
pub use hosted::Hosted;
