//! The auto traits of public types: a table that the compiler checks. Removing an auto trait is a breaking change.

use syncmgr::*;

macro_rules! table {
    ($($type:ty: $first:ident $(+ $more:ident)*;)+) => {
        $(const _: fn() = || {
            fn has<T: ?Sized + $first $(+ $more)*>() {}
            has::<$type>();
        };)+
    };
}

table! {
    CancelReason: Send + Sync + Unpin;
    Cancelled: Send + Sync + Unpin;
    Claim: Send + Sync + Unpin;
    PlanError: Send + Sync + Unpin;
    Explanation: Send + Sync + Unpin;
    FailureClass: Send + Sync + Unpin;
    HandlerId: Send + Sync + Unpin;
    HandlerInfo: Send + Sync + Unpin;
    Hold: Send + Sync + Unpin;
    ItemContext: Send + Sync + Unpin;
    ItemId: Send + Sync + Unpin;
    ItemReport: Send + Sync + Unpin;
    Items: Send + Sync + Unpin;
    Limits: Send + Sync + Unpin;
    LogEntry: Send + Sync + Unpin;
    LogLevel: Send + Sync + Unpin;
    ManagerEvent: Send + Sync + Unpin;
    NeedsUser: Send + Sync + Unpin;
    Outcome: Send + Sync + Unpin;
    Participation: Send + Sync + Unpin;
    Plan: Send + Sync + Unpin;
    PrepareContext: Send + Sync + Unpin;
    Progress: Send + Sync + Unpin;
    Report: Send + Sync + Unpin;
    RetryPolicy: Send + Sync + Unpin;
    RunContext: Send + Sync + Unpin;
    RunEnding: Send + Sync + Unpin;
    RunReport: Send + Sync + Unpin;
    Saved<String>: Send + Sync + Unpin;
    Session: Send + Sync + Unpin;
    SessionError: Send + Sync + Unpin;
    SessionEvent: Send + Sync + Unpin;
    SessionId: Send + Sync + Unpin;
    SessionRequest: Send + Sync + Unpin;
    StartError: Send + Sync + Unpin;
    Subject: Send + Sync + Unpin;
    SyncItem: Send + Sync + Unpin;
    SyncManager: Send + Sync + Unpin;
    SyncManagerBuilder: Send + Sync + Unpin;
    SynchronizeContext: Send + Sync + Unpin;
    Trigger: Send + Sync + Unpin;
    dyn Interaction: Send + Sync;
    dyn SyncHandler: Send + Sync;

    changes::LocalChange: Send + Sync + Unpin;
    changes::ManualChanges: Send + Sync + Unpin;
    changes::Settle: Send + Sync + Unpin;
    changes::Watch: Send + Sync + Unpin;
    changes::WatchEvent: Send + Sync + Unpin;
    changes::WatchProblem: Send + Sync + Unpin;
    dyn changes::ChangeSource: Send + Sync;

    choice::Chosen: Send + Sync + Unpin;
    choice::Offer: Send + Sync + Unpin;
    choice::OfferedItem: Send + Sync + Unpin;
    choice::Visibility: Send + Sync + Unpin;
    dyn choice::Chooser: Send + Sync;

    context::TestContext: Send + Sync + Unpin;
    context::Origin: Send + Sync + Unpin;
    context::ReportError: Send + Sync + Unpin;
    context::Spawned<String>: Send + Sync + Unpin;
    context::Uninterrupted: Send + Sync + Unpin;

    environment::Confirmation: Send + Sync + Unpin;
    environment::Connection: Send + Sync + Unpin;
    environment::Environment: Send + Sync + Unpin;
    environment::InteractionPermit: Send + Sync + Unpin;
    environment::ManualEnvironment: Send + Sync + Unpin;
    environment::Network: Send + Sync + Unpin;
    environment::Now: Send + Sync + Unpin;
    environment::Probe: Send + Sync + Unpin;
    environment::Power: Send + Sync + Unpin;
    environment::Presence: Send + Sync + Unpin;
    environment::Secret: Send + Sync + Unpin;
    environment::SystemClock: Send + Sync + Unpin;
    environment::SystemRandomness: Send + Sync + Unpin;
    environment::ThreadWatchdog: Send + Sync + Unpin;
    environment::ProbeStatus: Send + Sync + Unpin;
    dyn environment::Clock: Send + Sync;
    dyn environment::ConnectionProvider: Send + Sync;
    dyn environment::EnvironmentSource: Send + Sync;
    dyn environment::Randomness: Send + Sync;
    dyn environment::Watchdog: Send + Sync;

    explain::Held: Send + Sync + Unpin;
    explain::LastEnd: Send + Sync + Unpin;
    explain::Next: Send + Sync + Unpin;
    explain::Condition: Send + Sync + Unpin;

    guard::GuardPolicy: Send + Sync + Unpin;
    guard::GuardViolation: Send + Sync + Unpin;
    guard::Side: Send + Sync + Unpin;
    guard::UnattendedPolicy: Send + Sync + Unpin;

    handler::Capabilities: Send + Sync + Unpin;
    handler::HandlerFlags: Send + Sync + Unpin;
    handler::PropertiesOutcome: Send + Sync + Unpin;
    handler::Resolution: Send + Sync + Unpin;
    handler::StallPolicy: Send + Sync + Unpin;

    item::Completeness: Send + Sync + Unpin;
    item::Icon: Send + Sync + Unpin;
    item::ItemFlags: Send + Sync + Unpin;
    item::ItemObject: Send + Sync + Unpin;
    item::ItemState: Send + Sync + Unpin;

    log::Action: Send + Sync + Unpin;
    log::ErrorId: Send + Sync + Unpin;
    log::ErrorScope: Send + Sync + Unpin;
    log::RedactedUrl: Send + Sync + Unpin;
    log::RedactedUrlError: Send + Sync + Unpin;
    log::Question: Send + Sync + Unpin;
    log::Remedy: Send + Sync + Unpin;

    progress::ProgressMask: Send + Sync + Unpin;
    progress::ProgressState: Send + Sync + Unpin;
    progress::Status: Send + Sync + Unpin;

    request::IdError: Send + Sync + Unpin;
    request::Invocation: Send + Sync + Unpin;
    request::InvokeFlags: Send + Sync + Unpin;
    request::Priority: Send + Sync + Unpin;
    request::RegisterFlags: Send + Sync + Unpin;
    request::Registration: Send + Sync + Unpin;
    request::RequestError: Send + Sync + Unpin;
    request::RunFlags: Send + Sync + Unpin;
    request::RunRequest: Send + Sync + Unpin;
    request::RunRequestError: Send + Sync + Unpin;

    retry::Resume: Send + Sync + Unpin;
    retry::RetryAt: Send + Sync + Unpin;
    retry::RetryState: Send + Sync + Unpin;
    retry::RetryStatus: Send + Sync + Unpin;
    retry::StartReason: Send + Sync + Unpin;

    session::Events: Send + Sync + Unpin;
    session::ItemStatus: Send + Sync + Unpin;
    session::Latencies: Send + Sync + Unpin;
    session::LogAccessError: Send + Sync + Unpin;
    session::ManagerEvents: Send + Sync + Unpin;
    session::PropertiesError: Send + Sync + Unpin;
    session::RunChange: Send + Sync + Unpin;
    session::RunFault: Send + Sync + Unpin;
    session::StopOnDrop: Send + Sync + Unpin;
    session::StillRunning: Send + Sync + Unpin;

    store::Checkpoint: Send + Sync + Unpin;
    store::SessionOutcome: Send + Sync + Unpin;
    store::Durability: Send + Sync + Unpin;
    store::Medium: Send + Sync + Unpin;
    store::Fence: Send + Sync + Unpin;
    store::HandlerRecord: Send + Sync + Unpin;
    store::Histogram: Send + Sync + Unpin;
    store::ItemEnd: Send + Sync + Unpin;
    store::ItemRecord: Send + Sync + Unpin;
    store::LogRecord: Send + Sync + Unpin;
    store::MemoryStore: Send + Sync + Unpin;
    store::SessionEnd: Send + Sync + Unpin;
    store::SessionRecord: Send + Sync + Unpin;
    store::StaleWriter: Send + Sync + Unpin;
    store::StateChange: Send + Sync + Unpin;
    store::StoreAccessError: Send + Sync + Unpin;
    dyn store::StateStore: Send + Sync;

    classic::Attention: Send + Sync + Unpin;
    classic::CodeError: Send + Sync + Unpin;
    classic::CallbackAdapter: Send + Sync + Unpin;
    classic::ErrorFlags: Send + Sync + Unpin;
    classic::HResult: Send + Sync + Unpin;
    classic::ClassicAdapter: Send + Sync + Unpin;
    classic::LogErrorInfo: Send + Sync + Unpin;
    classic::LogErrorMask: Send + Sync + Unpin;
    classic::Misuse: Send + Sync + Unpin;
    classic::UnknownCode: Send + Sync + Unpin;
    dyn classic::ClassicHandler: Send + Sync;
    dyn classic::SyncCallback: Send + Sync;
}

#[cfg(feature = "sqlite")]
table! {
    store::SqliteOptions: Send + Sync + Unpin;
    store::SqliteStore: Send + Sync + Unpin;
    store::StoreError: Send + Sync + Unpin;
}

/// Checks that futures are `Send`.
macro_rules! send_futures {
    ($(($value:ident: $type:ty) $future:expr;)+) => {
        $(const _: fn($type) = |$value| {
            fn is_send<F: Future + Send>(_: F) {}
            is_send($future);
        };)+
    };
}

send_futures! {
    (manager: &SyncManager) manager.shutdown();
    (manager: &SyncManager) manager.forget(HandlerId::from_u128(1));
    (manager: &SyncManager) manager.forget_item(HandlerId::from_u128(1), ItemId::from_u128(2));
    (manager: &SyncManager) manager.show_error(HandlerId::from_u128(1), log::ErrorId::from_u128(2));
    (manager: &SyncManager) manager.show_properties(HandlerId::from_u128(1), Subject::Handler);
    (session: Session) session.finish();
    (session: &Session) session.report();
    (session: &Session) session.close();
    (session: &Session) session.show_error(HandlerId::from_u128(1), log::ErrorId::from_u128(2));
    (session: &Session) session.answer(HandlerId::from_u128(1), log::ErrorId::from_u128(2), 0);
    (events: &mut session::Events) events.next();
    (events: &mut session::ManagerEvents) events.next();
    (run: &RunContext) run.cancelled();
    (run: &RunContext) run.establish_connection(None);
    (run: &RunContext) run.interaction();
    (run: &SynchronizeContext) run.each_item();
    (item: &ItemContext) item.cancelled();
    (item: &ItemContext) item.blocking(|_| Ok(()));
    (item: &ItemContext) item.spawn(async { anyhow::Ok(()) });
    (item: &ItemContext) item.sync_paths(["a"]);
    (saved: &mut Saved<String>) saved.commit();
}
