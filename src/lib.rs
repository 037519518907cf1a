#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]
//!
//! # Organization
//!
//! The root and the [`prelude`] contain the types that most programs need. The modules contain the rest, grouped by subject: for
//! example, [`log`] has the details of the log, [`environment`] and [`store`] the ports of a manager.

pub mod changes;
pub mod choice;
pub mod classic;
pub mod context;
pub mod environment;
pub mod explain;
pub mod guard;
pub mod handler;
pub mod item;
pub mod log;
pub mod prelude;
pub mod progress;
pub mod request;
pub mod retry;
pub mod schedule;
pub mod session;
pub mod store;

#[doc(inline)]
pub use syncmgr_core::{
    cancel::{CancelReason, Cancelled},
    claim::Claim,
    context::{ItemContext, PrepareContext, RunContext, Saved, SynchronizeContext},
    decision::{hold::Hold, verdict::Outcome},
    error::{Classify, FailureClass, NeedsUser, SyncResult},
    explain::Explanation,
    handler::{Participation, SyncHandler},
    id::{HandlerId, ItemId, SessionId, Subject},
    info::{HandlerInfo, Limits},
    item::{Items, SyncItem},
    log::{LogEntry, LogLevel},
    plan::{Plan, PlanError},
    port::Interaction,
    progress::Progress,
    retry::RetryPolicy,
    text,
    trigger::Trigger,
};
/// Declares a handler's id, name, capabilities, limits and retry rules, and completes the `impl` of [`SyncHandler`].
///
/// A handler for mail accounts; each account is one instance:
///
/// ```
/// use syncmgr::prelude::*;
///
/// struct Mail {
///     account: String,
/// }
///
/// #[sync_handler(
///     id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93",
///     name = "Mail",
///     capabilities(cancellable, needs_network),
///     limits(items = 2, prepare = "1min"),
///     retry(initial = "1min", budget = 5)
/// )]
/// impl SyncHandler for Mail {
///     fn info(&self) -> HandlerInfo {
///         Self::HANDLER.instance(&self.account).with_claim(self.account.as_str())
///     }
///
///     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
///         Ok(item.progress(1, 1)?)
///     }
/// }
///
/// assert_eq!(Mail::HANDLER.limits().items(), 2);
/// let ann = Mail { account: "ann@example.org".into() };
/// assert_eq!(ann.info().name(), "Mail (ann@example.org)");
/// ```
pub use syncmgr_macros::sync_handler;
#[doc(inline)]
pub use syncmgr_runtime::{
    RunEnding,
    manager::{SyncManager, SyncManagerBuilder},
    meter,
    report::{ItemReport, NotSuccessful, Report, RunReport},
    session::{ManagerEvent, Session, SessionError, SessionEvent, SessionRequest, StartError},
    state, trace,
};

/// Re-exported because `anyhow::Error` is the error type of [`SyncResult`].
pub use anyhow;
/// Re-exported for implementations of [`Interaction`], [`Chooser`](choice::Chooser) and the other async ports.
pub use async_trait::async_trait;
/// Re-exported because handlers migrate saved state as [`serde_json::Value`].
pub use serde_json;
/// Re-exported because the ids of handlers and items are UUIDs.
pub use uuid::Uuid;

/// Support for the code that `#[sync_handler]` generates.
#[doc(hidden)]
pub mod __private {
    pub use syncmgr_core::__private::async_trait;
}
