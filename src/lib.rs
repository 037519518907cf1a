#![doc = include_str!("../README.md")]

pub mod prelude;

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
    plan::{Clearance, Plan},
    port::Interaction,
    progress::Progress,
    retry::RetryPolicy,
    text,
    trigger::Trigger,
};
pub use syncmgr_macros::sync_handler;
#[doc(inline)]
pub use syncmgr_runtime::{
    RunEnding,
    manager::{SyncManager, SyncManagerBuilder},
    meter,
    report::{ItemReport, Report, RunReport},
    session::{Session, SessionError, SessionEvent, SessionRequest, StartError},
    state, trace,
};

/// Re-exported because it is what a handler's methods return inside.
pub use anyhow;
/// Re-exported to implement [`Interaction`], [`Chooser`](choice::Chooser) and the other ports with.
pub use async_trait::async_trait;
/// Re-exported because it is what a handler migrates its saved state in.
pub use serde_json;
/// Re-exported because ids of handlers and items are GUIDs.
pub use uuid::Uuid;

/// What a handler says of itself and returns.
pub mod handler {
    #[doc(inline)]
    pub use syncmgr_core::{
        capabilities::Capabilities,
        handler::{PropertiesOutcome, Resolution},
        info::{HandlerFlags, WhenStalled},
    };
}

/// What a handler says of its items.
pub mod item {
    #[doc(inline)]
    pub use syncmgr_core::{
        handler::ItemObject,
        item::{Completeness, Icon, ItemFlags, ItemState},
    };
}

/// What contexts hand out, and a context for tests without a runtime.
pub mod context {
    #[doc(inline)]
    pub use syncmgr_core::{
        cell::Uninterrupted,
        context::{Detached, Origin, Spawned},
        port::ReportError,
    };
}

/// Progress in detail: which of its fields a report sets, and what observers see.
pub mod progress {
    #[doc(inline)]
    pub use syncmgr_core::{
        progress::{ProgressMask, ProgressState},
        status::Status,
    };
}

/// The log of a handler: entries, questions, and what can be done about them.
pub mod log {
    #[doc(inline)]
    pub use syncmgr_core::{
        id::{ErrorId, ErrorScope},
        log::{Action, Question, Remedy},
        page::{Page, PageError},
    };
}

/// What a host objects to in a [`Plan`](crate::Plan), and by which rules.
pub mod guard {
    #[doc(inline)]
    pub use syncmgr_core::{
        decision::guard::{GuardPolicy, Objection, WhenGuarded},
        plan::Side,
    };
}

/// What failures leave behind, and why sessions start by themselves.
pub mod retry {
    #[doc(inline)]
    pub use syncmgr_core::{
        decision::ledger::{Resume, StartReason},
        error::RetryAt,
        retry::{RetryState, Setback},
    };
}

/// Why something does not run, and when it will.
pub mod explain {
    #[doc(inline)]
    pub use syncmgr_core::{
        decision::hold::Held,
        explain::{LastEnd, Next, Standing},
    };
}

/// Who chooses which items run.
pub mod choice {
    #[doc(inline)]
    pub use syncmgr_core::decision::choice::{Offer, OfferedItem, Visibility};
    #[doc(inline)]
    pub use syncmgr_runtime::chooser::{Chooser, Chosen};
}

/// Asking for runs, as calls and as data; which events a handler is registered for.
pub mod request {
    #[doc(inline)]
    pub use syncmgr_core::{
        decision::host::Priority,
        id::IdError,
        register::{Invocation, InvokeFlags, RegisterFlags, Registration, RequestError},
        request::{RunRequest, RunRequestError},
        trigger::RunFlags,
    };
}

/// What sessions and managers hand out besides reports.
pub mod session {
    #[doc(inline)]
    pub use syncmgr_runtime::{
        RunChange, RunFault,
        latency::Latencies,
        manager::{LogError, PropertiesError, Unstopped},
        session::{Events, StopOnDrop},
    };
}

/// Where a manager remembers, and in what.
pub mod store {
    #[doc(inline)]
    pub use syncmgr_core::{
        record::{Checkpoint, Fence, ItemEnd, ItemRecord},
        store::{
            Course, Durability, HandlerRecord, Histogram, LogRecord, SessionEnd, SessionRecord, StaleWriter,
            StateChange, StateStore,
        },
    };
    #[doc(inline)]
    pub use syncmgr_runtime::memory::MemoryStore;
    #[cfg(feature = "sqlite")]
    #[doc(inline)]
    pub use syncmgr_runtime::sqlite::{self, SqliteOptions, SqliteStore, StoreError};
}

/// What a manager uses of the world around it. Each has an implementation that most programs want.
pub mod environment {
    #[doc(inline)]
    pub use syncmgr_core::{
        facts::{Facts, Network, Power, Presence},
        port::{Confirmation, Connection, ConnectionProvider, InteractionPermit, Secret},
    };
    #[doc(inline)]
    pub use syncmgr_runtime::{
        clock::{Clock, Now, SystemClock},
        facts::{FactSource, ManualFacts},
        random::{Randomness, SystemRandomness},
        watchdog::{Patrol, ThreadWatchdog, Watch, Watchdog},
    };
}

/// The contract of the Windows Synchronization Manager as it was: callbacks, codes, call and completion. Async handlers need
/// none of it.
pub mod classic {
    #[doc(inline)]
    pub use syncmgr_core::{
        classic::{Attention, ClassicHandler, SyncCallback},
        contract,
        decision::call::Misuse,
        hresult::{CodeError, HResult, UnknownCode},
        log::{ErrorFlags, LogErrorInfo, LogErrorMask},
        wide,
    };
    #[doc(inline)]
    pub use syncmgr_runtime::mapping::{Driven, Hosted};
}

/// What `#[sync_handler]` refers to.
#[doc(hidden)]
pub mod __private {
    pub use syncmgr_core::__private::async_trait;
}
