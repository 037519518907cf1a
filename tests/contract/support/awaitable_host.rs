//! Handlers on a scripted host, classic handlers in a manager, and helpers that wait for events.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use syncmgr::classic::{
    Attention, CallbackAdapter, ClassicAdapter, ClassicHandler, HResult, LogErrorInfo, SyncCallback,
};
use syncmgr::log::ErrorScope;
use syncmgr::request::RunFlags;
use syncmgr::session::{Events, RunChange};
use syncmgr::{
    HandlerId, ItemId, Items, LogLevel, Progress, RunReport, Session, SessionEvent, SyncHandler, SyncItem, SyncManager,
    Trigger,
};
use syncmgr_test::{ScriptedHandler, ScriptedHost, Side, Transcript};
use tokio::sync::Notify;

use crate::support::Scripted;

/// The id of a [`ScriptedHandler`].
pub(crate) const CLASSIC: HandlerId = HandlerId::from_u128(0xC1A5);

/// The timeout of [`within`]. Time is paused, so the timeout takes no real time.
const LONG: Duration = Duration::from_secs(3600);

/// Returns the output of a future, and fails the test if the future never resolves.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("the future never resolved")
}

/// Reads the events of a session up to the first wanted one.
pub(crate) async fn until(events: &mut Events, wanted: impl Fn(&SessionEvent) -> bool) -> SessionEvent {
    within(async {
        loop {
            let event = events.next().await.expect("the session ended before the wanted event");
            if wanted(&event) {
                return event;
            }
        }
    })
    .await
}

/// Waits until the only run of a session reaches a state.
pub(crate) async fn until_run(session: &Session, wanted: RunChange) {
    until(&mut session.events(), |event| matches!(event, SessionEvent::Run { change, .. } if *change == wanted)).await;
}

/// Returns a manager with one handler. The item of the handler ends after the returned notification.
pub(crate) fn manager_with_waiting_item(transcript: &Transcript) -> (SyncManager, Arc<Notify>) {
    let (go, ended) = (Arc::new(Notify::new()), transcript.clone());
    let waiting = go.clone();
    let handler = Scripted::new(&["a"]).with_transcript(transcript).on_item(move |_| {
        let (go, ended) = (waiting.clone(), ended.clone());
        async move {
            go.notified().await;
            ended.note("end");
            Ok(())
        }
        .boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler).expect("the handler can be registered");
    (manager, go)
}

/// Waits until an item of the session has begun.
pub(crate) async fn until_began(session: &Session) {
    until(&mut session.events(), |event| matches!(event, SessionEvent::Began { .. })).await;
}

/// Starts a manual session.
pub(crate) fn begin(manager: &SyncManager) -> Session {
    manager.session(Trigger::Manual).start().expect("inside a runtime")
}

/// Returns items with these names.
pub(crate) fn items_named(names: &[&'static str]) -> Items {
    names.iter().copied().map(SyncItem::named).collect()
}

/// Returns a manager that hosts a classic handler, and that handler. Every run uses the same object.
pub(crate) fn host_classic(handler: ScriptedHandler) -> (SyncManager, Arc<ScriptedHandler>) {
    let handler = Arc::new(handler);
    let manager = SyncManager::new();
    host_in(&manager, &handler);
    (manager, handler)
}

/// Registers a classic handler with a manager.
pub(crate) fn host_in<C: ClassicHandler>(manager: &SyncManager, handler: &Arc<C>) -> HandlerId {
    let object = handler.clone();
    let hosted = ClassicAdapter::new(move || object.clone()).expect("the handler has an info");
    manager.register(hosted).expect("the handler can be registered")
}

/// Runs one session of a classic handler to its end.
pub(crate) async fn run_classic(handler: ScriptedHandler) -> (RunReport, Transcript) {
    let (manager, handler) = host_classic(handler);
    let report = within(begin(&manager).finish()).await;
    (report.runs[0].clone(), handler.transcript().clone())
}

/// Returns a method that returns `S_OK` and then completes its call.
pub(crate) fn complete_after_return(
    complete: impl Fn(&dyn SyncCallback) -> HResult + Clone + Send + 'static,
) -> impl FnMut(&Side) -> HResult + Send {
    move |side| {
        let (callback, complete) = (side.callback(), complete.clone());
        tokio::spawn(async move { complete(&*callback) });
        HResult::S_OK
    }
}

/// Returns a method that completes its call and then returns `S_OK`.
pub(crate) fn complete_before_return(
    complete: impl Fn(&dyn SyncCallback) -> HResult + Send,
) -> impl FnMut(&Side) -> HResult + Send {
    move |side| {
        assert_eq!(complete(&*side.callback()), HResult::S_OK);
        HResult::S_OK
    }
}

/// Returns a `PrepareForSync` that completes before it returns.
pub(crate) fn prepares() -> impl FnMut(&Side) -> HResult + Send {
    complete_before_return(|callback| callback.prepare_for_sync_completed(HResult::S_OK))
}

/// Returns a `Synchronize` that completes before it returns.
pub(crate) fn synchronizes() -> impl FnMut(&Side) -> HResult + Send {
    complete_before_return(|callback| callback.synchronize_completed(HResult::S_OK))
}

/// A host callback whose calls a test can await.
pub(crate) struct AwaitableHost {
    pub(crate) script: Arc<ScriptedHost>,
    called: Notify,
}

impl AwaitableHost {
    pub(crate) fn with_transcript(transcript: &Transcript) -> Arc<Self> {
        Arc::new(Self { script: ScriptedHost::with_transcript(transcript), called: Notify::new() })
    }

    /// Waits for a call whose line starts with `beginning`.
    pub(crate) async fn wait_for(&self, beginning: &str) {
        within(async {
            while self.script.transcript().count(beginning) == 0 {
                self.called.notified().await;
            }
        })
        .await;
    }

    fn forward(&self, call: impl FnOnce(&ScriptedHost) -> HResult) -> HResult {
        let code = call(&self.script);
        self.called.notify_one();
        code
    }
}

impl SyncCallback for AwaitableHost {
    fn show_properties_completed(&self, code: HResult) -> HResult {
        self.forward(|script| script.show_properties_completed(code))
    }

    fn prepare_for_sync_completed(&self, code: HResult) -> HResult {
        self.forward(|script| script.prepare_for_sync_completed(code))
    }

    fn synchronize_completed(&self, code: HResult) -> HResult {
        self.forward(|script| script.synchronize_completed(code))
    }

    fn show_error_completed(&self, code: HResult, items: &[ItemId]) -> HResult {
        self.forward(|script| script.show_error_completed(code, items))
    }

    fn enable_modeless(&self, attention: Attention) -> HResult {
        self.forward(|script| script.enable_modeless(attention))
    }

    fn progress(&self, item: ItemId, report: Option<&Progress>) -> HResult {
        self.forward(|script| script.progress(item, report))
    }

    fn log_error(&self, level: LogLevel, text: &str, info: Option<&LogErrorInfo>) -> HResult {
        self.forward(|script| script.log_error(level, text, info))
    }

    fn delete_log_error(&self, scope: ErrorScope) -> HResult {
        self.forward(|script| script.delete_log_error(scope))
    }

    fn establish_connection(&self, name: Option<&str>) -> HResult {
        self.forward(|script| script.establish_connection(name))
    }
}

/// A handler on a scripted host. Both write to one transcript.
pub(crate) struct HandlerOnHost {
    pub(crate) adapter: CallbackAdapter,
    pub(crate) host: Arc<AwaitableHost>,
}

impl HandlerOnHost {
    /// Creates a handler.
    pub(crate) fn created(handler: impl SyncHandler, transcript: &Transcript) -> Self {
        let adapter = CallbackAdapter::new(Arc::new(handler)).expect("inside a runtime");
        Self { adapter, host: AwaitableHost::with_transcript(transcript) }
    }

    /// Creates and initializes a handler, lists its items and sets the callback.
    pub(crate) async fn ready(handler: impl SyncHandler, transcript: &Transcript) -> Self {
        let this = Self::created(handler, transcript);
        assert_eq!(this.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await, HResult::S_OK);
        this.adapter.enum_sync_items().await.expect("the handler lists its items");
        assert_eq!(this.attach(), HResult::S_OK);
        this
    }

    /// Creates a handler that has prepared these items.
    pub(crate) async fn prepared(handler: impl SyncHandler, transcript: &Transcript, items: &[ItemId]) -> Self {
        let this = Self::ready(handler, transcript).await;
        assert_eq!(this.adapter.prepare_for_sync(items), HResult::S_OK);
        this.host.wait_for("PrepareForSyncCompleted S_OK").await;
        this
    }

    pub(crate) fn attach(&self) -> HResult {
        self.adapter.set_progress_callback(Some(self.host.clone()))
    }

    /// Returns the calls to the host and to the handler, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.host.script.transcript().lines()
    }
}
