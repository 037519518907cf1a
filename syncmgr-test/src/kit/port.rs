//! The host as the handler under judgement sees it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::anyhow;
use futures::FutureExt;
use futures::future::{BoxFuture, pending};
use syncmgr_core::cancel::Cancel;
use syncmgr_core::cell::ItemCell;
use syncmgr_core::context::ItemContext;
use syncmgr_core::error::{SyncResult, one_line};
use syncmgr_core::id::{ErrorScope, ItemId};
use syncmgr_core::log::{LogEntry, Question};
use syncmgr_core::plan::{Clearance, Plan};
use syncmgr_core::port::{InteractionPermit, ItemWork, Kept, ReportError, RunFacts, RunPort};
use syncmgr_core::progress::Progress;

use super::account::{Event, Granted};
use super::lent::Lent;
use super::place::{Call, Moment, Named};
use super::watch::{Answer, Watch};
use super::watched::{self, Watched};

/// Passes on what a call asks of its host, and writes it down.
pub(super) struct WitnessPort {
    host: Arc<dyn RunPort>,
    watch: Arc<Watch>,
    call: Call,
    kept: Arc<Kept>,
    /// That of the item the call is about.
    cell: OnceLock<Arc<ItemCell>>,
}

impl WitnessPort {
    pub(super) fn new(host: Arc<dyn RunPort>, watch: &Arc<Watch>, call: Call) -> Arc<Self> {
        let session = host.facts().session;
        let kept = watch.kept(session);
        if host.kept().of::<Closing>().is_none() {
            host.kept().put(Closing { kept: kept.clone(), watch: watch.clone() });
        }
        Arc::new(Self { host, watch: watch.clone(), call, kept, cell: OnceLock::new() })
    }

    /// The context of an item over this port.
    pub(super) fn item(self: Arc<Self>, item: &ItemContext) -> ItemContext {
        self.watch.remember(Named::from(item.item()), item.cell().clone());
        self.cell.get_or_init(|| item.cell().clone());
        ItemContext::new(self, item.place(), item.cell().clone())
    }

    fn named(&self, id: ItemId) -> Named {
        if let Some(own) = self.call.item().filter(|own| own.id == id) {
            return own.clone();
        }
        let listed = self.facts().selection.iter().find(|item| item.id() == id);
        listed.map_or_else(|| Named { id, name: id.to_string().into() }, Named::from)
    }

    fn note(&self, event: Event) {
        self.watch.note(event);
    }

    /// Writes down that a context was used when its run was over.
    fn look_at_the_time(&self, what: &str) {
        let over = match self.cell.get() {
            _ if self.watch.is_over(self.facts().session) => "its session was over",
            Some(cell) if cell.check_not_over().is_err() => "it had ended",
            _ => return,
        };
        self.note(Event::Late(format!("{} {what} when {over}", self.call)));
    }

    fn each_of<'a>(&'a self, item: ItemContext, work: &'a ItemWork<'a>) -> BoxFuture<'a, SyncResult> {
        let call = Call::Item(Named::from(item.item()));
        let own = Self::new(item.run().host(), &self.watch, call.clone()).item(&item);
        async move { watched::item_call(&self.watch, call, own.cell(), work(own.clone())).await }.boxed()
    }

    /// Goes on, unless the call does not.
    async fn unless_cut(&self, call: &Call) {
        if !self.watch.goes_on(call) {
            pending().await
        }
    }
}

/// Kept by the host for as long as it keeps anything of the run.
struct Closing {
    kept: Arc<Kept>,
    watch: Arc<Watch>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        if !self.watch.forgets() {
            self.kept.clear();
        }
    }
}

impl RunPort for WitnessPort {
    fn facts(&self) -> &RunFacts {
        self.host.facts()
    }

    fn cancel(&self) -> &Cancel {
        self.host.cancel()
    }

    fn is_skipped(&self, item: ItemId) -> bool {
        self.host.is_skipped(item)
    }

    fn kept(&self) -> &Kept {
        &self.kept
    }

    fn log(&self, entry: LogEntry) {
        self.look_at_the_time("logged something");
        self.note(Event::Logged(entry.level, entry.text.to_string()));
        self.host.log(entry);
    }

    fn delete_log(&self, scope: ErrorScope) {
        self.host.delete_log(scope);
    }

    fn report(&self, item: ItemId, report: &Progress) -> Result<(), ReportError> {
        let taken = self.host.report(item, report);
        let mistake = match taken {
            Ok(()) | Err(ReportError::Cancelled(_)) => None,
            Err(error) => Some(error),
        };
        if self.watch.is_over(self.facts().session) {
            self.look_at_the_time("reported progress");
        } else if let Some(error) = mistake {
            self.note(Event::Misreported(format!("{}: {error}", self.named(item))));
        } else {
            let item = self.named(item);
            self.note(
                report
                    .status
                    .map_or_else(|| Event::Reported(item.clone()), |status| Event::Showed(item.clone(), status)),
            );
        }
        taken
    }

    fn exclude(&self, item: ItemId, error: anyhow::Error) -> Result<(), ReportError> {
        let excluded = self.host.exclude(item, error);
        if let Err(error) = excluded {
            self.note(Event::Misreported(format!("excluding {}: {error}", self.named(item))));
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
        let watch = self.watch.clone();
        self.host.blocking(Box::new(move || {
            if watch.forgets() {
                return std::mem::forget(job);
            }
            watch.blocking_begins();
            job();
            watch.blocking_ends();
        }));
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.look_at_the_time("started a task");
        let call = self.watch.begins_task();
        self.host.spawn(Watched::new(&self.watch, call, task).boxed());
    }

    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>> {
        self.look_at_the_time("asked for the user's attention");
        async {
            let permit = self.host.interaction().await;
            let granted = if permit.is_ok() { Granted::Yes } else { Granted::No };
            self.note(Event::Attention(self.call.clone(), granted));
            Ok(Lent::to(&self.call, permit?, &self.watch))
        }
        .boxed()
    }

    fn connect<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, SyncResult> {
        self.look_at_the_time("asked for a connection");
        async move {
            let connected = self.host.connect(name).await;
            self.note(Event::Connected(self.call.clone(), connected.as_ref().map(drop).map_err(one_line)));
            connected
        }
        .boxed()
    }

    fn decide(&self, item: ItemId, question: &Question) -> Option<usize> {
        self.look_at_the_time("asked for a decision");
        self.host.decide(item, question)
    }

    fn saved(&self, item: ItemId) -> SyncResult<Option<Arc<str>>> {
        self.look_at_the_time("read what was saved");
        self.note(Event::ReadState(self.named(item)));
        self.host.saved(item)
    }

    fn commit(&self, item: ItemId, state: Arc<str>) -> BoxFuture<'_, SyncResult> {
        self.look_at_the_time("committed");
        async move {
            let call = Call::Item(self.named(item));
            let number = self.watch.commits(&call);
            let answer = self.watch.arrive(&call, Moment::BeforeCommit(number));
            self.unless_cut(&call).await;
            let stored = match answer {
                Answer::Stored => self.host.commit(item, state).await,
                Answer::Refused => Err(anyhow!("the kit has the store refuse this commit; nothing of it was stored")),
            };
            self.note(Event::Committed(self.named(item), stored.as_ref().map(drop).map_err(one_line)));
            _ = self.watch.arrive(&call, Moment::AfterCommit(number));
            self.unless_cut(&call).await;
            stored
        }
        .boxed()
    }

    fn clear(&self, item: ItemId, plan: &Plan) -> Clearance {
        self.look_at_the_time("asked whether a plan may be carried out");
        self.host.clear(item, plan)
    }

    fn sync_paths(&self, paths: Vec<PathBuf>) -> BoxFuture<'_, SyncResult> {
        self.host.sync_paths(paths)
    }
}
