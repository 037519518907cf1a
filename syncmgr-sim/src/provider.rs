//! The simulated provider: brings copies up to date with a peer, chunk by chunk.

use std::time::Duration;

use async_trait::async_trait;
use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::context::{ItemContext, PrepareContext, RunContext};
use syncmgr_core::error::{Classify, SyncResult};
use syncmgr_core::handler::{Participation, SyncHandler};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::info::{HandlerFlags, HandlerInfo, Limits};
use syncmgr_core::item::{Items, SyncItem};
use syncmgr_core::trigger::RunFlags;

use crate::peer::Key;
use crate::script::{Item, ProviderPlan};
use crate::world::World;

/// How long a part of an item takes at most.
pub(crate) const CHUNK: Duration = Duration::from_millis(300);

/// A provider of one process.
pub(crate) struct Copier {
    pub(crate) plan: ProviderPlan,
    items: Vec<Item>,
    pub(crate) world: World,
}

pub(crate) fn handler_id(place: usize) -> HandlerId {
    HandlerId::from_u128(0xA0 + place as u128)
}

pub(crate) fn item_id(place: usize, item: usize) -> ItemId {
    ItemId::from_u128((place as u128 + 1) * 100 + item as u128)
}

/// A claim that items share.
pub(crate) fn claim(number: usize) -> String {
    format!("resource {number}")
}

/// Failures are told as errors without anything to look at.
#[derive(Debug, thiserror::Error)]
#[error("the script says so")]
pub(crate) struct Scripted;

impl Copier {
    pub(crate) fn new(plan: &ProviderPlan, items: Vec<Item>, world: World) -> Self {
        Self { plan: plan.clone(), items, world }
    }

    pub(crate) fn key(&self, item: ItemId) -> Key {
        (handler_id(self.plan.place), item)
    }

    pub(crate) fn item_plan(&self, item: ItemId) -> Item {
        let found = self.items.iter().find(|plan| item_id(plan.provider, plan.place) == item);
        found.cloned().unwrap_or_default()
    }
}

#[async_trait]
impl SyncHandler for Copier {
    fn info(&self) -> HandlerInfo {
        let ProviderPlan { place, at_once, claim: claimed, network, .. } = self.plan;
        let mut capabilities = Capabilities::default();
        capabilities.set(Capabilities::NEEDS_NETWORK, network.is_some());
        capabilities.set(Capabilities::FRUGAL, network == Some(true));
        let limits = Limits::DEFAULT.with_items(if at_once == 0 { 8 } else { at_once });
        let info = HandlerInfo::new(handler_id(place), "")
            .with_name(format!("handler {place}"))
            .with_flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
            .with_capabilities(capabilities)
            .with_limits(limits);
        claimed.into_iter().fold(info, |info, number| info.with_claim(claim(number)))
    }

    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        self.world.shake("initialize", run.handler().guid().as_u128(), CHUNK).await;
        Ok(Participation::TakePart)
    }

    async fn items(&self) -> SyncResult<Items> {
        let handler = handler_id(self.plan.place);
        self.world.shake("items", handler.guid().as_u128(), CHUNK).await;
        let fails = self.world.reach(|state| {
            let left = state.sides.unlisted.get_mut(&handler).filter(|left| **left > 0)?;
            *left -= 1;
            Some(())
        });
        if fails.flatten().is_some() {
            return Err(Scripted).transient();
        }
        let is_there = |item: &&Item| self.look((handler, item_id(item.provider, item.place))).is_ok();
        let listed = self.items.iter().filter(is_there).map(|item| {
            let listed =
                SyncItem::new(item_id(item.provider, item.place), format!("item {}.{}", item.provider, item.place));
            item.claim.into_iter().fold(listed, |listed, number| listed.with_claim(claim(number)))
        });
        Ok(listed.collect())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        if self.plan.connects {
            run.establish_connection(Some("peer")).await?;
        }
        if self.plan.asks && run.flags().contains(RunFlags::MAY_BOTHER_USER) {
            let permit = run.interaction().await?;
            permit.confirm("shall it be done?").await?;
        } else if self.plan.asks && run.interaction().await.is_ok() {
            self.world.breaks("nobody is bothered who may not be", format!("in session {}", run.session()));
        }
        self.world.shake("prepare", run.handler().guid().as_u128(), CHUNK).await;
        Ok(())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.copy(item).await
    }
}
