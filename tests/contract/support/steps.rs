//! Items that begin, and wait until a test lets them go on: who runs beside whom, in which order.

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
use crate::support::watched::within;

/// The id of a handler made here.
pub(crate) const fn nth(number: u128) -> HandlerId {
    HandlerId::from_u128(number)
}

/// Waits until nothing goes on any more. Time is paused: it passes once everybody waits.
pub(crate) async fn idle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Lets go of items by name, and knows which of them run. The transcript has `+name` and `-name`.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    pub(crate) notes: Transcript,
    gates: Arc<Mutex<BTreeMap<String, Arc<Semaphore>>>>,
}

impl Steps {
    /// A handler whose items wait to be let go. `a:x+y` is the item `a` that claims `x` and `y`.
    pub(crate) fn handler(&self, number: u128, items: &[&'static str]) -> Scripted {
        let (steps, items) = (self.clone(), items.to_vec());
        Scripted::new(&[])
            .info(|_| HandlerInfo::new(nth(number), "One of several"))
            .items(move || Ok(items.iter().copied().map(claiming).collect()))
            .on_item(move |item| steps.clone().step(item.clone()).boxed())
    }

    /// What an item does: it begins, and waits until it is let go.
    pub(crate) async fn step(self, item: ItemContext) -> SyncResult {
        let name = item.name().to_owned();
        self.notes.note(format!("+{name}"));
        let _ends = Ends(self.notes.clone(), name.clone());
        self.gate(&name).acquire().await?.forget();
        Ok(())
    }

    /// Lets these items go, each once, and waits until everybody waits again.
    pub(crate) async fn let_go(&self, names: &[&str]) {
        names.iter().for_each(|name| self.gate(name).add_permits(1));
        idle().await;
    }

    /// Lets this item go whenever it runs.
    pub(crate) fn open(&self, name: &str) {
        self.gate(name).add_permits(1_000);
    }

    /// The names of the items that run, in the order in which they began.
    pub(crate) async fn running(&self) -> String {
        idle().await;
        let mut running: Vec<String> = Vec::new();
        for line in self.notes.lines() {
            match line.split_at(1) {
                ("+", name) => running.push(name.to_owned()),
                (_, name) => running.retain(|other| other != name),
            }
        }
        running.join(" ")
    }

    /// The names of the items in the order in which they began.
    pub(crate) fn began(&self) -> String {
        self.notes.of(&["+"]).iter().map(|line| &line[1..]).collect::<Vec<_>>().join(" ")
    }

    fn gate(&self, name: &str) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().expect("nobody panics with it");
        gates.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))).clone()
    }
}

/// `a:x+y` is the item `a` that claims `x` and `y`.
fn claiming(text: &'static str) -> SyncItem {
    let (name, claims) = text.split_once(':').unwrap_or((text, ""));
    let claims = claims.split('+').filter(|claim| !claim.is_empty());
    claims.fold(SyncItem::named(name), SyncItem::with_claim)
}

/// Notes the end of an item, also of one that is dropped.
struct Ends(Transcript, String);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.note(format!("-{}", self.1));
    }
}

/// A manager with these handlers.
pub(crate) fn with(handlers: impl IntoIterator<Item = Scripted>) -> SyncManager {
    registered(SyncManager::new(), handlers)
}

/// A manager in which so many items may run at once.
pub(crate) fn narrow(items: usize, handlers: impl IntoIterator<Item = Scripted>) -> SyncManager {
    registered(SyncManager::builder().items_at_once(items).build(), handlers)
}

/// The manager with these handlers.
pub(crate) fn registered(manager: SyncManager, handlers: impl IntoIterator<Item = Scripted>) -> SyncManager {
    for handler in handlers {
        manager.register(handler).expect("the handler can be registered");
    }
    manager
}

/// Starts a session over one handler.
pub(crate) fn over(manager: &SyncManager, trigger: Trigger, number: u128) -> Session {
    manager.session(trigger).handlers([nth(number)]).start().expect("inside a runtime")
}

/// Starts a manual session over one handler.
pub(crate) fn manual(manager: &SyncManager, number: u128) -> Session {
    over(manager, Trigger::Manual, number)
}

/// Starts a session over one handler that nobody waits for.
pub(crate) fn background(manager: &SyncManager, number: u128) -> Session {
    over(manager, Trigger::Scheduled, number)
}

/// The report of a session whose items all succeeded.
pub(crate) async fn succeeds(session: Session) -> Report {
    let report = within(session.finish()).await;
    assert!(report.is_success(), "{report}");
    report
}

/// How an item went.
pub(crate) fn outcome(report: &Report, item: ItemId) -> Outcome {
    report.items().find(|ended| ended.item.id() == item).expect("it is in the report").outcome
}

/// Why an item was not run in the session of this report.
pub(crate) fn hold_of(report: &Report, item: ItemId) -> Option<Hold> {
    report.items().find(|ended| ended.item.id() == item).expect("it is in the report").hold
}

/// Why something is held, with the item where it is about one.
pub(crate) fn holds(held: &[Held]) -> Vec<(Option<ItemId>, Hold)> {
    held.iter().map(|held| (held.item, held.hold.clone())).collect()
}
