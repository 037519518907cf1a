//! One instance of a call/completed-style handler, and the callback it is given.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use futures::FutureExt;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::classic::{Attention, ClassicHandler, SyncCallback};
use syncmgr_core::context::{RunContext, SynchronizeContext};
use syncmgr_core::decision::protocol::{Action, Ask, Chosen, Event, Protocol, Purpose, Stage, Step};
use syncmgr_core::error::{one_line, panic_text};
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

/// One instance: the handler's object, and where its contract stands.
pub(super) struct Instance {
    pub(super) classic: Arc<dyn ClassicHandler>,
    state: Mutex<State>,
    completed: Notify,
    runtime: Handle,
}

struct State {
    protocol: Protocol,
    run: RunContext,
    synchronize: Option<SynchronizeContext>,
    /// Statuses to push when the next window opens.
    held: Vec<(Subject, Status)>,
    permit: Option<InteractionPermit>,
    /// What `ShowErrorCompleted` listed (R147).
    again: Vec<ItemId>,
    /// The code the last pair of `ShowProperties` or `ShowError` ended with.
    last: HResult,
}

impl Instance {
    /// A new instance, inside the runtime its run lives on.
    pub(super) fn new(classic: Arc<dyn ClassicHandler>, run: &RunContext) -> Arc<Self> {
        let settings = run.flags().contains(RunFlags::SETTINGS);
        let purpose = if settings { Purpose::Settings } else { Purpose::Synchronize };
        let state = State {
            protocol: Protocol::new(purpose),
            run: run.clone(),
            synchronize: None,
            held: Vec::new(),
            permit: None,
            again: Vec::new(),
            last: HResult::S_OK,
        };
        let runtime = Handle::current();
        Arc::new(Self { classic, state: Mutex::new(state), completed: Notify::new(), runtime })
    }

    /// Sets the callback (R74).
    pub(super) fn attach(self: &Arc<Self>) -> HResult {
        self.on(Event::Attached);
        self.classic.set_progress_callback(Some(Arc::new(Callback(Arc::downgrade(self)))))
    }

    /// Takes the callback away, if one was set (R77), and with it what was granted.
    pub(super) fn detach(&self) {
        let attached = self.stage() != Stage::Released && self.state.lock().protocol.answer(Ask::Log).is_ok();
        if attached {
            self.on(Event::Lost);
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

    /// From now on the handler's calls are about this.
    pub(super) fn enter(&self, run: &RunContext, synchronize: Option<&SynchronizeContext>) {
        let mut state = self.state.lock();
        state.run = run.clone();
        state.synchronize = synchronize.cloned();
    }

    /// The method of a pair returned: waits until the pair has ended. Dropped before, the pair ends with `cut`, and what
    /// completes it later comes too late.
    pub(super) async fn returned(&self, event: Event, cut: Event, ended: impl Fn(Stage) -> bool) {
        let pair = Pair { instance: self, cut, ended };
        let step = self.on(event);
        if step == Step::Do(Action::Deliver) {
            let held = mem::take(&mut self.state.lock().held);
            held.into_iter().for_each(|(subject, status)| self.tell(subject, status));
        }
        while !(pair.ended)(self.stage()) {
            self.completed.notified().await;
        }
    }

    /// Pushes a status where the window is open, else keeps it for the next (R121, R128).
    pub(super) fn push(&self, subject: Subject, status: Status) {
        let wanted = if subject == Subject::Handler { Event::StopWanted } else { Event::SkipWanted };
        match self.on(wanted) {
            Step::Do(Action::Deliver) => self.tell(subject, status),
            Step::Do(Action::Hold) => self.state.lock().held.push((subject, status)),
            _ => {}
        }
    }

    fn tell(&self, subject: Subject, status: Status) {
        // The contract gives the code no meaning.
        let told = catch_unwind(AssertUnwindSafe(|| self.classic.set_item_status(subject, status)));
        if let Err(panic) = told {
            let text = format!("the handler panicked when told of a skip: {}", panic_text(panic));
            let run = self.state.lock().run.clone();
            run.log(LogEntry::new(LogLevel::Error, text));
        }
    }

    /// What the last `ShowErrorCompleted` or `ShowPropertiesCompleted` said.
    pub(super) fn last(&self) -> (HResult, Vec<ItemId>) {
        let mut state = self.state.lock();
        (state.last, mem::take(&mut state.again))
    }

    /// A return of `ShowError` or `ShowProperties` that opens no window is the completion.
    pub(super) fn note_return(&self, code: HResult) {
        if !code.is_success() {
            self.state.lock().last = code;
        }
    }
}

/// A pair that is under way.
struct Pair<'a, Ended: Fn(Stage) -> bool> {
    instance: &'a Instance,
    cut: Event,
    ended: Ended,
}

impl<Ended: Fn(Stage) -> bool> Drop for Pair<'_, Ended> {
    fn drop(&mut self) {
        if !(self.ended)(self.instance.stage()) {
            self.instance.on(self.cut);
        }
    }
}

/// Keeps an instance for its run; when the run lets go, the callback is taken away.
pub(super) struct Lease(pub(super) Arc<Instance>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.detach();
    }
}

/// The callback an instance is given. After it was taken away it refuses everything (R81).
struct Callback(Weak<Instance>);

impl Callback {
    /// A completion: taken if it belongs here, else noted and refused.
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
                instance.completed.notify_one();
                HResult::S_OK
            }
        }
    }

    /// The run, if the handler may ask this now; else what it is answered.
    fn ask(&self, ask: Ask) -> Result<(Arc<Instance>, RunContext), HResult> {
        let refused = if ask == Ask::Attention { HResult::S_FALSE } else { HResult::E_UNEXPECTED };
        let instance = self.0.upgrade().ok_or(refused)?;
        let (answer, run) = {
            let state = instance.state.lock();
            (state.protocol.answer(ask), state.run.clone())
        };
        if answer.is_ok() { Ok((instance, run)) } else { Err(answer) }
    }
}

impl SyncCallback for Callback {
    fn show_properties_completed(&self, code: HResult) -> HResult {
        self.complete(Event::PropertiesCompleted(code), |state| state.last = code)
    }

    fn prepare_for_sync_completed(&self, code: HResult) -> HResult {
        self.complete(Event::PrepareCompleted(code), |_| {})
    }

    fn synchronize_completed(&self, code: HResult) -> HResult {
        self.complete(Event::SynchronizeCompleted(code), |_| {})
    }

    fn show_error_completed(&self, code: HResult, items: &[ItemId]) -> HResult {
        let again = if code == HResult::S_SYNCMGR_RETRYSYNC { items.to_vec() } else { Vec::new() };
        // Whether the items run again is the manager's to say: it prepares then.
        self.complete(Event::ErrorCompleted(code, Chosen::None), |state| (state.last, state.again) = (code, again))
    }

    fn enable_modeless(&self, attention: Attention) -> HResult {
        let asked = self.ask(Ask::Attention);
        match (attention, asked) {
            (Attention::Ask, Err(refused)) => refused,
            // The raw call does not wait: refused is `S_FALSE` (R133).
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
        let instance = match self.ask(Ask::Progress) {
            Ok((instance, _)) => instance,
            Err(answer) => return answer,
        };
        let nothing = Progress::new();
        let (report, synchronize) = (report.unwrap_or(&nothing), instance.state.lock().synchronize.clone());
        let Some(synchronize) = synchronize else { return preparing(&instance, item) };
        match synchronize.report(item, report.clone()) {
            Ok(()) => HResult::S_OK,
            // A call that took too long is over for all of its items.
            Err(ReportError::Cancelled(_)) if synchronize.check().is_err() => HResult::S_SYNCMGR_CANCELALL,
            Err(ReportError::Cancelled(cancelled)) => cancel_answer(cancelled.reason),
            Err(ReportError::NotPrepared { .. }) => HResult::E_INVALIDARG,
            Err(_) => HResult::E_UNEXPECTED,
        }
    }

    fn log_error(&self, level: LogLevel, text: &str, info: Option<&LogErrorInfo>) -> HResult {
        match self.ask(Ask::Log) {
            Ok((_, run)) => {
                run.log(LogEntry::from_info(level, text, info));
                HResult::S_OK
            }
            Err(answer) => answer,
        }
    }

    fn delete_log_error(&self, scope: ErrorScope) -> HResult {
        match self.ask(Ask::Log) {
            Ok((_, run)) => {
                run.delete_log(scope);
                HResult::S_OK
            }
            Err(answer) => answer,
        }
    }

    fn establish_connection(&self, name: Option<&str>) -> HResult {
        match self.ask(Ask::Connection) {
            Ok((instance, run)) => connect(&run, &instance.runtime, name),
            Err(answer) => answer,
        }
    }
}

/// What a cancellation is answered with (R110, R111).
pub(super) fn cancel_answer(reason: CancelReason) -> HResult {
    if reason.is_stop() { HResult::S_SYNCMGR_CANCELALL } else { HResult::S_SYNCMGR_CANCELITEM }
}

/// `Progress` while preparing is a poll: nothing is shown, the cancellation is answered.
fn preparing(instance: &Instance, item: ItemId) -> HResult {
    let state = instance.state.lock();
    let skipped = (Subject::Item(item), Status::Skipped);
    match state.run.check() {
        Err(_) => HResult::S_SYNCMGR_CANCELALL,
        Ok(()) if !state.run.selection().iter().any(|listed| listed.id() == item) => HResult::E_INVALIDARG,
        Ok(()) if state.held.contains(&skipped) || state.run.is_skipped(item) => HResult::S_SYNCMGR_CANCELITEM,
        Ok(()) => HResult::S_OK,
    }
}

/// Brings a connection up from a call that has no future to wait in. A provider that is not ready at once is waited for
/// where the thread may be blocked; the one thread of a current-thread runtime may not.
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
        None => Err(anyhow::anyhow!("the connection takes time; ask for it from a thread of your own")),
    };
    match connected {
        Ok(()) => HResult::S_OK,
        Err(error) => {
            run.warn(format!("no connection: {}", one_line(&error)));
            HResult::E_FAIL
        }
    }
}
