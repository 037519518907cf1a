//! Local changes: what starts a run, what a run covers, and what is watched.

mod faults;
mod handlers;
mod runs;
mod waits;
mod watching;

use std::time::Duration;

use syncmgr::changes::{ManualChanges, Settle};
use syncmgr::{ItemContext, Items, SyncItem, SyncManager, SyncManagerBuilder, SyncResult};
use tokio::time::sleep;

use crate::support::Scripted;
use crate::support::steps::{assert_succeeds, register_all, start_manual};
use crate::support::test_clock::{StartTimes, TestClock, builder_with_clock};

/// A quiet time of 5 s and a maximum wait of 30 s: whole seconds, which [`StartTimes`] counts.
pub(crate) const SETTLE: Settle =
    Settle::DEFAULT.with_quiet(Duration::from_secs(5)).with_max_wait(Duration::from_secs(30));

/// A handler whose items each watch the directory `/name`, and succeed.
pub(crate) fn watching(began: &StartTimes, names: &[&'static str]) -> Scripted {
    watching_and(began, names, |_, _| Ok(()))
}

/// A handler whose items each watch the directory `/name`, and call `act` with their number of starts.
pub(crate) fn watching_and(
    began: &StartTimes,
    names: &[&'static str],
    act: impl Fn(&ItemContext, usize) -> SyncResult + Send + Sync + 'static,
) -> Scripted {
    let listed = names.to_vec();
    began.handler(1, names, act).info(|info| info.with_settle(SETTLE)).items(move || Ok(watched(&listed)))
}

/// Items that each watch the directory `/name`.
pub(crate) fn watched(names: &[&str]) -> Items {
    names.iter().map(|name| SyncItem::named(*name).with_watch(format!("/{name}"))).collect()
}

/// A builder with a clock that follows paused time, and its source of changes.
pub(crate) fn builder_with_changes() -> (SyncManagerBuilder, ManualChanges) {
    let changes = ManualChanges::new();
    (builder_with_clock(&TestClock::new()).change_source(changes.clone()), changes)
}

/// A manager with this handler after its first session.
pub(crate) async fn after_first_session(handler: Scripted) -> (SyncManager, ManualChanges) {
    let (builder, changes) = builder_with_changes();
    let manager = register_all(builder.build(), [handler]);
    assert_succeeds(start_manual(&manager, 1)).await;
    (manager, changes)
}

pub(crate) async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}
