//! The simulated provider, which copies items from a peer chunk by chunk.

use std::time::Duration;

use async_trait::async_trait;
use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::context::{ItemContext, PrepareContext, RunContext};
use syncmgr_core::error::{Classify, SyncResult};
use syncmgr_core::handler::{Participation, SyncHandler};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::info::{ConditionPolicy, HandlerFlags, HandlerInfo, Limits};
use syncmgr_core::item::{Items, SyncItem};
use syncmgr_core::trigger::RunFlags;

use crate::error::Scripted;
use crate::model::Listed;
use crate::peer::Key;
use crate::rule::Rule;
use crate::script::{Item, ProviderPlan};
use crate::sim::Sim;

/// The upper bound of the random delay of a handler call or a chunk.
pub(crate) const CHUNK: Duration = Duration::from_millis(300);

/// The provider. Each process creates a new one.
pub(crate) struct Copier {
    pub(crate) plan: ProviderPlan,
    items: Vec<Item>,
    rules: Vec<Rule>,
    pub(crate) sim: Sim,
}

pub(crate) fn handler_id(index: usize) -> HandlerId {
    HandlerId::from_u128(0xA0 + index as u128)
}

pub(crate) fn item_id(index: usize, item: usize) -> ItemId {
    ItemId::from_u128((index as u128 + 1) * 100 + item as u128)
}

/// Returns the watched path of an item.
pub(crate) fn path(provider: usize, item: usize) -> String {
    format!("/peer/{provider}/{item}")
}

/// Returns the name of a claim that items share.
pub(crate) fn claim(number: usize) -> String {
    format!("resource {number}")
}

impl Copier {
    pub(crate) fn new(plan: &ProviderPlan, items: Vec<Item>, rules: Vec<Rule>, sim: Sim) -> Self {
        Self { plan: plan.clone(), items, rules, sim }
    }

    pub(crate) fn key(&self, item: ItemId) -> Key {
        (handler_id(self.plan.index), item)
    }

    /// Returns `true` if the peer has an item, and records that in the model.
    fn is_listed(&self, item: &Item) -> bool {
        let key = self.key(item_id(item.provider, item.index));
        let listed = if self.peer_progress(key).is_ok() { Listed::Yes } else { Listed::No };
        self.sim.try_with(|state| {
            state.model.observe_listed(key, listed);
            state.model.item(key).has_claims = item.claim.is_some();
        });
        listed == Listed::Yes
    }

    /// Sets what the rules say about an item.
    fn with_rules(&self, item: SyncItem, index: usize) -> SyncItem {
        self.rules.iter().fold(item, |item, rule| match rule {
            Rule::Schedule(_, Some(of), plan) if *of == index => item.with_schedule(plan.schedule()),
            Rule::Requires(_, Some(of), requirement) if *of == index => item.requires(*requirement),
            Rule::Watches(provider) => item.with_watch(path(*provider, index)),
            _ => item,
        })
    }

    pub(crate) fn item_plan(&self, item: ItemId) -> Item {
        let found = self.items.iter().find(|plan| item_id(plan.provider, plan.index) == item);
        found.cloned().unwrap_or_default()
    }
}

#[async_trait]
impl SyncHandler for Copier {
    fn info(&self) -> HandlerInfo {
        let ProviderPlan { index, max_concurrent, claim: claimed, network, .. } = self.plan;
        let mut capabilities = Capabilities::default();
        capabilities.set(Capabilities::NEEDS_NETWORK, network.is_some());
        capabilities.set(Capabilities::LOW_DATA, network == Some(true));
        let limits = Limits::DEFAULT.with_items(if max_concurrent == 0 { 8 } else { max_concurrent });
        let info = HandlerInfo::new(handler_id(index), "")
            .with_name(format!("handler {index}"))
            .with_flags(HandlerFlags::MAY_ESTABLISH_CONNECTION)
            .with_capabilities(capabilities)
            .with_limits(limits);
        let info = self.rules.iter().fold(info, |info, rule| match rule {
            Rule::Schedule(_, None, plan) => info.with_schedule(plan.schedule()),
            Rule::Requires(_, None, requirement) => info.requires(*requirement),
            Rule::StopsWithConditions(_) => info.with_condition_policy(ConditionPolicy::Stop),
            _ => info,
        });
        claimed.into_iter().fold(info, |info, number| info.with_claim(claim(number)))
    }

    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        self.sim.yield_or_sleep("initialize", run.handler().guid().as_u128(), CHUNK).await;
        Ok(Participation::TakePart)
    }

    async fn items(&self) -> SyncResult<Items> {
        let handler = handler_id(self.plan.index);
        self.sim.yield_or_sleep("items", handler.guid().as_u128(), CHUNK).await;
        let fails = self.sim.try_with(|state| {
            let left = state.sides.failing_listings.get_mut(&handler).filter(|left| **left > 0)?;
            *left -= 1;
            state.model.failed_listings.insert(handler);
            Some(())
        });
        if fails.flatten().is_some() {
            return Err(Scripted).transient();
        }
        let listed = self.items.iter().filter(|item| self.is_listed(item)).map(|item| {
            let listed = self.with_rules(
                SyncItem::new(item_id(item.provider, item.index), format!("item {}.{}", item.provider, item.index)),
                item.index,
            );
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
            permit.confirm("continue?").await?;
        } else if self.plan.asks && run.interaction().await.is_ok() {
            self.sim
                .report_violation("the user is asked only with permission", format!("in session {}", run.session()));
        }
        self.sim.yield_or_sleep("prepare", run.handler().guid().as_u128(), CHUNK).await;
        Ok(())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.copy(item).await
    }
}
