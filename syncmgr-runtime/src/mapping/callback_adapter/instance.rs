//! The implementation of the callback adapter: its methods and the state of its protocol.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, Weak};
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::classic::SyncCallback;
use syncmgr_core::decision::listing::Listing;
use syncmgr_core::decision::protocol::{Action, Event, HostRequest, ItemSet, Protocol, Purpose, Stage, Step};
use syncmgr_core::decision::verdict::verdict_of_unprepared;
use syncmgr_core::error::FailureClass;
use syncmgr_core::foreign::Foreign;
use syncmgr_core::handler::{Resolution, SyncHandler};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorId, ItemId, SessionId, Subject};
use syncmgr_core::info::{HandlerFlags, HandlerInfo};
use syncmgr_core::item::{ItemFlags, Items, SyncItem};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::port::{Interaction, Kept, MemorySecrets, RunInfo};
use syncmgr_core::progress::Progress;
use syncmgr_core::status::Status;
use syncmgr_core::store::StateStore;
use syncmgr_core::sync::Mutex;
use syncmgr_core::trigger::{RunFlags, Trigger};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::link::CallbackLink;
use super::questions::{Questions, ask_user};
use crate::attempt::{Attempt, Suspects};
use crate::call::{CallEnd, drive_call};
use crate::manager::call_info;
use crate::mapping::reporter::{CallbackSlot, ProgressReporter};
use crate::session::StartError;
use crate::tasks::Tasks;

/// An instance: its handler and the state of its protocol.
pub(super) struct AdapterInstance {
    handler: Foreign<Arc<dyn SyncHandler>>,
    info: HandlerInfo,
    interaction: Option<Arc<dyn Interaction>>,
    store: Arc<dyn StateStore>,
    secrets: MemorySecrets,
    tasks: Tasks,
    callback: Arc<CallbackSlot>,
    kept: Arc<Kept>,
    questions: Mutex<Questions>,
    state: Mutex<State>,
}

struct State {
    protocol: Protocol,
    run_info: RunInfo,
    listing: Listing,
    attempt: Option<Arc<Attempt>>,
    /// The number of attempts with items.
    attempts: u32,
    /// Earlier attempts, whose contexts may still be in use.
    earlier: Vec<Weak<Attempt>>,
    /// `true` after a retry was granted: the protocol is already preparing, but the host has not called `prepare` yet.
    retrying: bool,
}

impl AdapterInstance {
    pub(super) fn new(
        handler: Arc<dyn SyncHandler>,
        interaction: Option<Arc<dyn Interaction>>,
        store: Arc<dyn StateStore>,
    ) -> Result<Arc<Self>, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let handler = Foreign::new(handler);
        let info = call_info(&**handler)?;
        let session = SessionId(store.last_session().unwrap_or_default().0 + 1);
        let run_info = RunInfo::new(info.id(), session, Trigger::Manual, RunFlags::empty());
        let state = State {
            protocol: Protocol::new(Purpose::Synchronize),
            run_info,
            listing: Listing::empty(),
            attempt: None,
            attempts: 0,
            earlier: Vec::new(),
            retrying: false,
        };
        let tasks = Tasks::new(runtime, TaskTracker::new());
        let (callback, kept, state) = (Arc::default(), Arc::default(), Mutex::new(state));
        Ok(Arc::new(Self {
            handler,
            info,
            interaction,
            store,
            secrets: MemorySecrets::new(),
            tasks,
            callback,
            kept,
            questions: Mutex::default(),
            state,
        }))
    }

    pub(super) fn handler(&self) -> &dyn SyncHandler {
        &**self.handler
    }

    pub(super) fn info(&self) -> &HandlerInfo {
        &self.info
    }

    pub(super) fn callback(&self) -> &Arc<CallbackSlot> {
        &self.callback
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Returns `true` if the handler may make this request now.
    pub(super) fn allows(&self, request: HostRequest) -> bool {
        self.state.lock().protocol.answer(request).is_ok()
    }

    /// Returns `true` while an error or properties are shown.
    pub(super) fn is_showing(&self) -> bool {
        matches!(self.state.lock().protocol.stage(), Stage::ShowingError(_) | Stage::ShowingProperties(_))
    }

    /// Returns `true` while properties are shown. Asking the user then needs no grant.
    pub(super) fn is_showing_properties(&self) -> bool {
        matches!(self.state.lock().protocol.stage(), Stage::ShowingProperties(_))
    }

    pub(super) fn store(&self) -> &Arc<dyn StateStore> {
        &self.store
    }

    /// Returns the secrets that the user entered during the life of this instance.
    pub(super) fn secrets(&self) -> &MemorySecrets {
        &self.secrets
    }

    /// Returns the user interaction, if the run may ask the user or is showing an error or properties.
    pub(super) fn interaction(&self) -> Option<Arc<dyn Interaction>> {
        let may_bother = self.state.lock().run_info.flags.contains(RunFlags::MAY_BOTHER_USER) || self.is_showing();
        self.interaction.clone().filter(|_| may_bother)
    }

    pub(super) async fn initialize(
        self: &Arc<Self>,
        trigger: Trigger,
        flags: RunFlags,
        cookie: Option<&[u8]>,
    ) -> HResult {
        let attempt = {
            let mut state = self.state.lock();
            if state.protocol.stage() != Stage::Created || state.attempt.is_some() {
                return HResult::E_UNEXPECTED;
            }
            let settings = flags.contains(RunFlags::SETTINGS);
            state.protocol = Protocol::new(if settings { Purpose::Settings } else { Purpose::Synchronize });
            let session = state.run_info.session;
            let run_info = RunInfo::new(self.info.id(), session, trigger, flags);
            state.run_info = run_info.with_cookie(cookie.map(Arc::from));
            self.add_attempt(&mut state, Default::default())
        };
        let context = attempt.context();
        let (end, _) = drive_call(&attempt, None, || self.handler.initialize(&context), || {}).await;
        let code = end.participation_code();
        self.on(Event::Initialized(code));
        code
    }

    pub(super) async fn enum_sync_items(&self) -> Result<Items, HResult> {
        let attempt = {
            let state = self.state.lock();
            let refused = matches!(state.protocol.stage(), Stage::Created | Stage::Detaching | Stage::Released);
            state.attempt.clone().filter(|_| !refused).ok_or(HResult::E_UNEXPECTED)?
        };
        let (end, _) = drive_call(&attempt, None, || self.handler.items(), || {}).await;
        let code = end.listing_code();
        let CallEnd::Returned(items) = end else {
            self.on(Event::Listed(code));
            return Err(code);
        };
        let (listing, faults) = Listing::check(items);
        for fault in faults {
            let entry = LogEntry::new(LogLevel::Warning, fault.to_string());
            self.callback.log_when_set(fault.item().map_or(entry.clone(), |item| entry.with_item(item)));
        }
        let listed = listing.to_items();
        self.state.lock().listing = listing;
        self.on(Event::Listed(code));
        Ok(listed)
    }

    pub(super) fn set_item_status(&self, subject: Subject, status: Status) -> HResult {
        let (event, attempt) = match (subject, status) {
            (Subject::Item(_), Status::Skipped) => (Event::SkipRequested, self.state.lock().attempt.clone()),
            (Subject::Handler, Status::Stopped) => (Event::StopRequested, self.state.lock().attempt.clone()),
            _ => return HResult::E_INVALIDARG,
        };
        if !self.allows(HostRequest::Connection) {
            return HResult::E_UNEXPECTED;
        }
        let (Step::Do(_), Some(attempt)) = (self.on(event), attempt) else { return HResult::E_UNEXPECTED };
        match subject {
            Subject::Item(item) => {
                if !attempt.skip(item) {
                    return HResult::S_OK;
                }
                if attempt.is_done() {
                    self.on(Event::NoItemsLeft);
                }
            }
            Subject::Handler => attempt.stop(CancelReason::HandlerStopped),
        }
        attempt.push(subject, status);
        HResult::S_OK
    }

    pub(super) fn attach(&self, callback: Arc<dyn SyncCallback>) -> HResult {
        match self.on(Event::Attached) {
            Step::Misused(_) => HResult::E_UNEXPECTED,
            _ => {
                self.callback.set(Some(callback));
                HResult::S_OK
            }
        }
    }

    pub(super) fn detach(&self) -> HResult {
        self.callback.set(None);
        let (attempt, earlier) = {
            let mut state = self.state.lock();
            (state.attempt.clone(), std::mem::take(&mut state.earlier))
        };
        if let Some(attempt) = &attempt {
            attempt.stop(CancelReason::HandlerStopped);
        }
        earlier.iter().filter_map(Weak::upgrade).chain(attempt).for_each(|attempt| attempt.detach());
        if self.on(Event::Closed) != Step::Do(Action::Detach) {
            self.on(Event::HandlerLost);
        }
        self.on(Event::Detached);
        // The callback is gone, so the panic of a destructor cannot be logged.
        drop(self.kept.clear());
        HResult::S_OK
    }

    pub(super) fn show_properties(self: &Arc<Self>, subject: Subject) -> HResult {
        let declared = match subject {
            Subject::Handler => self.info.flags().contains(HandlerFlags::HAS_PROPERTIES),
            Subject::Item(item) => {
                let flags = self.state.lock().listing.item(item).map(|item| item.flags());
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
            let (end, _) =
                drive_call(&attempt, None, || shared.handler.show_properties(&context, subject), || {}).await;
            let code = end.properties_code();
            if shared.completes(Event::PropertiesCompleted(code)) {
                shared.callback.call(|callback| callback.show_properties_completed(code));
            }
        })
    }

    pub(super) fn prepare(self: &Arc<Self>, items: &[ItemId]) -> HResult {
        let wanted: BTreeSet<ItemId> = items.iter().copied().collect();
        let (attempt, unknown) = {
            let mut state = self.state.lock();
            let selection = state.listing.select(|item| wanted.contains(&item.id()));
            if selection.is_empty() {
                return HResult::E_INVALIDARG;
            }
            if state.run_info.flags.contains(RunFlags::SETTINGS) {
                return HResult::E_UNEXPECTED;
            }
            let granted = std::mem::take(&mut state.retrying);
            if !granted && state.protocol.on(Event::Chosen(ItemSet::NonEmpty)) != Step::Do(Action::Prepare) {
                return HResult::E_UNEXPECTED;
            }
            let listed: BTreeSet<_> = selection.iter().map(|item| item.id()).collect();
            (self.add_attempt(&mut state, selection), &wanted - &listed)
        };
        for item in unknown {
            let failed = Progress::new().with_status(Status::Failed);
            self.callback.call(|callback| callback.progress(item, Some(&failed)));
        }
        let shared = self.clone();
        self.start(Event::PrepareReturned, async move {
            let context = attempt.prepare_context();
            let pushed = || attempt.deliver();
            let (end, _) = drive_call(&attempt, None, || shared.handler.prepare(&context), pushed).await;
            let code = end.code();
            shared.log_fault("could not prepare", &end);
            if shared.completes(Event::PrepareCompleted(code)) {
                if !code.is_ok() {
                    attempt.close(|_| verdict_of_unprepared(code, attempt.stopped(), FailureClass::Transient));
                }
                shared.callback.call(|callback| callback.prepare_for_sync_completed(code));
            }
        })
    }

    pub(super) fn synchronize(self: &Arc<Self>) -> HResult {
        match self.on(Event::Admitted) {
            Step::Do(Action::Synchronize) => {}
            // No items are left: complete immediately (R104).
            Step::Do(_) => {
                ProgressReporter::new(&self.attempt(), &self.callback).report_changes();
                self.callback.call(|callback| callback.synchronize_completed(HResult::S_OK));
                return HResult::S_OK;
            }
            _ => return HResult::E_UNEXPECTED,
        }
        let (shared, attempt) = (self.clone(), self.attempt());
        attempt.begin_items();
        self.start(Event::SynchronizeReturned, async move {
            let code = shared.synchronize_to_end(&attempt).await;
            if shared.completes(Event::SynchronizeCompleted(code)) {
                shared.callback.call(|callback| callback.synchronize_completed(code));
            }
        })
    }

    async fn synchronize_to_end(&self, attempt: &Arc<Attempt>) -> HResult {
        let context = attempt.synchronize_context();
        let mut reporter = ProgressReporter::new(attempt, &self.callback);
        let pushed = || attempt.deliver();
        let end = {
            let call = drive_call(attempt, None, || self.handler.synchronize(&context), pushed);
            tokio::select! {
                biased;
                (end, _) = call => end,
                () = reporter.run() => unreachable!("a reporter runs until it is dropped"),
            }
        };
        let code = end.synchronize_code(attempt);
        self.log_fault("could not synchronize", &end);
        attempt.finish(code, end.class()).await;
        reporter.report_changes();
        code
    }

    pub(super) fn show_error(self: &Arc<Self>, error: ErrorId) -> HResult {
        let Step::Do(Action::ShowError) = self.on(Event::ErrorOpened) else { return HResult::E_UNEXPECTED };
        let shared = self.clone();
        self.start(Event::ErrorReturned, async move {
            let attempt = shared.add_empty_attempt();
            let context = attempt.context();
            let question = shared.questions().open(error);
            let explain = || match &question {
                Some((item, question)) => {
                    let set_answer = |answer| shared.questions().set_answer(error, answer);
                    ask_user(&context, *item, question, set_answer).boxed()
                }
                None => shared.handler.show_error(&context, error),
            };
            let (end, _) = drive_call(&attempt, None, explain, || {}).await;
            shared.log_fault("could not explain an error", &end);
            let (code, items) = match end {
                CallEnd::Returned(Resolution::Retry(items)) => (HResult::S_SYNCMGR_RETRYSYNC, items),
                end => (end.code(), Vec::new()),
            };
            let item_set = if items.is_empty() { ItemSet::Empty } else { ItemSet::NonEmpty };
            if shared.completes(Event::ErrorCompleted(code, item_set)) {
                shared.callback.call(|callback| callback.show_error_completed(code, &items));
            }
        })
    }

    /// Polls a call once within the method. If the call is pending, the method returns and the call continues as a task.
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
            self.state.lock().retrying = true;
        }
        if polled == Poll::Pending {
            self.tasks.spawn(call);
        }
        HResult::S_OK
    }

    /// Passes a completion to the protocol. Returns `false` if the host has detached meanwhile.
    fn completes(&self, completed: Event) -> bool {
        let mut state = self.state.lock();
        let step = state.protocol.on(completed);
        state.retrying |= step == Step::Do(Action::Prepare);
        !matches!(step, Step::Misused(_))
    }

    fn add_attempt(self: &Arc<Self>, state: &mut State, selection: Arc<[SyncItem]>) -> Arc<Attempt> {
        let link = Arc::new(CallbackLink::new(self));
        let run_info = state.run_info.clone();
        let (number, fence) = (state.attempts, run_info.fence);
        let attempt = Attempt::new(number, run_info, self.handler.clone(), &self.info, self.kept.clone(), link);
        if !selection.is_empty() {
            state.attempts += 1;
            attempt.select(selection, fence, Suspects::default());
        }
        let before = state.attempt.replace(attempt.clone());
        state.earlier.retain(|earlier| earlier.strong_count() > 0);
        state.earlier.extend(before.as_ref().map(Arc::downgrade));
        attempt
    }

    /// Adds an attempt without items. A cancellation of the previous attempt does not affect it.
    fn add_empty_attempt(self: &Arc<Self>) -> Arc<Attempt> {
        let mut state = self.state.lock();
        self.add_attempt(&mut state, Arc::default())
    }

    fn attempt(&self) -> Arc<Attempt> {
        self.state.lock().attempt.clone().expect("an initialized instance has an attempt")
    }

    /// Records that every item ended before `synchronize` began.
    pub(super) fn no_items_left(&self) {
        self.on(Event::NoItemsLeft);
    }

    pub(super) fn questions(&self) -> MutexGuard<'_, Questions> {
        self.questions.lock()
    }

    fn log(&self, entry: &LogEntry) {
        self.callback.log(entry);
    }

    fn log_fault<T>(&self, prefix: &str, end: &CallEnd<T>) {
        if let Some(entry) = end.log_entry(prefix, self.attempt().stopped()) {
            self.log(&entry);
        }
    }

    fn on(&self, event: Event) -> Step {
        self.state.lock().protocol.on(event)
    }
}
