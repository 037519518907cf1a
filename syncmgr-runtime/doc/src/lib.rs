//! The imports, small handlers and runtime that the doc examples of `syncmgr-runtime` share, compiled once.

#![allow(clippy::exhaustive_structs, reason = "this crate is not published")]

pub use std::collections::{BTreeMap, BTreeSet};
pub use std::sync::{Arc, Mutex};
pub use std::time::{Duration, SystemTime};

pub use anyhow::anyhow;
pub use async_trait::async_trait;
pub use syncmgr_core::cancel::CancelReason;
pub use syncmgr_core::capabilities::Capabilities;
pub use syncmgr_core::classic::{ClassicHandler, SyncCallback};
pub use syncmgr_core::context::{ItemContext, PrepareContext, RunContext};
pub use syncmgr_core::decision::choice::Offer;
pub use syncmgr_core::decision::guard::{GuardPolicy, UnattendedPolicy};
pub use syncmgr_core::decision::hold::Hold;
pub use syncmgr_core::decision::host::Priority;
pub use syncmgr_core::decision::ledger::{Resume, StartReason};
pub use syncmgr_core::decision::verdict::Outcome;
pub use syncmgr_core::environment::{Environment, Network, Power, Presence};
pub use syncmgr_core::error::{FailureClass, NeedsUser, SyncResult};
pub use syncmgr_core::explain::{Condition, Next};
pub use syncmgr_core::handler::SyncHandler;
pub use syncmgr_core::hresult::{CodeError, HResult};
pub use syncmgr_core::id::{ErrorId, HandlerId, ItemId, SessionId, Subject};
pub use syncmgr_core::info::HandlerInfo;
pub use syncmgr_core::item::{ItemState, Items, SyncItem};
pub use syncmgr_core::local_change::{LocalChange, Settle};
pub use syncmgr_core::log::{LogEntry, LogLevel};
pub use syncmgr_core::plan::Plan;
pub use syncmgr_core::port::{
    Asker, Confirmation, Connection, ConnectionProvider, Interaction, MemorySecrets, Secret, SecretStore,
};
pub use syncmgr_core::progress::Progress;
pub use syncmgr_core::register::{Invocation, InvokeFlags, RegisterFlags, RequestError};
pub use syncmgr_core::request::RunRequest;
pub use syncmgr_core::retry::RetryPolicy;
pub use syncmgr_core::status::Status;
pub use syncmgr_core::store::SessionOutcome;
pub use syncmgr_core::trigger::{RunFlags, Trigger};
pub use syncmgr_runtime::change_source::{ChangeSource, ManualChanges, Watch, WatchEvent, WatchProblem};
pub use syncmgr_runtime::chooser::{Chooser, Chosen};
pub use syncmgr_runtime::clock::{Clock, Now, SystemClock};
pub use syncmgr_runtime::environment::{EnvironmentSource, ManualEnvironment};
pub use syncmgr_runtime::manager::SyncManager;
pub use syncmgr_runtime::mapping::{CallbackAdapter, ClassicAdapter};
pub use syncmgr_runtime::memory::MemoryStore;
pub use syncmgr_runtime::random::Randomness;
pub use syncmgr_runtime::session::{ManagerEvent, SessionError, SessionEvent, StartError};
pub use syncmgr_runtime::watchdog::{Probe, ProbeStatus, ThreadWatchdog, Watchdog};
pub use syncmgr_runtime::{RunChange, RunEnding, RunFault};

use std::pin::Pin;

/// Runs an example on its own runtime.
///
/// # Errors
/// Returns the error of the example.
///
/// # Panics
/// Panics if no runtime can be built.
pub fn run(example: impl Future<Output = SyncResult> + 'static) -> SyncResult {
    let example: Pin<Box<dyn Future<Output = SyncResult>>> = Box::pin(example);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a current-thread runtime builds").block_on(example)
}

/// A mail account whose two folders always succeed.
#[derive(Debug)]
pub struct Mail;

#[async_trait]
impl SyncHandler for Mail {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(1), "Mail").with_claim("imap.example.org")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(["Inbox", "Sent"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        Ok(item.progress(1, 1)?)
    }
}

/// A calendar: `Work` fails with a link in the log, `Home` asks a question.
#[derive(Debug)]
pub struct Calendar;

#[async_trait]
impl SyncHandler for Calendar {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HandlerId::from_u128(2), "Calendar")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(["Home", "Work"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.name() == "Home" {
            let _chosen = item.decide("conflict", "Which side is right?", &["here", "there"]);
            return Ok(());
        }
        item.log(LogEntry::new(LogLevel::Warning, "the terms have changed").with_link(ErrorId::from_key("terms")));
        Err(anyhow!("the server is busy"))
    }
}

/// A feed that runs until it is cancelled, and needs a network.
#[derive(Debug)]
pub struct Feed;

#[async_trait]
impl SyncHandler for Feed {
    fn info(&self) -> HandlerInfo {
        let capabilities = Capabilities::CANCELLABLE | Capabilities::NEEDS_NETWORK;
        HandlerInfo::new(HandlerId::from_u128(3), "Feed").with_capabilities(capabilities)
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.progress(1, None)?;
        item.cancelled().await;
        Ok(item.check()?)
    }
}
