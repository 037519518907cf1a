//! Plays a handler that is data.

use std::future::Future;

use futures::future::try_join;
use syncmgr::handler::{HandlerFlags, Resolution};
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::{
    HandlerId, HandlerInfo, ItemContext, ItemId, Items, LogEntry, LogLevel, Participation, PrepareContext, Progress,
    RunContext, SyncHandler, SyncItem, SyncResult, SynchronizeContext, async_trait,
};

use super::ledger::{Ledger, Stray, Thing, Visiting};
use super::plans::{Hand, Listing, Plan, ShowError, Synchronize, item_id};
use super::steps::{Awaited, End, ItemStep, RunStep, panic_quietly, wait};

/// A handler that does what its plan says.
pub(crate) struct Player {
    id: HandlerId,
    plan: Plan,
    ledger: Ledger,
}

impl Player {
    pub(crate) fn new(id: HandlerId, plan: Plan, ledger: Ledger) -> Self {
        Self { id, plan, ledger }
    }

    async fn play(&self, run: &RunContext, steps: &[RunStep]) -> SyncResult {
        for step in steps {
            match step {
                RunStep::Wait(time) => wait(*time).await,
                RunStep::Ask(time) => self.ask(run, *time).await?,
                RunStep::KeepPermit => drop(run.keep(run.interaction().await?)),
                RunStep::Connect(name) => connect(run, *name).await?,
                RunStep::Keep => drop(run.keep(self.ledger.count(Thing::Kept))),
                RunStep::Link => run.log(link()),
                RunStep::Stray => self.ledger.put_aside(Stray::Run(run.clone())),
                RunStep::End(end) => end.come().await?,
                RunStep::Exclude(_) => {}
            }
        }
        Ok(())
    }

    async fn ask(&self, run: &RunContext, time: u16) -> SyncResult {
        let permit = run.interaction().await?;
        let counted = self.ledger.count(Thing::Permit);
        permit.confirm("go on?").await?;
        wait(time).await;
        drop(counted);
        Ok(())
    }

    async fn play_item(&self, item: &ItemContext) -> SyncResult {
        let (_, plan) = self.plan.item(item.name());
        let visiting = self.ledger.visit((self.id, self.plan.bounds.items), item.id(), &plan.claims);
        let mut guards = Vec::new();
        for step in &plan.steps {
            match step {
                ItemStep::Uninterrupted => guards.push(item.uninterrupted()),
                step => self.step(item, *step, &visiting).await?,
            }
        }
        Ok(())
    }

    async fn step(&self, item: &ItemContext, step: ItemStep, visiting: &Visiting) -> SyncResult {
        match step {
            ItemStep::Progress => item.progress(1, 2)?,
            ItemStep::Deaf => _ = item.progress(1, 2),
            ItemStep::Wait(time) => wait(time).await,
            ItemStep::AwaitCancel => item.cancelled().await,
            ItemStep::Spawn(time, awaited, end) => {
                let part = visiting.part();
                let task = item.spawn(async move {
                    let _part = part;
                    wait(time).await;
                    end.come().await
                });
                if awaited == Awaited::Yes {
                    task.await?;
                }
            }
            ItemStep::Concurrently(time) => {
                _ = item.concurrently(2, [0, time, 1], async |time| waited(time).await).await?
            }
            ItemStep::Decide => _ = item.decide("side", "Which side wins?", &["here", "there"]),
            ItemStep::Tolerate => _ = item.tolerate("a part", End::Fail(0).come().await)?,
            ItemStep::Ask(time) => self.ask(item.run(), time).await?,
            ItemStep::Connect(name) => connect(item.run(), name).await?,
            ItemStep::Link => item.log(link()),
            ItemStep::Stray => self.ledger.put_aside(Stray::Item(item.clone())),
            ItemStep::End(end) => end.come().await?,
            ItemStep::Uninterrupted => {}
        }
        Ok(())
    }

    async fn by_hand(&self, run: &SynchronizeContext, hands: &[Hand]) -> SyncResult {
        for (item, hand) in run.selection().iter().zip(hands.iter().cycle()) {
            // Whatever is answered, a handler may go on with the next.
            _ = self.report(run, item.id(), *hand).await;
        }
        Ok(())
    }

    async fn report(&self, run: &SynchronizeContext, item: ItemId, hand: Hand) -> SyncResult {
        let ends = |status| Progress::new().with_status(status);
        match hand {
            Hand::Nothing => {}
            Hand::Begins => run.report(item, Progress::new().with_value(1))?,
            Hand::Succeeds(time) => {
                run.report(item, Progress::new().with_value(1).with_max(2))?;
                wait(time).await;
                run.report(item, ends(Status::Succeeded))?;
            }
            Hand::Fails => run.report(item, ends(Status::Failed))?,
            Hand::EndsTwice => {
                run.report(item, ends(Status::Succeeded))?;
                run.report(item, ends(Status::Failed))?;
            }
            Hand::NamesAnother => run.report(ItemId::from_name("another"), Progress::new().with_value(1))?,
        }
        Ok(())
    }
}

async fn waited(time: u16) -> SyncResult {
    wait(time).await;
    Ok(())
}

async fn connect(run: &RunContext, name: u8) -> SyncResult {
    run.establish_connection([None, Some("office"), Some("nowhere")][usize::from(name) % 3]).await
}

/// An entry that can be opened.
fn link() -> LogEntry {
    LogEntry::new(LogLevel::Warning, "look").with_link(ErrorId::from_key("look"))
}

/// What a generated handler says of itself.
pub(crate) fn info(id: HandlerId, plan: &Plan) -> HandlerInfo {
    let flags = HandlerFlags::MAY_ESTABLISH_CONNECTION;
    HandlerInfo::new(id, "Generated").with_flags(flags).with_limits(plan.bounds.limits())
}

/// What a generated handler lists.
pub(crate) fn items(plan: &Plan) -> Items {
    let mut items = plan.listed();
    match plan.listing {
        Listing::Incomplete => return Items::incomplete(items),
        Listing::WithOffenders => {
            items.extend(items.first().cloned());
            items.push(SyncItem::new(ItemId::from_u128(0), "nil"));
        }
        _ => {}
    }
    items.into()
}

/// The items a retry asks for.
pub(crate) fn again(wanted: u8) -> Vec<ItemId> {
    (0..8).filter(|place| wanted & (1 << place) != 0).map(item_id).collect()
}

#[async_trait]
impl SyncHandler for Player {
    fn info(&self) -> HandlerInfo {
        info(self.id, &self.plan)
    }

    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        let _calling = self.ledger.call(self.id, run.session());
        self.play(run, &self.plan.initialize).await?;
        Ok(if self.plan.declines { Participation::Decline } else { Participation::TakePart })
    }

    async fn items(&self) -> SyncResult<Items> {
        match self.plan.listing {
            Listing::Error => End::Fail(0).come().await?,
            Listing::Panic => panic_quietly(),
            Listing::Hang => End::Hang.come().await?,
            _ => {}
        }
        Ok(items(&self.plan))
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let _calling = self.ledger.call(self.id, run.session());
        self.ledger.books().note_prepared(run);
        for step in &self.plan.prepare {
            match step {
                RunStep::Exclude(place) => {
                    _ = run.exclude(item_id((*place).into()), syncmgr::anyhow::anyhow!("not today"))
                }
                RunStep::Stray => self.ledger.put_aside(Stray::Prepare(run.clone())),
                step => self.play(run, &[*step]).await?,
            }
        }
        Ok(())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let _calling = self.ledger.call(self.id, run.session());
        match &self.plan.synchronize {
            Synchronize::EachItem => run.each_item().await,
            Synchronize::EachItemTwice => try_join(run.each_item(), run.each_item()).await.map(|_| ()),
            Synchronize::Each => run.each(|item| async move { self.play_item(&item).await }).await,
            Synchronize::ByHand(hands) => self.by_hand(run, hands).await,
            Synchronize::Around(before, after) => {
                self.ledger.put_aside(Stray::Synchronize(run.clone()));
                self.play(run, before).await?;
                run.each_item().await?;
                self.play(run, after).await
            }
        }
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.play_item(item).await
    }

    async fn show_error(&self, run: &RunContext, _: ErrorId) -> SyncResult<Resolution> {
        match self.plan.show_error {
            ShowError::Done => {}
            ShowError::Retry(wanted) => return Ok(Resolution::Retry(again(wanted))),
            ShowError::Ask(time) => self.ask(run, time).await?,
            ShowError::Fail => End::Fail(0).come().await?,
            ShowError::Panic => panic_quietly(),
            ShowError::Hang => End::Hang.come().await?,
        }
        Ok(Resolution::Done)
    }
}

/// Whether a future is ready at once, and what with.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    futures::FutureExt::now_or_never(future)
}
