//! The host of an attempt: the run of a manager's session.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use anyhow::anyhow;
use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::cancel::{CancelReason, Cancelled};
use syncmgr_core::cell::ItemCell;
use syncmgr_core::decision::guard::GuardPolicy;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::host::{ClaimSet, ItemOfRun, RunId};
use syncmgr_core::decision::protocol::{Event, HostRequest};
use syncmgr_core::decision::verdict::Verdict;
use syncmgr_core::environment::Presence;
use syncmgr_core::error::{Classify, SyncResult};
use syncmgr_core::id::{ErrorId, ErrorScope, ItemId};
use syncmgr_core::info::HandlerFlags;
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel, Question};
use syncmgr_core::port::{Asker, InteractionPermit, SecretStore, user_unavailable};
use syncmgr_core::record::ItemRecord;
use syncmgr_core::store::{Durability, StateChange};
use syncmgr_core::trigger::RunFlags;

use super::attempts::OfRun;
use super::{Run, stop_in};
use crate::attempt::{Attempt, HostLink};
use crate::host::Host;
use crate::meter;
use crate::nesting::Call;
use crate::tasks::Tasks;

/// The link from an attempt to its run, which may have been dropped.
pub(super) struct RunLink {
    run: Weak<Run>,
    id: RunId,
    host: Arc<Host>,
    tasks: Tasks,
    span: tracing::Span,
    nested: Nested,
}

/// `Yes` if a call of a handler started the session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nested {
    No,
    Yes,
}

impl RunLink {
    fn new(run: &Run) -> Self {
        let (host, tasks) = (run.scope.host.clone(), run.scope.tasks.clone());
        let nested = if run.scope.terms.parent.is_some() { Nested::Yes } else { Nested::No };
        Self { run: run.this.clone(), id: run.id, host, tasks, span: run.span.clone(), nested }
    }

    fn item(&self, item: ItemId) -> ItemOfRun {
        ItemOfRun { run: self.id, item }
    }

    /// Returns the run, if the handler may make this request now.
    fn run(&self, request: HostRequest) -> Option<Arc<Run>> {
        let run = self.run.upgrade()?;
        let answer = run.lock().protocol.answer(request);
        answer.is_ok().then_some(run)
    }
}

impl Run {
    /// Adds an attempt. If the run was stopped before, the attempt is stopped too.
    pub(super) fn add_attempt(&self) -> Arc<Attempt> {
        let link = Arc::new(RunLink::new(self));
        let number = u32::try_from(self.attempt_count()).unwrap_or(u32::MAX);
        let run_info = self.run_info.clone().with_fence(self.host().next_fence());
        let attempt = Attempt::new(number, run_info, self.handler.clone(), &self.info, self.kept.clone(), link);
        let (before, stop) = {
            let state = self.lock();
            let before = number.checked_sub(1).and_then(|before| self.nth_attempt(before));
            self.attempts.add(attempt.clone());
            (before, state.stop)
        };
        before.into_iter().for_each(|before| before.notify());
        self.scope.changed();
        self.apply_pause();
        if let Some(reason) = stop {
            stop_in(&attempt, reason);
        }
        attempt
    }

    /// Selects the next items in the latest attempt, and skips those that were skipped before.
    pub(super) async fn select(&self) -> OfRun<'_> {
        let next_items = self.lock().next_items.clone();
        let suspects = self.suspects(&next_items).await;
        let attempt = self.attempt();
        attempt.select(next_items, self.host().next_fence(), suspects);
        // Earlier skips and pauses are applied only now. Later skips and pauses apply to the attempt directly.
        self.apply_pause();
        let skipped = std::mem::take(&mut self.lock().skipped);
        skipped.into_iter().for_each(|item| self.skip_in(&attempt, item));
        attempt
    }
}

impl HostLink for RunLink {
    fn log(&self, entry: LogEntry) {
        if let Some(run) = self.run.upgrade()
            && !run.has_ended()
        {
            run.log(entry);
        }
    }

    fn delete_log(&self, scope: ErrorScope) {
        if let Some(run) = self.run(HostRequest::Log) {
            run.events.delete(scope);
        }
    }

    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>> {
        async {
            // R135: while it shows properties, the handler may ask without a grant.
            let showing = self.run.upgrade().filter(|run| run.is_attended());
            let run = showing.or_else(|| self.run(HostRequest::Attention)).ok_or_else(user_unavailable)?;
            let absent = self.host.ports.environment.now().user == Presence::Absent;
            let may_bother = run.run_info.flags.contains(RunFlags::MAY_BOTHER_USER) && !absent || run.is_attended();
            let interaction =
                self.host.ports.interaction.clone().filter(|_| may_bother).ok_or_else(user_unavailable)?;
            // A call that waits for this session and has the user's attention would keep it until the session ends.
            if self.host.launcher().is_some_and(|launcher| launcher.callers_have_attention(self.id.session)) {
                Err(user_unavailable())?;
            }
            let item = Call::current().and_then(|call| call.item);
            let request = run.attention.request();
            let permit = self.host.attention.clone().acquire_owned().await?;
            let asker = Asker::new(self.id.handler, run.info.name());
            Ok(InteractionPermit::new(interaction, asker, run.attention.hold(item, request, permit)))
        }
        .boxed()
    }

    fn secrets(&self) -> Result<Arc<dyn SecretStore>, Cancelled> {
        let ended = || Cancelled::new(CancelReason::Ended);
        self.run.upgrade().filter(|run| !run.has_ended() && !run.is_forgotten()).ok_or_else(ended)?;
        Ok(self.host.secrets.clone())
    }

    fn connect<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, SyncResult> {
        async move {
            let run = self
                .run(HostRequest::Connection)
                .ok_or_else(|| anyhow!("a connection can only be established while preparing or synchronizing"))?;
            if !run.info.flags().contains(HandlerFlags::MAY_ESTABLISH_CONNECTION) {
                let undeclared = "the handler did not declare `MAY_ESTABLISH_CONNECTION`; add the flag to it";
                return Err(anyhow!(undeclared)).permanent();
            }
            run.scope.connect(name).await
        }
        .boxed()
    }

    fn decide(&self, item: ItemId, question: &Question) -> Option<usize> {
        let run = self.run.upgrade()?;
        let answer = self.host.answer_to(self.id.handler, item, question);
        let id = ErrorId::of_question(item, &question.key);
        run.events.delete(ErrorScope::One(id));
        if answer.is_none() {
            let entry = LogEntry::new(LogLevel::Warning, &question.text).with_item(item);
            run.log(entry.with_question(id, question.clone()));
        }
        answer
    }

    fn record(&self, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        self.host.record(self.id.handler, item)
    }

    fn write(&self, change: StateChange) -> BoxFuture<'static, SyncResult> {
        let written = self.run.upgrade().and_then(|run| run.write(change));
        written.unwrap_or_else(|| async { Err(Cancelled::new(CancelReason::Ended).into()) }.boxed())
    }

    fn durability(&self) -> Durability {
        self.host.ports.store.durability()
    }

    fn guards(&self) -> GuardPolicy {
        self.run.upgrade().and_then(|run| run.info.guards()).unwrap_or(self.host.guards)
    }

    fn now(&self) -> SystemTime {
        self.host.now().wall
    }

    fn time_left(&self) -> Option<Duration> {
        self.run.upgrade()?.time_left()
    }

    fn consume_answers(&self, item: ItemId, keys: &[Arc<str>]) {
        if let Some(run) = self.run.upgrade() {
            run.decide(|ledger, _| ledger.consume_answers(self.id.handler, item, keys));
        }
    }

    fn suspect_begins(&self, item: ItemId) -> BoxFuture<'static, SyncResult> {
        let counted = self.run.upgrade().and_then(|run| run.count_suspect(item));
        counted.unwrap_or_else(|| async { Ok(()) }.boxed())
    }

    fn abandoned(&self, item: ItemId, cell: Arc<ItemCell>) {
        self.host.admission.quarantine(self.item(item), &cell);
        meter::abandoned(self.id.handler);
    }

    fn no_items_left(&self) {
        if let Some(run) = self.run.upgrade() {
            run.on(Event::NoItemsLeft);
        }
    }

    fn claim(&self, item: ItemId, claims: ClaimSet) -> bool {
        self.host.admission.claim(self.item(item), claims)
    }

    fn may_hold_claims_back(&self) -> bool {
        self.host.scheduler.has_resources()
    }

    fn claims_used(&self, item: &SyncItem, verdict: Verdict) {
        if let Some(run) = self.run.upgrade() {
            run.claims_used(item, verdict);
        }
    }

    fn hold_of_claims(&self, item: &SyncItem) -> Option<Hold> {
        self.run.upgrade()?.hold_of_claims(item)
    }

    fn release(&self, item: ItemId) -> Vec<ItemId> {
        self.host.admission.release(self.item(item))
    }

    fn offer(&self, item: ItemId) {
        self.host.admission.offer(self.item(item));
    }

    fn yields_permit(&self) -> bool {
        self.host.admission.yields_permit(self.id)
    }

    fn stopped_after(&self, time: Duration) {
        self.host.stop_latencies.record(time);
        meter::stopped(time);
    }

    fn call(&self) -> Option<Call> {
        Some(Call { manager: self.host.id, run: self.id, item: None })
    }

    fn span(&self) -> tracing::Span {
        self.span.clone()
    }

    fn attention_time(&self) -> Duration {
        self.run.upgrade().map(|run| run.attention.attention_time()).unwrap_or_default()
    }

    fn request_workers(&self, count: usize) -> usize {
        if self.nested == Nested::Yes {
            self.host.admission.nest(self.id);
        }
        self.host.admission.request_permits(self.id, count)
    }

    fn return_workers(&self, count: usize) {
        self.host.admission.return_permits(self.id, count);
    }

    fn requeue(&self, item: ItemId) {
        self.host.admission.requeue(self.item(item));
    }

    fn is_contended(&self) -> bool {
        self.host.admission.is_contended()
    }

    fn cancel_permit_request(&self) {
        self.host.admission.cancel_permit_request(self.id);
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        // Not awaited: tasks end by themselves or are dropped with their item.
        _ = self.tasks.spawn(task);
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        self.tasks.blocking(job);
    }
}
