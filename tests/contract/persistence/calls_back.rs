//! Stores and clocks that call their manager while it uses them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::environment::{Clock, Now};
use syncmgr::schedule::OverrideKind;
use syncmgr::session::RunChange;
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{HandlerId, SessionEvent, Subject, SyncManager, SyncResult};
use syncmgr_test::{ManualClock, reads_from};

use crate::support::awaitable_host::{begin, within};
use crate::support::steps::assert_succeeds;
use crate::support::{HANDLER, Scripted, id};

type Call = Box<dyn FnMut() + Send>;

/// A call to a manager, which is not made inside itself.
#[derive(Clone, Default)]
struct Callback(Arc<Mutex<Option<Call>>>);

impl Callback {
    fn set(&self, call: impl FnMut() + Send + 'static) {
        *self.0.lock().expect("not poisoned") = Some(Box::new(call));
    }

    fn call(&self) {
        let call = self.0.lock().expect("not poisoned").take();
        let Some(mut call) = call else { return };
        call();
        self.0.lock().expect("not poisoned").get_or_insert(call);
    }
}

/// Calls back before each write, after each read of what is disabled, and whenever it is asked for the time.
#[derive(Clone, Default)]
struct CallsBack {
    inner: MemoryStore,
    clock: ManualClock,
    on_write: Callback,
    on_read: Callback,
    on_time: Callback,
}

impl StateStore for CallsBack {
    reads_from!(inner: handlers, handler, choices, log, answer, record, retry_states, recorded_items, ended_since);
    reads_from!(inner: resources, sessions, interrupted, last_session, histogram, records, names, acquire);

    fn disabled(&self, handler: HandlerId) -> SyncResult<BTreeMap<Subject, Arc<str>>> {
        let disabled = self.inner.disabled(handler);
        self.on_read.call();
        disabled
    }

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        self.on_write.call();
        self.inner.write(changes)
    }
}

impl Clock for CallsBack {
    fn now(&self) -> Now {
        self.on_time.call();
        self.clock.now()
    }
}

impl CallsBack {
    fn manager(&self) -> SyncManager {
        SyncManager::builder().store(self.clone()).clock(self.clone()).build()
    }

    fn disabled_in_store(&self) -> usize {
        self.inner.disabled(HANDLER).expect("the store can be read").len()
    }
}

/// Enables the handler, or makes another call that has an effect when it is first polled.
fn enable(manager: &SyncManager) {
    drop(manager.enable(HANDLER, Subject::Handler).now_or_never());
}

#[tokio::test(start_paused = true)]
async fn settings_are_stored_in_the_order_in_which_they_took_effect() {
    let store = CallsBack::default();
    let manager = store.manager();
    manager.register(Scripted::new(&["a"])).unwrap();
    let mut enabling = Some(manager.clone());
    store.on_write.set(move || enabling.take().iter().for_each(enable)); // once, after it was disabled, before that is stored
    within(manager.disable(HANDLER, Subject::Handler, "on a journey")).await.unwrap();
    assert_eq!((manager.held().len(), store.disabled_in_store()), (0, 0));
}

/// Lets the item `a` run every hour.
fn set_hourly(manager: &SyncManager) {
    let hourly = OverrideKind::Schedule.parse("every 1h").expect("it is valid");
    drop(manager.set_override(HANDLER, Subject::Item(id("a")), hourly).now_or_never());
}

#[tokio::test(start_paused = true)]
async fn what_a_person_sets_while_an_item_is_forgotten_is_stored() {
    let store = CallsBack::default();
    let manager = store.manager();
    manager.register(Scripted::new(&["a"])).unwrap();
    assert_succeeds(begin(&manager)).await;
    set_hourly(&manager);
    let mut setting = Some(manager.clone());
    store.on_write.set(move || setting.take().iter().for_each(set_hourly)); // once, before anything of it is deleted
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    assert_eq!((manager.agenda().len(), store.inner.overrides(HANDLER).unwrap().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_enabled_while_it_is_registered_is_enabled() {
    let store = CallsBack::default();
    let earlier = store.manager();
    within(earlier.disable(HANDLER, Subject::Handler, "on a journey")).await.unwrap();
    drop(earlier);
    let manager = store.manager();
    let enabling = manager.clone();
    store.on_read.set(move || enable(&enabling));
    manager.register(Scripted::new(&["a"])).unwrap();
    assert_eq!((manager.held().len(), store.disabled_in_store()), (0, 0));
    assert_succeeds(begin(&manager)).await;
}

#[tokio::test(start_paused = true)]
async fn events_of_a_session_that_was_read_before_it_had_runs_arrive() {
    let store = CallsBack::default();
    let manager = store.manager();
    manager.register(Scripted::new(&["a"])).unwrap();
    manager.pause(); // until an item begins, nothing but its runs wakes the stream
    let events = Arc::new(Mutex::new(Some(manager.events())));
    let reading = events.clone();
    store.on_write.set(move || {
        let mut events = reading.lock().expect("not poisoned");
        // A stream yields once before each read.
        (0..4).for_each(|_| drop(events.as_mut().map(|events| events.next().now_or_never())));
    });
    let _session = begin(&manager);
    let mut events = events.lock().expect("not poisoned").take().expect("it is there");
    let is_synchronizing = |event| matches!(event, SessionEvent::Run { change: RunChange::Synchronizing, .. });
    while !is_synchronizing(within(events.next()).await.expect("the manager is open").event) {}
}

#[tokio::test(start_paused = true)]
async fn a_store_and_a_clock_may_call_their_manager() {
    let store = CallsBack::default();
    let manager = store.manager();
    for callback in [&store.on_write, &store.on_read, &store.on_time] {
        let manager = manager.clone();
        callback.set(move || {
            manager.handlers();
            manager.held();
            let runs = manager.sessions();
            runs.iter().for_each(|session| drop(session.progress()));
        });
    }
    manager.register(Scripted::new(&["a", "b"])).unwrap();
    assert_succeeds(begin(&manager)).await;
    within(manager.forget_item(HANDLER, id("a"))).await.unwrap();
    within(manager.forget(HANDLER)).await.unwrap();
}
