//! Explanations of items and handlers after each outcome, end to end.

use std::time::Duration;

use futures::FutureExt;
use syncmgr::anyhow::anyhow;
use syncmgr::explain::{Condition, Next};
use syncmgr::request::RegisterFlags;
use syncmgr::retry::RetryStatus;
use syncmgr::store::MemoryStore;
use syncmgr::{
    Classify, Explanation, HandlerId, Hold, NeedsUser, Outcome, SyncItem, SyncManager, SyncResult, serde_json,
};
use tokio::time::sleep;

use crate::guards::plans::{Planning, many_deletions, question};
use crate::support::awaitable_host::{begin, within};
use crate::support::steps::{assert_succeeds, nth, register_all, start_background, start_manual};
use crate::support::test_clock::{
    DAY, EXACT, HOUR, StartTimes, TestClock, builder_with_clock, builder_with_store, fail_until, transient_failure,
};
use crate::support::{HANDLER, Scripted, id, stored_log};

/// Returns the explanation of an item, and asserts that it survives a JSON round trip and is one line.
pub(crate) fn item_of(manager: &SyncManager, handler: HandlerId, name: &str) -> Explanation {
    assert_round_trip(manager.explain_item(handler, id(name)).expect("the store can be read"))
}

pub(crate) fn item(manager: &SyncManager, name: &str) -> Explanation {
    item_of(manager, nth(1), name)
}

pub(crate) fn handler(manager: &SyncManager) -> Explanation {
    assert_round_trip(manager.explain_handler(nth(1)).expect("the store can be read"))
}

fn assert_round_trip(explanation: Explanation) -> Explanation {
    let json = serde_json::to_string(&explanation).expect("the explanation cannot be serialized");
    let parsed: Explanation = serde_json::from_str(&json).expect("the JSON cannot be parsed");
    assert_eq!(serde_json::to_string(&parsed).expect("the explanation cannot be serialized"), json);
    let text = explanation.to_string();
    assert!(!text.is_empty() && !text.contains(['\n', '\r']), "{text:?}");
    explanation
}

/// Returns a manager with a store after one run of its item `a`. Every run of the item ends with `end`.
pub(crate) async fn manager_after_one_run(
    clock: &TestClock,
    end: impl Fn(usize) -> SyncResult + Send + Sync + 'static,
) -> (SyncManager, StartTimes) {
    let began = StartTimes::new();
    let handler = began.handler(1, &["a"], move |_, times| end(times));
    let manager = register_all(builder_with_store(clock, &MemoryStore::new()).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    (manager, began)
}

#[tokio::test(start_paused = true)]
async fn an_item_that_never_ran_waits_for_the_triggers_of_its_handler() {
    let manager = register_all(SyncManager::new(), [StartTimes::new().handler(1, &["a"], |_, _| Ok(()))]);
    let explanation = handler(&manager);
    assert_eq!((explanation.condition, explanation.next), (Condition::Idle, Next::WhenRequested), "{explanation}");
    manager.set_flags(nth(1), RegisterFlags::IDLE).unwrap();
    assert_eq!(handler(&manager).next, Next::WhenTriggered);
    let explanation = item(&manager, "a");
    assert_eq!((explanation.condition, explanation.next), (Condition::Unknown, Next::WhenListed), "{explanation}");
    assert_eq!(item_of(&manager, nth(9), "a").next, Next::Never);
    let unknown = assert_round_trip(manager.explain_handler(nth(9)).unwrap());
    assert_eq!((unknown.condition, unknown.next), (Condition::Unknown, Next::Never));
}

#[tokio::test(start_paused = true)]
async fn an_item_in_backoff_names_its_retry_time_and_runs_then() {
    let clock = TestClock::new();
    let (manager, began) = manager_after_one_run(&clock, |times| fail_until(times, 3)).await;
    for failures in 1..=3 {
        let explanation = item(&manager, "a");
        let [Hold::BackingOff { until, failures: counted }] = explanation.holds[..] else { panic!("{explanation}") };
        assert_eq!((explanation.next, counted), (Next::At { time: until }, failures));
        assert_eq!(explanation.condition, Condition::Failed { status: Some(RetryStatus::Backoff) });
        let left = until.duration_since(clock.wall()).unwrap();
        sleep(left - Duration::from_millis(2)).await;
        assert_eq!(began.of("a").len(), failures as usize, "the item ran before its retry time");
        sleep(Duration::from_millis(4)).await;
        assert_eq!(began.of("a").len(), failures as usize + 1, "the item did not run at its retry time");
    }
    let explanation = item(&manager, "a");
    assert_eq!((explanation.condition, explanation.holds.len()), (Condition::Succeeded, 0), "{explanation}");
    assert_eq!(explanation.last.unwrap().outcome, Outcome::Succeeded);
    assert_eq!(explanation.succeeded.unwrap(), explanation.last.unwrap().time);
}

#[tokio::test(start_paused = true)]
async fn an_item_deferred_by_its_peer_names_its_time_and_runs_then() {
    let clock = TestClock::new();
    let busy = |times| if times == 1 { Err(anyhow!("busy")).retry_after(5 * HOUR) } else { Ok(()) };
    let (manager, began) = manager_after_one_run(&clock, busy).await;
    let explanation = item(&manager, "a");
    let [Hold::NotBefore { until }] = explanation.holds[..] else { panic!("{explanation}") };
    assert_eq!(explanation.next, Next::At { time: until });
    sleep(until.duration_since(clock.wall()).unwrap() + Duration::from_millis(2)).await;
    assert_eq!(began.of("a"), [0, 5 * 3600]);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_needs_the_user_waits_for_a_request() {
    type End = fn(usize) -> SyncResult;
    let ends: [(End, Hold); 3] = [
        (|_| Err(anyhow!("never")).permanent(), Hold::Permanent),
        (|_| Err(anyhow!("no more")).gone(), Hold::Gone),
        (|_| Err(NeedsUser::new("an answer").into()), Hold::NeedsUser),
    ];
    for (end, hold) in ends {
        let (manager, _) = manager_after_one_run(&TestClock::new(), end).await;
        let explanation = item(&manager, "a");
        assert_eq!((&explanation.holds[..], explanation.next), (&[hold][..], Next::WhenRequested), "{explanation}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_explanation_names_an_open_question_and_its_answer_runs_the_item() {
    let handler = crate::asking::stored_log::asking_handler();
    let manager = register_all(SyncManager::builder().store(MemoryStore::new()).build(), [handler]);
    within(begin(&manager).finish()).await;
    let explanation = item_of(&manager, HANDLER, "a");
    let Next::WhenAnswered { error } = explanation.next else { panic!("{explanation}") };
    assert_eq!(explanation.condition, Condition::NeedsUser);
    assert_succeeds(manager.answer(HANDLER, error, 0).unwrap()).await;
    let explanation = item_of(&manager, HANDLER, "a");
    assert_eq!((explanation.condition, explanation.next), (Condition::Succeeded, Next::WhenRequested), "{explanation}");
}

#[tokio::test(start_paused = true)]
async fn an_item_held_by_a_guard_is_explained_as_guarded() {
    let planning = Planning::new(many_deletions());
    let manager = register_all(SyncManager::builder().store(MemoryStore::new()).build(), [planning.handler()]);
    for live in [true, false] {
        let session = begin(&manager);
        within(session.report()).await;
        if !live {
            within(session.close()).await;
        }
        let explanation = item_of(&manager, HANDLER, "a");
        assert!(explanation.holds.contains(&Hold::Guarded), "{explanation}");
        assert!(matches!(explanation.next, Next::WhenAnswered { .. }), "{explanation}");
    }
    assert_eq!(item_of(&manager, HANDLER, "a").next, Next::WhenAnswered { error: question(&manager) });
}

#[tokio::test(start_paused = true)]
async fn a_resolved_guard_violation_holds_no_item() {
    let planning = Planning::new(many_deletions());
    let manager = register_all(SyncManager::builder().store(MemoryStore::new()).build(), [planning.handler()]);
    within(begin(&manager).finish()).await;
    planning.set(syncmgr::Plan::new());
    assert_succeeds(begin(&manager)).await;
    let explanation = item_of(&manager, HANDLER, "a");
    assert_eq!((&explanation.holds[..], explanation.next), (&[][..], Next::WhenRequested), "{explanation}");
}

#[tokio::test(start_paused = true)]
async fn the_explanation_of_a_permanent_failure_names_no_settled_question() {
    let began = StartTimes::new();
    let handler = began.handler(1, &["a"], |item, times| match times {
        1 => item.decide("side", "which side wins?", &["here"]).map_or(Ok(()), |_| Err(anyhow!("no answer"))),
        2 => Ok(()),
        _ => Err(anyhow!("never")).permanent(),
    });
    let manager = register_all(SyncManager::builder().store(MemoryStore::new()).build(), [handler]);
    for _ in 0..3 {
        within(start_manual(&manager, 1).finish()).await;
    }
    let explanation = item(&manager, "a");
    assert_eq!(
        (&explanation.holds[..], explanation.next),
        (&[Hold::Permanent][..], Next::WhenRequested),
        "{explanation}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_item_over_its_retry_budget_names_its_question() {
    let (began, store) = (StartTimes::new(), MemoryStore::new());
    let manager = builder_with_store(&TestClock::new(), &store).retry(EXACT.with_budget(2, 50)).build();
    let manager = register_all(manager, [began.handler(1, &["a"], |_, _| transient_failure())]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    let explanation = item(&manager, "a");
    assert_eq!(explanation.holds, [Hold::NeedsAttention { failures: 2 }], "{explanation}");
    assert_eq!(explanation.next, Next::WhenAnswered { error: question_of(&manager) });
}

fn question_of(manager: &SyncManager) -> syncmgr::log::ErrorId {
    stored_log(manager, nth(1)).iter().find_map(|record| record.entry.id).expect("the log has a question")
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_could_not_begin_names_its_retry_time_and_runs_then() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let noting = began.clone();
    let failing = began.handler(1, &[], |_, _| Ok(())).items(move || {
        fail_until(noting.note("items"), 1)?;
        Ok(crate::support::awaitable_host::items_named(&["a"]))
    });
    let manager = register_all(builder_with_store(&clock, &MemoryStore::new()).build(), [failing]);
    within(start_manual(&manager, 1).finish()).await;
    let explanation = handler(&manager);
    let [Hold::BackingOff { until, failures: 1 }] = explanation.holds[..] else { panic!("{explanation}") };
    assert_eq!(explanation.next, Next::At { time: until });
    sleep(until.duration_since(clock.wall()).unwrap() + Duration::from_millis(2)).await;
    assert_eq!((began.of("items").len(), began.of("a").len()), (2, 1));
    assert!(handler(&manager).holds.is_empty());
}

#[tokio::test(start_paused = true)]
async fn unregistered_and_unlisted_items_are_explained_from_the_store() {
    let clock = TestClock::new();
    let (manager, _) = manager_after_one_run(&clock, |_| transient_failure()).await;
    manager.unregister(nth(1));
    let explanation = item(&manager, "a");
    assert_eq!(explanation.next, Next::Never, "{explanation}");
    assert_eq!(explanation.last.unwrap().outcome, Outcome::Failed);
    let other = Scripted::new(&["b"]).info(|_| syncmgr::HandlerInfo::new(nth(1), "Lists others"));
    manager.register(other).unwrap();
    assert_succeeds(start_background(&manager, 1)).await;
    let explanation = item(&manager, "a");
    assert_eq!((explanation.condition, explanation.next), (Condition::Absent, Next::WhenListed), "{explanation}");
}

#[tokio::test(start_paused = true)]
async fn names_with_control_characters_stay_on_one_line() {
    let name = "a\nb\u{202e}c";
    let handler = Scripted::new(&[])
        .info(|_| syncmgr::HandlerInfo::new(nth(1), "x").with_name("two\nlines"))
        .items(move || Ok([SyncItem::named(name)].into_iter().collect()))
        .on_item(|_| async { transient_failure() }.boxed());
    let manager = register_all(builder_with_clock(&TestClock::new()).build(), [handler]);
    let session = start_manual(&manager, 1);
    within(session.report()).await;
    assert!(!item(&manager, name).to_string().contains('\u{202e}'));
    self::handler(&manager);
}

#[tokio::test(start_paused = true)]
async fn an_explanation_survives_a_json_round_trip() {
    let clock = TestClock::new();
    clock.set_forward(Duration::from_nanos(1_234_567));
    let (manager, _) = manager_after_one_run(&clock, |_| transient_failure()).await;
    let explanation = item(&manager, "a");
    let json = serde_json::to_string(&explanation).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation, "{json}");
}

#[tokio::test(start_paused = true)]
async fn items_of_a_handler_that_cannot_begin_are_explained_as_backing_off() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let noting = began.clone();
    let failing = began.handler(1, &[], |_, _| Ok(())).items(move || {
        if noting.note("items") == 2 {
            transient_failure()?
        }
        Ok(crate::support::awaitable_host::items_named(&["a"]))
    });
    let manager = register_all(builder_with_store(&clock, &MemoryStore::new()).build(), [failing]);
    for _ in 0..2 {
        within(start_manual(&manager, 1).finish()).await;
    }
    let explanation = item(&manager, "a");
    assert_eq!(explanation.condition, Condition::Succeeded, "{explanation}");
    let [Hold::BackingOff { until, failures: 1 }] = explanation.holds[..] else { panic!("{explanation}") };
    assert_eq!(explanation.next, Next::At { time: until });
}
