//! A [`SyncHandler`] behind the methods of `ISyncMgrSynchronize`, for a host with a callback of its own.

mod link;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::classic::SyncCallback;
use syncmgr_core::decision::choice::Listing;
use syncmgr_core::decision::protocol::{Action, Chosen, Event, Protocol, Purpose, Stage, Step};
use syncmgr_core::decision::verdict::{judge_unprepared, judge_unreported};
use syncmgr_core::error::{FailureClass, panic_text};
use syncmgr_core::handler::{ItemObject, Participation, PropertiesOutcome, Resolution, SyncHandler};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorId, ItemId, SessionId, Subject};
use syncmgr_core::info::{HandlerFlags, HandlerInfo};
use syncmgr_core::item::{Completeness, ItemFlags, Items};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::port::{Interaction, Kept, RunFacts};
use syncmgr_core::progress::Progress;
use syncmgr_core::status::Status;
use syncmgr_core::trigger::{RunFlags, Trigger};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::link::CallbackLink;
use super::feed::{CallbackSlot, Feed};
use crate::attempt::Attempt;
use crate::call::{CallEnd, drive};
use crate::session::StartError;
use crate::tasks::Tasks;

/// Drives a [`SyncHandler`] for a host that calls the methods of `ISyncMgrSynchronize` and is called back: a test, a COM
/// bridge, another process.
///
/// One value is one instance: [`initialize`](Self::initialize) first and once (R25), then
/// [`enum_sync_items`](Self::enum_sync_items), [`set_progress_callback`](Self::set_progress_callback),
/// [`prepare_for_sync`](Self::prepare_for_sync), [`synchronize`](Self::synchronize). A method at the wrong time answers
/// `E_UNEXPECTED` and does nothing. The callback is never called with a lock of ours held.
///
/// While items run, the callback's `progress` is called before each begins, ten times a second, and at its end; the
/// answers of the callback cancel items.
#[derive(Clone)]
pub struct Driven {
    shared: Arc<Shared>,
}

struct Shared {
    handler: Arc<dyn SyncHandler>,
    info: HandlerInfo,
    interaction: Option<Arc<dyn Interaction>>,
    tasks: Tasks,
    callback: Arc<CallbackSlot>,
    kept: Arc<Kept>,
    state: Mutex<State>,
}

struct State {
    protocol: Protocol,
    facts: RunFacts,
    listing: Listing,
    attempt: Option<Arc<Attempt>>,
    /// A retry was granted: the protocol prepares already, the host's call is still to come (R148).
    retrying: bool,
}

impl Driven {
    /// Drives `handler` on the current tokio runtime, which needs its time enabled.
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] outside of one.
    pub fn new(handler: Arc<dyn SyncHandler>) -> Result<Self, StartError> {
        Self::with_interaction(handler, None)
    }

    /// Like [`new`](Self::new), with what a handler may ask the user through once the host has granted its attention.
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] outside of a runtime.
    pub fn with_interaction(
        handler: Arc<dyn SyncHandler>,
        interaction: Option<Arc<dyn Interaction>>,
    ) -> Result<Self, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let info = handler.info();
        let facts = RunFacts::new(info.id(), SessionId(0), Trigger::Manual, RunFlags::empty());
        let nothing: Items = std::iter::empty().collect();
        let state = State {
            protocol: Protocol::new(Purpose::Synchronize),
            facts,
            listing: Listing::check(nothing).0,
            attempt: None,
            retrying: false,
        };
        let tasks = Tasks::new(runtime, TaskTracker::new());
        let (callback, kept, state) = (Arc::default(), Arc::default(), Mutex::new(state));
        Ok(Self { shared: Arc::new(Shared { handler, info, interaction, tasks, callback, kept, state }) })
    }

    /// `Initialize`. Not cancel safe: dropped, the instance is of no use.
    pub async fn initialize(&self, trigger: Trigger, flags: RunFlags, cookie: Option<&[u8]>) -> HResult {
        let shared = &self.shared;
        let attempt = {
            let mut state = shared.lock();
            if state.protocol.stage() != Stage::Created || state.attempt.is_some() {
                return HResult::E_UNEXPECTED;
            }
            let settings = flags.contains(RunFlags::SETTINGS);
            state.protocol = Protocol::new(if settings { Purpose::Settings } else { Purpose::Synchronize });
            let facts = RunFacts::new(shared.info.id(), SessionId(0), trigger, flags);
            state.facts = facts.with_cookie(cookie.map(Arc::from));
            shared.add_attempt(&mut state, Default::default())
        };
        let context = attempt.context();
        let (end, _) = drive(&attempt, || shared.handler.initialize(&context), || {}).await;
        let code = match &end {
            CallEnd::Returned(Ok(Participation::Decline)) => HResult::S_FALSE,
            CallEnd::Returned(Err(_)) if end.needs_user() => HResult::E_FAIL,
            _ => end.code(),
        };
        shared.on(Event::Initialized(code));
        code
    }

    /// `GetHandlerInfo`.
    pub fn handler_info(&self) -> HandlerInfo {
        self.shared.info.clone()
    }

    /// `EnumSyncMgrItems`, without the offenders of R49. Cancel safe.
    ///
    /// # Errors
    /// The code of a listing that failed.
    pub async fn enum_sync_items(&self) -> Result<Items, HResult> {
        let shared = &self.shared;
        let attempt = shared.lock().attempt.clone().ok_or(HResult::E_UNEXPECTED)?;
        let (end, _) = drive(&attempt, || shared.handler.items(), || {}).await;
        let code = end.code();
        let CallEnd::Returned(Ok(items)) = end else {
            shared.on(Event::Listed(code));
            return Err(if code.is_success() { HResult::E_FAIL } else { code });
        };
        let complete = items.completeness();
        let (listing, faults) = Listing::check(items);
        for fault in faults {
            shared.log(&LogEntry::new(LogLevel::Warning, fault.to_string()));
        }
        let listed = listing.items().to_vec();
        shared.lock().listing = listing;
        shared.on(Event::Listed(HResult::S_OK));
        Ok(match complete {
            Completeness::Complete => listed.into_iter().collect(),
            Completeness::MissingItems => Items::incomplete(listed),
        })
    }

    /// `GetItemObject`.
    ///
    /// # Errors
    /// `E_NOTIMPL` where the handler has none.
    pub fn item_object(&self, subject: Subject, interface: Uuid) -> Result<ItemObject, HResult> {
        self.shared.handler.item_object(subject, interface).ok_or(HResult::E_NOTIMPL)
    }

    /// `SetProgressCallback`: sets the callback, replaces it (R76), or detaches with `None` (R78), after which the
    /// callback is not called any more and the instance is over. What still runs is stopped.
    pub fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> HResult {
        match callback {
            Some(callback) => self.shared.attach(callback),
            None => self.shared.detach(),
        }
    }

    /// `ShowProperties`; completed through `ShowPropertiesCompleted`, before or after this returns (R68).
    pub fn show_properties(&self, subject: Subject) -> HResult {
        self.shared.show_properties(subject)
    }

    /// `PrepareForSync` with the chosen items; completed through `PrepareForSyncCompleted` (R86, R87).
    ///
    /// An id that was not listed is reported failed through `Progress`; with no listed id at all nothing is prepared and
    /// the answer is `E_INVALIDARG`.
    pub fn prepare_for_sync(&self, items: &[ItemId]) -> HResult {
        self.shared.prepare(items)
    }

    /// `Synchronize`; completed through `SynchronizeCompleted` once every item has ended (R99, R101).
    pub fn synchronize(&self) -> HResult {
        self.shared.synchronize()
    }

    /// `SetItemStatus`: `SKIPPED` for an item, `STOPPED` for the handler; anything else is `E_INVALIDARG` (R126).
    pub fn set_item_status(&self, subject: Subject, status: Status) -> HResult {
        let (event, attempt) = match (subject, status) {
            (Subject::Item(_), Status::Skipped) => (Event::SkipWanted, self.shared.lock().attempt.clone()),
            (Subject::Handler, Status::Stopped) => (Event::StopWanted, self.shared.lock().attempt.clone()),
            _ => return HResult::E_INVALIDARG,
        };
        let (Step::Do(_), Some(attempt)) = (self.shared.on(event), attempt) else { return HResult::E_UNEXPECTED };
        match subject {
            Subject::Item(item) => {
                attempt.skip(item);
                if attempt.is_done() {
                    self.shared.on(Event::Emptied);
                }
            }
            Subject::Handler => attempt.stop(CancelReason::HandlerStopped),
        }
        attempt.push(subject, status);
        HResult::S_OK
    }

    /// `ShowError`; completed through `ShowErrorCompleted`, before or after this returns (R146).
    pub fn show_error(&self, error: ErrorId) -> HResult {
        self.shared.show_error(error)
    }
}

impl Shared {
    fn attach(&self, callback: Arc<dyn SyncCallback>) -> HResult {
        match self.on(Event::Attached) {
            Step::Misused(_) => HResult::E_UNEXPECTED,
            _ => {
                self.callback.set(Some(callback));
                HResult::S_OK
            }
        }
    }

    fn detach(&self) -> HResult {
        self.callback.set(None);
        let attempt = self.lock().attempt.clone();
        if let Some(attempt) = attempt {
            attempt.stop(CancelReason::HandlerStopped);
            attempt.detach();
        }
        if self.on(Event::Closed) != Step::Do(Action::Detach) {
            self.on(Event::Lost);
        }
        self.on(Event::Detached);
        self.kept.clear();
        HResult::S_OK
    }

    fn show_properties(self: &Arc<Self>, subject: Subject) -> HResult {
        let declared = match subject {
            Subject::Handler => self.info.flags().contains(HandlerFlags::HAS_PROPERTIES),
            Subject::Item(item) => {
                let flags = self.lock().listing.item(item).map(|item| item.flags());
                flags.is_some_and(|flags| flags.contains(ItemFlags::HAS_PROPERTIES))
            }
        };
        if !declared {
            return HResult::E_INVALIDARG;
        }
        let Step::Do(Action::ShowProperties) = self.on(Event::PropertiesOpened) else { return HResult::E_UNEXPECTED };
        let shared = self.clone();
        self.start(Event::PropertiesReturned, async move {
            let attempt = shared.attempt();
            let context = attempt.context();
            let (end, _) = drive(&attempt, || shared.handler.show_properties(&context, subject), || {}).await;
            let code = match end {
                CallEnd::Returned(Ok(PropertiesOutcome::ListAgain)) => HResult::S_SYNCMGR_ENUMITEMS,
                CallEnd::Returned(Ok(PropertiesOutcome::ItemDeleted)) => HResult::S_SYNCMGR_ITEMDELETED,
                end => end.code(),
            };
            if shared.completes(Event::PropertiesCompleted(code)) {
                shared.callback.call(|callback| callback.show_properties_completed(code));
            }
        })
    }

    fn prepare(self: &Arc<Self>, items: &[ItemId]) -> HResult {
        let wanted: BTreeSet<ItemId> = items.iter().copied().collect();
        let (attempt, unknown) = {
            let mut state = self.lock();
            let selection = state.listing.select(|item| wanted.contains(&item.id()));
            if selection.is_empty() {
                return HResult::E_INVALIDARG;
            }
            let granted = std::mem::take(&mut state.retrying);
            if !granted && state.protocol.on(Event::Chosen(Chosen::Some)) != Step::Do(Action::Prepare) {
                return HResult::E_UNEXPECTED;
            }
            let listed: BTreeSet<_> = selection.iter().map(|item| item.id()).collect();
            (self.add_attempt(&mut state, selection), &wanted - &listed)
        };
        for item in unknown {
            let failed = Progress::new().status(Status::Failed);
            self.callback.call(|callback| callback.progress(item, Some(&failed)));
        }
        let shared = self.clone();
        self.start(Event::PrepareReturned, async move {
            let context = attempt.prepare_context();
            let pushed = || shared.push(&attempt);
            let (end, _) = drive(&attempt, || shared.handler.prepare(&context), pushed).await;
            let code = end.code();
            shared.log_fault("could not prepare", &end);
            if shared.completes(Event::PrepareCompleted(code)) {
                if !code.is_ok() {
                    attempt.close(|_| judge_unprepared(code, attempt.stopped(), FailureClass::Transient));
                }
                shared.callback.call(|callback| callback.prepare_for_sync_completed(code));
            }
        })
    }

    fn synchronize(self: &Arc<Self>) -> HResult {
        match self.on(Event::Admitted) {
            Step::Do(Action::Synchronize) => {}
            // Nothing is left to do: complete at once (R104).
            Step::Do(_) => {
                self.callback.call(|callback| callback.synchronize_completed(HResult::S_OK));
                return HResult::S_OK;
            }
            _ => return HResult::E_UNEXPECTED,
        }
        let (shared, attempt) = (self.clone(), self.attempt());
        attempt.open();
        self.start(Event::SynchronizeReturned, async move {
            let code = shared.synchronize_to_end(&attempt).await;
            if shared.completes(Event::SynchronizeCompleted(code)) {
                shared.callback.call(|callback| callback.synchronize_completed(code));
            }
        })
    }

    async fn synchronize_to_end(&self, attempt: &Arc<Attempt>) -> HResult {
        let context = attempt.synchronize_context();
        let mut feed = Feed::new(attempt, &self.callback);
        let pushed = || self.push(attempt);
        let code = {
            let driven = drive(attempt, || self.handler.synchronize(&context), pushed);
            let fed = feed.run();
            tokio::select! {
                biased;
                (end, _) = driven => {
                    let stopped = attempt.stopped().is_some();
                    if !stopped {
                        self.log_fault("could not synchronize", &end);
                    }
                    if stopped && end.code() != HResult::E_UNEXPECTED { HResult::S_OK } else { end.code() }
                }
                () = fed => unreachable!("a feed runs until it is dropped"),
            }
        };
        attempt.settle().await;
        let unreported = attempt.close(|cell| {
            let cancel = cell.and_then(|cell| cell.cancel().reason()).or(attempt.stopped());
            judge_unreported(code, cancel, cell.map(ItemCell::traces).unwrap_or_default())
        });
        for item in unreported {
            self.log(&LogEntry::new(LogLevel::Error, "the handler did not report this item").about(item));
        }
        feed.sweep();
        code
    }

    fn show_error(self: &Arc<Self>, error: ErrorId) -> HResult {
        let Step::Do(Action::ShowError) = self.on(Event::ErrorOpened) else { return HResult::E_UNEXPECTED };
        let shared = self.clone();
        self.start(Event::ErrorReturned, async move {
            let attempt = shared.attempt();
            let context = attempt.context();
            let (end, _) = drive(&attempt, || shared.handler.show_error(&context, error), || {}).await;
            shared.log_fault("could not explain an error", &end);
            let (code, items) = match end {
                CallEnd::Returned(Ok(Resolution::Retry(items))) => (HResult::S_SYNCMGR_RETRYSYNC, items),
                end => (end.code(), Vec::new()),
            };
            let any = if items.is_empty() { Chosen::None } else { Chosen::Some };
            if shared.completes(Event::ErrorCompleted(code, any)) {
                shared.callback.call(|callback| callback.show_error_completed(code, &items));
            }
        })
    }

    /// Polls a call once, as the method it is; if it is pending the method returns and the rest goes on as a task.
    fn start(
        self: &Arc<Self>,
        returned: fn(HResult) -> Event,
        call: impl Future<Output = ()> + Send + 'static,
    ) -> HResult {
        let mut call: BoxFuture<'static, ()> = call.boxed();
        let polled = {
            let _entered = self.tasks.enter();
            call.poll_unpin(&mut Context::from_waker(Waker::noop()))
        };
        let step = self.on(returned(HResult::S_OK));
        if let Step::Do(Action::Prepare) = step {
            self.lock().retrying = true;
        }
        if polled == Poll::Pending {
            self.tasks.spawn(call);
        }
        HResult::S_OK
    }

    /// Tells the protocol of a completion. `false` when the host has detached meanwhile.
    fn completes(&self, completed: Event) -> bool {
        let mut state = self.lock();
        let step = state.protocol.on(completed);
        state.retrying |= step == Step::Do(Action::Prepare);
        !matches!(step, Step::Misused(_))
    }

    /// Tells the handler what was pushed, between two polls.
    fn push(&self, attempt: &Arc<Attempt>) {
        let pushes = attempt.take_pushes();
        if pushes.is_empty() {
            return;
        }
        let context = attempt.context();
        for (subject, status) in pushes {
            let push = || self.handler.set_item_status(&context, subject, status);
            if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(push)) {
                let text = panic_text(&*panic);
                self.log(&LogEntry::new(LogLevel::Error, format!("the handler panicked when told of a skip: {text}")));
            }
        }
    }

    fn add_attempt(
        self: &Arc<Self>,
        state: &mut State,
        selection: Arc<[syncmgr_core::item::SyncItem]>,
    ) -> Arc<Attempt> {
        let link = Arc::new(CallbackLink::new(self));
        let facts = state.facts.clone().with_selection(selection);
        let attempt = Attempt::new(facts, self.handler.clone(), self.info.limits(), self.kept.clone(), link);
        state.attempt = Some(attempt.clone());
        attempt
    }

    fn attempt(&self) -> Arc<Attempt> {
        self.lock().attempt.clone().expect("an initialized instance has an attempt")
    }

    fn log(&self, entry: &LogEntry) {
        self.callback.call(|callback| callback.log_error(entry.level, &entry.text, Some(&entry.info())));
    }

    fn log_fault<T>(&self, what: &str, end: &CallEnd<T>) {
        if let Some(fault) = end.fault() {
            self.log(&LogEntry::new(LogLevel::Error, format!("{what}: {fault}")));
        }
    }

    fn on(&self, event: Event) -> Step {
        self.lock().protocol.on(event)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
