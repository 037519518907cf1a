//! PrepareForSync and its completion: R86 to R88, R95.

use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::session::RunChange;
use syncmgr::{LogLevel, RunEnding, RunReport};
use syncmgr_test::{ScriptedHandler, Transcript};

use crate::support::awaitable_host::{
    HandlerOnHost, begin, complete_after_return, complete_before_return, host_classic, items_named, prepares,
    run_classic, synchronizes, until_run,
};
use crate::support::{Scripted, id};

const OK: HResult = HResult::S_OK;
const FAIL: HResult = HResult::E_FAIL;

fn scripted_handler() -> ScriptedHandler {
    ScriptedHandler::new(items_named(&["a"])).on_synchronize(synchronizes())
}

/// The number of log entries about a completion without effect.
fn misuses(run: &RunReport) -> usize {
    run.log.iter().filter(|entry| entry.level == LogLevel::Warning && entry.text.contains("a completion")).count()
}

#[tokio::test(start_paused = true)]
async fn r086_prepare_may_complete_before_it_returns() {
    let (run, transcript) = run_classic(scripted_handler().on_prepare(prepares())).await;
    assert_eq!(run.ending, Some(RunEnding::Completed));
    assert_eq!(transcript.count("Synchronize"), 1);
    assert_eq!(misuses(&run), 0);
}

#[tokio::test(start_paused = true)]
async fn r086_a_prepare_without_waiting_completes_before_it_returns() {
    let handler = Scripted::new(&["a"]);
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::ready(handler, &transcript).await;
    assert_eq!(on.adapter.prepare_for_sync(&[id("a")]), OK);
    assert_eq!(on.lines().last().map(String::as_str), Some("PrepareForSyncCompleted S_OK"));
}

#[tokio::test(start_paused = true)]
async fn r087_prepare_returning_ok_is_followed_by_exactly_one_completion() {
    let (manager, handler) = host_classic(scripted_handler());
    let session = begin(&manager);
    until_run(&session, RunChange::Preparing).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(handler.transcript().count("Synchronize"), 0, "the run did not wait for the completion");
    let callback = handler.side().callback();
    assert_eq!([(); 2].map(|()| callback.prepare_for_sync_completed(OK)), [OK, HResult::E_UNEXPECTED]);
    let report = session.finish().await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::Completed));
    assert_eq!(handler.transcript().count("Synchronize"), 1);
}

#[tokio::test(start_paused = true)]
async fn r087_a_host_receives_exactly_one_completion() {
    for waits in [0, 1, 3] {
        let handler = Scripted::new(&["a"]).on_prepare(move |_| {
            async move {
                for _ in 0..waits {
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            .boxed()
        });
        let transcript = handler.transcript.clone();
        let on = HandlerOnHost::ready(handler, &transcript).await;
        assert_eq!(on.adapter.prepare_for_sync(&[id("a")]), OK);
        assert_eq!(transcript.count("PrepareForSyncCompleted"), usize::from(waits == 0));
        on.host.wait_for("PrepareForSyncCompleted").await;
        on.adapter.synchronize();
        on.host.wait_for("SynchronizeCompleted").await;
        assert_eq!(transcript.count("PrepareForSyncCompleted"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn r088_completing_is_refused_after_prepare_returned_a_code_other_than_ok() {
    for code in [FAIL, HResult::S_FALSE] {
        let answers = Transcript::new();
        let noted = answers.clone();
        let (run, transcript) = run_classic(scripted_handler().on_prepare(move |side| {
            let noted = noted.clone();
            complete_after_return(move |callback| {
                let answer = callback.prepare_for_sync_completed(OK);
                noted.note(answer.to_string());
                answer
            })(side);
            code
        }))
        .await;
        assert_eq!(run.ending, Some(RunEnding::NotPrepared(code.into())));
        assert_eq!(transcript.count("Synchronize"), 0);
        tokio::task::yield_now().await;
        assert_eq!(answers.lines(), ["E_UNEXPECTED"]);
    }
}

#[tokio::test(start_paused = true)]
async fn r088_the_first_code_other_than_ok_of_completion_and_return_counts() {
    let cases = [(OK, FAIL, FAIL), (FAIL, OK, FAIL), (HResult::S_FALSE, FAIL, HResult::S_FALSE), (OK, OK, OK)];
    for (completed, returned, counts) in cases {
        let (run, transcript) = run_classic(scripted_handler().on_prepare(move |side| {
            complete_before_return(move |callback| callback.prepare_for_sync_completed(completed))(side);
            returned
        }))
        .await;
        let expected = if counts.is_ok() { RunEnding::Completed } else { RunEnding::NotPrepared(counts.into()) };
        assert_eq!(run.ending, Some(expected), "completed with {completed}, returned {returned}");
        assert_eq!(transcript.count("Synchronize"), usize::from(counts.is_ok()));
    }
}

#[tokio::test(start_paused = true)]
async fn r088_a_refused_call_of_a_host_has_no_completion() {
    let handler = Scripted::new(&["a"]);
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::ready(handler, &transcript).await;
    assert_eq!(on.adapter.prepare_for_sync(&[id("unlisted")]), HResult::E_INVALIDARG);
    on.adapter.set_progress_callback(None);
    assert_eq!(on.adapter.prepare_for_sync(&[id("a")]), HResult::E_UNEXPECTED);
    tokio::task::yield_now().await;
    assert_eq!(transcript.count("PrepareForSyncCompleted") + transcript.count("prepare"), 0);
}

#[tokio::test(start_paused = true)]
async fn r095_a_second_completion_before_the_return_has_no_effect_and_is_logged() {
    for (first, second) in [(OK, FAIL), (FAIL, OK)] {
        let (run, _) = run_classic(scripted_handler().on_prepare(move |side| {
            let answers = [first, second].map(|code| side.callback().prepare_for_sync_completed(code));
            assert_eq!(answers, [OK, HResult::E_UNEXPECTED]);
            OK
        }))
        .await;
        let expected = if first.is_ok() { RunEnding::Completed } else { RunEnding::NotPrepared(first.into()) };
        assert_eq!((run.ending, misuses(&run)), (Some(expected), 1), "{run}");
    }
}

#[tokio::test(start_paused = true)]
async fn r095_a_second_completion_after_the_return_has_no_effect_and_is_logged() {
    for (first, second) in [(OK, FAIL), (FAIL, OK)] {
        let (run, _) = run_classic(scripted_handler().on_prepare(complete_after_return(move |callback| {
            assert_eq!(callback.prepare_for_sync_completed(first), OK);
            assert_eq!(callback.prepare_for_sync_completed(second), HResult::E_UNEXPECTED);
            OK
        })))
        .await;
        let expected = if first.is_ok() { RunEnding::Completed } else { RunEnding::NotPrepared(first.into()) };
        assert_eq!((run.ending, misuses(&run)), (Some(expected), 1), "{run}");
    }
}

#[tokio::test(start_paused = true)]
async fn r095_completing_prepare_again_while_synchronizing_has_no_effect() {
    let (run, _) = run_classic(scripted_handler().on_prepare(prepares()).on_synchronize(|side| {
        assert_eq!(side.callback().prepare_for_sync_completed(FAIL), HResult::E_UNEXPECTED);
        synchronizes()(side)
    }))
    .await;
    assert_eq!((run.ending, misuses(&run)), (Some(RunEnding::Completed), 1), "{run}");
}
