//! A handler made of closures, and shortcuts to run it.

pub(crate) mod awaitable_host;
pub(crate) mod blocked;
pub(crate) mod faulty;
pub(crate) mod recording_store;
pub(crate) mod steps;
pub(crate) mod test_clock;
pub(crate) mod window;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use syncmgr::changes::LocalChange;
use syncmgr::classic::HResult;
use syncmgr::handler::{PropertiesOutcome, Resolution};
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::store::LogRecord;
use syncmgr::{
    HandlerId, HandlerInfo, ItemContext, ItemId, Items, Participation, PrepareContext, Report, RunContext, RunEnding,
    Session, Subject, SyncHandler, SyncItem, SyncManager, SyncResult, SynchronizeContext, Trigger, async_trait,
};
use syncmgr_test::Transcript;

/// The default id of a [`Scripted`] handler.
pub(crate) const HANDLER: HandlerId = HandlerId::from_u128(0x5C);

/// The stored log of a manager whose store is in memory, which is read at once.
pub(crate) fn stored_log(manager: &SyncManager, handler: HandlerId) -> Vec<LogRecord> {
    let log = manager.log(handler).now_or_never().expect("a store in memory is read on the spot");
    log.expect("a store in memory can be read")
}

/// A closure for an async method that receives an argument in addition to its context.
type AsyncWith<A, T> = Arc<dyn for<'a> Fn(&'a RunContext, A) -> BoxFuture<'a, SyncResult<T>> + Send + Sync>;
/// A closure for an async method of a handler.
type Async<C, T> = Arc<dyn for<'a> Fn(&'a C) -> BoxFuture<'a, SyncResult<T>> + Send + Sync>;

/// A [`SyncHandler`] whose methods are closures. Every call is noted in its transcript.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) info: HandlerInfo,
    pub(crate) items: Arc<dyn Fn() -> SyncResult<Items> + Send + Sync>,
    pub(crate) transcript: Transcript,
    initialize: Option<Async<RunContext, Participation>>,
    listing: Option<Arc<dyn Fn() -> BoxFuture<'static, SyncResult<Items>> + Send + Sync>>,
    prepare: Option<Async<PrepareContext, ()>>,
    synchronize: Option<Async<SynchronizeContext, ()>>,
    item: Option<Async<ItemContext, ()>>,
    show_error: Option<AsyncWith<ErrorId, Resolution>>,
    show_properties: Option<AsyncWith<Subject, PropertiesOutcome>>,
    changes: Option<Changes>,
}

/// A closure that returns the handler's own changes.
type Changes = Arc<dyn Fn() -> BoxStream<'static, LocalChange> + Send + Sync>;

impl Scripted {
    /// Creates a handler whose items have these names and all succeed.
    pub(crate) fn new(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Self {
            info: HandlerInfo::new(HANDLER, "Scripted"),
            items: Arc::new(move || Ok(names.iter().map(|name| SyncItem::named(name.as_str())).collect())),
            transcript: Transcript::new(),
            initialize: None,
            listing: None,
            prepare: None,
            synchronize: None,
            item: None,
            show_error: None,
            show_properties: None,
            changes: None,
        }
    }

    pub(crate) fn info(mut self, change: impl FnOnce(HandlerInfo) -> HandlerInfo) -> Self {
        self.info = change(self.info);
        self
    }

    pub(crate) fn items(mut self, items: impl Fn() -> SyncResult<Items> + Send + Sync + 'static) -> Self {
        self.items = Arc::new(items);
        self
    }

    pub(crate) fn with_transcript(mut self, transcript: &Transcript) -> Self {
        self.transcript = transcript.clone();
        self
    }

    pub(crate) fn on_initialize(
        mut self,
        act: impl for<'a> Fn(&'a RunContext) -> BoxFuture<'a, SyncResult<Participation>> + Send + Sync + 'static,
    ) -> Self {
        self.initialize = Some(Arc::new(act));
        self
    }

    pub(crate) fn on_items(
        mut self,
        act: impl Fn() -> BoxFuture<'static, SyncResult<Items>> + Send + Sync + 'static,
    ) -> Self {
        self.listing = Some(Arc::new(act));
        self
    }

    pub(crate) fn on_prepare(
        mut self,
        act: impl for<'a> Fn(&'a PrepareContext) -> BoxFuture<'a, SyncResult> + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Some(Arc::new(act));
        self
    }

    pub(crate) fn on_synchronize(
        mut self,
        act: impl for<'a> Fn(&'a SynchronizeContext) -> BoxFuture<'a, SyncResult> + Send + Sync + 'static,
    ) -> Self {
        self.synchronize = Some(Arc::new(act));
        self
    }

    pub(crate) fn on_item(
        mut self,
        act: impl for<'a> Fn(&'a ItemContext) -> BoxFuture<'a, SyncResult> + Send + Sync + 'static,
    ) -> Self {
        self.item = Some(Arc::new(act));
        self
    }

    pub(crate) fn on_changes(
        mut self,
        act: impl Fn() -> BoxStream<'static, LocalChange> + Send + Sync + 'static,
    ) -> Self {
        self.changes = Some(Arc::new(act));
        self
    }

    pub(crate) fn on_show_error(
        mut self,
        act: impl for<'a> Fn(&'a RunContext, ErrorId) -> BoxFuture<'a, SyncResult<Resolution>> + Send + Sync + 'static,
    ) -> Self {
        self.show_error = Some(Arc::new(act));
        self
    }

    pub(crate) fn on_show_properties(
        mut self,
        act: impl for<'a> Fn(&'a RunContext, Subject) -> BoxFuture<'a, SyncResult<PropertiesOutcome>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.show_properties = Some(Arc::new(act));
        self
    }
}

#[async_trait]
impl SyncHandler for Scripted {
    fn info(&self) -> HandlerInfo {
        self.info.clone()
    }

    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        self.transcript.note(format!("initialize {:?} {:?} {:?}", run.trigger(), run.flags(), run.cookie()));
        match &self.initialize {
            Some(act) => act(run).await,
            None => Ok(Participation::TakePart),
        }
    }

    async fn items(&self) -> SyncResult<Items> {
        self.transcript.note("items");
        match &self.listing {
            Some(act) => act().await,
            None => (self.items)(),
        }
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let names: Vec<_> = run.selection().iter().map(SyncItem::name).collect();
        self.transcript.note(format!("prepare {}", names.join(" ")));
        match &self.prepare {
            Some(act) => act(run).await,
            None => Ok(()),
        }
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        self.transcript.note("synchronize");
        match &self.synchronize {
            Some(act) => act(run).await,
            None => run.each_item().await,
        }
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.transcript.note(format!("item {}", item.name()));
        match &self.item {
            Some(act) => act(item).await,
            None => Ok(()),
        }
    }

    fn set_item_status(&self, _: &RunContext, subject: Subject, status: Status) {
        self.transcript.note(format!("set_item_status {subject:?} {status:?}"));
    }

    async fn show_properties(&self, run: &RunContext, subject: Subject) -> SyncResult<PropertiesOutcome> {
        self.transcript.note(format!("show_properties {subject:?}"));
        match &self.show_properties {
            Some(act) => act(run, subject).await,
            None => Ok(PropertiesOutcome::Done),
        }
    }

    fn changes(&self) -> Option<BoxStream<'static, LocalChange>> {
        self.changes.as_ref().map(|act| act())
    }

    async fn show_error(&self, run: &RunContext, error: ErrorId) -> SyncResult<Resolution> {
        self.transcript.note(format!("show_error {error}"));
        match &self.show_error {
            Some(act) => act(run, error).await,
            None => Ok(Resolution::Done),
        }
    }
}

/// Returns the id of the item with this name.
pub(crate) fn id(name: &str) -> ItemId {
    ItemId::from_name(name)
}

/// Runs one manual session of a handler to its end.
pub(crate) async fn run(handler: impl SyncHandler) -> Report {
    SyncManager::new().run(handler).await.expect("the handler can be registered")
}

/// Starts a manual session of a handler.
pub(crate) fn start(handler: impl SyncHandler) -> Session {
    let manager = SyncManager::new();
    manager.register(handler).expect("the handler can be registered");
    manager.session(Trigger::Manual).start().expect("inside a runtime")
}

/// Returns the handlers that are still running.
pub(crate) fn handlers_of(still_running: &[syncmgr::session::StillRunning]) -> Vec<HandlerId> {
    still_running.iter().map(|running| running.handler).collect()
}

/// Returns the ending of a run whose `synchronize` completes with this code.
pub(crate) fn ending_of(code: HResult) -> RunEnding {
    if code.is_ok() { RunEnding::Completed } else { RunEnding::NotCompleted(code.into()) }
}
