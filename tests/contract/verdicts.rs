//! What is promised about outcomes, and that one item's or handler's trouble stays its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use futures::FutureExt;
use syncmgr::{
    Classify, FailureClass, HResult, HandlerId, HandlerInfo, ItemContext, Limits, LogLevel, NeedsUser, Outcome, Report,
    RunEnding, SyncManager, SyncResult, Trigger,
};
use tokio::sync::Notify;

use crate::support::{HANDLER, Scripted, id, run, start};
use crate::watched::{CLASSIC, within};
use crate::window::ran;

fn ending(report: &Report, handler: HandlerId) -> RunEnding {
    ran(report, handler).ending.expect("the run has ended")
}

/// Level and text of every entry.
fn log(report: &Report) -> Vec<(LogLevel, &str)> {
    report.runs[0].log.iter().map(|entry| (entry.level, &*entry.text)).collect()
}

/// How an item ends that was skipped, and then does this.
async fn skipped(then: fn() -> SyncResult) -> Report {
    let begun = Arc::new(Notify::new());
    let beginning = begun.clone();
    let session = start(Scripted::new(&["a"]).on_item(move |item| {
        beginning.notify_one();
        async move {
            item.cancelled().await;
            then()
        }
        .boxed()
    }));
    within(begun.notified()).await;
    session.skip(HANDLER, id("a")).expect("the item is listed");
    within(session.finish()).await
}

fn only(report: &Report) -> (Outcome, Option<FailureClass>) {
    let item = report.items().next().expect("there is one item");
    (item.outcome, item.class)
}

#[tokio::test(start_paused = true)]
async fn ok_after_a_cancel_is_success() {
    assert_eq!(only(&skipped(|| Ok(())).await), (Outcome::Succeeded, None));
}

#[tokio::test(start_paused = true)]
async fn an_error_after_a_cancel_is_the_cancel_and_is_kept_as_information() {
    let report = skipped(|| Err(anyhow!("connection reset")).permanent()).await;
    assert_eq!(only(&report), (Outcome::Skipped, None));
    assert_eq!(log(&report), [(LogLevel::Information, "connection reset")]);
    assert_eq!(ending(&report, HANDLER), RunEnding::Completed(HResult::S_OK));
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_a_cancel_is_still_a_failure() {
    let report = skipped(|| panic!("while leaving")).await;
    assert_eq!(only(&report), (Outcome::Failed, Some(FailureClass::Transient)));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_is_never_success() {
    // The handler drops the work on its items itself; nobody has cancelled anything.
    let handler = Scripted::new(&["a", "b"]).on_synchronize(|run| {
        async {
            let work = run.each(|item| async move {
                item.progress(1, 2)?;
                std::future::pending().await
            });
            let _ = tokio::time::timeout(Duration::from_secs(1), work).await;
            Ok(())
        }
        .boxed()
    });
    let report = within(run(handler)).await;
    let outcomes: Vec<_> = report.items().map(|item| (item.outcome, item.class)).collect();
    assert_eq!(outcomes, [(Outcome::Failed, Some(FailureClass::Transient)); 2]);
}

#[tokio::test(start_paused = true)]
async fn needing_the_user_is_an_outcome_and_no_error() {
    let report = run(Scripted::new(&["a"]).on_item(|_| async { Err(NeedsUser::new("sign in").into()) }.boxed())).await;
    assert_eq!(only(&report), (Outcome::NeedsUser, None));
    assert_eq!(log(&report), [(LogLevel::Warning, "needs the user: sign in")]);
    assert_eq!(ending(&report, HANDLER), RunEnding::Completed(HResult::S_OK));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_needs_the_user_to_prepare_declines_and_its_items_need_the_user() {
    let handler = Scripted::new(&["a"]).on_prepare(|run| async { run.interaction().await.map(drop) }.boxed());
    let report = run(handler.clone()).await;
    assert_eq!(ending(&report, HANDLER), RunEnding::NotPrepared(HResult::S_FALSE));
    assert_eq!(only(&report), (Outcome::NeedsUser, None));
    assert!(log(&report).iter().all(|(level, _)| *level == LogLevel::Warning), "{report}");
    assert_eq!(handler.transcript.count("synchronize"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tolerated_failure_outweighs_an_open_decision() {
    let tolerating = |item: &ItemContext| -> SyncResult {
        item.tolerate("read a part", Err::<(), _>(anyhow!("unreadable")).permanent())?;
        assert!(item.decide("side", "which?", &["this"]).is_none());
        Ok(())
    };
    let report = run(Scripted::new(&["a"]).on_item(move |item| async move { tolerating(item) }.boxed())).await;
    assert_eq!(only(&report), (Outcome::Failed, Some(FailureClass::Permanent)));
}

#[tokio::test(start_paused = true)]
async fn a_tolerated_failure_after_a_cancel_is_passed_on() {
    let begun = Arc::new(Notify::new());
    let beginning = begun.clone();
    let session = start(Scripted::new(&["a"]).on_item(move |item| {
        beginning.notify_one();
        async {
            item.cancelled().await;
            item.tolerate("read a part", Err::<(), _>(anyhow!("aborted")))?;
            unreachable!("the failure is the cancel")
        }
        .boxed()
    }));
    within(begun.notified()).await;
    session.stop();
    let report = within(session.finish()).await;
    assert_eq!(only(&report), (Outcome::Stopped, None));
    assert_eq!(log(&report), [(LogLevel::Information, "aborted")]);
}

#[tokio::test(start_paused = true)]
async fn a_run_completes_with_the_code_of_how_it_ended() {
    let ends: [(fn() -> SyncResult, HResult); 4] = [
        (|| Ok(()), HResult::S_OK),
        (|| Err(NeedsUser::new("sign in").into()), HResult::S_FALSE),
        (|| Err(anyhow!("no network")), HResult::E_FAIL),
        (|| panic!("no idea"), HResult::E_UNEXPECTED),
    ];
    for (end, code) in ends {
        let report = run(Scripted::new(&["a"]).on_synchronize(move |_| async move { end() }.boxed())).await;
        assert_eq!(ending(&report, HANDLER), RunEnding::Completed(code));
        if !code.is_ok() {
            let report = run(Scripted::new(&["a"]).on_prepare(move |_| async move { end() }.boxed())).await;
            assert_eq!(ending(&report, HANDLER), RunEnding::NotPrepared(code));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_error_in_one_item_touches_no_neighbour() {
    let names = ["a", "panics", "b", "fails", "c", "d"];
    for at_once in [1, 2, 8] {
        let limits = Limits::DEFAULT.with_items(at_once);
        let handler = Scripted::new(&names).info(|info| info.with_limits(limits)).on_item(|item| {
            async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                match item.name() {
                    "panics" => panic!("as it is called"),
                    "fails" => Err(anyhow!("as it is called")),
                    _ => Ok(()),
                }
            }
            .boxed()
        });
        let report = within(run(handler)).await;
        for item in report.items() {
            let troubled = ["panics", "fails"].contains(&item.item.name());
            assert_eq!(item.outcome, if troubled { Outcome::Failed } else { Outcome::Succeeded }, "{report}");
        }
        let named: Vec<_> = report.runs[0].log.iter().map(|entry| entry.item.unwrap()).collect();
        assert!(named.len() == 2 && named.contains(&id("panics")) && named.contains(&id("fails")));
        assert_eq!(ending(&report, HANDLER), RunEnding::Completed(HResult::S_OK));
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_hangs_holds_up_neither_its_neighbours_nor_other_handlers() {
    let manager = SyncManager::new();
    let hanging = Scripted::new(&["hangs", "a", "b", "c"])
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(2)))
        .on_item(|item| if item.name() == "hangs" { std::future::pending().boxed() } else { async { Ok(()) }.boxed() });
    manager.register(hanging.clone()).unwrap();
    manager.register(Scripted::new(&["other"]).info(|_| HandlerInfo::new(CLASSIC, "Other"))).unwrap();
    let session = manager.session(Trigger::Manual).start().unwrap();
    let mut events = session.events();
    for _ in 0..4 {
        crate::watched::until(&mut events, |event| matches!(event, syncmgr::SessionEvent::Ended { .. })).await;
    }
    session.skip(HANDLER, id("hangs")).unwrap();
    let report = within(session.finish()).await;
    assert_eq!(report.run(HANDLER).unwrap().item(id("hangs")).unwrap().outcome, Outcome::Skipped);
    let succeeded = report.items().filter(|item| item.outcome == Outcome::Succeeded).count();
    assert_eq!(succeeded, 4);
}

#[tokio::test(start_paused = true)]
async fn a_failing_handler_does_not_stop_the_session() {
    let manager = SyncManager::new();
    let failing = [
        Scripted::new(&["x"]).on_initialize(|_| async { Err(anyhow!("no")) }.boxed()),
        Scripted::new(&["x"]).items(|| Err(anyhow!("no"))),
        Scripted::new(&["x"]).on_prepare(|_| async { Err(anyhow!("no")) }.boxed()),
        Scripted::new(&["x"]).on_synchronize(|_| async { Err(anyhow!("no")) }.boxed()),
    ];
    for (number, handler) in (1..).zip(failing) {
        let other = HandlerInfo::new(HandlerId::from_u128(number), "Failing");
        manager.register(handler.info(|_| other)).unwrap();
    }
    manager.register(Scripted::new(&["a"])).unwrap();
    let report = within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    let fail = HResult::E_FAIL;
    let endings: Vec<_> = (1..=4).map(|number| ending(&report, HandlerId::from_u128(number))).collect();
    let (not_begun, not_prepared) = (RunEnding::NotBegun(fail), RunEnding::NotPrepared(fail));
    assert_eq!(endings, [not_begun, not_begun, not_prepared, RunEnding::Completed(fail)]);
    assert!(report.run(HANDLER).unwrap().is_success());
    assert!(report.runs.iter().filter(|run| run.handler != HANDLER).all(|run| run.log.len() == 1), "{report}");
}
