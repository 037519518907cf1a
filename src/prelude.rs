//! The types that most handlers and programs use: `use syncmgr::prelude::*;`.

pub use crate::guard::Side;
pub use crate::handler::{HandlerFlags, PropertiesOutcome, Resolution};
pub use crate::item::{ItemFlags, ItemState};
pub use crate::log::{ErrorId, Remedy};
pub use crate::progress::Status;
pub use crate::{
    CancelReason, Cancelled, Classify, HandlerId, HandlerInfo, ItemContext, ItemId, Items, Limits, LogEntry, LogLevel,
    ManagerEvent, NeedsUser, Outcome, Participation, Plan, PlanError, PrepareContext, Progress, Report, RunContext,
    Session, SessionEvent, Subject, SyncHandler, SyncItem, SyncManager, SyncResult, SynchronizeContext, Trigger,
    sync_handler,
};
