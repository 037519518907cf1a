//! What a provider needs: `use syncmgr::prelude::*;`.

pub use crate::{
    CancelReason, Cancelled, Classify, ErrorId, HandlerFlags, HandlerId, HandlerInfo, ItemContext, ItemFlags, ItemId,
    Items, Limits, LogEntry, LogLevel, NeedsUser, Outcome, Participation, PrepareContext, Progress, PropertiesOutcome,
    Resolution, RunContext, SessionEvent, Status, Subject, SyncHandler, SyncItem, SyncManager, SyncResult,
    SynchronizeContext, Trigger, sync_handler,
};
