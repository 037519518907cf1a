//! What a provider needs: `use syncmgr::prelude::*;`.

pub use crate::{
    CancelReason, Cancelled, Classify, Clearance, ErrorId, HandlerFlags, HandlerId, HandlerInfo, ItemContext,
    ItemFlags, ItemId, Items, Limits, LogEntry, LogLevel, NeedsUser, Outcome, Participation, Plan, PrepareContext,
    Progress, PropertiesOutcome, Remedy, Resolution, RunContext, SessionEvent, Side, Status, Subject, SyncHandler,
    SyncItem, SyncManager, SyncResult, SynchronizeContext, Trigger, sync_handler,
};
