#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! What most programs need is at the root, and in the [`prelude`]. Each module has what is needed besides, by subject: the log
//! in detail in [`log`], what a manager can be given in [`environment`] and [`store`], and so on.

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
/// Two accounts of one type, with limits, retry rules and a promise of their own:
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
///
/// For authors who write more than `items` and `synchronize_item`: flags and capabilities stand in
/// [`#[sync_handler]`](crate::sync_handler), outcomes are what `show_properties` and `show_error` end with.
pub mod handler {
    #[doc(inline)]
    pub use syncmgr_core::{
        capabilities::Capabilities,
        handler::{PropertiesOutcome, Resolution},
        info::{HandlerFlags, WhenStalled},
    };
}

/// What a handler says of its items.
///
/// Needed where items are more than names: unchosen unless somebody says so, hidden, with an icon, or listed although some may
/// be missing.
///
/// ```
/// use syncmgr::item::{ItemFlags, ItemState};
/// use syncmgr::prelude::*;
///
/// let archive = SyncItem::named("Archive").with_state(ItemState::Unchecked);
/// let settings = SyncItem::named("settings").with_flags(ItemFlags::HIDDEN); // runs, and is not offered
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

/// What contexts hand out, and a context for tests without a runtime.
///
/// [`Detached`](context::Detached) is the one to know: it calls a handler's methods from an ordinary unit test.
///
/// ```
/// use syncmgr::context::Detached;
/// use syncmgr::prelude::*;
///
/// let host = Detached::new();
/// let item = host.item("notes.txt");
/// assert_eq!(item.decide("side", "Which side is right?", &["here", "there"]), None);
/// host.answer(&item, "side", 1);
/// assert_eq!(item.decide("side", "Which side is right?", &["here", "there"]), Some("there"));
/// ```
pub mod context {
    #[doc(inline)]
    pub use syncmgr_core::{
        cell::Uninterrupted,
        context::{Detached, Origin, Spawned},
        port::ReportError,
    };
}

/// Progress in detail: which of its fields a report sets, and what observers see.
///
/// For programs that show progress: [`ProgressState`](progress::ProgressState) comes with each
/// [`SessionEvent::Progress`] and from [`Session::progress`]. Handlers need only `item.progress(done, total)`.
pub mod progress {
    #[doc(inline)]
    pub use syncmgr_core::{
        progress::{ProgressMask, ProgressState},
        status::Status,
    };
}

/// The log of a handler: entries, questions, and what can be done about them.
///
/// Handlers write to it with `item.log`, `item.warn` and `item.decide`; programs read it from [`SyncManager::log`] and
/// [`RunReport::log`], and offer what an entry's [`Action`](log::Action) names.
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
        page::{Page, PageError},
    };
}

/// What a host objects to in a [`Plan`], and by which rules.
///
/// A handler that deletes declares a plan with [`ItemContext::clear`]. Without rules of its own a manager objects to
/// deletions of more than 10 entries that are more than half of what there is, to a side that has become empty or another
/// one, and to a clock that went back. A program that wants other rules gives them to
/// [`SyncManagerBuilder::guards`].
///
/// ```
/// use syncmgr::guard::{GuardPolicy, WhenGuarded};
/// use syncmgr::prelude::*;
///
/// let server_without_people = GuardPolicy::DEFAULT.with_deletions(1000, 80).with_headless(WhenGuarded::Refuse);
/// let manager = SyncManager::builder().guards(server_without_people).build();
/// # let _ = manager;
/// ```
pub mod guard {
    #[doc(inline)]
    pub use syncmgr_core::{
        decision::guard::{GuardPolicy, Objection, WhenGuarded},
        plan::Side,
    };
}

/// What failures leave behind, and why sessions start by themselves.
///
/// A handler never waits and never loops: it returns an error with a class, and the host comes back. Look here to change the
/// rules for a handler (`retry(..)` in the macro) or for a manager ([`SyncManagerBuilder::retry`]), or to show what a
/// stored [`RetryState`](retry::RetryState) means.
///
/// ```
/// use std::time::Duration;
/// use syncmgr::prelude::*;
/// use syncmgr::{FailureClass, RetryPolicy, anyhow::anyhow, retry::RetryAt};
///
/// fn check(status: u16) -> SyncResult {
///     match status {
///         404 => Err(anyhow!("no such page")).gone(),                                   // never tried again by itself
///         429 => Err(anyhow!("too many requests")).retry_after(Duration::from_secs(90)), // not before
///         500.. => Err(anyhow!("the server has failed")),                               // backs off
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
        retry::{RetryState, Setback},
    };
}

/// Why something does not run, and when it will.
///
/// The answer to the question people ask most. [`SyncManager::explain_item`] and [`SyncManager::explain_handler`] read it from
/// the state that decided; `{}` says it in one line, the fields say it as data, and it is JSON with serde.
///
/// ```
/// use syncmgr::explain::{Next, Standing};
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
/// assert_eq!((why.standing, why.next), (Standing::Idle, Next::WhenAsked)); // it wants no event
/// # SyncResult::Ok(())
/// ```
pub mod explain {
    #[doc(inline)]
    pub use syncmgr_core::{
        decision::hold::Held,
        explain::{LastEnd, Next, Standing},
    };
}

/// Who chooses which items run.
///
/// Without a [`Chooser`](choice::Chooser) the stored choices and the items' defaults decide. A program that shows a list
/// implements one; it is asked in sessions that may bother the user, and what it returns is remembered.
pub mod choice {
    #[doc(inline)]
    pub use syncmgr_core::decision::choice::{Offer, OfferedItem, Visibility};
    #[doc(inline)]
    pub use syncmgr_runtime::chooser::{Chooser, Chosen};
}

/// Asking for runs, as calls and as data; which events a handler is registered for.
///
/// [`RunRequest`](request::RunRequest) is a run that can be queued, stored or sent; [`SyncManager::start`] takes it up.
/// [`RegisterFlags`](request::RegisterFlags) say at which events a handler runs besides when it is asked.
///
/// ```
/// use syncmgr::prelude::*;
/// use syncmgr::request::RunRequest;
/// use syncmgr::serde_json;
///
/// let mail: HandlerId = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93".parse()?;
/// let message = serde_json::to_string(&RunRequest::new(mail).with_items([ItemId::from_name("Inbox")]))?;
/// // .. on another machine, in another process
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

/// What sessions and managers hand out besides reports.
///
/// [`Events`](session::Events) is the stream to show a session with; the rest turns up as errors, in a stream, or as what a
/// shutdown could not stop.
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
///
/// [`SyncManager::open`] is all most programs need: one file, for records, checkpoints, choices, the log and history. Look
/// here to say what a change has to survive, to read the file while another program writes to it, or to implement
/// [`StateStore`](store::StateStore) over a database of your own. [What is remembered](crate::state) is a page of its own.
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
/// let store = MemoryStore::new(); // in tests; `SyncManager::open("state.db")?` in a program
/// SyncManager::builder().store(store.clone()).build().run(Mail).await?;
/// let restarted = SyncManager::builder().store(store).build();
/// assert_eq!(restarted.history()?.len(), 1);
/// # Ok(())
/// # }
/// ```
pub mod store {
    #[doc(inline)]
    pub use syncmgr_core::{
        record::{Checkpoint, Fence, ItemEnd, ItemRecord},
        store::{
            Course, Durability, HandlerRecord, Histogram, LogRecord, SessionEnd, SessionRecord, StaleWriter,
            StateChange, StateStore,
        },
    };
    #[cfg(feature = "sqlite")]
    #[doc(inline)]
    pub use syncmgr_runtime::sqlite::{self, SqliteOptions, SqliteStore, StoreError};
    #[doc(inline)]
    pub use syncmgr_runtime::{manager::StoreAccessError, memory::MemoryStore};
}

/// What a manager uses of the world around it. Each has an implementation that most programs want.
///
/// Needed to let handlers ask the user ([`Interaction`]), to say that there is no network
/// ([`ManualFacts`](environment::ManualFacts)), to notice handlers that block ([`ThreadWatchdog`](environment::ThreadWatchdog)),
/// and to take clock and randomness from elsewhere in tests.
///
/// A handler asks for a password in `prepare`, and the program has it in a keyring:
///
/// ```
/// use syncmgr::environment::{Confirmation, Secret};
/// use syncmgr::prelude::*;
/// use syncmgr::{Interaction, async_trait};
///
/// struct Keyring;
///
/// #[async_trait]
/// impl Interaction for Keyring {
///     async fn confirm(&self, _question: &str) -> SyncResult<Confirmation> {
///         Ok(Confirmation::Refuse)
///     }
///
///     async fn choose(&self, _question: &str, _choices: &[String]) -> SyncResult<Option<usize>> {
///         Ok(None)
///     }
///
///     async fn secret(&self, prompt: &str) -> SyncResult<Option<Secret>> {
///         Ok(prompt.ends_with("ann@example.org").then(|| Secret::new("correct horse")))
///     }
/// }
///
/// struct Mail;
///
/// #[sync_handler(id = "8a6f3b1e-27c4-4c0d-9b55-1f0e6a7d2c93", name = "Mail")]
/// impl SyncHandler for Mail {
///     async fn prepare(&self, run: &PrepareContext) -> SyncResult {
///         let user = run.interaction().await?; // refused when nobody may be bothered: the run *needs user*
///         let password = user.secret("Password for ann@example.org").await?;
///         run.keep(password.ok_or_else(|| NeedsUser::new("the password of ann@example.org"))?);
///         Ok(())
///     }
///
///     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
///         let password = item.prepared::<Secret>()?;
///         assert_eq!(password.expose(), "correct horse"); // log on with it
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> SyncResult {
/// let manager = SyncManager::builder().interaction(Keyring).build();
/// manager.register(Mail)?;
/// let report = manager.update_all()?.finish().await; // somebody is there
/// assert!(report.is_success(), "{report}");
/// # Ok(())
/// # }
/// ```
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
///
/// For three kinds of programs: one that hosts a handler in the old style ([`Hosted`](classic::Hosted)), one that drives an
/// async handler for a foreign host such as a COM bridge ([`Driven`](classic::Driven)), and one that compares the rules with
/// their source ([`contract`](classic::contract)).
///
/// ```
/// use std::sync::Arc;
/// use syncmgr::classic::{Driven, HResult};
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
/// let driven = Driven::new(Arc::new(Mail))?;
/// let code = driven.initialize(Trigger::Manual, RunFlags::empty(), None).await;
/// assert_eq!(code, HResult::S_OK); // it takes part
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
