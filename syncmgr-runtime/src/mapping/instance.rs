//! An instance of a classic handler, and the callback it receives.

use std::mem;
use std::sync::{Arc, Weak};

use futures::FutureExt;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::classic::{Attention, ClassicHandler, SyncCallback};
use syncmgr_core::context::{RunContext, SynchronizeContext};
use syncmgr_core::decision::protocol::{Action, Event, HostRequest, ItemSet, Protocol, Purpose, Stage, Step};
use syncmgr_core::error::one_line;
use syncmgr_core::foreign::{self, Foreign};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorScope, ItemId, Subject};
use syncmgr_core::log::{LogEntry, LogErrorInfo, LogLevel};
use syncmgr_core::port::{InteractionPermit, ReportError};
use syncmgr_core::progress::Progress;
use syncmgr_core::status::Status;
use syncmgr_core::sync::Mutex;
use syncmgr_core::trigger::RunFlags;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;
use tokio::task::block_in_place;

/// An instance: the handler's object and the state of its protocol.
pub(super) struct Instance {
    pub(super) classic: Foreign<Arc<dyn ClassicHandler>>,
    state: Mutex<State>,
    completed: Notify,
    runtime: Handle,
}

struct State {
    protocol: Protocol,
    run: RunContext,
    synchronize: Option<SynchronizeContext>,
    /// Statuses to deliver during the next outstanding call.
    undelivered: Vec<(Subject, Status)>,
    permit: Option<InteractionPermit>,
    /// The items to run again, from `ShowErrorCompleted`.
    retry_items: Vec<ItemId>,
    /// The code with which the last `ShowProperties` or `ShowError` completed.
    last_code: HResult,
}

impl Instance {
    /// Creates an instance on the current runtime, the runtime of its run.
    pub(super) fn new(classic: Arc<dyn ClassicHandler>, run: &RunContext) -> Arc<Self> {
        let settings = run.flags().contains(RunFlags::SETTINGS);
        let purpose = if settings { Purpose::Settings } else { Purpose::Synchronize };
        let state = State {
            protocol: Protocol::new(purpose),
            run: run.clone(),
            synchronize: None,
            undelivered: Vec::new(),
            permit: None,
            retry_items: Vec::new(),
            last_code: HResult::S_OK,
        };
        let runtime = Handle::current();
        Arc::new(Self { classic: Foreign::new(classic), state: Mutex::new(state), completed: Notify::new(), runtime })
    }

    /// Sets the callback.
    pub(super) fn attach(self: &Arc<Self>) -> HResult {
        self.on(Event::Attached);
        self.classic.set_progress_callback(Some(Arc::new(Callback(Arc::downgrade(self)))))
    }

    /// Removes the callback, if one is set, and releases the user's attention.
    pub(super) fn detach(&self) {
        let attached = self.stage() != Stage::Released && self.state.lock().protocol.answer(HostRequest::Log).is_ok();
        if attached {
            self.on(Event::HandlerLost);
            self.classic.set_progress_callback(None);
            self.on(Event::Detached);
        }
        let permit = self.state.lock().permit.take();
        drop(permit);
    }

    pub(super) fn stage(&self) -> Stage {
        self.state.lock().protocol.stage()
    }

    pub(super) fn result(&self) -> HResult {
        self.state.lock().protocol.result().unwrap_or(HResult::S_OK)
    }

    pub(super) fn on(&self, event: Event) -> Step {
        self.state.lock().protocol.on(event)
    }

    /// Directs the handler's calls to these contexts.
    pub(super) fn enter(&self, run: &RunContext, synchronize: Option<&SynchronizeContext>) {
        let mut state = self.state.lock();
        state.run = run.clone();
        state.synchronize = synchronize.cloned();
    }

    /// Handles the return of a method and waits for its completion. If the future is dropped first, the call ends with
    /// `dropped`, and a later completion is refused.
    pub(super) async fn wait_for_completion(&self, event: Event, dropped: Event, ended: impl Fn(Stage) -> bool) {
        let call = OutstandingCall { instance: self, dropped, ended };
        let step = self.on(event);
        if step == Step::Do(Action::Deliver) {
            let undelivered = mem::take(&mut self.state.lock().undelivered);
            undelivered.into_iter().for_each(|(subject, status)| self.deliver(subject, status));
        }
        while !(call.ended)(self.stage()) {
            self.completed.notified().await;
        }
    }

    /// Delivers a status if a call is outstanding; otherwise keeps the status for the next call.
    pub(super) fn push(&self, subject: Subject, status: Status) {
        let wanted = if subject == Subject::Handler { Event::StopRequested } else { Event::SkipRequested };
        match self.on(wanted) {
            Step::Do(Action::Deliver) => self.deliver(subject, status),
            Step::Do(Action::Store) => self.state.lock().undelivered.push((subject, status)),
            _ => {}
        }
    }

    fn deliver(&self, subject: Subject, status: Status) {
        // The contract defines no meaning for the returned code.
        if let Err(panic) = foreign::call(|| self.classic.set_item_status(subject, status)) {
            let text = format!("the handler panicked in `set_item_status`: {panic}");
            let run = self.state.lock().run.clone();
            run.log(LogEntry::new(LogLevel::Error, text));
        }
    }

    /// Returns the code and the items of the last `ShowErrorCompleted` or `ShowPropertiesCompleted`.
    pub(super) fn last_code(&self) -> (HResult, Vec<ItemId>) {
        let mut state = self.state.lock();
        (state.last_code, mem::take(&mut state.retry_items))
    }

    /// Records the code of a `ShowError` or `ShowProperties` that failed. A failed call has no separate completion.
    pub(super) fn record_return(&self, code: HResult) {
        if !code.is_success() {
            self.state.lock().last_code = code;
        }
    }
}

/// An outstanding call: a method and its completion.
struct OutstandingCall<'a, Ended: Fn(Stage) -> bool> {
    instance: &'a Instance,
    dropped: Event,
    ended: Ended,
}

impl<Ended: Fn(Stage) -> bool> Drop for OutstandingCall<'_, Ended> {
    fn drop(&mut self) {
        if !(self.ended)(self.instance.stage()) {
            self.instance.on(self.dropped);
        }
    }
}

/// Holds an instance for its run and detaches the callback when dropped.
pub(super) struct DetachOnDrop(pub(super) Arc<Instance>);

impl Drop for DetachOnDrop {
    fn drop(&mut self) {
        self.0.detach();
    }
}

/// The callback of an instance. Refuses every call once the instance has ended.
struct Callback(Weak<Instance>);

impl Callback {
    /// Accepts a completion that the protocol allows; logs and refuses any other.
    fn complete(&self, event: Event, note: impl FnOnce(&mut State)) -> HResult {
        let Some(instance) = self.0.upgrade() else { return HResult::E_UNEXPECTED };
        let (step, run) = {
            let mut state = instance.state.lock();
            let step = state.protocol.on(event);
            if !matches!(step, Step::Misused(_)) {
                note(&mut state);
            }
            (step, state.run.clone())
        };
        match step {
            Step::Misused(misuse) => {
                run.warn(format!("a completion of the handler {misuse}"));
                HResult::E_UNEXPECTED
            }
            _ => {
                // The waker of the waiting call is foreign.
                let _ = foreign::call(|| instance.completed.notify_one());
                HResult::S_OK
            }
        }
    }

    /// Returns the instance and its run if the handler may make this request now, else the code to answer with.
    fn authorize(&self, request: HostRequest) -> Result<(Arc<Instance>, RunContext), HResult> {
        let refused = if request == HostRequest::Attention { HResult::S_FALSE } else { HResult::E_UNEXPECTED };
        let instance = self.0.upgrade().ok_or(refused)?;
        let (answer, run) = {
            let state = instance.state.lock();
            (state.protocol.answer(request), state.run.clone())
        };
        if answer.is_ok() { Ok((instance, run)) } else { Err(answer) }
    }
}

impl SyncCallback for Callback {
    fn show_properties_completed(&self, code: HResult) -> HResult {
        self.complete(Event::PropertiesCompleted(code), |state| state.last_code = code)
    }

    fn prepare_for_sync_completed(&self, code: HResult) -> HResult {
        self.complete(Event::PrepareCompleted(code), |_| {})
    }

    fn synchronize_completed(&self, code: HResult) -> HResult {
        self.complete(Event::SynchronizeCompleted(code), |_| {})
    }

    fn show_error_completed(&self, code: HResult, items: &[ItemId]) -> HResult {
        let retry_items = if code == HResult::S_SYNCMGR_RETRYSYNC { items.to_vec() } else { Vec::new() };
        // The manager decides whether the items run again, and then prepares.
        self.complete(Event::ErrorCompleted(code, ItemSet::Empty), |state| {
            (state.last_code, state.retry_items) = (code, retry_items)
        })
    }

    fn enable_modeless(&self, attention: Attention) -> HResult {
        let authorized = self.authorize(HostRequest::Attention);
        match (attention, authorized) {
            (Attention::Ask, Err(refused)) => refused,
            // The classic call cannot wait: `S_FALSE` means that the attention is refused (R133).
            (Attention::Ask, Ok((instance, run))) => match run.interaction().now_or_never() {
                Some(Ok(permit)) => {
                    instance.state.lock().permit = Some(permit);
                    HResult::S_OK
                }
                _ => HResult::S_FALSE,
            },
            (Attention::Release, _) => {
                let permit = self.0.upgrade().and_then(|instance| instance.state.lock().permit.take());
                drop(permit);
                HResult::S_OK
            }
        }
    }

    fn progress(&self, item: ItemId, report: Option<&Progress>) -> HResult {
        let instance = match self.authorize(HostRequest::Progress) {
            Ok((instance, _)) => instance,
            Err(answer) => return answer,
        };
        let nothing = Progress::new();
        let (report, synchronize) = (report.unwrap_or(&nothing), instance.state.lock().synchronize.clone());
        let Some(synchronize) = synchronize else { return answer_while_preparing(&instance, item) };
        match synchronize.report(item, report.clone()) {
            Ok(()) => HResult::S_OK,
            // A timeout of the call cancels all of its items.
            Err(ReportError::Cancelled(_)) if synchronize.check().is_err() => HResult::S_SYNCMGR_CANCELALL,
            Err(ReportError::Cancelled(cancelled)) => cancel_code(cancelled.reason),
            Err(ReportError::NotPrepared { .. }) => HResult::E_INVALIDARG,
            Err(_) => HResult::E_UNEXPECTED,
        }
    }

    fn log_error(&self, level: LogLevel, text: &str, info: Option<&LogErrorInfo>) -> HResult {
        match self.authorize(HostRequest::Log) {
            Ok((_, run)) => {
                run.log(LogEntry::from_info(level, text, info));
                HResult::S_OK
            }
            Err(answer) => answer,
        }
    }

    fn delete_log_error(&self, scope: ErrorScope) -> HResult {
        match self.authorize(HostRequest::Log) {
            Ok((_, run)) => {
                run.delete_log(scope);
                HResult::S_OK
            }
            Err(answer) => answer,
        }
    }

    fn establish_connection(&self, name: Option<&str>) -> HResult {
        match self.authorize(HostRequest::Connection) {
            Ok((instance, run)) => connect(&run, &instance.runtime, name),
            Err(answer) => answer,
        }
    }
}

/// Returns the code that reports a cancellation.
pub(super) fn cancel_code(reason: CancelReason) -> HResult {
    if reason.is_stop() { HResult::S_SYNCMGR_CANCELALL } else { HResult::S_SYNCMGR_CANCELITEM }
}

/// Answers `Progress` during `prepare`: ignores the report and returns whether to cancel.
fn answer_while_preparing(instance: &Instance, item: ItemId) -> HResult {
    let state = instance.state.lock();
    let skipped = (Subject::Item(item), Status::Skipped);
    match state.run.check() {
        Err(_) => HResult::S_SYNCMGR_CANCELALL,
        Ok(()) if !state.run.selection().iter().any(|listed| listed.id() == item) => HResult::E_INVALIDARG,
        Ok(()) if state.undelivered.contains(&skipped) || state.run.is_skipped(item) => HResult::S_SYNCMGR_CANCELITEM,
        Ok(()) => HResult::S_OK,
    }
}

/// Establishes a connection from a synchronous call. Blocks the thread if the provider is not ready. On the thread of a
/// current-thread runtime, which must not block, the call fails instead.
fn connect(run: &RunContext, runtime: &Handle, name: Option<&str>) -> HResult {
    let mut connecting = Box::pin(run.establish_connection(name));
    let on_runtime = Handle::try_current().is_ok();
    let ready = {
        let _entered = runtime.enter();
        connecting.as_mut().now_or_never()
    };
    let connected = match ready {
        Some(connected) => connected,
        None if !on_runtime => runtime.block_on(connecting),
        None if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
            block_in_place(|| runtime.block_on(connecting))
        }
        None => Err(anyhow::anyhow!("the connection is not ready yet; request it from a separate thread")),
    };
    match connected {
        Ok(()) => HResult::S_OK,
        Err(error) => {
            run.warn(format!("no connection: {}", one_line(&error)));
            HResult::E_FAIL
        }
    }
}
