//! Retries requested by `show_error`: R147 to R149.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use syncmgr::classic::{ClassicAdapter, HResult};
use syncmgr::handler::Resolution;
use syncmgr::progress::Status;
use syncmgr::{LogEntry, LogLevel, Outcome, RunEnding, SyncManager, Trigger};
use syncmgr_test::{Side, Transcript};

use crate::asking::show_error::{calls, error, explaining_handler, linking_handler};
use crate::support::awaitable_host::{AwaitableHost, CLASSIC, HandlerOnHost, host_classic, within};
use crate::support::{HANDLER, Scripted, id, start};

const OK: HResult = HResult::S_OK;
const RETRY: HResult = HResult::S_SYNCMGR_RETRYSYNC;

#[tokio::test(start_paused = true)]
async fn r147_the_listed_items_are_retried_only_with_retrysync() {
    for code in [OK, HResult::S_FALSE, HResult::S_SYNCMGR_ENUMITEMS, HResult::E_FAIL] {
        let explain = move |side: &Side| side.callback().show_error_completed(code, &[id("a")]);
        let (manager, handler) = host_classic(explaining_handler(&["a"], explain));
        let session = manager.session(Trigger::Manual).start().unwrap();
        within(session.report()).await;
        within(session.show_error(CLASSIC, error())).await.unwrap();
        within(session.finish()).await;
        assert_eq!(handler.transcript().count("PrepareForSync"), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn r148_retrysync_runs_the_given_items_again_on_the_same_instance() {
    let made = Arc::new(AtomicUsize::new(0));
    let explain = |side: &Side| side.callback().show_error_completed(RETRY, &[id("b")]);
    let handler = Arc::new(explaining_handler(&["a", "b"], explain));
    let (instance, count) = (handler.clone(), made.clone());
    let hosted = ClassicAdapter::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        instance.clone()
    });
    let manager = SyncManager::new();
    manager.register(hosted.unwrap()).unwrap();
    let session = manager.session(Trigger::Manual).start().unwrap();
    within(session.report()).await;
    within(session.show_error(CLASSIC, error())).await.unwrap();
    assert_eq!(handler.side().items(), [id("b")]);
    assert!(within(session.finish()).await.is_success());
    let asked = format!("ShowError {}", error());
    let wanted =
        ["PrepareForSync 2", "Synchronize", &asked, "PrepareForSync 1", "Synchronize", "SetProgressCallback NULL"];
    assert_eq!(calls(handler.transcript()), wanted);
    // The adapter creates one instance for the info and one for the run.
    assert_eq!(made.load(Ordering::Relaxed), 2);
    assert_eq!(handler.transcript().count("Initialize"), 1);
}

#[tokio::test(start_paused = true)]
async fn r148_a_retry_reads_kept_values_and_replaces_the_outcome() {
    let handler = Scripted::new(&["a", "b"])
        .on_prepare(|run| {
            let first = run.kept::<Transcript>().is_err();
            let tries = if first { run.keep(Transcript::new()) } else { run.kept().unwrap() };
            tries.note("prepared");
            async { Ok(()) }.boxed()
        })
        .on_item(|item| {
            async {
                item.log(LogEntry::new(LogLevel::Error, "link").with_link(error()));
                let tries = item.kept::<Transcript>()?.count("prepared");
                anyhow::ensure!(item.name() == "a" || tries == 2, "the first attempt fails");
                Ok(())
            }
            .boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("b")])) }.boxed());
    let session = start(handler.clone());
    let first = within(session.report()).await;
    assert_eq!(first.runs[0].item(id("b")).unwrap().outcome, Outcome::Failed);
    within(session.show_error(HANDLER, error())).await.unwrap();
    let second = within(session.finish()).await;
    assert!(second.is_success(), "{second}");
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare a b", "prepare b"]);
    assert_eq!((handler.transcript.count("item a"), handler.transcript.count("initialize")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn r149_retrysync_without_known_items_starts_nothing() {
    for items in [vec![], vec![id("unlisted")]] {
        let explain = move |side: &Side| side.callback().show_error_completed(RETRY, &items);
        let (manager, handler) = host_classic(explaining_handler(&["a"], explain));
        let session = manager.session(Trigger::Manual).start().unwrap();
        within(session.report()).await;
        within(session.show_error(CLASSIC, error())).await.unwrap();
        let report = within(session.report()).await;
        assert_eq!(handler.transcript().count("PrepareForSync"), 1);
        assert_eq!(report.runs[0].ending, Some(RunEnding::Completed));
        // The entry can be opened again.
        within(session.show_error(CLASSIC, error())).await.unwrap();
        assert_eq!(handler.transcript().count("ShowError"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn r149_a_completion_without_known_items_is_accepted_each_time() {
    let answers = Transcript::new();
    let notes = answers.clone();
    let (manager, _handler) = host_classic(explaining_handler(&["a"], move |side| {
        let answer = side.callback().show_error_completed(RETRY, &[id("unlisted")]);
        notes.note(answer.to_string());
        OK
    }));
    let session = manager.session(Trigger::Manual).start().unwrap();
    within(session.report()).await;
    within(session.show_error(CLASSIC, error())).await.unwrap();
    within(session.show_error(CLASSIC, error())).await.unwrap();
    assert_eq!(answers.lines(), ["S_OK", "S_OK"]);
}

#[tokio::test(start_paused = true)]
async fn r148_a_host_receives_the_items_to_retry_and_runs_them_again() {
    let transcript = Transcript::new();
    let handler = linking_handler(&["a", "b"])
        .with_transcript(&transcript)
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("b")])) }.boxed());
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a"), id("b")]).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    // The new callback has a transcript of its own, which contains only the calls of the second attempt (R76).
    let again = HandlerOnHost { adapter: on.adapter.clone(), host: AwaitableHost::with_transcript(&Transcript::new()) };
    again.attach();
    again.adapter.show_error(error());
    again.host.wait_for("ShowErrorCompleted S_SYNCMGR_RETRYSYNC 1").await;
    assert_eq!(again.host.script.retry_items(), [id("b")]);
    assert_eq!(again.adapter.prepare_for_sync(&again.host.script.retry_items()), OK);
    assert_eq!(again.adapter.synchronize(), OK);
    again.host.wait_for("SynchronizeCompleted S_OK").await;
    let calls = transcript.of(&["prepare", "item "]);
    assert_eq!(calls[3..], ["prepare b", "item b"]);
    assert_eq!(again.host.script.state(id("b")).status, Some(Status::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn r148_retrysync_runs_known_items_and_reports_unknown_ones() {
    let unlisted = id("unlisted");
    let handler = linking_handler(&["a", "b"])
        .on_show_error(move |_, _| async move { Ok(Resolution::Retry(vec![unlisted, id("b"), id("b")])) }.boxed());
    let session = start(handler.clone());
    within(session.report()).await;
    within(session.show_error(HANDLER, error())).await.unwrap();
    let report = within(session.finish()).await;
    assert_eq!(handler.transcript.of(&["prepare", "item "])[3..], ["prepare b", "item b"]);
    let reported = report.runs[0].log.iter().any(|entry| entry.text.contains(&unlisted.to_string()));
    assert!(reported, "{report}");
}
