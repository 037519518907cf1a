//! Synchronize: R96, R97, R102, R104 and R105. The pair of call and completion is tested in `synchronize_pair`.

use futures::FutureExt;
use syncmgr::classic::{CodeError, HResult, SyncCallback};
use syncmgr::handler::Resolution;
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::session::{RunChange, RunFault};
use syncmgr::{
    HandlerId, HandlerInfo, LogEntry, LogLevel, Outcome, Progress, RunEnding, RunReport, Subject, SyncManager,
};
use syncmgr_test::{ScriptedHandler, Transcript};

use crate::support::awaitable_host::{
    CLASSIC, HandlerOnHost, begin, complete_after_return, complete_before_return, host_classic, items_named, prepares,
    run_classic, synchronizes, until_run, within,
};
use crate::support::{HANDLER, Scripted, ending_of, id, run, start};

fn scripted_handler(names: &[&'static str]) -> ScriptedHandler {
    ScriptedHandler::new(items_named(names)).on_prepare(prepares())
}

fn outcomes(run: &RunReport) -> Vec<Outcome> {
    run.items().map(|item| item.outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn r096_each_handler_with_chosen_items_synchronizes_once_after_prepare() {
    let (transcript, manager) = (Transcript::new(), SyncManager::new());
    for (number, names) in [&["a", "b"][..], &[], &["c"]].into_iter().enumerate() {
        let handler = Scripted::new(names).with_transcript(&transcript);
        let number = u128::try_from(number).unwrap() + 1;
        manager.register(handler.info(|_| HandlerInfo::new(HandlerId::from_u128(number), "One of three"))).unwrap();
    }
    assert!(within(begin(&manager).finish()).await.is_success());
    assert_eq!((transcript.count("prepare"), transcript.count("synchronize")), (2, 2));
    let (run, transcript) = run_classic(scripted_handler(&["a", "b"]).on_synchronize(synchronizes())).await;
    assert_eq!(run.ending, Some(RunEnding::Completed));
    assert_eq!(transcript.of(&["PrepareForSync", "Synchronize"]), ["PrepareForSync 2", "Synchronize"]);
}

#[tokio::test(start_paused = true)]
async fn r096_a_host_can_synchronize_once() {
    let handler = Scripted::new(&["a"]);
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    assert_eq!([(); 2].map(|()| on.adapter.synchronize()), [HResult::S_OK, HResult::E_UNEXPECTED]);
    on.host.wait_for("SynchronizeCompleted").await;
    assert_eq!(on.adapter.synchronize(), HResult::E_UNEXPECTED);
    assert_eq!((transcript.count("synchronize"), transcript.count("item ")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn r097_prepared_items_that_are_not_skipped_are_synchronized() {
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    let waiting = go.clone();
    let handler = Scripted::new(&["a", "b", "c"]).on_prepare(move |_| waiting.clone().notified_owned().map(Ok).boxed());
    let transcript = handler.transcript.clone();
    let session = start(handler);
    until_run(&session, RunChange::Preparing).await;
    session.skip(HANDLER, id("b")).unwrap();
    go.notify_one();
    let report = within(session.finish()).await;
    assert_eq!(outcomes(&report.runs[0]), [Outcome::Succeeded, Outcome::Skipped, Outcome::Succeeded]);
    assert_eq!(transcript.of(&["item "]), ["item a", "item c"]);
}

#[tokio::test(start_paused = true)]
async fn r097_items_a_host_skips_while_preparing_are_not_synchronized() {
    let handler = Scripted::new(&["a", "b"]).on_prepare(|_| tokio::task::yield_now().map(Ok).boxed());
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::ready(handler, &transcript).await;
    on.adapter.prepare_for_sync(&["a", "b"].map(id));
    assert_eq!(on.adapter.set_item_status(Subject::Item(id("a")), Status::Skipped), HResult::S_OK);
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(transcript.of(&["item "]), ["item b"]);
}

#[tokio::test(start_paused = true)]
async fn r097_a_retry_synchronizes_the_items_of_the_last_prepare() {
    let error = ErrorId::from_key("link");
    let handler = Scripted::new(&["a", "b"])
        .on_prepare(move |run| {
            run.log(LogEntry::new(LogLevel::Warning, "link").with_link(error));
            async { Ok(()) }.boxed()
        })
        .on_show_error(|_, _| async { Ok(Resolution::Retry(vec![id("b")])) }.boxed());
    let transcript = handler.transcript.clone();
    let session = start(handler);
    session.report().await;
    within(session.show_error(HANDLER, error)).await.unwrap();
    assert_eq!(transcript.of(&["prepare", "item "]), ["prepare a b", "item a", "item b", "prepare b", "item b"]);
    session.close().await;
}

#[tokio::test(start_paused = true)]
async fn r102_the_code_of_the_completion_is_the_result_of_the_run() {
    for code in [HResult::S_OK, HResult::S_FALSE, HResult::E_OUTOFMEMORY, HResult::S_SYNCMGR_CANCELALL] {
        for complete in [true, false] {
            let done = Progress::new().with_status(Status::Succeeded);
            let (run, _) = run_classic(scripted_handler(&["a"]).on_synchronize(move |side| {
                side.callback().progress(id("a"), Some(&done));
                match complete {
                    true => complete_after_return(move |callback| callback.synchronize_completed(code))(side),
                    false if code.is_ok() => synchronizes()(side),
                    false => code,
                }
            }))
            .await;
            assert_eq!(run.ending, Some(ending_of(code)));
            assert_eq!((outcomes(&run), run.is_success()), (vec![Outcome::Succeeded], code.is_ok()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r102_completing_with_retrysync_starts_no_retry() {
    let code = HResult::S_SYNCMGR_RETRYSYNC;
    let completing = complete_before_return(move |callback| callback.synchronize_completed(code));
    let (run, transcript) = run_classic(scripted_handler(&["a"]).on_synchronize(completing)).await;
    assert_eq!(run.ending, Some(ending_of(code)));
    assert_eq!((transcript.count("PrepareForSync"), transcript.count("Synchronize")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn r102_an_error_or_a_panic_of_synchronize_is_the_result_of_the_run() {
    let named = HResult::S_SYNCMGR_RETRYSYNC;
    let naming = Scripted::new(&["a"]).on_synchronize(move |_| async move { Err(CodeError(named).into()) }.boxed());
    let failing = Scripted::new(&["a"]).on_synchronize(|_| async { anyhow::bail!("no disk") }.boxed());
    let panicking = Scripted::new(&["a"]).on_synchronize(|_| async { panic!("no disk") }.boxed());
    for (handler, code) in [(naming, named), (failing, HResult::E_FAIL), (panicking, HResult::E_UNEXPECTED)] {
        let transcript = handler.transcript.clone();
        let on = HandlerOnHost::prepared(handler.clone(), &Transcript::new(), &[id("a")]).await;
        assert_eq!(on.adapter.synchronize(), HResult::S_OK);
        on.host.wait_for(&format!("SynchronizeCompleted {code}")).await;
        let report = run(handler).await;
        assert_eq!(report.runs[0].ending, Some(ending_of(code)));
        let errors = report.runs[0].log.iter().filter(|entry| entry.level == LogLevel::Error);
        assert_eq!((errors.count(), report.is_success()), (1, false));
        assert_eq!(transcript.count("prepare"), 2, "the host and the manager did not call `prepare` once each");
    }
}

#[tokio::test(start_paused = true)]
async fn r104_synchronize_is_not_called_if_every_item_is_skipped() {
    let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&["a", "b"])));
    let session = begin(&manager);
    until_run(&session, RunChange::Preparing).await;
    for name in ["a", "b"] {
        session.skip(CLASSIC, id(name)).unwrap();
    }
    handler.side().callback().prepare_for_sync_completed(HResult::S_OK);
    let report = within(session.finish()).await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::Completed));
    assert_eq!(outcomes(&report.runs[0]), [Outcome::Skipped; 2]);
    assert_eq!(handler.transcript().count("Synchronize"), 0);
}

#[tokio::test(start_paused = true)]
async fn r104_synchronize_completes_immediately_if_a_host_skipped_every_item() {
    let handler = Scripted::new(&["a"]).on_prepare(|_| tokio::task::yield_now().map(Ok).boxed());
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::ready(handler, &transcript).await;
    on.adapter.prepare_for_sync(&[id("a")]);
    on.adapter.set_item_status(Subject::Item(id("a")), Status::Skipped);
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    assert_eq!(on.adapter.synchronize(), HResult::S_OK);
    assert_eq!(transcript.of(&["SynchronizeCompleted"]), ["SynchronizeCompleted S_OK"]);
    assert_eq!(transcript.count("synchronize"), 0);
}

/// Reports one item as ended and another as begun, but nothing about a third, and completes with this code.
fn report_some(callback: &dyn SyncCallback, code: HResult) -> HResult {
    callback.progress(id("done"), Some(&Progress::new().with_status(Status::Succeeded)));
    callback.progress(id("begun"), Some(&Progress::new().with_value(1)));
    callback.synchronize_completed(code)
}

#[tokio::test(start_paused = true)]
async fn r105_the_code_and_the_reports_decide_the_outcome_of_unfinished_items() {
    use Outcome::{Failed, Succeeded};
    let failed_run = [Succeeded, Failed, Failed];
    let cases = [
        (HResult::S_OK, [Succeeded, Succeeded, Failed]),
        (HResult::E_FAIL, failed_run),
        (HResult::S_FALSE, failed_run),
    ];
    for (code, expected) in cases {
        let completing = complete_before_return(move |callback| report_some(callback, code));
        let (run, _) = run_classic(scripted_handler(&["done", "begun", "untouched"]).on_synchronize(completing)).await;
        assert_eq!(outcomes(&run), expected, "{code}");
        let unreported: Vec<_> = run.log.iter().filter(|entry| entry.text.contains("did not report")).collect();
        assert_eq!(unreported.len(), usize::from(code.is_ok()), "{run}");
        assert!(unreported.iter().all(|entry| entry.item == Some(id("untouched"))));
    }
}

#[tokio::test(start_paused = true)]
async fn r105_a_cancellation_outranks_the_code_for_an_unfinished_item() {
    let (manager, handler) = host_classic(scripted_handler(&["done", "begun", "untouched"]));
    let session = begin(&manager);
    until_run(&session, RunChange::Synchronizing).await;
    let callback = handler.side().callback();
    callback.progress(id("begun"), Some(&Progress::new().with_value(1)));
    session.skip(CLASSIC, id("begun")).unwrap();
    callback.progress(id("done"), Some(&Progress::new().with_status(Status::Succeeded)));
    session.stop();
    callback.synchronize_completed(HResult::S_OK);
    let report = within(session.finish()).await;
    assert_eq!(outcomes(&report.runs[0]), [Outcome::Succeeded, Outcome::Skipped, Outcome::Stopped]);
}

#[tokio::test(start_paused = true)]
async fn r105_a_host_receives_a_terminal_status_for_unfinished_items() {
    let handler = Scripted::new(&["begun", "untouched"]).on_synchronize(|run| {
        let begun = run.report(id("begun"), Progress::new().with_value(1));
        std::future::ready(begun.map_err(Into::into)).boxed()
    });
    let on = HandlerOnHost::prepared(handler, &Transcript::new(), &["begun", "untouched"].map(id)).await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(on.host.script.state(id("begun")).status, Some(Status::Succeeded));
    assert_eq!(on.host.script.state(id("untouched")).status, Some(Status::Failed));
}

#[tokio::test(start_paused = true)]
async fn r105_unfinished_items_need_the_user_if_synchronize_does() {
    let handler = Scripted::new(&["a"]).on_synchronize(|run| run.interaction().map(|asked| asked.map(drop)).boxed());
    let report = run(handler).await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::NotCompleted(RunFault::NeedsUser)));
    assert!(report.items().all(|item| (item.outcome, item.class) == (Outcome::NeedsUser, None)), "{report}");
}
