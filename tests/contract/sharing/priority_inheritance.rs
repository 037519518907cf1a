//! Manual requests raise the priority of the work they wait for, and background work does not starve.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use syncmgr::{HandlerInfo, Hold, Trigger};

use crate::support::awaitable_host::within;
use crate::support::steps::{
    Steps, assert_succeeds, manager_with_max_items, nth, start_background, start_manual, wait_until_idle,
};
use crate::support::{Scripted, id};

#[tokio::test(start_paused = true)]
async fn background_work_runs_although_urgent_work_keeps_arriving() {
    let urgent_items = Arc::new(AtomicUsize::new(0));
    let begun_after = Arc::new(AtomicUsize::new(usize::MAX));
    let (count, after) = (urgent_items.clone(), begun_after.clone());
    let steps = Steps::default();
    let waiting = steps.handler(1, &["patient"]).on_item(move |_| {
        after.store(count.load(Ordering::Relaxed), Ordering::Relaxed);
        async { Ok(()) }.boxed()
    });
    let urgent = (2..=40).map(|number| {
        let count = urgent_items.clone();
        let handler = Scripted::new(&["urgent"]).info(|_| HandlerInfo::new(nth(number), "Urgent"));
        handler.on_item(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().map(Ok).boxed()
        })
    });
    let manager = manager_with_max_items(1, urgent.chain([waiting]));
    let first = start_manual(&manager, 2);
    let patient = start_background(&manager, 1);
    wait_until_idle().await;
    let patient = match patient.report().now_or_never() {
        Some(_) => patient,
        None => {
            let sessions: Vec<_> = (3..=40).map(|number| start_manual(&manager, number)).collect();
            for session in sessions {
                assert_succeeds(session).await;
            }
            patient
        }
    };
    assert_succeeds(patient).await;
    assert_succeeds(first).await;
    assert!(begun_after.load(Ordering::Relaxed) <= 10, "background work began after {begun_after:?} urgent items");
}

#[tokio::test(start_paused = true)]
async fn waiting_background_work_is_overtaken_only_a_few_times() {
    let steps = Steps::default();
    let names: Vec<&'static str> = vec!["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12"];
    let urgent = names.iter().enumerate().map(|(index, name)| steps.handler(index as u128 + 10, &[name]));
    let manager = manager_with_max_items(1, urgent.chain([steps.handler(1, &["a"]), steps.handler(2, &["b"])]));
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let patient = start_background(&manager, 2);
    wait_until_idle().await;
    let mut sessions = Vec::new();
    for number in 0..names.len() {
        sessions.push(start_manual(&manager, number as u128 + 10));
        wait_until_idle().await;
    }
    names.iter().chain(&["a", "b"]).for_each(|name| steps.open(name));
    for session in sessions.into_iter().chain([first, patient]) {
        assert_succeeds(session).await;
    }
    let before: Vec<_> = steps.notes.of(&["+"]).into_iter().take_while(|line| line != "+b").collect();
    assert!((2..=9).contains(&before.len()), "{before:?}");
}

#[tokio::test(start_paused = true)]
async fn a_manual_request_raises_the_priority_of_its_handlers_background_run() {
    let steps = Steps::default();
    let manager = manager_with_max_items(1, [steps.handler(1, &["a", "b"]), steps.handler(2, &["u", "v", "w"])]);
    let others = start_background(&manager, 2);
    assert_eq!(steps.running().await, "u");
    let waiting = start_background(&manager, 1);
    wait_until_idle().await;
    steps.release(&["u"]).await;
    assert_eq!(steps.running().await, "a", "runs of equal priority did not alternate");
    let urgent = start_manual(&manager, 1);
    wait_until_idle().await;
    ["a", "b", "u", "v", "w"].iter().for_each(|name| steps.open(name));
    for session in [others, waiting, urgent] {
        assert_succeeds(session).await;
    }
    let order = steps.began();
    assert!(order.starts_with("u a b"), "{order}");
    assert_eq!(order.matches('a').count(), 2, "the urgent request did not run `a` again: {order}");
}

#[tokio::test(start_paused = true)]
async fn a_manual_request_raises_its_handlers_items_that_wait_for_a_claim() {
    let steps = Steps::default();
    let manager = manager_with_max_items(
        8,
        [
            steps.handler(1, &["a:x"]),
            steps.handler(2, &["b:x"]),
            steps.handler(3, &["c:x"]),
            steps.handler(4, &["d:x"]),
        ],
    );
    let [first, second, third] = [1, 2, 3].map(|number| start_background(&manager, number));
    assert_eq!(steps.running().await, "a");
    let urgent = start_manual(&manager, 3);
    wait_until_idle().await;
    ["a", "b", "c"].iter().for_each(|name| steps.open(name));
    for session in [first, second, third, urgent] {
        assert_succeeds(session).await;
    }
    assert!(steps.began().starts_with("a c"), "{}", steps.began());
}

#[tokio::test(start_paused = true)]
async fn an_item_blocked_only_by_a_less_urgent_one_begins_once_its_priority_rises() {
    let steps = Steps::default();
    let handlers = [(1, "a:x"), (2, "b:x+y"), (3, "c:y")].map(|(number, item)| steps.handler(number, &[item]));
    let manager = manager_with_max_items(8, handlers);
    let [first, second, third] = [1, 2, 3].map(|number| start_background(&manager, number));
    assert_eq!(steps.running().await, "a", "`b` or `c` did not wait");
    let urgent = start_manual(&manager, 3);
    assert_eq!(steps.running().await, "a c");
    ["a", "b", "c"].iter().for_each(|name| steps.open(name));
    for session in [first, second, third, urgent] {
        assert_succeeds(session).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_manual_request_of_a_handler_overtakes_a_waiting_background_one() {
    let steps = Steps::default();
    let handler = steps.handler(1, &["a"]);
    let transcript = handler.transcript.clone();
    let manager = manager_with_max_items(1, [handler]);
    let first = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = manager.session(Trigger::Idle).items(nth(1), [id("a")]).start().unwrap();
    let urgent = start_manual(&manager, 1);
    steps.open("a");
    for session in [first, second, urgent] {
        within(session.finish()).await;
    }
    let order: Vec<String> = transcript.of(&["initialize"]);
    assert!(order[1].contains("Manual") && order[2].contains("Idle"), "{order:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_loses_its_raised_priority_once_the_waiting_session_has_ended() {
    let steps = Steps::default();
    let manager = manager_with_max_items(1, [steps.handler(1, &["a", "b"]), steps.handler(2, &["u"])]);
    let first = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let impatient = start_manual(&manager, 1);
    wait_until_idle().await;
    impatient.stop();
    within(impatient.finish()).await;
    let urgent = start_manual(&manager, 2);
    wait_until_idle().await;
    ["a", "b", "u"].iter().for_each(|name| steps.open(name));
    assert_succeeds(first).await;
    assert_succeeds(urgent).await;
    assert_eq!(steps.began(), "a u b");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_another_of_its_handler_is_listed_behind_it() {
    let steps = Steps::default();
    let manager = manager_with_max_items(8, [steps.handler(1, &["a"])]);
    let [first, second] = [(); 2].map(|()| start_manual(&manager, 1));
    assert_eq!(steps.running().await, "a");
    let [held] = &manager.held()[..] else { panic!("{:?}", manager.held()) };
    assert_eq!((held.session, held.item, &held.hold), (Some(second.id()), None, &Hold::Behind { session: first.id() }));
    assert!(held.hold.to_string().contains(&first.id().to_string()));
    steps.open("a");
    assert_succeeds(first).await;
    assert_succeeds(second).await;
    assert!(manager.held().is_empty());
}
