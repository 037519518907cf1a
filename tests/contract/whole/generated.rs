//! A handler that executes a plan.

use std::future::Future;

use futures::future::try_join;
use syncmgr::handler::{HandlerFlags, Resolution};
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::{
    HandlerId, HandlerInfo, ItemContext, ItemId, Items, LogEntry, LogLevel, Participation, PrepareContext, Progress,
    RunContext, SyncHandler, SyncItem, SyncResult, SynchronizeContext, async_trait,
};

use super::model::{ActiveItemGuard, Model, Resource, SavedContext};
use super::plans::{HandlerPlan, Listing, ManualReport, ShowError, Synchronize, item_id};
use super::steps::{Awaited, End, ItemStep, RunStep, panic_quietly, wait};

/// A handler that executes its plan.
pub(crate) struct GeneratedHandler {
    id: HandlerId,
    plan: HandlerPlan,
    model: Model,
}

impl GeneratedHandler {
    pub(crate) fn new(id: HandlerId, plan: HandlerPlan, model: Model) -> Self {
        Self { id, plan, model }
    }

    async fn execute(&self, run: &RunContext, steps: &[RunStep]) -> SyncResult {
        for step in steps {
            match step {
                RunStep::Wait(time) => wait(*time).await,
                RunStep::Ask(time) => self.ask(run, *time).await?,
                RunStep::KeepPermit => drop(run.keep(run.interaction().await?)),
                RunStep::Connect(name) => connect(run, *name).await?,
                RunStep::Keep => drop(run.keep(self.model.count(Resource::Kept))),
                RunStep::Link => run.log(link()),
                RunStep::SaveContext => self.model.save_context(SavedContext::Run(run.clone())),
                RunStep::End(end) => end.run().await?,
                RunStep::Exclude(_) => {}
            }
        }
        Ok(())
    }

    async fn ask(&self, run: &RunContext, time: u16) -> SyncResult {
        let permit = run.interaction().await?;
        let counted = self.model.count(Resource::Permit);
        permit.confirm("continue?").await?;
        wait(time).await;
        drop(counted);
        Ok(())
    }

    async fn execute_item(&self, item: &ItemContext) -> SyncResult {
        let (_, plan) = self.plan.item(item.name());
        let guard = self.model.begin_item((self.id, self.plan.bounds.items), item.id(), &plan.claims);
        let mut guards = Vec::new();
        for step in &plan.steps {
            match step {
                ItemStep::Uninterrupted => guards.push(item.uninterrupted()),
                step => self.step(item, *step, &guard).await?,
            }
        }
        Ok(())
    }

    async fn step(&self, item: &ItemContext, step: ItemStep, guard: &ActiveItemGuard) -> SyncResult {
        match step {
            ItemStep::Progress => item.progress(1, 2)?,
            ItemStep::IgnoreCancel => _ = item.progress(1, 2),
            ItemStep::Wait(time) => wait(time).await,
            ItemStep::AwaitCancel => item.cancelled().await,
            ItemStep::Spawn(time, awaited, end) => {
                let task_guard = guard.task();
                let task = item.spawn(async move {
                    let _guard = task_guard;
                    wait(time).await;
                    end.run().await
                });
                if awaited == Awaited::Yes {
                    task.await?;
                }
            }
            ItemStep::Concurrently(time) => {
                _ = item.concurrently(2, [0, time, 1], async |time| wait_ok(time).await).await?
            }
            ItemStep::Decide => _ = item.decide("side", "Which side wins?", &["here", "there"]),
            ItemStep::Tolerate => _ = item.tolerate("a part", End::Fail(0).run().await)?,
            ItemStep::Ask(time) => self.ask(item.run(), time).await?,
            ItemStep::Connect(name) => connect(item.run(), name).await?,
            ItemStep::Link => item.log(link()),
            ItemStep::SaveContext => self.model.save_context(SavedContext::Item(item.clone())),
            ItemStep::End(end) => end.run().await?,
            ItemStep::Uninterrupted => {}
        }
        Ok(())
    }

    async fn report_items(&self, run: &SynchronizeContext, reports: &[ManualReport]) -> SyncResult {
        for (item, manual) in run.selection().iter().zip(reports.iter().cycle()) {
            // A handler may continue with the next item after any answer.
            _ = self.report(run, item.id(), *manual).await;
        }
        Ok(())
    }

    async fn report(&self, run: &SynchronizeContext, item: ItemId, manual: ManualReport) -> SyncResult {
        let ends = |status| Progress::new().with_status(status);
        match manual {
            ManualReport::Nothing => {}
            ManualReport::Begins => run.report(item, Progress::new().with_value(1))?,
            ManualReport::Succeeds(time) => {
                run.report(item, Progress::new().with_value(1).with_max(2))?;
                wait(time).await;
                run.report(item, ends(Status::Succeeded))?;
            }
            ManualReport::Fails => run.report(item, ends(Status::Failed))?,
            ManualReport::EndsTwice => {
                run.report(item, ends(Status::Succeeded))?;
                run.report(item, ends(Status::Failed))?;
            }
            ManualReport::NamesAnother => run.report(ItemId::from_name("another"), Progress::new().with_value(1))?,
        }
        Ok(())
    }
}

async fn wait_ok(time: u16) -> SyncResult {
    wait(time).await;
    Ok(())
}

async fn connect(run: &RunContext, name: u8) -> SyncResult {
    run.establish_connection([None, Some("office"), Some("nowhere")][usize::from(name) % 3]).await
}

/// An entry that can be opened.
fn link() -> LogEntry {
    LogEntry::new(LogLevel::Warning, "link").with_link(ErrorId::from_key("link"))
}

/// A generated handler's description of itself.
pub(crate) fn info(id: HandlerId, plan: &HandlerPlan) -> HandlerInfo {
    let flags = HandlerFlags::MAY_ESTABLISH_CONNECTION;
    HandlerInfo::new(id, "Generated").with_flags(flags).with_limits(plan.bounds.limits())
}

/// A generated handler's listing.
pub(crate) fn items(plan: &HandlerPlan) -> Items {
    let mut items = plan.listed();
    match plan.listing {
        Listing::Incomplete => return Items::incomplete(items),
        Listing::WithInvalidItems => {
            items.extend(items.first().cloned());
            items.push(SyncItem::new(ItemId::from_u128(0), "nil"));
        }
        _ => {}
    }
    items.into()
}

/// The items a retry asks for.
pub(crate) fn retry_items(wanted: u8) -> Vec<ItemId> {
    (0..8).filter(|index| wanted & (1 << index) != 0).map(item_id).collect()
}

#[async_trait]
impl SyncHandler for GeneratedHandler {
    fn info(&self) -> HandlerInfo {
        info(self.id, &self.plan)
    }

    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        let _call = self.model.call(self.id, run.session());
        self.execute(run, &self.plan.initialize).await?;
        Ok(if self.plan.declines { Participation::Decline } else { Participation::TakePart })
    }

    async fn items(&self) -> SyncResult<Items> {
        match self.plan.listing {
            Listing::Error => End::Fail(0).run().await?,
            Listing::Panic => panic_quietly(),
            Listing::Hang => End::Hang.run().await?,
            _ => {}
        }
        Ok(items(&self.plan))
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let _call = self.model.call(self.id, run.session());
        self.model.lock().record_prepared(run);
        for step in &self.plan.prepare {
            match step {
                RunStep::Exclude(index) => {
                    _ = run.exclude(item_id((*index).into()), syncmgr::anyhow::anyhow!("not today"))
                }
                RunStep::SaveContext => self.model.save_context(SavedContext::Prepare(run.clone())),
                step => self.execute(run, &[*step]).await?,
            }
        }
        Ok(())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let _call = self.model.call(self.id, run.session());
        match &self.plan.synchronize {
            Synchronize::EachItem => run.each_item().await,
            Synchronize::EachItemTwice => try_join(run.each_item(), run.each_item()).await.map(|_| ()),
            Synchronize::Each => run.each(|item| async move { self.execute_item(&item).await }).await,
            Synchronize::ManualReports(reports) => self.report_items(run, reports).await,
            Synchronize::Around(before, after) => {
                self.model.save_context(SavedContext::Synchronize(run.clone()));
                self.execute(run, before).await?;
                run.each_item().await?;
                self.execute(run, after).await
            }
        }
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.execute_item(item).await
    }

    async fn show_error(&self, run: &RunContext, _: ErrorId) -> SyncResult<Resolution> {
        match self.plan.show_error {
            ShowError::Done => {}
            ShowError::Retry(wanted) => return Ok(Resolution::Retry(retry_items(wanted))),
            ShowError::Ask(time) => self.ask(run, time).await?,
            ShowError::Fail => End::Fail(0).run().await?,
            ShowError::Panic => panic_quietly(),
            ShowError::Hang => End::Hang.run().await?,
        }
        Ok(Resolution::Done)
    }
}

/// Polls a future once and returns its output if it is ready.
pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    futures::FutureExt::now_or_never(future)
}
