//! A handler that succeeds only if every permit, worker and claim is free again.

use futures::FutureExt;
use syncmgr::{
    HandlerId, HandlerInfo, ItemContext, Items, Limits, PrepareContext, SyncHandler, SyncItem, SyncManager, SyncResult,
    Trigger, async_trait,
};
use tokio::sync::Barrier;
use tokio::time::{Duration, timeout};

use super::plans::CLAIMS;
use super::setup::Setting;

/// A handler whose items wait for each other.
struct Probe {
    items: usize,
    claim: Option<&'static str>,
    asks_user: bool,
    together: Barrier,
}

const PROBE: HandlerId = HandlerId::from_u128(0xFF);

#[async_trait]
impl SyncHandler for Probe {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(PROBE, "Probe").with_limits(Limits::default().with_items(self.items))
    }

    async fn items(&self) -> SyncResult<Items> {
        let items = (0..self.items).map(|number| SyncItem::named(number.to_string()));
        Ok(items.map(|item| self.claim.into_iter().fold(item, SyncItem::with_claim)).collect())
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        if self.asks_user {
            drop(run.interaction().await?);
        }
        Ok(())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        self.together.wait().await;
        Ok(())
    }
}

/// Returns a description of the leak if a permit, a worker or a claim is still taken although all work has ended.
pub(crate) async fn leak(manager: &SyncManager, setting: &Setting) -> Option<String> {
    // No permit is reserved for another handler while the probe is the only one.
    manager.handlers().iter().for_each(|handler| assert!(manager.unregister(handler.id())));
    let limited = |items: usize| items.min(setting.max_concurrent_items);
    let everything = (None, setting.max_concurrent_items);
    let claims = CLAIMS.into_iter().zip(setting.capacities).map(|(claim, items)| (Some(claim), limited(items)));
    for (claim, items) in std::iter::once(everything).chain(claims) {
        let probe = Probe { items, claim, asks_user: setting.has_user(), together: Barrier::new(items) };
        if timeout(Duration::from_secs(60), run(manager, probe)).await != Ok(true) {
            return Some(format!("a probe of {items} items with claim {claim:?} fails: {:?}", manager.held()));
        }
    }
    None
}

async fn run(manager: &SyncManager, probe: Probe) -> bool {
    let ids: Vec<_> =
        probe.items().now_or_never().into_iter().flatten().flat_map(|items| items.shared().to_vec()).collect();
    manager.register(probe).expect("no other handler has this id");
    let request = manager.session(Trigger::Manual).items(PROBE, ids.iter().map(SyncItem::id)).may_bother_user().force();
    let report = request.start().expect("the manager is running").finish().await;
    manager.unregister(PROBE);
    report.is_success()
}
