#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]
//!
//! # Organization
//!
//! The root and the [`prelude`] contain the types that most programs need. The modules contain the rest, grouped by subject: for
//! example, [`log`] has the details of the log, [`environment`] and [`store`] the ports of a manager.

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

/// Flags and capabilities of a handler, and the return types of its optional methods.
///
/// Handlers that implement only `items` and `synchronize_item` do not need this module. Flags and capabilities are declared in
/// [`#[sync_handler]`](crate::sync_handler); `show_properties` returns a [`PropertiesOutcome`](handler::PropertiesOutcome),
/// `show_error` a [`Resolution`](handler::Resolution).
pub mod handler {
    #[doc(inline)]
    pub use syncmgr_core::{
        capabilities::Capabilities,
        handler::{PropertiesOutcome, Resolution},
        importance::Importance,
        info::{HandlerFlags, StallPolicy},
        requirements::{ConditionPolicy, Requirement, Requirements},
    };
}

/// Optional attributes of items (initial choice, flags, icons) and of listings (completeness).
///
/// Handlers whose items have only a name do not need this module.
///
/// ```
/// use syncmgr::item::{ItemFlags, ItemState};
/// use syncmgr::prelude::*;
///
/// let archive = SyncItem::named("Archive").with_state(ItemState::Unchecked);
/// let settings = SyncItem::named("settings").with_flags(ItemFlags::HIDDEN); // runs, but is not offered to the user
/// let items: Items = [archive, settings].into_iter().collect();
/// assert_eq!(items.len(), 2);
/// ```
pub mod item {
    #[doc(inline)]
    pub use syncmgr_core::{
        handler::ItemObject,
        item::{Completeness, Icon, ItemFlags, ItemState},
    };
}

/// Types that contexts return, and a test context.
///
/// [`TestContext`](context::TestContext) calls the methods of a handler from a unit test, without a runtime.
///
/// ```
/// use syncmgr::context::TestContext;
/// use syncmgr::prelude::*;
///
/// let host = TestContext::new();
/// let item = host.item("notes.txt");
/// assert_eq!(item.decide("side", "Which side is right?", &["here", "there"]), None);
/// host.answer(&item, "side", 1);
/// assert_eq!(item.decide("side", "Which side is right?", &["here", "there"]), Some("there"));
/// ```
pub mod context {
    #[doc(inline)]
    pub use syncmgr_core::{
        cell::Uninterrupted,
        context::{Origin, Spawned, TestContext},
        port::ReportError,
    };
}

/// The fields of a progress report, and the progress state that observers receive.
///
/// For programs that display progress: [`SessionEvent::Progress`] and [`Session::progress`] provide a
/// [`ProgressState`](progress::ProgressState). Handlers need only `item.progress(done, total)`.
pub mod progress {
    #[doc(inline)]
    pub use syncmgr_core::{
        progress::{ProgressMask, ProgressState},
        status::Status,
    };
}

/// The log of a handler: entries, questions and remedies.
///
/// Handlers write log entries with `item.log`, `item.warn` and `item.decide`. Programs read them from [`SyncManager::log`] and
/// [`RunReport::log`], and offer the [`Action`](log::Action) of an entry to the user.
///
/// ```
/// use syncmgr::log::{Action, Remedy};
/// use syncmgr::prelude::*;
///
/// let entry = LogEntry::new(LogLevel::Warning, "the password was changed elsewhere")
///     .with_remedy(ErrorId::from_key("sign-in"), Remedy::SignIn);
/// let button = match &entry.action {
///     Some(Action::Remedy(remedy)) => remedy.to_string(),
///     Some(Action::Decide(question)) => question.text.to_string(),
///     _ => "open".into(),
/// };
/// assert_eq!(button, "sign in");
/// ```
pub mod log {
    #[doc(inline)]
    pub use syncmgr_core::{
        id::{ErrorId, ErrorScope},
        log::{Action, Question, Remedy},
        redacted_url::{RedactedUrl, RedactedUrlError},
    };
}

/// Rules that protect data: the host holds a [`Plan`] that violates a rule until the user answers.
///
/// A handler that deletes entries proposes a plan with [`ItemContext::propose`], and deletes only after `Ok`. The default rules hold a plan in these cases: it
/// deletes more than 10 entries and more than half of the existing ones; one of its sides has become empty or has a different
/// identity; the clock went back by more than 1 h. [`SyncManagerBuilder::guards`] sets other rules.
///
/// ```
/// use syncmgr::guard::{GuardPolicy, UnattendedPolicy};
/// use syncmgr::prelude::*;
///
/// let unattended_server = GuardPolicy::DEFAULT.with_deletions(1000, 80).with_unattended(UnattendedPolicy::Refuse);
/// let manager = SyncManager::builder().guards(unattended_server).build();
/// # let _ = manager;
/// ```
pub mod guard {
    #[doc(inline)]
    pub use syncmgr_core::{
        decision::guard::{GuardPolicy, GuardViolation, UnattendedPolicy},
        plan::{PlanRemedy, Side},
    };
}

/// Retry state, and the reasons for automatic sessions.
///
/// A handler does not wait or loop: it returns an error with a class, and the host retries the item according to a
/// [`RetryPolicy`]. `retry(..)` in the macro sets the policy of a handler, [`SyncManagerBuilder::retry`] that of a manager. A
/// [`RetryState`](retry::RetryState) is the stored retry data of an item.
///
/// ```
/// use std::time::Duration;
/// use syncmgr::prelude::*;
/// use syncmgr::{FailureClass, RetryPolicy, anyhow::anyhow, retry::RetryAt};
///
/// fn check(status: u16) -> SyncResult {
///     match status {
///         404 => Err(anyhow!("no such page")).gone(),                                   // no automatic retry
///         429 => Err(anyhow!("too many requests")).retry_after(Duration::from_secs(90)), // retried after 90 s
///         500.. => Err(anyhow!("the server has failed")),                               // retried with backoff
///         _ => Ok(()),
///     }
/// }
/// let busy = FailureClass::of(&check(429).expect_err("busy"));
/// assert_eq!(busy, FailureClass::NotBefore(RetryAt::After(Duration::from_secs(90))));
///
/// let patient = RetryPolicy::DEFAULT.with_initial(Duration::from_secs(300)).with_budget(5, 20);
/// let manager = SyncManager::builder().retry(patient).build();
/// # let _ = manager;
/// ```
pub mod retry {
    #[doc(inline)]
    pub use syncmgr_core::{
        decision::ledger::{Resume, StartReason},
        error::RetryAt,
        retry::{RetryState, RetryStatus},
    };
}

/// Schedules, and the agenda: what a manager runs without a request, when, and why.
///
/// A [`Schedule`](schedule::Schedule) is a cron expression in a time zone, an interval, or a single time. A handler declares one for its items with
/// [`HandlerInfo::with_schedule`], or for one item with [`SyncItem::with_schedule`]. The manager's scheduler has to run
/// ([`SyncManager::start_scheduler`]). [`rules`](schedule::rules) says what happens after sleep, when clocks change, and when runs overlap.
///
/// ```
/// use std::time::Duration;
/// use syncmgr::prelude::*;
/// use syncmgr::schedule::{Missed, Schedule};
///
/// struct Backup;
///
/// #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Backup")]
/// impl SyncHandler for Backup {
///     fn info(&self) -> HandlerInfo {
///         let night = Schedule::cron("30 2 * * *", "Europe/Berlin").expect("the expression is valid");
///         Self::HANDLER.with_schedule(night.with_missed(Missed::Skip))
///     }
///
///     async fn items(&self) -> SyncResult<Items> {
///         let often = Schedule::every(Duration::from_secs(900))?;
///         Ok([SyncItem::named("Photos"), SyncItem::named("Notes").with_schedule(often)].into_iter().collect())
///     }
///
///     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> SyncResult {
/// let manager = SyncManager::new();
/// manager.register(Backup)?;
/// manager.start_scheduler()?;
/// println!("{}", manager.agenda()[0]); // when the next run starts, and which items it runs
/// # manager.shutdown().await;
/// # Ok(()) }
/// ```
pub mod schedule {
    #[doc(inline)]
    pub use syncmgr_core::{
        agenda::{AgendaEntry, AgendaWork},
        schedule::{Missed, Schedule, ScheduleError, rules},
    };
    #[doc(inline)]
    pub use syncmgr_runtime::manager::AgendaChanges;
}

/// Explanations: the reason an item or handler is not running, and the time it runs next.
///
/// [`SyncManager::explain_item`] and [`SyncManager::explain_handler`] derive an [`Explanation`] from the state that the
/// scheduler uses. Its fields are data, `{}` formats it as one line, and serde serializes it.
///
/// ```
/// use syncmgr::explain::{Next, Condition};
/// use syncmgr::prelude::*;
/// # struct Mail;
/// # #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Mail")]
/// # impl SyncHandler for Mail {
/// #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
/// # }
///
/// let manager = SyncManager::new();
/// let mail = manager.register(Mail)?;
/// let why = manager.explain_handler(mail)?;
/// assert_eq!((why.condition, why.next), (Condition::Idle, Next::WhenRequested)); // no event starts the handler
/// # SyncResult::Ok(())
/// ```
pub mod explain {
    #[doc(inline)]
    pub use syncmgr_core::{
        decision::hold::Held,
        explain::{Condition, LastEnd, Next},
    };
}

/// The choice of items to run.
///
/// Without a [`Chooser`](choice::Chooser), the stored choices and the defaults of the items apply. A program that shows the user a
/// list of items implements a chooser. The host calls the chooser in sessions that may ask the user, and stores its choices.
pub mod choice {
    #[doc(inline)]
    pub use syncmgr_core::decision::choice::{Offer, OfferedItem, Visibility};
    #[doc(inline)]
    pub use syncmgr_runtime::chooser::{Chooser, Chosen};
}

/// Requests for runs, and the events that start a handler.
///
/// A [`RunRequest`](request::RunRequest) can be queued, stored and sent; [`SyncManager::start`] starts it.
/// [`RegisterFlags`](request::RegisterFlags) select the events that also start a handler.
///
/// ```
/// use syncmgr::prelude::*;
/// use syncmgr::request::RunRequest;
/// use syncmgr::serde_json;
///
/// let mail: HandlerId = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93".parse()?;
/// let message = serde_json::to_string(&RunRequest::new(mail).with_items([ItemId::from_name("Inbox")]))?;
/// // .. in another process or on another machine
/// let request: RunRequest = serde_json::from_str(&message)?;
/// request.check()?;
/// assert_eq!(request.handler, mail);
/// # SyncResult::Ok(())
/// ```
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

/// Session events, lists of items, and the errors of sessions and managers.
///
/// [`Events`](session::Events) is the event stream of a session, [`ManagerEvents`](session::ManagerEvents) that of all sessions
/// of a manager. [`SyncManager::items`] returns an [`ItemStatus`](session::ItemStatus) for each known item.
/// [`SyncManager::shutdown`] returns a [`StillRunning`](session::StillRunning) for each handler that is still running.
pub mod session {
    #[doc(inline)]
    pub use syncmgr_runtime::{
        RunChange, RunFault,
        latency::Latencies,
        manager::{ItemStatus, LogAccessError, PropertiesError, StillRunning},
        session::{Events, ManagerEvents, StopOnDrop},
    };
}

/// Stores for a manager's state.
///
/// Most programs need only [`SyncManager::open`], which keeps records, checkpoints, choices, the log and history in one file.
/// This module sets the durability of changes, opens the file of another process for reading, and defines the trait
/// [`StateStore`](store::StateStore) for other databases. The module [`state`] documents the stored data.
///
/// ```
/// use syncmgr::prelude::*;
/// use syncmgr::store::MemoryStore;
/// # struct Mail;
/// # #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Mail")]
/// # impl SyncHandler for Mail {
/// #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> SyncResult {
/// let store = MemoryStore::new(); // for tests; a program calls `SyncManager::open("state.db")?`
/// SyncManager::builder().store(store.clone()).build().run(Mail).await?;
/// let restarted = SyncManager::builder().store(store).build();
/// assert_eq!(restarted.history().await?.len(), 1);
/// # Ok(())
/// # }
/// ```
pub mod store {
    #[doc(inline)]
    pub use syncmgr_core::{
        record::{Checkpoint, Fence, ItemEnd, ItemRecord},
        store::{
            Durability, HandlerRecord, Histogram, ItemName, LogRecord, ManagerSlot, Medium, SessionEnd, SessionOutcome,
            SessionRecord, StaleWriter, StateChange, StateStore, StoreInUse, StoreLease,
        },
    };
    #[cfg(feature = "sqlite")]
    #[doc(inline)]
    pub use syncmgr_runtime::sqlite::{self, SqliteOptions, SqliteStore, StoreError};
    #[doc(inline)]
    pub use syncmgr_runtime::{manager::StoreAccessError, memory::MemoryStore};
}

/// The ports of a manager: user interaction, secrets, network and power state, connections, clock, randomness and watchdog.
///
/// All ports are optional. A program sets a port to let handlers ask the user ([`Interaction`]), to report that the network is
/// down ([`ManualEnvironment`](environment::ManualEnvironment)), to detect handlers that block a thread
/// ([`ThreadWatchdog`](environment::ThreadWatchdog)), or to control the clock and randomness in tests.
///
/// This handler needs a password. The program asks the user once, and the secret is stored for later sessions. Without a store of
/// its own, a manager keeps secrets in memory; the feature `keyring` adds a store in the keyring of the operating system.
///
/// ```
/// use syncmgr::environment::{Asker, Secret};
/// use syncmgr::prelude::*;
/// use syncmgr::{Interaction, async_trait};
///
/// struct Dialogs;
///
/// #[async_trait]
/// impl Interaction for Dialogs {
///     async fn secret(&self, asker: &Asker, prompt: &str) -> SyncResult<Option<Secret>> {
///         println!("{asker}: {prompt}"); // "Mail: Password for ann@example.org"
///         Ok(Some(Secret::new("correct horse"))) // .. as the user entered it
///     }
/// }
///
/// struct Mail;
///
/// #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Mail")]
/// impl SyncHandler for Mail {
///     async fn prepare(&self, run: &PrepareContext) -> SyncResult {
///         // The stored secret, or the user's answer. With neither, the run ends *needs user*.
///         run.keep(run.secret("ann@example.org", "Password for ann@example.org").await?);
///         Ok(())
///     }
///
///     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
///         let password = item.kept::<Secret>()?;
///         assert_eq!(password.expose(), "correct horse"); // use it to log in
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> SyncResult {
/// let manager = SyncManager::builder().interaction(Dialogs).build();
/// manager.register(Mail)?;
/// let report = manager.update_all()?.finish().await; // this session may ask the user
/// assert!(report.is_success(), "{report}");
/// let report = manager.session(Trigger::Scheduled).start()?.finish().await; // this one may not
/// assert!(report.is_success(), "{report}");
/// # Ok(())
/// # }
/// ```
pub mod environment {
    #[doc(inline)]
    pub use syncmgr_core::{
        environment::{
            Battery, Connectivity, Ending, EndingKind, Environment, Link, LinkKind, Network, Power, Presence,
        },
        port::{
            Asker, Confirmation, Connection, ConnectionProvider, InteractionPermit, MemorySecrets, Secret, SecretStore,
        },
    };
    #[cfg(feature = "keyring")]
    #[doc(inline)]
    pub use syncmgr_runtime::keyring::{self, KeyringSecrets};
    #[doc(inline)]
    pub use syncmgr_runtime::{
        clock::{Clock, Now, SystemClock},
        environment::{EnvironmentSource, ManualEnvironment},
        random::{Randomness, SystemRandomness},
        watchdog::{Probe, ProbeStatus, ThreadWatchdog, Watchdog},
    };
}

/// Local changes: files and other data on this machine whose changes start a run.
///
/// An item names the files and directories that it depends on with [`SyncItem::with_watch`], or its handler returns a stream of
/// changes from [`SyncHandler::changes`]. The manager watches paths through a [`ChangeSource`](changes::ChangeSource). A changed
/// item runs once the handler was quiet for the [quiet time](changes::Settle), and at the maximum wait while changes go on.
///
/// Changes are not stored, and a handler is watched from its first listing on: start a session after a restart.
///
/// ```
/// use syncmgr::changes::ManualChanges;
/// use syncmgr::prelude::*;
/// # struct Notes;
/// # #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Notes")]
/// # impl SyncHandler for Notes {
/// #     async fn items(&self) -> SyncResult<Items> {
/// #         Ok([SyncItem::named("notes").with_watch("/home/ann/notes")].into_iter().collect())
/// #     }
/// #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> SyncResult {
/// let changes = ManualChanges::new(); // a program uses a file watcher
/// let manager = SyncManager::builder().change_source(changes.clone()).build();
/// manager.register(Notes)?; // its item has `with_watch("/home/ann/notes")`
/// assert!(manager.update_all()?.finish().await.is_success());
/// changes.changed("/home/ann/notes/groceries"); // the item runs half a second later
/// # manager.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub mod changes {
    #[doc(inline)]
    pub use syncmgr_core::local_change::{LocalChange, Settle};
    #[doc(inline)]
    pub use syncmgr_runtime::change_source::{ChangeSource, ManualChanges, Watch, WatchEvent, WatchProblem};
}

/// The original contract of the Windows Synchronization Manager: callbacks, result codes, calls and completions.
///
/// Async handlers do not need this module. [`ClassicAdapter`](classic::ClassicAdapter) runs a callback-style handler in a manager,
/// [`CallbackAdapter`](classic::CallbackAdapter) exposes an async handler to a foreign host such as a COM bridge, and
/// [`contract`](classic::contract) documents every rule and its source.
///
/// ```
/// use std::sync::Arc;
/// use syncmgr::classic::{CallbackAdapter, HResult};
/// use syncmgr::prelude::*;
/// use syncmgr::request::RunFlags;
/// # struct Mail;
/// # #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Mail")]
/// # impl SyncHandler for Mail {
/// #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> SyncResult {
/// let adapter = CallbackAdapter::new(Arc::new(Mail))?;
/// let code = adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await;
/// assert_eq!(code, HResult::S_OK); // the handler participates
/// # Ok(())
/// # }
/// ```
pub mod classic {
    #[doc(inline)]
    pub use syncmgr_core::{
        classic::{Attention, ClassicHandler, SyncCallback},
        contract,
        decision::call::Misuse,
        hresult::{CodeError, HResult, UnknownCode},
        log::{ErrorFlags, LogErrorInfo, LogErrorMask},
        win32,
    };
    #[doc(inline)]
    pub use syncmgr_runtime::mapping::{CallbackAdapter, ClassicAdapter};
}

/// Support for the code that `#[sync_handler]` generates.
#[doc(hidden)]
pub mod __private {
    pub use syncmgr_core::__private::async_trait;
}
