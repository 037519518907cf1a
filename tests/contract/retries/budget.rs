//! The retry budget of an item, and the question after it is exhausted.

use futures::FutureExt;
use syncmgr::log::{Action, Remedy};
use syncmgr::retry::RetryStatus;
use syncmgr::store::MemoryStore;
use syncmgr::{LogLevel, Outcome};
use tokio::time::sleep;

use crate::support::awaitable_host::within;
use crate::support::id;
use crate::support::steps::{assert_succeeds, nth, outcome, register_all, start_background, start_manual};
use crate::support::test_clock::{
    DAY, EXACT, StartTimes, TestClock, builder_with_clock, builder_with_store, fail_until, retry_state,
    transient_failure,
};

#[tokio::test(start_paused = true)]
async fn a_failing_item_uses_its_budget_and_then_asks_one_question() {
    for budget in [1, 3, 10] {
        let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
        let handler = began.handler(1, &["a"], |_, times| fail_until(times, 100));
        let manager = builder_with_store(&clock, &store).retry(EXACT.with_budget(budget, 50)).build();
        let manager = register_all(manager, [handler]);
        within(start_background(&manager, 1).finish()).await;
        for _ in 0..30 {
            sleep(DAY).await;
            within(start_background(&manager, 1).finish()).await;
        }
        assert_eq!(began.of("a").len(), budget as usize);
        let state = retry_state(&store, 1, "a").unwrap();
        assert_eq!((state.status, state.total), (RetryStatus::NeedsAttention, budget));
        let log = manager.log(nth(1)).await.unwrap();
        let questions: Vec<_> = log.iter().filter(|record| record.entry.is_link()).collect();
        let [record] = &questions[..] else { panic!("expected one question: {log:?}") };
        let Some(Action::Decide(question)) = &record.entry.action else { panic!("expected a question") };
        assert_eq!((record.entry.level, record.entry.item), (LogLevel::Warning, Some(id("a"))));
        assert_eq!(*question.remedies, [Remedy::TryAgain, Remedy::Refuse]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_makes_progress_has_the_larger_budget() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let noting = began.clone();
    let handler = began.handler(1, &["a"], |_, _| Ok(())).on_item(move |item| {
        noting.note("a");
        async move {
            item.saved::<u32>()?.commit().await?;
            transient_failure()
        }
        .boxed()
    });
    let manager = register_all(builder_with_store(&clock, &store).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(30 * DAY).await;
    assert_eq!(began.of("a").len(), 50);
    assert_eq!(began.of("a")[49], 49 * 30);
}

#[tokio::test(start_paused = true)]
async fn try_again_runs_the_item_and_resets_its_budget() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let handler = began.handler(1, &["a"], |_, _| transient_failure());
    let manager = register_all(builder_with_store(&clock, &store).retry(EXACT.with_budget(2, 50)).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    sleep(DAY).await;
    let error = manager.log(nth(1)).await.unwrap().iter().find_map(|record| record.entry.id).unwrap();
    let report = within(manager.answer(nth(1), error, 0).unwrap().finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::Failed);
    let state = retry_state(&store, 1, "a").unwrap();
    assert_eq!((state.status, state.failures, state.total), (RetryStatus::Backoff, 1, 1));
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 30, 86_430 - 30, 86_430]);
    let questions = manager.log(nth(1)).await.unwrap().iter().filter(|record| record.entry.is_link()).count();
    assert_eq!(questions, 1, "the question was not asked again exactly once");
}

#[tokio::test(start_paused = true)]
async fn the_question_can_be_answered_in_the_session() {
    let (began, clock) = (StartTimes::new(), TestClock::new());
    let handler = began.handler(1, &["a"], |_, times| fail_until(times, 1));
    let manager = register_all(builder_with_clock(&clock).retry(EXACT.with_budget(1, 50)).build(), [handler]);
    let session = start_manual(&manager, 1);
    let report = within(session.report()).await;
    let error = report.runs[0].log.iter().find_map(|entry| entry.id).unwrap();
    within(session.answer(nth(1), error, 0)).await.unwrap();
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn refusing_another_try_runs_nothing() {
    let (began, clock, store) = (StartTimes::new(), TestClock::new(), MemoryStore::new());
    let handler = began.handler(1, &["a"], |_, _| transient_failure());
    let manager = register_all(builder_with_store(&clock, &store).retry(EXACT.with_budget(1, 50)).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    let error = manager.log(nth(1)).await.unwrap().iter().find_map(|record| record.entry.id).unwrap();
    let answered = manager.answer(nth(1), error, 1);
    sleep(DAY).await;
    drop(answered);
    assert_eq!(began.of("a"), [0]);
    assert_eq!(retry_state(&store, 1, "a").unwrap().status, RetryStatus::NeedsAttention);
}
