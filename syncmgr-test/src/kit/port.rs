//! A port that wraps the host and records the handler's requests.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::anyhow;
use futures::FutureExt;
use futures::future::{BoxFuture, pending};
use syncmgr_core::cancel::{Cancel, Cancelled};
use syncmgr_core::cell::ItemCell;
use syncmgr_core::context::ItemContext;
use syncmgr_core::error::{SyncResult, one_line};
use syncmgr_core::id::{ErrorScope, ItemId};
use syncmgr_core::log::{LogEntry, Question};
use syncmgr_core::plan::{Plan, PlanError};
use syncmgr_core::port::{InteractionPermit, ItemWork, Kept, ReportError, RunInfo, RunPort, SecretStore};
use syncmgr_core::progress::Progress;

use super::events::{Event, Granted};
use super::injection::{Call, ItemLabel, Moment};
use super::monitor::{Answer, Monitor};
use super::monitored::{self, MonitoredCall};
use super::permit::RecordedPermit;

/// A wrapper around the host's port for one call: forwards and records the call's requests, and injects faults.
pub(super) struct RecordingPort {
    host: Arc<dyn RunPort>,
    monitor: Arc<Monitor>,
    call: Call,
    kept: Arc<Kept>,
    /// The cell of the call's item.
    cell: OnceLock<Arc<ItemCell>>,
}

impl RecordingPort {
    pub(super) fn new(host: Arc<dyn RunPort>, monitor: &Arc<Monitor>, call: Call) -> Arc<Self> {
        let session = host.run_info().session;
        let kept = monitor.kept(session);
        if host.kept().of::<KeptGuard>().is_none() {
            host.kept().put(KeptGuard { kept: kept.clone(), monitor: monitor.clone() });
        }
        Arc::new(Self { host, monitor: monitor.clone(), call, kept, cell: OnceLock::new() })
    }

    /// Returns the item's context over this port.
    pub(super) fn item(self: Arc<Self>, item: &ItemContext) -> ItemContext {
        self.monitor.track(ItemLabel::from(item.item()), item.cell().clone());
        self.cell.get_or_init(|| item.cell().clone());
        ItemContext::new(self, item.index(), item.cell().clone())
    }

    fn label(&self, id: ItemId) -> ItemLabel {
        if let Some(own) = self.call.item().filter(|own| own.id == id) {
            return own.clone();
        }
        let listed = self.run_info().selection.iter().find(|item| item.id() == id);
        listed.map_or_else(|| ItemLabel { id, name: id.to_string().into() }, ItemLabel::from)
    }

    fn note(&self, event: Event) {
        self.monitor.record(event);
    }

    /// Records a use of the context after its session or item has ended.
    fn record_late_use(&self, action: &str) {
        let ended = match self.cell.get() {
            _ if self.monitor.has_ended(self.run_info().session) => "its session had ended",
            Some(cell) if cell.check_not_ended().is_err() => "its item had ended",
            _ => return,
        };
        self.note(Event::LateUse(format!("{} {action} after {ended}", self.call)));
    }

    fn each_of<'a>(&'a self, item: ItemContext, work: &'a ItemWork<'a>) -> BoxFuture<'a, SyncResult> {
        let call = Call::Item(ItemLabel::from(item.item()));
        let own = Self::new(item.run().host(), &self.monitor, call.clone()).item(&item);
        async move { monitored::item_call(&self.monitor, call, own.cell(), work(own.clone())).await }.boxed()
    }

    /// Never completes if the call was killed or suspended.
    async fn suspend_if_stopped(&self, call: &Call) {
        if !self.monitor.is_running(call) {
            pending().await
        }
    }
}

/// A guard among the kept values of the host: when the host drops them, the guard clears the kept values of the monitor.
struct KeptGuard {
    kept: Arc<Kept>,
    monitor: Arc<Monitor>,
}

impl Drop for KeptGuard {
    fn drop(&mut self) {
        if !self.monitor.leaks() {
            self.kept.clear();
        }
    }
}

impl RunPort for RecordingPort {
    fn run_info(&self) -> &RunInfo {
        self.host.run_info()
    }

    fn cancel(&self) -> &Cancel {
        self.host.cancel()
    }

    fn time_left(&self) -> Option<Duration> {
        self.host.time_left()
    }

    fn is_skipped(&self, item: ItemId) -> bool {
        self.host.is_skipped(item)
    }

    fn kept(&self) -> &Kept {
        &self.kept
    }

    fn log(&self, entry: LogEntry) {
        self.record_late_use("logged an entry");
        self.note(Event::Logged(entry.level, entry.text.to_string()));
        self.host.log(entry);
    }

    fn delete_log(&self, scope: ErrorScope) {
        self.host.delete_log(scope);
    }

    fn report(&self, item: ItemId, report: &Progress) -> Result<(), ReportError> {
        let taken = self.host.report(item, report);
        let refusal = match taken {
            Ok(()) | Err(ReportError::Cancelled(_)) => None,
            Err(error) => Some(error),
        };
        if self.monitor.has_ended(self.run_info().session) {
            self.record_late_use("reported progress");
        } else if let Some(error) = refusal {
            self.note(Event::ReportRefused(format!("{}: {error}", self.label(item))));
        } else {
            let item = self.label(item);
            self.note(report.status.map_or_else(
                || Event::ProgressReported(item.clone()),
                |status| Event::StatusReported(item.clone(), status),
            ));
        }
        taken
    }

    fn exclude(&self, item: ItemId, error: anyhow::Error) -> Result<(), ReportError> {
        let excluded = self.host.exclude(item, error);
        if let Err(error) = excluded {
            self.note(Event::ReportRefused(format!("excluding {}: {error}", self.label(item))));
        }
        excluded
    }

    fn each_item(&self) -> BoxFuture<'_, SyncResult> {
        self.host.each_item()
    }

    fn each<'a>(&'a self, work: &'a ItemWork<'a>) -> BoxFuture<'a, SyncResult> {
        async move { self.host.each(&|item| self.each_of(item, work)).await }.boxed()
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        let monitor = self.monitor.clone();
        self.host.blocking(Box::new(move || {
            if monitor.leaks() {
                return std::mem::forget(job);
            }
            monitor.begin_blocking();
            job();
            monitor.end_blocking();
        }));
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.record_late_use("started a task");
        let call = self.monitor.begin_task();
        self.host.spawn(MonitoredCall::new(&self.monitor, call, task).boxed());
    }

    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>> {
        self.record_late_use("requested the user's attention");
        async {
            let permit = self.host.interaction().await;
            let granted = if permit.is_ok() { Granted::Yes } else { Granted::No };
            self.note(Event::Attention(self.call.clone(), granted));
            Ok(RecordedPermit::wrap(&self.call, permit?, &self.monitor))
        }
        .boxed()
    }

    fn secrets(&self) -> Result<Arc<dyn SecretStore>, Cancelled> {
        self.record_late_use("requested the secrets");
        self.host.secrets()
    }

    fn connect<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, SyncResult> {
        self.record_late_use("requested a connection");
        async move {
            let connected = self.host.connect(name).await;
            self.note(Event::Connected(self.call.clone(), connected.as_ref().map(drop).map_err(one_line)));
            connected
        }
        .boxed()
    }

    fn decide(&self, item: ItemId, question: &Question) -> Option<usize> {
        self.record_late_use("requested a decision");
        self.host.decide(item, question)
    }

    fn saved(&self, item: ItemId) -> SyncResult<Option<Arc<str>>> {
        self.record_late_use("read its checkpoint");
        self.note(Event::ReadState(self.label(item)));
        self.host.saved(item)
    }

    fn commit(&self, item: ItemId, state: Arc<str>) -> BoxFuture<'_, SyncResult> {
        self.record_late_use("committed");
        async move {
            let call = Call::Item(self.label(item));
            let number = self.monitor.begin_commit(&call);
            let answer = self.monitor.reach(&call, Moment::BeforeCommit(number));
            self.suspend_if_stopped(&call).await;
            let stored = match answer {
                Answer::Stored => self.host.commit(item, state).await,
                Answer::Refused => Err(anyhow!("the kit makes the store refuse this commit; nothing was stored")),
            };
            self.note(Event::Committed(self.label(item), stored.as_ref().map(drop).map_err(one_line)));
            _ = self.monitor.reach(&call, Moment::AfterCommit(number));
            self.suspend_if_stopped(&call).await;
            stored
        }
        .boxed()
    }

    fn propose(&self, item: ItemId, plan: &Plan) -> Result<(), PlanError> {
        self.record_late_use("proposed a plan");
        self.host.propose(item, plan)
    }

    fn sync_paths(&self, paths: Vec<PathBuf>) -> BoxFuture<'_, SyncResult> {
        self.host.sync_paths(paths)
    }
}
