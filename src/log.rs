//! The log of a handler: entries, questions and remedies.
//!
//! Handlers write log entries with `item.log`, `item.warn`, `item.decide` and `item.ask`. Programs read them from [`SyncManager::log`] and
//! [`RunReport::log`], and offer the [`Action`] of an entry to the user.
//!
//! ```
//! use syncmgr::log::{Action, Remedy};
//! use syncmgr::prelude::*;
//!
//! let entry = LogEntry::new(LogLevel::Warning, "the password was changed elsewhere")
//!     .with_remedy(ErrorId::from_key("sign-in"), Remedy::SignIn);
//! let button = match &entry.action {
//!     Some(Action::Remedy(remedy)) => remedy.to_string(),
//!     Some(Action::Decide(question)) => question.text.to_string(),
//!     _ => "open".into(),
//! };
//! assert_eq!(button, "sign in");
//! ```
//!
//! [`RunReport::log`]: crate::RunReport::log
//! [`SyncManager::log`]: crate::SyncManager::log

#[doc(inline)]
pub use syncmgr_core::{
    id::{ErrorId, ErrorScope},
    log::{Action, Question, Remedy},
    redacted_url::{RedactedUrl, RedactedUrlError},
};
