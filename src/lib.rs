#![doc = include_str!("../README.md")]

pub mod prelude;

/// Re-exported because it is what a handler's methods return inside.
pub use anyhow;
/// Re-exported to write implementations of [`Chooser`], [`Interaction`] and [`ConnectionProvider`] with.
pub use async_trait::async_trait;
/// Re-exported because it is what a handler migrates its saved state in.
pub use serde_json;
pub use syncmgr_core::cancel::{CancelReason, Cancelled};
pub use syncmgr_core::capabilities::Capabilities;
pub use syncmgr_core::cell::Uninterrupted;
pub use syncmgr_core::claim::Claim;
pub use syncmgr_core::classic::{Attention, ClassicHandler, SyncCallback};
pub use syncmgr_core::context::{
    Detached, ItemContext, Origin, PrepareContext, RunContext, Saved, Spawned, SynchronizeContext,
};
pub use syncmgr_core::decision::call::Misuse;
pub use syncmgr_core::decision::choice::{Offer, OfferedItem, Visibility};
pub use syncmgr_core::decision::guard::{GuardPolicy, Objection, WhenGuarded};
pub use syncmgr_core::decision::hold::{Held, Hold};
pub use syncmgr_core::decision::host::Priority;
pub use syncmgr_core::decision::ledger::{Resume, StartReason};
pub use syncmgr_core::decision::verdict::Outcome;
pub use syncmgr_core::error::{Classify, FailureClass, NeedsUser, RetryAt, SyncResult};
pub use syncmgr_core::explain::{Explanation, LastEnd, Next, Standing};
pub use syncmgr_core::facts::{Facts, Network, Power, Presence};
pub use syncmgr_core::handler::{ItemObject, Participation, PropertiesOutcome, Resolution, SyncHandler};
pub use syncmgr_core::hresult::{CodeError, HResult, UnknownCode};
pub use syncmgr_core::id::{ErrorId, ErrorScope, HandlerId, IdError, ItemId, SessionId, Subject};
pub use syncmgr_core::info::{HandlerFlags, HandlerInfo, Limits, WhenStalled};
pub use syncmgr_core::item::{Completeness, Icon, ItemFlags, ItemState, Items, SyncItem};
pub use syncmgr_core::log::{Action, ErrorFlags, LogEntry, LogErrorInfo, LogErrorMask, LogLevel, Question, Remedy};
pub use syncmgr_core::page::{Page, PageError};
pub use syncmgr_core::plan::{Clearance, Plan, Side};
pub use syncmgr_core::port::{
    Confirmation, Connection, ConnectionProvider, Interaction, InteractionPermit, ReportError, Secret,
};
pub use syncmgr_core::progress::{Progress, ProgressMask, ProgressState};
pub use syncmgr_core::record::{Checkpoint, Fence, ItemEnd, ItemRecord};
pub use syncmgr_core::register::{Invocation, InvokeFlags, RegisterFlags, Registration, RequestError};
pub use syncmgr_core::request::{RunRequest, RunRequestError};
pub use syncmgr_core::retry::{RetryPolicy, RetryState, Setback};
pub use syncmgr_core::status::Status;
pub use syncmgr_core::store::{
    Course, Durability, HandlerRecord, Histogram, LogRecord, SessionEnd, SessionRecord, StaleWriter, StateChange,
    StateStore,
};
pub use syncmgr_core::trigger::{RunFlags, Trigger};
/// The contract in our own words, with its rule numbers.
pub use syncmgr_core::{contract, text, wide};
pub use syncmgr_macros::sync_handler;
pub use syncmgr_runtime::chooser::{Chooser, Chosen};
pub use syncmgr_runtime::clock::{Clock, Now, SystemClock};
pub use syncmgr_runtime::facts::{FactSource, ManualFacts};
pub use syncmgr_runtime::latency::Latencies;
pub use syncmgr_runtime::manager::{LogError, PropertiesError, SyncManager, SyncManagerBuilder, Unstopped};
pub use syncmgr_runtime::mapping::{Driven, Hosted};
pub use syncmgr_runtime::memory::MemoryStore;
pub use syncmgr_runtime::random::{Randomness, SystemRandomness};
pub use syncmgr_runtime::report::{ItemReport, Report, RunReport};
pub use syncmgr_runtime::session::{
    Events, Session, SessionError, SessionEvent, SessionRequest, StartError, StopOnDrop,
};
#[cfg(feature = "sqlite")]
pub use syncmgr_runtime::sqlite::{self, SqliteOptions, SqliteStore, StoreError};
/// What a manager remembers: for authors, for programs that embed one, for people who open its file.
pub use syncmgr_runtime::state;
pub use syncmgr_runtime::watchdog::{Patrol, ThreadWatchdog, Watch, Watchdog};
pub use syncmgr_runtime::{RunChange, RunEnding, RunFault, meter, trace};
/// Re-exported because ids and interfaces of the contract are GUIDs.
pub use uuid::Uuid;

/// What `#[sync_handler]` refers to.
#[doc(hidden)]
pub mod __private {
    pub use syncmgr_core::__private::async_trait;
}
