//! What the world holds and what waits for it: neither lost to something smaller, nor more than was asked for.

use syncmgr::environment::{Facts, ManualFacts, Network};
use syncmgr::log::{ErrorId, Remedy};
use syncmgr::retry::{Resume, StartReason};
use syncmgr::store::MemoryStore;
use syncmgr::{Hold, LogEntry, LogLevel, Subject, SyncManager, Trigger};
use tokio::time::sleep;

use crate::explanations::situations::handler;
use crate::retries::world::{NEEDS, held, in_world, needing};
use crate::support::daytime::{Began, DAY, Daytime, stored};
use crate::support::steps::{Steps, background, idle, manual, nth, registered, succeeds};
use crate::support::watched::within;
use crate::support::{Scripted, id};

/// A handler with a network and these items, in a world with this one.
fn needs(began: &Began, items: &[&'static str], network: Network) -> (SyncManager, ManualFacts) {
    let (builder, facts) = in_world(network);
    let handler = needing(began.handler(1, items, |_, _| Ok(())), NEEDS);
    (registered(builder.store(MemoryStore::new()).build(), [handler]), facts)
}

fn of(manager: &SyncManager, items: &[&str]) -> syncmgr::Session {
    let items: Vec<_> = items.iter().map(|item| id(item)).collect();
    manager.session(Trigger::Manual).items(nth(1), items).start().expect("inside a runtime")
}

/// How often each began, after the network came back and a day went by.
async fn back_online<const N: usize>(facts: &ManualFacts, began: &Began, items: [&str; N]) -> [usize; N] {
    facts.set_network(Network::Online);
    sleep(DAY).await;
    items.map(|item| began.of(item).len())
}

#[tokio::test(start_paused = true)]
async fn a_run_of_everything_still_waits_after_one_of_its_items_was_run_by_hand() {
    let began = Began::new();
    let (manager, facts) = needs(&began, &["a", "b"], Network::Metered);
    held(&within(background(&manager, 1).finish()).await, &Hold::Metered);
    succeeds(of(&manager, &["b"])).await;
    assert_eq!(handler(&manager).holds, [Hold::Metered]);
    assert_eq!(back_online(&facts, &began, ["a"]).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_run_of_everything_still_waits_after_one_of_its_items_was_forced() {
    let began = Began::new();
    let (manager, facts) = needs(&began, &["a", "b"], Network::Offline);
    held(&within(manual(&manager, 1).finish()).await, &Hold::Offline);
    succeeds(manager.session(Trigger::Manual).items(nth(1), [id("b")]).force().start().unwrap()).await;
    assert_eq!(back_online(&facts, &began, ["a"]).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn of_given_items_that_wait_only_those_that_did_not_run_meanwhile_run() {
    let began = Began::new();
    let (manager, facts) = needs(&began, &["a", "b", "c"], Network::Offline);
    held(&within(of(&manager, &["a", "b"]).finish()).await, &Hold::Offline);
    succeeds(manager.session(Trigger::Manual).items(nth(1), [id("b"), id("c")]).force().start().unwrap()).await;
    assert_eq!(back_online(&facts, &began, ["a", "b", "c"]).await, [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_ran_as_a_whole_meanwhile_does_not_wait_any_more() {
    let began = Began::new();
    let (manager, facts) = needs(&began, &["a", "b"], Network::Metered);
    held(&within(background(&manager, 1).finish()).await, &Hold::Metered);
    succeeds(manual(&manager, 1)).await;
    assert!(handler(&manager).holds.is_empty());
    assert_eq!(back_online(&facts, &began, ["a", "b"]).await, [1, 1]);
}

const SIGN_IN: ErrorId = ErrorId::from_u128(9);

/// A handler with a network, whose item `a` leaves something to look at.
fn worth_a_look(began: &Began) -> Scripted {
    let look = |item: &syncmgr::ItemContext| {
        if item.name() == "a" {
            item.log(LogEntry::new(LogLevel::Warning, "sign in").with_remedy(SIGN_IN, Remedy::SignIn));
        }
    };
    let handler = began.handler(1, &["a", "b"], move |item, _| {
        look(item);
        Ok(())
    });
    needing(handler, NEEDS).info(|info| info.with_flags(syncmgr::handler::HandlerFlags::HAS_PROPERTIES))
}

/// Somebody looks at everything there is.
async fn look(manager: &SyncManager) {
    within(manager.show_error(nth(1), SIGN_IN)).await.expect("it can be shown");
    within(manager.show_properties(nth(1), Subject::Handler)).await.expect("they can be shown");
}

#[tokio::test(start_paused = true)]
async fn looking_without_a_network_has_nothing_run_later() {
    let (began, (builder, facts)) = (Began::new(), in_world(Network::Online));
    let manager = registered(builder.store(MemoryStore::new()).build(), [worth_a_look(&began)]);
    succeeds(of(&manager, &["a"])).await;
    facts.set_network(Network::Offline);
    look(&manager).await;
    assert!(handler(&manager).holds.is_empty());
    assert_eq!(back_online(&facts, &began, ["a", "b"]).await, [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn looking_takes_nothing_from_what_waits() {
    let (began, (builder, facts)) = (Began::new(), in_world(Network::Online));
    let manager = registered(builder.store(MemoryStore::new()).build(), [worth_a_look(&began)]);
    succeeds(of(&manager, &["a"])).await;
    facts.set_network(Network::Metered);
    held(&within(background(&manager, 1).finish()).await, &Hold::Metered);
    look(&manager).await;
    assert_eq!(back_online(&facts, &began, ["a", "b"]).await, [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_item_that_waits_does_not_run() {
    for (asked, runs) in [(&["a"][..], [0, 0]), (&["a", "b"], [0, 1])] {
        let began = Began::new();
        let (manager, facts) = needs(&began, &["a", "b"], Network::Offline);
        held(&within(of(&manager, asked).finish()).await, &Hold::Offline);
        within(manager.forget_item(nth(1), id("a"))).await.unwrap();
        assert_eq!(back_online(&facts, &began, ["a", "b"]).await, runs);
    }
}

/// A manager that resumes at once, and finds no network.
async fn resumes_offline(store: &MemoryStore, handler: Scripted) -> (SyncManager, ManualFacts) {
    let facts = ManualFacts::new(Facts::UNKNOWN.with_network(Network::Offline));
    let builder = stored(&Daytime::new(), store).facts(facts.clone()).resume(Resume::AtOnce);
    let manager = registered(builder.build(), [needing(handler, NEEDS)]);
    manager.attend().expect("nothing is wrong here");
    idle().await;
    (manager, facts)
}

#[tokio::test(start_paused = true)]
async fn what_was_given_interrupted_and_then_held_runs_and_nothing_else() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager =
        registered(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["given", "other"])]);
    let _session = of(&manager, &["given"]);
    assert_eq!(steps.running().await, "given");
    let (manager, facts) = resumes_offline(&store.left_behind(), steps.handler(1, &["given", "other"])).await;
    facts.set_network(Network::Online);
    idle().await;
    assert_eq!(steps.began(), "given given");
    let [session] = &manager.sessions()[..] else { panic!("{:?}", manager.sessions()) };
    assert_eq!(session.reason(), StartReason::Resumed);
}

#[tokio::test(start_paused = true)]
async fn of_what_was_interrupted_and_then_held_what_was_done_before_is_not_run_again() {
    let (store, steps) = (MemoryStore::new(), Steps::default());
    let manager =
        registered(SyncManager::builder().store(store.clone()).build(), [steps.handler(1, &["done", "open"])]);
    let _session = manual(&manager, 1);
    steps.let_go(&["done"]).await;
    let (_manager, facts) = resumes_offline(&store.left_behind(), steps.handler(1, &["done", "open"])).await;
    facts.set_network(Network::Online);
    idle().await;
    assert_eq!(steps.began(), "done open open");
}
