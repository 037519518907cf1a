//! Explanations: the reason an item or handler is not running, and the time it runs next.
//!
//! [`SyncManager::explain_item`] and [`SyncManager::explain_handler`] derive an [`Explanation`] from the state that the scheduler
//! uses. Its fields are data, `{}` formats it as one line, and serde serializes it.
//!
//! ```
//! use syncmgr::explain::{Next, Condition};
//! use syncmgr::prelude::*;
//! # struct Mail;
//! # #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Mail")]
//! # impl SyncHandler for Mail {
//! #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
//! # }
//!
//! let manager = SyncManager::new();
//! let mail = manager.register(Mail)?;
//! let why = manager.explain_handler(mail)?;
//! assert_eq!((why.condition, why.next), (Condition::Idle, Next::WhenRequested)); // no event starts the handler
//! # SyncResult::Ok(())
//! ```
//!
//! [`Explanation`]: crate::Explanation
//! [`SyncManager::explain_handler`]: crate::SyncManager::explain_handler
//! [`SyncManager::explain_item`]: crate::SyncManager::explain_item

#[doc(inline)]
pub use syncmgr_core::{
    decision::hold::Held,
    explain::{Condition, LastEnd, Next},
};
