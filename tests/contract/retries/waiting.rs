//! Requests that wait for the environment: smaller runs do not cancel them, and they run no more than was requested.

use syncmgr::environment::{Environment, ManualEnvironment, Network};
use syncmgr::log::{ErrorId, Remedy};
use syncmgr::retry::{Resume, StartReason};
use syncmgr::store::MemoryStore;
use syncmgr::{Hold, LogEntry, LogLevel, Subject, SyncManager, Trigger};
use tokio::time::sleep;

use crate::explanations::situations::handler;
use crate::retries::environment::{NEEDS, assert_held, in_environment, needing};
use crate::support::awaitable_host::within;
use crate::support::steps::{
    Steps, assert_succeeds, nth, register_all, start_background, start_manual, wait_until_idle,
};
use crate::support::test_clock::{DAY, StartTimes, TestClock, builder_with_store};
use crate::support::{Scripted, id};

/// A manager on this network. Its handler needs a network and has these items.
fn manager_on_network(
    began: &StartTimes,
    items: &[&'static str],
    network: Network,
) -> (SyncManager, ManualEnvironment) {
    let (builder, environment) = in_environment(network);
    let handler = needing(began.handler(1, items, |_, _| Ok(())), NEEDS);
    (register_all(builder.store(MemoryStore::new()).build(), [handler]), environment)
}

fn start_items(manager: &SyncManager, items: &[&str]) -> syncmgr::Session {
    let items: Vec<_> = items.iter().map(|item| id(item)).collect();
    manager.session(Trigger::Manual).items(nth(1), items).start().expect("inside a runtime")
}

/// Sets the network online, waits for a day and returns the number of runs of each item.
async fn runs_once_online<const N: usize>(
    environment: &ManualEnvironment,
    began: &StartTimes,
    items: [&str; N],
) -> [usize; N] {
    environment.set_network(Network::Online);
    sleep(DAY).await;
    items.map(|item| began.of(item).len())
}

#[tokio::test(start_paused = true)]
async fn a_run_of_all_items_still_waits_after_a_manual_run_of_one_item() {
    let began = StartTimes::new();
    let (manager, environment) = manager_on_network(&began, &["a", "b"], Network::Metered);
    assert_held(&within(start_background(&manager, 1).finish()).await, &Hold::Metered);
    assert_succeeds(start_items(&manager, &["b"])).await;
    assert_eq!(handler(&manager).holds, [Hold::Metered]);
    assert_eq!(runs_once_online(&environment, &began, ["a"]).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_run_of_all_items_still_waits_after_a_forced_run_of_one_item() {
    let began = StartTimes::new();
    let (manager, environment) = manager_on_network(&began, &["a", "b"], Network::Offline);
    assert_held(&within(start_manual(&manager, 1).finish()).await, &Hold::Offline);
    assert_succeeds(manager.session(Trigger::Manual).items(nth(1), [id("b")]).force().start().unwrap()).await;
    assert_eq!(runs_once_online(&environment, &began, ["a"]).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn waiting_explicit_items_that_ran_meanwhile_do_not_run_again() {
    let began = StartTimes::new();
    let (manager, environment) = manager_on_network(&began, &["a", "b", "c"], Network::Offline);
    assert_held(&within(start_items(&manager, &["a", "b"]).finish()).await, &Hold::Offline);
    assert_succeeds(manager.session(Trigger::Manual).items(nth(1), [id("b"), id("c")]).force().start().unwrap()).await;
    assert_eq!(runs_once_online(&environment, &began, ["a", "b", "c"]).await, [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_ran_completely_no_longer_waits() {
    let began = StartTimes::new();
    let (manager, environment) = manager_on_network(&began, &["a", "b"], Network::Metered);
    assert_held(&within(start_background(&manager, 1).finish()).await, &Hold::Metered);
    assert_succeeds(start_manual(&manager, 1)).await;
    assert!(handler(&manager).holds.is_empty());
    assert_eq!(runs_once_online(&environment, &began, ["a", "b"]).await, [1, 1]);
}

const SIGN_IN: ErrorId = ErrorId::from_u128(9);

/// A handler that needs a network and whose item `a` logs an entry that can be opened.
fn handler_with_entry(began: &StartTimes) -> Scripted {
    let log = |item: &syncmgr::ItemContext| {
        if item.name() == "a" {
            item.log(LogEntry::new(LogLevel::Warning, "sign in").with_remedy(SIGN_IN, Remedy::SignIn));
        }
    };
    let handler = began.handler(1, &["a", "b"], move |item, _| {
        log(item);
        Ok(())
    });
    needing(handler, NEEDS).info(|info| info.with_flags(syncmgr::handler::HandlerFlags::HAS_PROPERTIES))
}

/// Opens the entry and the properties.
async fn open_all(manager: &SyncManager) {
    within(manager.show_error(nth(1), SIGN_IN)).await.expect("the entry can be shown");
    within(manager.show_properties(nth(1), Subject::Handler)).await.expect("the properties can be shown");
}

#[tokio::test(start_paused = true)]
async fn opening_entries_without_a_network_leaves_no_waiting_run() {
    let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Online));
    let manager = register_all(builder.store(MemoryStore::new()).build(), [handler_with_entry(&began)]);
    assert_succeeds(start_items(&manager, &["a"])).await;
    environment.set_network(Network::Offline);
    open_all(&manager).await;
    assert!(handler(&manager).holds.is_empty());
    assert_eq!(runs_once_online(&environment, &began, ["a", "b"]).await, [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn opening_entries_does_not_cancel_a_waiting_run() {
    let (began, (builder, environment)) = (StartTimes::new(), in_environment(Network::Online));
    let manager = register_all(builder.store(MemoryStore::new()).build(), [handler_with_entry(&began)]);
    assert_succeeds(start_items(&manager, &["a"])).await;
    environment.set_network(Network::Metered);
    assert_held(&within(start_background(&manager, 1).finish()).await, &Hold::Metered);
    open_all(&manager).await;
    assert_eq!(runs_once_online(&environment, &began, ["a", "b"]).await, [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_item_that_waits_does_not_run() {
    for (asked, runs) in [(&["a"][..], [0, 0]), (&["a", "b"], [0, 1])] {
        let began = StartTimes::new();
        let (manager, environment) = manager_on_network(&began, &["a", "b"], Network::Offline);
        assert_held(&within(start_items(&manager, asked).finish()).await, &Hold::Offline);
        within(manager.forget_item(nth(1), id("a"))).await.unwrap();
        assert_eq!(runs_once_online(&environment, &began, ["a", "b"]).await, runs);
    }
}

/// A manager that resumes immediately but has no network.
async fn resume_offline(store: &MemoryStore, handler: Scripted) -> (SyncManager, ManualEnvironment) {
    let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Offline));
    let builder =
        builder_with_store(&TestClock::new(), store).environment(environment.clone()).resume(Resume::Immediately);
    let manager = register_all(builder.build(), [needing(handler, NEEDS)]);
    manager.start_scheduler().expect("inside a runtime");
    wait_until_idle().await;
    (manager, environment)
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_explicit_item_that_was_held_runs_without_other_items() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager =
        register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["given", "other"])]);
    let _session = start_items(&manager, &["given"]);
    assert_eq!(steps.running().await, "given");
    let (manager, environment) = resume_offline(&store.after_crash(), steps.handler(1, &["given", "other"])).await;
    environment.set_network(Network::Online);
    wait_until_idle().await;
    assert_eq!(steps.began(), "given given");
    let [session] = &manager.sessions()[..] else { panic!("{:?}", manager.sessions()) };
    assert_eq!(session.reason(), StartReason::Resumed);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_run_that_was_held_skips_the_items_already_done() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager =
        register_all(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["done", "open"])]);
    let _session = start_manual(&manager, 1);
    steps.release(&["done"]).await;
    let (_manager, environment) = resume_offline(&store.after_crash(), steps.handler(1, &["done", "open"])).await;
    environment.set_network(Network::Online);
    wait_until_idle().await;
    assert_eq!(steps.began(), "done open open");
}
