//! Handlers that are registered again between the decision to start a run and its start.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::environment::{Clock, Now};
use syncmgr::schedule::{Missed, Schedule};
use syncmgr::store::{MemoryStore, StateChange, StateStore};
use syncmgr::{SyncManager, SyncResult};
use syncmgr_test::reads_from;

use super::{Scheduled, every, minutes};
use crate::support::steps::nth;
use crate::support::test_clock::{HOUR, MINUTE, TestClock, builder_with_clock};

type Call = Box<dyn FnOnce() + Send>;

/// The call to make at a moment between the decision to start a run and its start.
#[derive(Clone, Default)]
struct Between {
    call: Arc<Mutex<Option<Call>>>,
    is_armed: Arc<Mutex<bool>>,
}

impl Between {
    fn arm(&self) {
        *self.is_armed.lock().expect("no test panics with it") = true;
    }

    fn call(&self) {
        let is_armed = std::mem::take(&mut *self.is_armed.lock().expect("no test panics with it"));
        let call = if is_armed { self.call.lock().expect("no test panics with it").take() } else { None };
        call.into_iter().for_each(|call| call());
    }
}

/// The moment of the call.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Before the session is created.
    Decided,
    /// While the session is created.
    Starting,
}

/// Notices the moment: a firing that is skipped is stored before the other runs of its tick start.
struct NoticesSkipped {
    inner: MemoryStore,
    between: Between,
    moment: Moment,
}

impl StateStore for NoticesSkipped {
    reads_from!(inner);

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        if matches!(changes[..], [StateChange::Fired { handler, .. }] if handler == nth(2)) {
            self.between.arm();
            if matches!(self.moment, Moment::Decided) {
                self.between.call();
            }
        }
        self.inner.write(changes)
    }
}

struct NoticesStarting(TestClock, Between);

impl Clock for NoticesStarting {
    fn now(&self) -> Now {
        self.1.call();
        self.0.now()
    }
}

/// Lets the handlers 1 and 3, and the handler 2, which skips what it missed, sleep through firings. Calls `act` when the manager has
/// decided to run the first two.
async fn run(
    moment: Moment,
    act: impl FnOnce(&SyncManager, &Scheduled) + Send + 'static,
) -> (SyncManager, Arc<Scheduled>) {
    let (scheduled, between) = (Arc::new(Scheduled::new()), Between::default());
    let store = NoticesSkipped { inner: scheduled.store.clone(), between: between.clone(), moment };
    let builder = builder_with_clock(&scheduled.clock).store(store);
    let manager = builder.clock(NoticesStarting(scheduled.clock.clone(), between.clone())).build();
    manager.register(scheduled.handler(&["a"], every(HOUR))).expect("it is not registered");
    let skips = Schedule::cron("0 * * * *", "UTC").expect("it is valid").with_missed(Missed::Skip);
    for (number, item, schedule) in [(2, "b", skips), (3, "c", every(HOUR))] {
        let handler = scheduled.began.handler(number, &[item], |_, _| Ok(()));
        manager.register(handler.info(|info| info.with_schedule(schedule))).expect("it is new");
    }
    manager.start_scheduler().expect("there is a runtime");
    minutes(1).await;
    let (acting, times) = (manager.clone(), scheduled.clone());
    *between.call.lock().expect("no test panics with it") = Some(Box::new(move || act(&acting, &times)));
    scheduled.clock.set_forward(90 * MINUTE);
    minutes(10).await;
    assert!(between.call.lock().expect("no test panics with it").is_none(), "the call was made");
    assert_eq!(scheduled.began.of("c").len(), 1, "the other handler runs");
    (manager, scheduled)
}

/// Returns the start times of the first handler's item after [`run`].
async fn start_times(moment: Moment, act: impl FnOnce(&SyncManager, &Scheduled) + Send + 'static) -> Vec<u64> {
    let (manager, scheduled) = run(moment, act).await;
    let times = scheduled.began.of("a");
    manager.shutdown().await;
    times
}

fn register_again(manager: &SyncManager, scheduled: &Scheduled) {
    manager.register(scheduled.handler(&["a"], every(HOUR))).expect("it is not registered");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_registered_again_before_its_run_starts_runs_once() {
    for moment in [Moment::Decided, Moment::Starting] {
        let times = start_times(moment, |manager, scheduled| {
            assert!(manager.unregister(nth(1)));
            register_again(manager, scheduled);
        });
        assert_eq!(times.await.len(), 1, "{moment:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_forgotten_before_its_run_starts_begins_anew() {
    let times = start_times(Moment::Starting, |manager, scheduled| {
        drop(manager.forget(nth(1)).now_or_never());
        register_again(manager, scheduled);
    });
    assert_eq!(times.await, [0_u64; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_unregistered_before_its_run_starts_does_not_run() {
    for moment in [Moment::Decided, Moment::Starting] {
        let times = start_times(moment, |manager, _| assert!(manager.unregister(nth(1))));
        assert_eq!(times.await, [0_u64; 0], "{moment:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_firing_of_a_handler_that_is_gone_before_its_run_starts_is_not_used_up() {
    for moment in [Moment::Decided, Moment::Starting] {
        let (manager, scheduled) = run(moment, |manager, _| assert!(manager.unregister(nth(1)))).await;
        register_again(&manager, &scheduled);
        minutes(1).await;
        assert_eq!(scheduled.began.of("a").len(), 1, "{moment:?}");
        manager.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stored_about_a_handler_that_is_forgotten_before_its_run_starts() {
    for moment in [Moment::Decided, Moment::Starting] {
        let forget = |manager: &SyncManager, _: &Scheduled| drop(manager.forget(nth(1)).now_or_never());
        let (manager, scheduled) = run(moment, forget).await;
        manager.shutdown().await;
        assert!(scheduled.store.firings(nth(1)).unwrap().is_empty(), "{moment:?}");
    }
}
