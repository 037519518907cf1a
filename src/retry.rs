//! Retry state, and the reasons for automatic sessions.
//!
//! A handler does not wait or loop: it returns an error with a class, and the host retries the item according to a
//! [`RetryPolicy`]. `retry(..)` in the macro sets the policy of a handler, [`SyncManagerBuilder::retry`] that of a manager. A
//! [`RetryState`] is the stored retry data of an item.
//!
//! ```
//! use std::time::Duration;
//! use syncmgr::prelude::*;
//! use syncmgr::{FailureClass, RetryPolicy, anyhow::anyhow, retry::RetryAt};
//!
//! fn check(status: u16) -> SyncResult {
//!     match status {
//!         404 => Err(anyhow!("no such page")).gone(),                                   // no automatic retry
//!         429 => Err(anyhow!("too many requests")).retry_after(Duration::from_secs(90)), // retried after 90 s
//!         500.. => Err(anyhow!("the server has failed")),                               // retried with backoff
//!         _ => Ok(()),
//!     }
//! }
//! let busy = FailureClass::of(&check(429).expect_err("busy"));
//! assert_eq!(busy, FailureClass::NotBefore(RetryAt::After(Duration::from_secs(90))));
//!
//! let patient = RetryPolicy::DEFAULT.with_initial(Duration::from_secs(300)).with_budget(5, 20);
//! let manager = SyncManager::builder().retry(patient).build();
//! # let _ = manager;
//! ```
//!
//! [`RetryPolicy`]: crate::RetryPolicy
//! [`SyncManagerBuilder::retry`]: crate::SyncManagerBuilder::retry

#[doc(inline)]
pub use syncmgr_core::{
    decision::ledger::{Resume, StartReason},
    error::RetryAt,
    retry::{RetryState, RetryStatus},
};
