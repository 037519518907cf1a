//! Synchronize and its completion: R99 to R101.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::progress::Status;
use syncmgr::session::RunChange;
use syncmgr::{LogLevel, Progress, RunEnding, RunReport};
use syncmgr_test::{ScriptedHandler, Transcript};
use tokio::sync::Notify;

use crate::support::awaitable_host::{
    HandlerOnHost, begin, complete_after_return, complete_before_return, host_classic, items_named, prepares,
    run_classic, synchronizes, until_run,
};
use crate::support::{Scripted, ending_of, id};

const OK: HResult = HResult::S_OK;
const FAIL: HResult = HResult::E_FAIL;

fn scripted_handler() -> ScriptedHandler {
    ScriptedHandler::new(items_named(&["a"])).on_prepare(prepares())
}

/// The number of log entries about a completion without effect.
fn misuses(run: &RunReport) -> usize {
    run.log.iter().filter(|entry| entry.level == LogLevel::Warning && entry.text.contains("a completion")).count()
}

#[tokio::test(start_paused = true)]
async fn r099_synchronize_may_complete_before_it_returns() {
    for code in [OK, FAIL, HResult::S_FALSE] {
        let early = complete_before_return(move |callback| callback.synchronize_completed(code));
        let (run, transcript) = run_classic(scripted_handler().on_synchronize(early)).await;
        assert_eq!((run.ending, misuses(&run)), (Some(ending_of(code)), 0));
        assert_eq!(transcript.count("SetItemStatus"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn r099_a_synchronize_without_waiting_completes_before_it_returns() {
    let handler = Scripted::new(&["a"]).on_synchronize(|run| {
        let done = run.report(id("a"), Progress::new().with_status(Status::Succeeded));
        std::future::ready(done.map_err(Into::into)).boxed()
    });
    let on = HandlerOnHost::prepared(handler, &Transcript::new(), &[id("a")]).await;
    assert_eq!(on.adapter.synchronize(), OK);
    assert_eq!(on.lines().last().map(String::as_str), Some("SynchronizeCompleted S_OK"));
}

#[tokio::test(start_paused = true)]
async fn r100_completing_is_refused_after_synchronize_returned_a_code_other_than_ok() {
    for code in [FAIL, HResult::S_FALSE] {
        let answers = Transcript::new();
        let noted = answers.clone();
        let (run, _) = run_classic(scripted_handler().on_synchronize(move |side| {
            let noted = noted.clone();
            complete_after_return(move |callback| {
                let answer = callback.synchronize_completed(OK);
                noted.note(answer.to_string());
                answer
            })(side);
            code
        }))
        .await;
        assert_eq!(run.ending, Some(ending_of(code)));
        tokio::task::yield_now().await;
        assert_eq!(answers.lines(), ["E_UNEXPECTED"]);
    }
}

#[tokio::test(start_paused = true)]
async fn r100_the_first_code_other_than_ok_of_completion_and_return_counts() {
    let cases = [(OK, FAIL, FAIL), (FAIL, OK, FAIL), (FAIL, HResult::S_FALSE, FAIL), (OK, OK, OK)];
    for (completed, returned, counts) in cases {
        let (run, _) = run_classic(scripted_handler().on_synchronize(move |side| {
            complete_before_return(move |callback| callback.synchronize_completed(completed))(side);
            returned
        }))
        .await;
        assert_eq!(run.ending, Some(ending_of(counts)), "completed with {completed}, returned {returned}");
    }
}

#[tokio::test(start_paused = true)]
async fn r100_a_refused_call_of_a_host_has_no_completion() {
    let handler = Scripted::new(&["a"]);
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::ready(handler, &transcript).await;
    assert_eq!(on.adapter.synchronize(), HResult::E_UNEXPECTED);
    tokio::task::yield_now().await;
    assert_eq!(transcript.count("SynchronizeCompleted") + transcript.count("synchronize"), 0);
}

#[tokio::test(start_paused = true)]
async fn r101_the_run_ends_with_the_completion_and_a_second_one_is_refused() {
    let (manager, handler) = host_classic(scripted_handler());
    let session = begin(&manager);
    until_run(&session, RunChange::Synchronizing).await;
    let callback = handler.side().callback();
    assert_eq!(callback.progress(id("a"), Some(&Progress::new().with_status(Status::Succeeded))), OK);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(session.report().now_or_never().is_none(), "the run ended before its completion");
    let answers = [FAIL, OK].map(|code| callback.synchronize_completed(code));
    assert_eq!(answers, [OK, HResult::E_UNEXPECTED]);
    let report = session.finish().await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::NotCompleted(FAIL.into())));
    assert_eq!(misuses(&report.runs[0]), 1);
}

#[tokio::test(start_paused = true)]
async fn r101_a_second_completion_before_the_return_is_refused() {
    for (first, second) in [(OK, FAIL), (FAIL, OK)] {
        let (run, _) = run_classic(scripted_handler().on_synchronize(move |side| {
            let answers = [first, second].map(|code| side.callback().synchronize_completed(code));
            assert_eq!(answers, [OK, HResult::E_UNEXPECTED]);
            OK
        }))
        .await;
        assert_eq!((run.ending, misuses(&run)), (Some(ending_of(first)), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn r101_completing_synchronize_while_preparing_has_no_effect() {
    let handler = ScriptedHandler::new(items_named(&["a"])).on_synchronize(synchronizes()).on_prepare(|side| {
        assert_eq!(side.callback().synchronize_completed(FAIL), HResult::E_UNEXPECTED);
        prepares()(side)
    });
    let (run, transcript) = run_classic(handler).await;
    assert_eq!((run.ending, misuses(&run)), (Some(RunEnding::Completed), 1));
    assert_eq!(transcript.count("Synchronize"), 1);
}

#[tokio::test(start_paused = true)]
async fn r101_a_host_receives_one_completion_after_the_last_item() {
    let transcript = Transcript::new();
    let (go, ends) = (Arc::new(Notify::new()), transcript.clone());
    let waiting = go.clone();
    let handler = Scripted::new(&["a", "b"]).on_item(move |item| {
        let (go, ends) = (waiting.clone(), ends.clone());
        async move {
            if item.name() == "b" {
                go.notified().await;
            }
            ends.note(format!("end {}", item.name()));
            Ok(())
        }
        .boxed()
    });
    let on = HandlerOnHost::prepared(handler, &transcript, &["a", "b"].map(id)).await;
    on.adapter.synchronize();
    on.host.wait_for(&format!("Progress {} Succeeded", id("a"))).await;
    assert_eq!(transcript.count("SynchronizeCompleted"), 0);
    go.notify_one();
    on.host.wait_for("SynchronizeCompleted").await;
    tokio::task::yield_now().await;
    let last = [format!("Progress {} Succeeded", id("b")), "SynchronizeCompleted S_OK".to_owned()];
    assert_eq!(on.lines().last_chunk(), Some(&last));
    assert_eq!(transcript.count("SynchronizeCompleted"), 1);
}
