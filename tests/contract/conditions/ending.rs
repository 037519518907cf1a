//! The network or the machine is about to go down.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::stream::BoxStream;
use syncmgr::environment::{Clock, Ending, EndingKind, Environment, EnvironmentSource, ManualEnvironment};
use syncmgr::request::RegisterFlags;
use syncmgr::store::MemoryStore;
use syncmgr::{HandlerInfo, Hold, Outcome, SyncManager, SyncManagerBuilder, Trigger};
use syncmgr_test::Transcript;
use tokio::time::{Instant, sleep};

use crate::retries::environment::{NEEDS, assert_held, needing};
use crate::support::awaitable_host::within;
use crate::support::steps::{Steps, assert_succeeds, nth, outcome, register_all, start_background, start_manual};
use crate::support::test_clock::{HOUR, MINUTE, StartTimes, TestClock, builder_with_clock, transient_failure};
use crate::support::{Scripted, id};

const SECOND: Duration = Duration::from_secs(1);

/// A source that notes when it lets the system go on.
#[derive(Clone)]
struct System {
    clock: TestClock,
    known: ManualEnvironment,
    start: Instant,
    released: Arc<Mutex<Vec<(EndingKind, Duration)>>>,
}

impl EnvironmentSource for System {
    fn now(&self) -> Environment {
        self.known.now()
    }

    fn changes(&self) -> BoxStream<'static, Environment> {
        self.known.changes()
    }

    fn release(&self, ending: Ending) {
        self.released.lock().unwrap_or_else(PoisonError::into_inner).push((ending.kind, self.start.elapsed()));
    }
}

impl System {
    fn new() -> Self {
        let (clock, known, released) = (TestClock::new(), ManualEnvironment::default(), Arc::default());
        Self { clock, known, start: Instant::now(), released }
    }

    fn builder(&self) -> SyncManagerBuilder {
        builder_with_clock(&self.clock).environment(self.clone())
    }

    /// Announces this end, for which the system waits 10 s.
    fn announce(&self, kind: EndingKind) {
        let deadline = self.clock.now().wall + 10 * SECOND;
        self.known.update(|known| known.with_ending(Ending::new(kind, deadline)));
    }

    fn withdraw(&self) {
        self.known.update(|known| known.with_ending(None));
    }

    /// The times at which the source let the system go on.
    fn released(&self) -> Vec<Duration> {
        self.released.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(_, time)| *time).collect()
    }
}

fn manager(system: &System, handlers: Vec<(Scripted, RegisterFlags)>) -> SyncManager {
    let manager = system.builder().build();
    for (handler, events) in handlers {
        manager.register_for(Arc::new(handler), events).expect("the handler is new");
    }
    manager.start_scheduler().expect("there is a runtime");
    manager
}

const ENDING: RegisterFlags = RegisterFlags::PENDING_DISCONNECT;
const NONE: RegisterFlags = RegisterFlags::empty();

#[tokio::test(start_paused = true)]
async fn r010_an_announced_end_starts_the_handlers_registered_for_it() {
    for kind in [EndingKind::Disconnect, EndingKind::Sleep, EndingKind::Shutdown] {
        let (began, system) = (StartTimes::new(), System::new());
        let handler = began.handler(1, &["a"], |_, _| Ok(()));
        let transcript = handler.transcript.clone();
        let _manager = manager(&system, vec![(handler, ENDING), (began.handler(2, &["b"], |_, _| Ok(())), NONE)]);
        sleep(SECOND).await;
        system.announce(kind);
        sleep(SECOND).await;
        assert_eq!((began.of("a"), began.of("b")), (vec![1], vec![]));
        assert!(transcript.of(&["initialize"])[0].contains("PendingDisconnect"), "{:?}", transcript.lines());
        assert_eq!(*system.released.lock().expect("not poisoned"), [(kind, SECOND)]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_system_goes_on_at_once_if_no_handler_has_anything_to_do() {
    let system = System::new();
    let manager = manager(&system, vec![]);
    for time in [1, 101] {
        sleep(Duration::from_secs(time) - system.start.elapsed()).await;
        system.announce(EndingKind::Sleep);
        sleep(MINUTE).await;
        system.withdraw();
    }
    assert_eq!(system.released(), [SECOND, 101 * SECOND]);
    assert!(manager.shutdown().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn everything_stops_before_the_deadline_and_the_system_goes_on() {
    let (steps, system) = (Steps::default(), System::new());
    let manager = manager(&system, vec![(steps.handler(1, &["a", "b"]), ENDING), (steps.handler(2, &["c"]), NONE)]);
    let manual = start_manual(&manager, 2);
    system.announce(EndingKind::Sleep);
    steps.open("a");
    assert_eq!(steps.running().await, "c b");
    sleep(9 * SECOND).await;
    assert_eq!((steps.running().await, system.released().len()), ("c b".into(), 0));
    sleep(SECOND).await;
    assert_eq!(steps.running().await, "");
    let released = system.released();
    assert!(released.len() == 1 && released[0] >= Duration::from_millis(9_500) && released[0] < 10 * SECOND);
    assert_eq!(outcome(&within(manual.finish()).await, id("c")), Outcome::Stopped);
    sleep(HOUR).await;
    system.withdraw();
    assert_eq!(steps.running().await, "c", "the requested run goes on, and the one for the end does not");
}

#[tokio::test(start_paused = true)]
async fn an_announced_end_is_followed_from_the_first_session_on() {
    let (steps, system) = (Steps::default(), System::new());
    let manager = register_all(system.builder().build(), [steps.handler(1, &["a"])]);
    steps.open("a");
    assert_succeeds(start_manual(&manager, 1)).await;
    system.announce(EndingKind::Sleep);
    sleep(SECOND).await;
    assert_eq!(system.released().len(), 1, "the system does not wait until its deadline");
}

#[tokio::test(start_paused = true)]
async fn automatic_work_stops_for_an_announced_end_and_goes_on_afterwards() {
    let (steps, system) = (Steps::default(), System::new());
    let manager = manager(&system, vec![(steps.handler(1, &["a"]), NONE), (steps.handler(2, &["b"]), NONE)]);
    let stopped = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a");
    system.announce(EndingKind::Sleep);
    let report = within(stopped.finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Stopped);
    assert_eq!(report.runs[0].hold, Some(Hold::Ending { kind: EndingKind::Sleep }));
    sleep(SECOND).await;
    assert!(system.released()[0] < SECOND, "as soon as it has stopped");
    let held = within(start_background(&manager, 2).finish()).await;
    assert_held(&held, &Hold::Ending { kind: EndingKind::Sleep });
    assert_eq!(steps.running().await, "");
    system.withdraw();
    assert_eq!(steps.running().await, "a b");
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_announcement_lets_the_runs_for_it_finish() {
    let (steps, system) = (Steps::default(), System::new());
    let _manager = manager(&system, vec![(steps.handler(1, &["a"]), ENDING)]);
    system.announce(EndingKind::Shutdown);
    assert_eq!(steps.running().await, "a");
    system.withdraw();
    sleep(MINUTE).await;
    assert_eq!((steps.running().await, system.released()), ("a".into(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_network_that_goes_down_stops_only_the_work_that_needs_it() {
    let (steps, system) = (Steps::default(), System::new());
    let online = needing(steps.handler(1, &["a"]), NEEDS);
    let manager = manager(&system, vec![(online, NONE), (steps.handler(2, &["b"]), NONE)]);
    let (stopped, local) = (start_background(&manager, 1), start_background(&manager, 2));
    assert_eq!(steps.running().await, "a b");
    system.announce(EndingKind::Disconnect);
    assert_eq!(outcome(&within(stopped.finish()).await, id("a")), Outcome::Stopped);
    assert!(system.released().len() == 1 && steps.running().await == "b");
    steps.release(&["b"]).await;
    assert_succeeds(local).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_does_not_keep_the_system_waiting() {
    let (steps, system) = (Steps::default(), System::new());
    let manager = manager(&system, vec![(steps.handler(1, &["a"]), ENDING)]);
    manager.pause();
    system.announce(EndingKind::Sleep);
    sleep(SECOND).await;
    assert_eq!((system.released().len(), steps.began()), (1, String::new()));
}

#[tokio::test(start_paused = true)]
async fn work_that_a_shutdown_of_the_machine_stops_goes_on_after_a_restart() {
    let (steps, system, store) = (Steps::default(), System::new(), MemoryStore::new());
    let start = |store: MemoryStore| {
        let manager = system.builder().store(store).resume(syncmgr::retry::Resume::Immediately).build();
        manager.register(steps.handler(1, &["a", "b"])).unwrap();
        manager.start_scheduler().unwrap();
        manager
    };
    let manager = start(store.clone());
    steps.open("a");
    let session = start_background(&manager, 1);
    assert_eq!(steps.running().await, "b");
    system.announce(EndingKind::Shutdown);
    within(session.finish()).await;
    assert!(within(manager.shutdown()).await.is_empty());
    drop(manager);
    system.withdraw();
    let _restarted = start(store.after_crash());
    assert_eq!(steps.running().await, "b");
    assert_eq!(steps.began(), "a b b");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_an_ending_stops_in_the_run_for_it_is_due_again_later() {
    let (began, system) = (StartTimes::new(), System::new());
    let times = began.clone();
    let handler = Scripted::new(&["a"]).info(|_| HandlerInfo::new(nth(1), "Hangs once")).on_item(move |item| {
        let times = times.note(item.name());
        async move {
            match times {
                1 => transient_failure(),
                2 => std::future::pending().await,
                _ => Ok(()),
            }
        }
        .boxed()
    });
    let manager = manager(&system, vec![(handler, ENDING)]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(29 * SECOND).await;
    system.announce(EndingKind::Sleep);
    sleep(6 * SECOND).await;
    assert_eq!(began.of("a"), [0], "it has become due meanwhile");
    system.announce(EndingKind::Sleep); // with a later deadline
    sleep(MINUTE).await;
    system.withdraw();
    sleep(2 * HOUR).await;
    assert_eq!(began.of("a"), [0, 35, 3_644], "an hour after it was stopped");
}

#[tokio::test(start_paused = true)]
async fn a_session_of_the_application_for_a_disconnect_runs_until_the_deadline() {
    let (steps, system) = (Steps::default(), System::new());
    let manager = manager(&system, vec![(steps.handler(1, &["a"]), ENDING)]);
    let session = manager.session(Trigger::PendingDisconnect).start().unwrap();
    assert_eq!(steps.running().await, "a");
    system.announce(EndingKind::Sleep);
    sleep(5 * SECOND).await;
    assert_eq!(steps.running().await, "a");
    let report = within(session.finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Stopped);
}

/// A handler whose item notes the time that is left every four seconds, sixteen seconds long.
fn reading(number: u128, item: &'static str, notes: &Transcript) -> Scripted {
    let notes = notes.clone();
    let handler = Scripted::new(&[item]).info(move |_| HandlerInfo::new(nth(number), "Reads the time"));
    handler.on_item(move |item| {
        let notes = notes.clone();
        async move {
            for _ in 0..4 {
                notes.note(format!("{} {:?}", item.name(), item.run().time_left()));
                sleep(4 * SECOND).await;
            }
            Ok(())
        }
        .boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn a_run_reads_the_time_until_the_announced_end_stops_it() {
    let (notes, system) = (Transcript::new(), System::new());
    let handlers = vec![(reading(1, "ending", &notes), ENDING), (reading(2, "manual", &notes), NONE)];
    let manager = manager(&system, handlers);
    let manual = start_manual(&manager, 2);
    sleep(3 * SECOND).await;
    system.announce(EndingKind::Sleep);
    within(manual.finish()).await;
    let (ending, manual) = (notes.of(&["ending"]), notes.of(&["manual"]));
    assert_eq!(ending, ["ending Some(9.5s)", "ending Some(5.5s)", "ending Some(1.5s)"]);
    assert_eq!(manual, ["manual None", "manual Some(8.5s)", "manual Some(4.5s)", "manual Some(500ms)"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_an_announced_end_does_not_stop_reads_no_time() {
    let (notes, system) = (Transcript::new(), System::new());
    let manager = manager(&system, vec![(reading(1, "local", &notes), NONE), (reading(2, "manual", &notes), NONE)]);
    let (local, manual) = (start_background(&manager, 1), start_manual(&manager, 2));
    sleep(3 * SECOND).await;
    system.announce(EndingKind::Disconnect);
    assert_succeeds(local).await;
    assert_succeeds(manual).await;
    assert!(notes.lines().iter().all(|line| line.ends_with("None")), "{:?}", notes.lines());
}
