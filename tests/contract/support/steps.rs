//! Items that begin and wait until the test releases them, to observe order and concurrency.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use syncmgr::explain::Held;
use syncmgr::{
    HandlerId, HandlerInfo, Hold, ItemContext, ItemId, Outcome, Report, Session, SyncItem, SyncManager, SyncResult,
    Trigger,
};
use syncmgr_test::Transcript;
use tokio::sync::Semaphore;

use crate::support::Scripted;
use crate::support::awaitable_host::within;

/// Returns the id of the handler with this number.
pub(crate) const fn nth(number: u128) -> HandlerId {
    HandlerId::from_u128(number)
}

/// Waits until every task waits. Paused time advances only then.
pub(crate) async fn wait_until_idle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Releases items by name and tracks the running ones. The transcript notes `+name` at a start and `-name` at an end.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    pub(crate) notes: Transcript,
    gates: Arc<Mutex<BTreeMap<String, Arc<Semaphore>>>>,
}

impl Steps {
    /// Returns a handler whose items wait to be released. `a:x+y` is the item `a` with the claims `x` and `y`.
    pub(crate) fn handler(&self, number: u128, items: &[&'static str]) -> Scripted {
        let (steps, items) = (self.clone(), items.to_vec());
        Scripted::new(&[])
            .info(|_| HandlerInfo::new(nth(number), "One of several"))
            .items(move || Ok(items.iter().copied().map(claiming).collect()))
            .on_item(move |item| steps.clone().step(item.clone()).boxed())
    }

    /// Runs an item: notes its start and waits until it is released.
    pub(crate) async fn step(self, item: ItemContext) -> SyncResult {
        let name = item.name().to_owned();
        self.notes.note(format!("+{name}"));
        let _end = RecordEnd(self.notes.clone(), name.clone());
        self.gate(&name).acquire().await?.forget();
        Ok(())
    }

    /// Releases each of these items once, and waits until every task waits.
    pub(crate) async fn release(&self, names: &[&str]) {
        names.iter().for_each(|name| self.gate(name).add_permits(1));
        wait_until_idle().await;
    }

    /// Releases this item on every start.
    pub(crate) fn open(&self, name: &str) {
        self.gate(name).add_permits(1_000);
    }

    /// Returns the names of the running items in their start order.
    pub(crate) async fn running(&self) -> String {
        wait_until_idle().await;
        let mut running: Vec<String> = Vec::new();
        for line in self.notes.lines() {
            match line.split_at(1) {
                ("+", name) => running.push(name.to_owned()),
                (_, name) => running.retain(|other| other != name),
            }
        }
        running.join(" ")
    }

    /// Returns the names of all started items in their start order.
    pub(crate) fn began(&self) -> String {
        self.notes.of(&["+"]).iter().map(|line| &line[1..]).collect::<Vec<_>>().join(" ")
    }

    fn gate(&self, name: &str) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().expect("not poisoned");
        gates.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))).clone()
    }
}

/// Parses `a:x+y`: the item `a` with the claims `x` and `y`.
fn claiming(text: &'static str) -> SyncItem {
    let (name, claims) = text.split_once(':').unwrap_or((text, ""));
    let claims = claims.split('+').filter(|claim| !claim.is_empty());
    claims.fold(SyncItem::named(name), SyncItem::with_claim)
}

/// Notes the end of an item on drop.
struct RecordEnd(Transcript, String);

impl Drop for RecordEnd {
    fn drop(&mut self) {
        self.0.note(format!("-{}", self.1));
    }
}

/// Returns a manager with these handlers.
pub(crate) fn manager_with(handlers: impl IntoIterator<Item = Scripted>) -> SyncManager {
    register_all(SyncManager::new(), handlers)
}

/// Returns a manager that runs at most `items` items at the same time.
pub(crate) fn manager_with_max_items(items: usize, handlers: impl IntoIterator<Item = Scripted>) -> SyncManager {
    register_all(SyncManager::builder().max_concurrent_items(items).build(), handlers)
}

/// Registers these handlers with a manager.
pub(crate) fn register_all(manager: SyncManager, handlers: impl IntoIterator<Item = Scripted>) -> SyncManager {
    for handler in handlers {
        manager.register(handler).expect("the handler can be registered");
    }
    manager
}

/// Starts a session of one handler.
pub(crate) fn start_session(manager: &SyncManager, trigger: Trigger, number: u128) -> Session {
    manager.session(trigger).handlers([nth(number)]).start().expect("inside a runtime")
}

/// Starts a manual session of one handler.
pub(crate) fn start_manual(manager: &SyncManager, number: u128) -> Session {
    start_session(manager, Trigger::Manual, number)
}

/// Starts a scheduled session of one handler.
pub(crate) fn start_background(manager: &SyncManager, number: u128) -> Session {
    start_session(manager, Trigger::Scheduled, number)
}

/// Waits for the report of a session, and asserts that all items succeeded.
pub(crate) async fn assert_succeeds(session: Session) -> Report {
    let report = within(session.finish()).await;
    assert!(report.is_success(), "{report}");
    report
}

/// Returns the outcome of an item.
pub(crate) fn outcome(report: &Report, item: ItemId) -> Outcome {
    report.items().find(|ended| ended.item.id() == item).expect("the item is in the report").outcome
}

/// Returns the reason an item was not run, if any.
pub(crate) fn hold_of(report: &Report, item: ItemId) -> Option<Hold> {
    report.items().find(|ended| ended.item.id() == item).expect("the item is in the report").hold
}

/// Returns each hold with its item, if any.
pub(crate) fn holds(held: &[Held]) -> Vec<(Option<ItemId>, Hold)> {
    held.iter().map(|held| (held.item, held.hold.clone())).collect()
}
