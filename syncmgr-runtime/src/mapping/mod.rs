//! Adapters between the classic methods of Windows and futures, in both directions.
//!
//! | Windows | this crate |
//! |---|---|
//! | a method and its `..Completed` | one future. Ready at its first poll: the method completed before it returned. Pending: the method has returned, and its completion is outstanding. The output of the future is the code |
//! | `PrepareForSyncCompleted`, `SynchronizeCompleted` | called when `prepare` or `synchronize` resolves |
//! | the return codes of `Progress` | the cancellation tokens of the contexts |
//! | `SetItemStatus` | called between two polls, while the future is pending |
//!
//! [`CallbackAdapter`] exposes a [`SyncHandler`](syncmgr_core::handler::SyncHandler) through the classic methods, for a host
//! with its own [`SyncCallback`](syncmgr_core::classic::SyncCallback). [`ClassicAdapter`] turns a handler with the classic
//! methods into a [`SyncHandler`](syncmgr_core::handler::SyncHandler) for our manager. Both enforce the same
//! [`Protocol`](syncmgr_core::decision::protocol::Protocol).

mod callback_adapter;
mod classic_adapter;
mod instance;
mod reporter;

pub use callback_adapter::CallbackAdapter;
pub use classic_adapter::ClassicAdapter;
