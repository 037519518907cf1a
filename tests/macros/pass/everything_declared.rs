//! Every key is part of the generated constant `HANDLER`.
#![deny(warnings)]

use std::time::Duration;

use syncmgr::changes::Settle;
use syncmgr::handler::{Capabilities, ConditionPolicy, HandlerFlags, Importance, Requirement, StallPolicy};
use syncmgr::prelude::*;
use syncmgr::{Limits, RetryPolicy};

struct OfflinePages;

#[sync_handler(
    id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59",
    name = "Offline Web Pages",
    flags(has_properties, may_establish_connection, always_list, hidden),
    capabilities(cancellable, resumable, idempotent, needs_network, real_time, low_data),
    requires(mains, idle_user),
    when_condition_ends = stop,
    importance = high,
    settle(quiet = "250ms", max_wait = "1min"),
    limits(
        items = 4,
        soft_grace = "250ms",
        hard_grace = "2min",
        initialize = "1s",
        list = "2s",
        prepare = "3min",
        stall = "1500ms",
        when_stalled = report,
    ),
    state_version = 2,
    retry(initial = "500ms", factor = 3, cap = "2h", jitter = 0, budget = 5, partial_budget = 60)
)]
impl SyncHandler for OfflinePages {
    async fn synchronize(&self, _run: &SynchronizeContext) -> SyncResult {
        Ok(())
    }
}

struct Mail;

#[sync_handler(
    id = "0f7c2b7e-93d7-4c55-8a3e-51b1f0a3d1c4",
    name = "Mail",
    capabilities(),
    limits(items = 1),
    retry(budget = 5)
)]
impl SyncHandler for Mail {
    async fn synchronize(&self, _run: &SynchronizeContext) -> SyncResult {
        Ok(())
    }
}

struct News;

#[sync_handler(id = "b7d1a0c2-3c53-4f0e-8d67-9a4f2e5c1b08", name = "News", retry())]
impl SyncHandler for News {
    async fn synchronize(&self, _run: &SynchronizeContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn declared_values_are_part_of_the_constant() {
    let info = OfflinePages::HANDLER;
    let flags = HandlerFlags::HAS_PROPERTIES
        .union(HandlerFlags::MAY_ESTABLISH_CONNECTION)
        .union(HandlerFlags::ALWAYS_LIST)
        .union(HandlerFlags::HIDDEN);
    assert_eq!(info.flags(), flags);
    assert!(info.requirements().contains(Requirement::Mains) && info.requirements().contains(Requirement::IdleUser));
    assert_eq!((info.condition_policy(), info.importance()), (ConditionPolicy::Stop, Importance::High));
    let settle = Settle::DEFAULT.with_quiet(Duration::from_millis(250)).with_max_wait(Duration::from_secs(60));
    assert_eq!(info.settle(), settle);
    assert_eq!(info.limits().items(), 4);
    assert_eq!(info.limits().soft_grace(), Duration::from_millis(250));
    assert_eq!(info.limits().hard_grace(), Duration::from_secs(120));
    assert_eq!(info.capabilities(), Capabilities::all());
    assert_eq!(info.limits().initialize_deadline(), Duration::from_secs(1));
    assert_eq!(info.limits().items_deadline(), Duration::from_secs(2));
    assert_eq!(info.limits().prepare_deadline(), Duration::from_secs(180));
    assert_eq!(info.limits().stall_after(), Duration::from_millis(1500));
    assert_eq!(info.limits().stall_policy(), StallPolicy::Report);
    assert_eq!(info.state_version(), 2);
    let retry = RetryPolicy::DEFAULT
        .with_initial(Duration::from_millis(500))
        .with_factor(3)
        .with_cap(Duration::from_secs(7200))
        .with_jitter(0)
        .with_budget(5, 60);
    assert_eq!(info.retry(), Some(retry));
    assert_eq!(Mail::HANDLER.state_version(), 1);
    let usual = RetryPolicy::DEFAULT;
    assert_eq!(Mail::HANDLER.retry(), Some(usual.with_budget(5, usual.partial_budget)));
    assert_eq!(News::HANDLER.retry(), Some(usual));
    assert_eq!(Mail::HANDLER.limits(), Limits::DEFAULT.with_items(1));
    assert_eq!(Mail::HANDLER.capabilities(), Capabilities::empty());
}
