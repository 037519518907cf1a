//! The port for the contexts of an attempt.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::cancel::{Cancel, CancelReason, Cancelled};
use syncmgr_core::cell::{ItemCell, ItemSignals};
use syncmgr_core::decision::attempt::Phase;
use syncmgr_core::decision::verdict::{Ending, Outcome, Verdict, verdict_of};
use syncmgr_core::error::{SyncResult, one_line};
use syncmgr_core::foreign;
use syncmgr_core::id::{ErrorScope, ItemId};
use syncmgr_core::log::{LogEntry, LogLevel, Question};
use syncmgr_core::plan::{Plan, PlanError};
use syncmgr_core::port::{InteractionPermit, ItemWork, Kept, ReportError, RunInfo, RunPort, SecretStore};
use syncmgr_core::progress::Progress;

use super::state::{AttemptPhase, State};
use super::{Attempt, worker};
use crate::nesting;

impl RunPort for Attempt {
    fn run_info(&self) -> &RunInfo {
        Self::run_info(self)
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn time_left(&self) -> Option<Duration> {
        self.link.time_left()
    }

    fn is_skipped(&self, item: ItemId) -> bool {
        let phase = self.index_of(item).and_then(|index| self.lock().items.phase(index));
        phase == Some(Phase::Ended(Outcome::Skipped))
    }

    fn kept(&self) -> &Kept {
        &self.kept
    }

    fn log(&self, entry: LogEntry) {
        self.link.log(entry);
    }

    fn delete_log(&self, scope: ErrorScope) {
        self.link.delete_log(scope);
    }

    fn report(&self, item: ItemId, report: &Progress) -> Result<(), ReportError> {
        let Some(index) = self.index_of(item) else { return Err(ReportError::NotPrepared { item }) };
        if report.mask().is_empty() {
            let state = self.lock();
            self.check_not_stopped(&state)?;
            return answer(&state, index);
        }
        let outcome = report.status.and_then(Outcome::of_status);
        let mut state = self.lock();
        if state.phase == AttemptPhase::Synchronizing && state.items.phase(index) == Some(Phase::Queued) {
            drop(state);
            self.link.item_begins(self, item);
            if self.is_suspect(item) {
                // The item has already begun: the handler reports it by itself.
                drop(self.link.suspect_begins(item));
            }
            state = self.lock();
        }
        let cell = reported_cell(&mut state, index, item)?;
        let reported = cell.report(report).map_err(ReportError::from);
        let ended = outcome.filter(|_| state.self_reported.remove(&index).is_some());
        if let Some(outcome) = ended {
            state.end(index, Verdict::reported(outcome));
        }
        let cancelled_at = ended.and_then(|_| state.self_reported_cancelled.remove(&index));
        let answer = reported.and(self.check_not_stopped(&state));
        let observers = std::mem::take(&mut state.observers);
        self.report_claims(state);
        if ended.is_some() {
            self.link.item_ends(item, &cell);
            let token = cell.cancel().close();
            token.iter().for_each(foreign::cancel);
            self.record_stop_latency(cancelled_at);
        }
        observers.wake();
        answer
    }

    fn exclude(&self, item: ItemId, error: anyhow::Error) -> Result<(), ReportError> {
        let Some(index) = self.index_of(item) else { return Err(ReportError::NotPrepared { item }) };
        let text = one_line(&error);
        let verdict = verdict_of(&Ending::Returned(&Err(error)), None, ItemSignals::default());
        self.change(|state| match (state.phase, state.items.phase(index)) {
            (AttemptPhase::Preparing, Some(Phase::Queued)) => {
                state.end(index, verdict);
                Ok(())
            }
            (AttemptPhase::Preparing, _) => Err(answer(state, index).err().unwrap_or(ReportError::Ended { item })),
            _ => Err(ReportError::NotRunning),
        })?;
        self.link.log(LogEntry::new(verdict.level.unwrap_or(LogLevel::Information), text).with_item(item));
        if self.is_done() {
            self.link.no_items_left();
        }
        Ok(())
    }

    fn each_item(&self) -> BoxFuture<'_, SyncResult> {
        worker::run_spawned(self.to_arc()).boxed()
    }

    fn each<'a>(&'a self, work: &'a ItemWork<'a>) -> BoxFuture<'a, SyncResult> {
        worker::run_in_place(self, work).boxed()
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        self.link.blocking(nesting::blocking(job));
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.link.spawn(nesting::spawned(task));
    }

    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>> {
        async {
            let token = self.cancel.token();
            match token.run_until_cancelled(self.link.interaction()).await {
                Some(permit) => permit,
                None => Err(self.stop_error().into()),
            }
        }
        .boxed()
    }

    fn secrets(&self) -> Result<Arc<dyn SecretStore>, Cancelled> {
        self.link.secrets()
    }

    fn connect<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, SyncResult> {
        async move {
            let token = self.cancel.token();
            match token.run_until_cancelled(self.link.connect(name)).await {
                Some(connected) => connected,
                None => Err(self.stop_error().into()),
            }
        }
        .boxed()
    }

    fn decide(&self, item: ItemId, question: &Question) -> Option<usize> {
        self.ask(item, question)
    }

    fn saved(&self, item: ItemId) -> SyncResult<Option<Arc<str>>> {
        self.saved_state(item)
    }

    fn commit(&self, item: ItemId, state: Arc<str>) -> BoxFuture<'_, SyncResult> {
        self.commit_state(item, state).boxed()
    }

    fn propose(&self, item: ItemId, plan: &Plan) -> Result<(), PlanError> {
        self.propose_plan(item, plan)
    }

    fn sync_paths(&self, paths: Vec<PathBuf>) -> BoxFuture<'_, SyncResult> {
        self.sync(paths).boxed()
    }
}

impl Attempt {
    /// Returns an error if the handler was stopped or its call timed out.
    fn check_not_stopped(&self, state: &State) -> Result<(), ReportError> {
        check_handler_not_stopped(state)?;
        match self.cancel.reason() {
            Some(reason @ CancelReason::TimedOut) => Err(Cancelled::new(reason).into()),
            _ => Ok(()),
        }
    }

    fn stop_error(&self) -> Cancelled {
        Cancelled::new(self.cancel.reason().unwrap_or(CancelReason::Ended))
    }
}

/// Answers an empty report. Returns an error if the item must stop.
fn answer(state: &State, index: usize) -> Result<(), ReportError> {
    // R118.
    check_handler_not_stopped(state)?;
    match (state.phase, state.items.phase(index)) {
        (AttemptPhase::Ended, _) => Err(Cancelled::new(CancelReason::Ended).into()),
        (_, Some(Phase::Ended(Outcome::Skipped))) => Err(Cancelled::new(CancelReason::Skipped).into()),
        _ => Ok(state.cell(index).map_or(Ok(()), |cell| cell.cancel().check())?),
    }
}

/// Returns an error if the handler was stopped, which stops all of its items.
fn check_handler_not_stopped(state: &State) -> Result<(), ReportError> {
    // R111.
    match state.items.stopped() {
        Some(reason) => Err(Cancelled::new(reason).into()),
        None => Ok(()),
    }
}

/// Returns the cell of a reported item. The first report begins the item.
fn reported_cell(state: &mut State, index: usize, item: ItemId) -> Result<Arc<ItemCell>, ReportError> {
    // R106.
    match (state.phase, state.items.phase(index)) {
        (AttemptPhase::Preparing, Some(Phase::Queued)) => Ok(Arc::default()),
        (AttemptPhase::Synchronizing, Some(Phase::Queued)) => {
            state.items.begin(index);
            Ok(state.self_reported.entry(index).or_default().clone())
        }
        (AttemptPhase::Synchronizing, Some(Phase::Running)) => {
            state.cell(index).cloned().ok_or(ReportError::NotRunning)
        }
        (_, Some(Phase::Ended(_))) => Err(answer(state, index).err().unwrap_or(ReportError::Ended { item })),
        (AttemptPhase::Ended, _) => Err(Cancelled::new(CancelReason::Ended).into()),
        _ => Err(ReportError::NotRunning),
    }
}
