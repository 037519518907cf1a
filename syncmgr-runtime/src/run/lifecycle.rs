//! The lifecycle of one handler run, from creation to release.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::{BoxFuture, pending};
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::host::Priority;
use syncmgr_core::decision::listing::Listing;
use syncmgr_core::decision::protocol::{Action, Event, ItemSet, Reported, Stage, Step};
use syncmgr_core::decision::verdict::{Outcome, Verdict, verdict_of_unprepared};
use syncmgr_core::error::{FailureClass, SyncResult};
use syncmgr_core::handler::Resolution;
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorId, ItemId, SessionId, Subject};
use syncmgr_core::item::Items;
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::trigger::RunFlags;
use tokio::time::sleep;

use super::Run;
use super::requests::{Requests, Target};
use crate::attempt::Attempt;
use crate::call::{CallEnd, Window, destructor_panicked, drive_call};
use crate::ending::{RunChange, RunEnding};
use crate::meter;
use crate::session::scope::Choosing;

/// The longest time for which the items of others keep a session whose caller waits from every worker.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

impl Run {
    /// Drives the run: performs the next action of the protocol, until the run is released.
    async fn drive(self: &Arc<Self>) {
        let mut requests = Requests::default();
        let mut next = Action::Initialize;
        loop {
            let step = match next {
                Action::Initialize => self.initialize().await,
                Action::List => self.list().await,
                Action::Attach => self.attach(),
                Action::Choose => self.choose().await,
                Action::Prepare => self.prepare().await,
                Action::Admit => self.on(Event::Admitted),
                Action::Synchronize => self.synchronize().await,
                Action::ShowResults => self.show_results().await,
                Action::ShowError => self.show_error(&requests).await,
                Action::ShowProperties => self.show_properties(&requests).await,
                Action::RemoveItem => self.remove_item(&requests),
                Action::Detach => self.detach().await,
                Action::Release(reported) => return self.release(reported),
                _ => Step::Wait,
            };
            next = match step {
                Step::Do(action) => action,
                Step::Wait | Step::Misused(_) => self.next_request(&mut requests).await,
            };
        }
    }

    /// Waits for admission and calls `initialize`.
    async fn initialize(self: &Arc<Self>) -> Step {
        // R25, R30 to R33.
        let attempt = self.attempt();
        if !self.enter(&attempt).await {
            return self.on(Event::Initialized(HResult::S_FALSE));
        }
        if self.is_to_synchronize() && !self.may_begin(&attempt).await {
            return self.on(Event::Initialized(HResult::S_FALSE));
        }
        let context = attempt.context();
        let limit = Some(attempt.limits().initialize_deadline());
        let (end, _) = drive_call(&attempt, limit, || self.handler.initialize(&context), || {}).await;
        self.log_fault("could not begin", &end);
        self.record_failure_to_begin(&attempt, &end);
        // A handler that returns an error because it was stopped has not failed.
        let stopped = attempt.stopped().is_some_and(CancelReason::is_stop);
        self.on(Event::Initialized(if stopped { HResult::S_FALSE } else { end.participation_code() }))
    }

    /// Checks if the handler may begin, and counts it if it is a suspect.
    async fn may_begin(&self, attempt: &Attempt) -> bool {
        self.watch_conditions();
        let mut hold = self.hold();
        // The environment may change, and the run be stopped, while the count is stored.
        if hold.is_none() && self.count_handler(attempt).await {
            hold = self.hold();
        }
        let may_begin = hold.is_none() && attempt.stopped().is_none();
        if hold.is_some() {
            self.lock().hold = hold;
        }
        may_begin
    }

    /// Returns `true` if the run is to synchronize, and not only to show properties or explain an entry.
    fn is_to_synchronize(&self) -> bool {
        !matches!(self.scope.terms.choosing, Choosing::Explain) && !self.run_info.flags.contains(RunFlags::SETTINGS)
    }

    /// Records that the handler could not begin, for a later retry. A stopped handler has not failed.
    fn record_failure_to_begin<T>(&self, attempt: &Attempt, end: &CallEnd<T>) {
        let stopped = attempt.stopped().is_some_and(CancelReason::is_stop);
        let class = end.fault().and(end.class());
        if let Some(class) = class.filter(|_| !stopped && self.is_to_synchronize()) {
            self.record_begin(Verdict::failed(class));
        }
    }

    /// Waits until the host lets the run begin. Returns `false` if the run is stopped before.
    async fn enter(self: &Arc<Self>, attempt: &Attempt) -> bool {
        let admission = &self.host().admission;
        // The token is created only if the run has to wait.
        if !admission.is_current(self.id) {
            attempt.token().run_until_cancelled_owned(admission.wait(self.id, &self.started)).await;
        }
        // A stop of the earlier run may have admitted this run, which was stopped with it.
        let enters = attempt.stopped().is_none();
        if enters {
            self.begin_turn();
        }
        enters
    }

    /// Lets the next run of the handler begin.
    fn leave(&self) {
        self.end_turn();
        self.host().admission.leave(self.id);
    }

    /// Lists the handler's items.
    async fn list(&self) -> Step {
        // R46 to R49.
        let attempt = self.attempt();
        let (limit, began) = (Some(attempt.limits().items_deadline()), self.host().now().wall);
        let (end, _) = drive_call(&attempt, limit, || self.handler.items(), || {}).await;
        self.log_fault("could not list its items", &end);
        self.record_failure_to_begin(&attempt, &end);
        let code = end.listing_code();
        if let CallEnd::Returned(items) = end {
            let listing = match self.known_listing(&items) {
                Some(known) => self.list_again(known).await,
                None => self.list_anew(items, began).await,
            };
            self.record_change(RunChange::Listed(listing.items().len()));
            self.lock().listing = listing;
        }
        self.on(Event::Listed(code))
    }

    /// Checks a listing that began at this time, and records its effects.
    async fn list_anew(&self, items: Items, began: SystemTime) -> Listing {
        let (listing, faults) = Listing::check(items);
        for fault in faults {
            let entry = LogEntry::new(LogLevel::Warning, fault.to_string());
            self.log(match fault.item() {
                Some(item) => entry.with_item(item),
                None => entry,
            });
        }
        self.record_begin(Verdict::plain(Outcome::Succeeded));
        let (listing, recorded) = self.update_absence(listing).await;
        self.settle_unlisted(&listing);
        self.load_preferences(&listing).await;
        let (listing, before) = self.keep(&listing, recorded);
        self.remember(&listing, before).await;
        self.watch(&listing, began);
        listing
    }

    /// Takes the listing of the run before, which has recorded its effects. The cost does not depend on the number of its items.
    async fn list_again(&self, known: Listing) -> Listing {
        self.record_begin(Verdict::plain(Outcome::Succeeded));
        let is_requested = matches!(self.scope.terms.choosing, Choosing::Requested(_) | Choosing::Explain);
        if !is_requested || self.is_for_changes() {
            self.load_preferences(&known).await;
        }
        known
    }

    /// Returns the listing of the run before, if these items are a clone of it and it changes nothing.
    fn known_listing(&self, items: &Items) -> Option<Listing> {
        let state = self.host().manager_state();
        state.known_listing(self.id.handler, self.generation)?.again(items).cloned()
    }

    /// Attaches the run to its session. A run that only explains an entry goes to its results immediately.
    fn attach(&self) -> Step {
        // R74.
        let step = self.on(Event::Attached);
        // This run prepares nothing, so no other run of the handler has to wait for it.
        if self.lock().protocol.stage() == Stage::Results {
            self.end(RunEnding::NothingToDo);
        }
        step
    }

    /// Selects the items and calls `prepare`.
    async fn prepare(&self) -> Step {
        // R82 to R92.
        self.lock().ending = None;
        let attempt = self.select().await;
        self.check_selected();
        self.record_change(RunChange::Preparing);
        let context = attempt.prepare_context();
        let limit = Some(attempt.limits().prepare_deadline());
        let call = || self.handler.prepare(&context);
        let (end, window) = self.call(&attempt, limit, Event::PrepareReturned, call).await;
        self.clear_handler(&attempt).await;
        self.log_fault("could not prepare", &end);
        self.lock().class = end.class().unwrap_or(FailureClass::Transient);
        self.complete(window, Event::PrepareCompleted(end.code()), Event::PrepareReturned)
    }

    /// Calls `synchronize` and records the items' ends.
    async fn synchronize(&self) -> Step {
        // R96 to R105.
        let attempt = self.attempt();
        attempt.begin_items();
        self.record_change(RunChange::Synchronizing);
        let context = attempt.synchronize_context();
        let call = || self.handler.synchronize(&context);
        let (end, window) = tokio::select! {
            biased;
            end = self.call(&attempt, None, Event::SynchronizeReturned, call) => end,
            () = attempt.watch() => unreachable!("a watch runs until it is dropped"),
            never = self.recording(&attempt) => match never {},
            never = self.insist_on_worker() => match never {},
        };
        let code = end.synchronize_code(&attempt);
        self.log_fault("could not synchronize", &end);
        attempt.finish(code, end.class()).await;
        self.complete(window, Event::SynchronizeCompleted(code), Event::SynchronizeReturned)
    }

    /// Gets a worker beyond the limit for a session whose caller waits, if the items of others keep all workers for long.
    async fn insist_on_worker(&self) -> Infallible {
        if self.scope.terms.priority == Priority::Foreground {
            sleep(LONGEST_WAIT).await;
            self.host().admission.lend_permit(self.id);
        }
        pending().await
    }

    /// Ends the run but keeps its results open. Another run of the handler may begin.
    async fn show_results(&self) -> Step {
        // R150.
        let attempt = self.attempt();
        // All items may have been skipped while the handler prepared; in that case `synchronize` was not called.
        attempt.close(|_| Verdict::plain(Outcome::Skipped));
        self.recorded(&attempt).await;
        let code = self.lock().protocol.result().unwrap_or(HResult::S_OK);
        self.end(RunEnding::completed(code));
        Step::Wait
    }

    /// Explains a log entry and runs items again if the handler requests it. An earlier stop of the run affects neither
    /// the explanation nor these items.
    async fn show_error(self: &Arc<Self>, requests: &Requests) -> Step {
        // R113, R144 to R149.
        if !self.lock().automatic {
            self.count_as_user_request();
        }
        let attempt = self.add_attempt();
        let (items, window) = match requests.target {
            Some(Target::Error(error)) => self.explain(&attempt, error).await,
            _ => (Some(requests.retry.clone()), Window::Never),
        };
        let code = if items.is_some() { HResult::S_SYNCMGR_RETRYSYNC } else { HResult::S_OK };
        let again = self.retry_items(items.unwrap_or_default());
        if !again.is_empty() && attempt.stopped().is_none() {
            let admission = &self.host().admission;
            admission.request(std::slice::from_ref(self));
            attempt.token().run_until_cancelled_owned(admission.wait(self.id, &self.started)).await;
            self.begin_turn();
        }
        let any_requested = !again.is_empty();
        if any_requested {
            self.host().manager_state().runs_again(self.id.handler, &self.listing());
        }
        let any = if any_requested { self.set_next_items(again) } else { ItemSet::Empty };
        if any_requested && any == ItemSet::Empty {
            // All requested items were left out, so the run has ended again.
            let ending = self.ending().unwrap_or(RunEnding::NothingToDo);
            self.record_change(RunChange::Ended(ending));
        }
        let step = self.complete(window, Event::ErrorCompleted(code, any), Event::ErrorReturned);
        if step != Step::Do(Action::Prepare) {
            self.leave();
        }
        step
    }

    /// Calls `show_error` and returns the items to run again, if any.
    async fn explain(&self, attempt: &Arc<Attempt>, error: ErrorId) -> (Option<Vec<ItemId>>, Window) {
        let context = attempt.context();
        let call = || self.handler.show_error(&context, error);
        let limit = Some(attempt.limits().prepare_deadline());
        let (end, window) = self.call(attempt, limit, Event::ErrorReturned, call).await;
        self.log_fault("could not explain an error", &end);
        match end {
            CallEnd::Returned(Resolution::Retry(items)) => (Some(items), window),
            _ => (None, window),
        }
    }

    /// Calls `show_properties`.
    async fn show_properties(&self, requests: &Requests) -> Step {
        // R65 to R72.
        let Some(Target::Properties(subject)) = requests.target else { return Step::Wait };
        let attempt = self.attempt();
        let context = attempt.context();
        let call = || self.handler.show_properties(&context, subject);
        let (end, window) = self.call(&attempt, None, Event::PropertiesReturned, call).await;
        self.log_fault("could not show properties", &end);
        let stopped = matches!(end, CallEnd::Dropped).then(|| "the session was stopped".to_string());
        self.lock().not_shown = end.fault().or(stopped).map(|reason| (end.code(), reason));
        self.complete(window, Event::PropertiesCompleted(end.properties_code()), Event::PropertiesReturned)
    }

    /// Removes an item that was deleted while its properties were shown.
    fn remove_item(&self, requests: &Requests) -> Step {
        // R71.
        if let Some(Target::Properties(Subject::Item(item))) = requests.target {
            self.lock().listing.remove(item);
        }
        self.on(Event::Listed(HResult::S_OK))
    }

    /// Ends the items that are left and detaches the handler.
    async fn detach(&self) -> Step {
        // R77.
        let attempt = self.attempt();
        let (result, class, stop) = {
            let state = self.lock();
            (state.protocol.result(), state.class, state.stop)
        };
        let code = result.unwrap_or(HResult::S_OK);
        attempt.close(|_| verdict_of_unprepared(code, attempt.stopped().or(stop), class));
        self.recorded(&attempt).await;
        let ending = match result {
            Some(code) if code.is_ok() && stop.is_some() => RunEnding::Stopped,
            Some(code) => RunEnding::NotPrepared(code.into()),
            None if stop.is_some() => RunEnding::Stopped,
            None => RunEnding::NothingToDo,
        };
        self.end(ending);
        self.on(Event::Detached)
    }

    fn release(&self, reported: Reported) {
        let stopped = self.lock().stop.is_some();
        self.end(match reported {
            Reported::Quietly if self.held().is_some() => RunEnding::Held,
            Reported::Quietly if stopped => RunEnding::Stopped,
            Reported::Quietly => RunEnding::Declined,
            Reported::Failed(_) if stopped => RunEnding::Stopped,
            Reported::Failed(code) => RunEnding::NotBegun(code.into()),
        });
        self.attempt().close(|_| Verdict::plain(Outcome::Skipped));
        self.attempts().iter().for_each(|attempt| attempt.detach());
        self.drop_kept();
        // The run may have ended before it prepared.
        self.store_all(self.cleared_handler().into_iter().collect());
        self.postpone_missed();
        self.postpone_changes();
        self.end_automatic();
        self.save_log();
        self.finish();
    }

    /// Drops the values that the handler has kept.
    fn drop_kept(&self) {
        for panic in self.kept.clear() {
            self.log(LogEntry::new(LogLevel::Error, destructor_panicked(&panic)));
        }
    }

    /// Stores the changes of the log.
    pub(super) fn save_log(&self) {
        if let Some(log) = self.events.all_unsaved().map(|unsaved| self.log_change(unsaved)) {
            self.store(log);
        }
    }

    /// Marks the run as ended. Pending requests fail.
    fn finish(&self) {
        let (commands, turns) = {
            let mut state = self.lock();
            (state.idle, state.ended) = (false, true);
            (std::mem::take(&mut state.commands), state.turns_since.take())
        };
        drop((commands, turns));
        self.scope.changed();
    }

    /// Calls the handler, and pushes queued statuses while the call is pending.
    async fn call<'a, T>(
        &'a self,
        attempt: &'a Arc<Attempt>,
        limit: Option<Duration>,
        returned: fn(HResult) -> Event,
        call: impl FnOnce() -> BoxFuture<'a, SyncResult<T>>,
    ) -> (CallEnd<T>, Window) {
        let mut opened = false;
        drive_call(attempt, limit, call, || {
            if !std::mem::replace(&mut opened, true) {
                self.on(returned(HResult::S_OK));
            }
            if matches!(self.lock().protocol.stage(), Stage::Preparing(_) | Stage::Synchronizing(_)) {
                attempt.deliver();
            }
        })
        .await
    }

    /// Passes the completion of a call to the protocol, and then the return of the method if the call was never
    /// pending.
    fn complete(&self, window: Window, completed: Event, returned: fn(HResult) -> Event) -> Step {
        let step = self.on(completed);
        match window {
            Window::Opened => step,
            Window::Never => self.on(returned(HResult::S_OK)),
        }
    }

    /// Ends the run. Only the first ending is reported.
    fn end(&self, ending: RunEnding) {
        let (first, resumed, unfinished) = {
            let mut state = self.lock();
            let first = state.ending.is_none();
            state.ending.get_or_insert(ending);
            (first, std::mem::take(&mut state.resumed), state.unfinished.clone())
        };
        if first {
            self.set_aside();
        }
        self.store_waiting();
        self.finish_resumed(&resumed, &unfinished);
        self.requeue_unstarted();
        self.attention.revoke_all();
        if first {
            let outcomes = self.attempt().with_phases(meter::outcomes);
            meter::items(self.id.handler, outcomes);
            self.record_change(RunChange::Ended(ending));
        }
        self.leave();
        self.host().work_changed();
    }

    /// Marks the resumed sessions as finished, unless the manager ends before this run does.
    fn finish_resumed(&self, sessions: &[SessionId], unfinished: &BTreeSet<ItemId>) {
        let cut_short = self.lock().stop == Some(CancelReason::ShuttingDown) || self.attempt().is_aborted();
        if !sessions.is_empty() && !cut_short {
            let handler = self.id.handler;
            let effects = self.decide(|ledger, now| ledger.finished(handler, sessions, unfinished, now));
            self.host().apply(effects);
        }
    }

    fn log_fault<T>(&self, prefix: &str, end: &CallEnd<T>) {
        if let Some(entry) = end.log_entry(prefix, self.attempt().stopped()) {
            self.log(entry);
        }
    }
}

/// The task of a run. If it is dropped early, because it was aborted or its runtime has shut down, it ends and releases
/// the run.
pub(crate) struct RunTask(pub(crate) Arc<Run>);

impl RunTask {
    pub(crate) async fn drive(self) {
        self.0.drive().await;
    }
}

impl Drop for RunTask {
    fn drop(&mut self) {
        let run = &self.0;
        if !run.has_ended() {
            let attempt = run.attempt();
            run.lock().stop.get_or_insert(CancelReason::ShuttingDown);
            attempt.abort();
            attempt.close(|_| Verdict::plain(Outcome::Stopped));
            run.record_now(&attempt);
            run.end(RunEnding::Stopped);
            run.release(Reported::Quietly);
        }
    }
}
