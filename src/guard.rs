//! Rules that protect data: the host holds a [`Plan`] that violates a rule until the user answers.
//!
//! A handler that deletes entries proposes a plan with [`ItemContext::propose`], and deletes only after `Ok`. The default rules
//! hold a plan in these cases: it deletes more than 10 entries and more than half of the existing ones; one of its sides has
//! become empty or has a different identity; the clock went back by more than 1 h. [`SyncManagerBuilder::guards`] sets other
//! rules, and [`HandlerInfo::with_guards`] those of one handler.
//!
//! ```
//! use syncmgr::guard::{GuardPolicy, UnattendedPolicy};
//! use syncmgr::prelude::*;
//!
//! let unattended_server = GuardPolicy::DEFAULT.with_deletions(1000, 80).with_unattended(UnattendedPolicy::Refuse);
//! let manager = SyncManager::builder().guards(unattended_server).build();
//! # let _ = manager;
//! ```
//!
//! [`HandlerInfo::with_guards`]: crate::HandlerInfo::with_guards
//! [`ItemContext::propose`]: crate::ItemContext::propose
//! [`Plan`]: crate::Plan
//! [`SyncManagerBuilder::guards`]: crate::SyncManagerBuilder::guards

#[doc(inline)]
pub use syncmgr_core::{
    decision::guard::{GuardPolicy, GuardViolation, UnattendedPolicy},
    plan::{PlanRemedy, Side},
};
