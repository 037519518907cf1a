//! Idle periods: handlers that run while the user is idle.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr::environment::{Clock, Environment, ManualEnvironment, Presence};
use syncmgr::request::RegisterFlags;
use syncmgr::{Hold, SyncManager, Trigger};
use tokio::time::sleep;

use crate::retries::environment::assert_held;
use crate::support::Scripted;
use crate::support::awaitable_host::within;
use crate::support::steps::{Steps, nth, start_session};
use crate::support::test_clock::{HOUR, MINUTE, StartTimes, TestClock, builder_with_clock};

/// A manager whose handler is registered for these events, with a present user.
struct Desk {
    clock: TestClock,
    environment: ManualEnvironment,
    manager: SyncManager,
}

impl Desk {
    fn new(handler: Scripted, events: RegisterFlags) -> Self {
        let clock = TestClock::new();
        let environment = ManualEnvironment::new(Environment::UNKNOWN.with_user(Presence::Present));
        let manager = builder_with_clock(&clock).environment(environment.clone()).build();
        manager.register_for(Arc::new(handler), events).expect("the handler is new");
        manager.start_scheduler().expect("there is a runtime");
        Self { clock, environment, manager }
    }

    /// The user leaves the machine alone from now on.
    fn leave(&self) {
        let now: SystemTime = self.clock.now().wall;
        self.environment.update(|known| known.with_idle_since(now));
    }

    fn come_back(&self) {
        self.environment.update(|known| known.with_idle_since(None));
    }
}

#[tokio::test(start_paused = true)]
async fn r011_an_idle_user_starts_the_handlers_registered_for_it() {
    let began = StartTimes::new();
    let handler = began.handler(1, &["a"], |_, _| Ok(()));
    let transcript = handler.transcript.clone();
    let desk = Desk::new(handler, RegisterFlags::IDLE);
    desk.manager.register(began.handler(2, &["b"], |_, _| Ok(()))).unwrap();
    sleep(HOUR).await;
    desk.leave();
    sleep(4 * MINUTE).await;
    assert!(began.of("a").is_empty());
    sleep(HOUR).await;
    assert_eq!((began.of("a"), began.of("b")), (vec![3_900], vec![]), "once, 5 min later");
    assert!(transcript.of(&["initialize"])[0].contains("Idle"), "{:?}", transcript.lines());
}

#[tokio::test(start_paused = true)]
async fn each_idle_period_starts_a_run() {
    let began = StartTimes::new();
    let desk = Desk::new(began.handler(1, &["a"], |_, _| Ok(())), RegisterFlags::IDLE);
    for _ in 0..3 {
        sleep(10 * MINUTE).await;
        desk.leave();
        sleep(10 * MINUTE).await;
        desk.come_back();
    }
    assert_eq!(began.of("a"), [900, 2_100, 3_300]);
}

#[tokio::test(start_paused = true)]
async fn an_absence_starts_the_handlers_at_once() {
    let began = StartTimes::new();
    let desk = Desk::new(began.handler(1, &["a"], |_, _| Ok(())), RegisterFlags::IDLE);
    sleep(MINUTE).await;
    desk.environment.set_user(Presence::Absent);
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [60]);
}

#[tokio::test(start_paused = true)]
async fn idle_work_stops_when_the_user_returns_and_goes_on_next_time() {
    let steps = Steps::default();
    let desk = Desk::new(steps.handler(1, &["a", "b"]), RegisterFlags::IDLE);
    steps.open("a");
    desk.leave();
    sleep(6 * MINUTE).await;
    assert_eq!(steps.running().await, "b");
    desk.come_back();
    sleep(MINUTE).await;
    assert_eq!(steps.running().await, "");
    let why = desk.manager.explain_item(nth(1), crate::support::id("b")).unwrap();
    assert_eq!(why.holds, [Hold::UserActive]);
    sleep(HOUR).await;
    assert_eq!(steps.began(), "a b");
    desk.leave();
    sleep(6 * MINUTE).await;
    assert_eq!(steps.running().await, "b");
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_of_the_application_waits_for_an_idle_user() {
    let began = StartTimes::new();
    let desk = Desk::new(began.handler(1, &["a"], |_, _| Ok(())), RegisterFlags::empty());
    assert_held(&within(start_session(&desk.manager, Trigger::Idle, 1).finish()).await, &Hold::UserActive);
    desk.leave();
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [300]);
}

#[tokio::test(start_paused = true)]
async fn the_idle_time_can_be_set() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let idle = Environment::UNKNOWN.with_idle_since(clock.wall());
    let builder = builder_with_clock(&clock).environment(ManualEnvironment::new(idle));
    let manager = builder.idle_after(Duration::from_secs(7)).build();
    manager.register_for(Arc::new(began.handler(1, &["a"], |_, _| Ok(()))), RegisterFlags::IDLE).unwrap();
    manager.start_scheduler().unwrap();
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [7]);
}
