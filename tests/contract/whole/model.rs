//! A model of the work inside the handlers of a case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use syncmgr::classic::SyncCallback;
use syncmgr::{HandlerId, ItemContext, ItemId, PrepareContext, RunContext, SessionId, SynchronizeContext};
use syncmgr_test::ScriptedHandler;

use super::plans::CLAIMS;

/// The model that all parts of a case share.
#[derive(Clone, Default)]
pub(crate) struct Model(Arc<Mutex<ModelState>>);

#[derive(Default)]
pub(crate) struct ModelState {
    /// The number of items that may run at the same time, over all handlers.
    pub(crate) max_concurrent_items: usize,
    /// The number of items that may hold each claim at the same time.
    pub(crate) capacities: [usize; CLAIMS.len()],
    /// `true` on a foreign host, which may grant the user's attention several times at the same time.
    on_a_foreign_host: bool,
    active_items: BTreeMap<u64, ActiveItem>,
    last_id: u64,
    counts: BTreeMap<Resource, usize>,
    calls: BTreeMap<HandlerId, Vec<SessionId>>,
    pub(crate) prepared: BTreeMap<(SessionId, HandlerId), BTreeSet<ItemId>>,
    pub(crate) saved_contexts: Vec<SavedContext>,
    pub(crate) classic_handlers: Vec<Arc<ScriptedHandler>>,
    pub(crate) violations: Vec<String>,
}

/// An item that runs, with the tasks it has started.
#[derive(Debug)]
struct ActiveItem {
    handler: HandlerId,
    item: ItemId,
    claims: Vec<usize>,
    /// `false` once only tasks of the item remain.
    running: bool,
    guards: usize,
}

/// A resource that has to be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource {
    Permit,
    Connection,
    Kept,
}

/// A context or callback that a handler saves and the case uses after the end.
pub(crate) enum SavedContext {
    Run(RunContext),
    Prepare(PrepareContext),
    Synchronize(SynchronizeContext),
    Item(ItemContext),
    Callback(Arc<dyn SyncCallback>),
}

impl Model {
    pub(crate) fn lock(&self) -> MutexGuard<'_, ModelState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn violation(&self, what: impl Into<String>) {
        self.lock().violations.push(what.into());
    }

    /// Begins an item, which ends when the guard is dropped.
    pub(crate) fn begin_item(&self, of: (HandlerId, usize), item: ItemId, claims: &[usize]) -> ActiveItemGuard {
        let mut state = self.lock();
        let active = ActiveItem { handler: of.0, item, claims: claims.to_vec(), running: true, guards: 1 };
        state.last_id += 1;
        let id = state.last_id;
        if state.active_items.values().any(|other| (other.handler, other.item) == (of.0, item)) {
            state.violations.push(format!("item {item} runs twice at the same time"));
        }
        state.active_items.insert(id, active);
        state.check_limits(of);
        ActiveItemGuard { model: self.clone(), id, is_item: true }
    }

    /// Begins a call of a run's method. Until the guard is dropped, no other run of the handler may be called.
    pub(crate) fn call(&self, handler: HandlerId, session: SessionId) -> CallGuard {
        let mut state = self.lock();
        let calls = state.calls.entry(handler).or_default();
        calls.push(session);
        if calls.iter().any(|other| *other != session) {
            let text = format!("two concurrent runs of handler {handler}: {calls:?}");
            state.violations.push(text);
        }
        CallGuard { model: self.clone(), handler, session }
    }

    /// Counts one more of this resource until the guard is dropped.
    pub(crate) fn count(&self, resource: Resource) -> CountGuard {
        let mut state = self.lock();
        let count = state.counts.entry(resource).or_default();
        *count += 1;
        let several = *count > 1;
        if resource == Resource::Permit && several && !state.on_a_foreign_host {
            state.violations.push("the user's attention was granted twice".into());
        }
        CountGuard(self.clone(), resource)
    }

    pub(crate) fn save_context(&self, context: SavedContext) {
        self.lock().saved_contexts.push(context);
    }
}

impl ModelState {
    /// Drops the limits of claims and attention, which a foreign host does not apply. `items` is the handler's own limit.
    pub(crate) fn set_foreign_host(&mut self, items: usize) {
        (self.max_concurrent_items, self.capacities, self.on_a_foreign_host) =
            (items, [usize::MAX; CLAIMS.len()], true);
    }

    fn check_limits(&mut self, (handler, max): (HandlerId, usize)) {
        let own = self.active_items.values().filter(|active| active.running);
        let (all, of_handler) = (own.clone().count(), own.filter(|active| active.handler == handler).count());
        // Sessions that have waited for long get places beyond the limit, at most as many as it has.
        if all > self.max_concurrent_items.saturating_mul(2) || of_handler > max {
            self.violations.push(format!("{all} concurrent items, {of_handler} of one handler"));
        }
        for (claim, capacity) in self.capacities.iter().enumerate() {
            let taken = self.active_items.values().filter(|active| active.claims.contains(&claim)).count();
            if taken > *capacity {
                self.violations.push(format!("{taken} items have the claim {}", CLAIMS[claim]));
            }
        }
    }

    /// Records the items of the first `prepare` call of a run. Later calls belong to retries, whose items an earlier report may lack.
    pub(crate) fn record_prepared(&mut self, run: &PrepareContext) {
        let items = run.selection().iter().map(|item| item.id());
        self.prepared.entry((run.session(), run.handler())).or_insert_with(|| items.collect());
    }

    /// Returns the resources, items and calls that have not ended.
    pub(crate) fn unreleased(&self) -> Vec<String> {
        let counts = self.counts.iter().filter(|(_, count)| **count > 0).map(|left| format!("{left:?}"));
        let active_items = self.active_items.values().map(|active| format!("{active:?}"));
        let calls = self.calls.iter().filter(|(_, calls)| !calls.is_empty()).map(|left| format!("{left:?}"));
        counts.chain(active_items).chain(calls).collect()
    }
}

/// Keeps an item active: one guard for the item itself, one for each of its tasks.
pub(crate) struct ActiveItemGuard {
    model: Model,
    id: u64,
    is_item: bool,
}

impl ActiveItemGuard {
    /// A guard for a task that may outlive the item.
    pub(crate) fn task(&self) -> Self {
        self.model.lock().active_items.entry(self.id).and_modify(|active| active.guards += 1);
        Self { model: self.model.clone(), id: self.id, is_item: false }
    }
}

impl Drop for ActiveItemGuard {
    fn drop(&mut self) {
        let mut state = self.model.lock();
        let active =
            state.active_items.get_mut(&self.id).expect("an item stays active until its last guard is dropped");
        active.guards -= 1;
        active.running &= !self.is_item;
        if active.guards == 0 {
            state.active_items.remove(&self.id);
        }
    }
}

pub(crate) struct CallGuard {
    model: Model,
    handler: HandlerId,
    session: SessionId,
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        let mut state = self.model.lock();
        let calls = state.calls.entry(self.handler).or_default();
        if let Some(index) = calls.iter().position(|session| *session == self.session) {
            calls.remove(index);
        }
    }
}

pub(crate) struct CountGuard(Model, Resource);

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.0.lock().counts.entry(self.1).and_modify(|count| *count -= 1);
    }
}
