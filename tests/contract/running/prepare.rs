//! PrepareForSync: R82 to R94, without R84 and R85. The pair of call and completion is tested in `prepare_pair`.

use anyhow::anyhow;
use futures::FutureExt;
use syncmgr::classic::{Attention, CodeError, HResult};
use syncmgr::session::{RunChange, RunFault};
use syncmgr::{
    Classify, FailureClass, HandlerId, HandlerInfo, LogLevel, Outcome, RunEnding, SyncManager, SyncResult, Trigger,
};
use syncmgr_test::ScriptedHandler;

use crate::support::awaitable_host::{
    CLASSIC, HandlerOnHost, begin, complete_after_return, complete_before_return, host_classic, items_named, prepares,
    run_classic, synchronizes, until_run, within,
};
use crate::support::{HANDLER, Scripted, id, run, start};

/// Success codes of COM after which the run does not continue.
const OTHER_SUCCESSES: [HResult; 4] =
    [HResult::S_FALSE, HResult::S_SYNCMGR_RETRYSYNC, HResult::S_SYNCMGR_CANCELALL, HResult::S_SYNCMGR_MISSINGITEMS];

fn failing_handler(error: impl Fn() -> SyncResult + Send + Sync + 'static) -> Scripted {
    Scripted::new(&["a", "b"]).on_prepare(move |_| std::future::ready(error()).boxed())
}

#[tokio::test(start_paused = true)]
async fn r082_prepare_gets_exactly_the_chosen_items_in_listing_order() {
    let handler = Scripted::new(&["a", "b", "c"]);
    let manager = SyncManager::new();
    manager.register(handler.clone()).unwrap();
    let request = manager.session(Trigger::Manual).items(HANDLER, ["c", "unlisted", "a"].map(id));
    let report = request.start().unwrap().finish().await;
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare a c"]);
    assert_eq!(report.items().map(|item| item.item.name()).collect::<Vec<_>>(), ["a", "c"]);
    let log = &report.runs[0].log;
    assert!(matches!(&log[..], [entry] if entry.text.contains(&id("unlisted").to_string())), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn r082_a_classic_handler_gets_the_chosen_ids() {
    let handler =
        ScriptedHandler::new(items_named(&["a", "b", "c"])).on_prepare(prepares()).on_synchronize(synchronizes());
    let (manager, handler) = host_classic(handler);
    manager.session(Trigger::Manual).items(CLASSIC, ["c", "a"].map(id)).start().unwrap().finish().await;
    assert_eq!(handler.side().items(), ["a", "c"].map(id));
    assert_eq!(handler.transcript().of(&["PrepareForSync"]), ["PrepareForSync 2"]);
}

#[tokio::test(start_paused = true)]
async fn r082_listed_ids_of_a_host_are_prepared_and_unlisted_ones_fail() {
    let handler = Scripted::new(&["a", "b", "c"]);
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::prepared(handler, &transcript, &["c", "unlisted", "a", "a"].map(id)).await;
    assert_eq!(transcript.of(&["prepare "]), ["prepare a c"]);
    assert_eq!(transcript.of(&["Progress"]), [format!("Progress {} Failed", id("unlisted"))]);
    assert_eq!(on.adapter.synchronize(), HResult::S_OK);
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(transcript.of(&["item "]), ["item a", "item c"]);
}

#[tokio::test(start_paused = true)]
async fn r083_a_handler_that_cannot_prepare_does_not_stop_other_handlers() {
    let other = HandlerId::from_u128(2);
    let fails: [fn() -> SyncResult; 2] = [|| Err(anyhow!("no network")), || panic!("the script panics")];
    for fail in fails {
        let manager = SyncManager::new();
        manager.register(failing_handler(fail)).unwrap();
        manager.register(Scripted::new(&["c"]).info(|_| HandlerInfo::new(other, "Other"))).unwrap();
        let report = begin(&manager).finish().await;
        assert!(matches!(report.run(HANDLER).unwrap().ending, Some(RunEnding::NotPrepared(_))), "{report}");
        assert!(report.run(other).unwrap().is_success(), "{report}");
        assert_eq!(report.run(other).unwrap().items().count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn r089_completing_with_ok_leads_to_synchronize() {
    let handler = ScriptedHandler::new(items_named(&["a"])).on_synchronize(synchronizes());
    let (run, transcript) = run_classic(
        handler.on_prepare(complete_after_return(|callback| callback.prepare_for_sync_completed(HResult::S_OK))),
    )
    .await;
    assert_eq!(run.ending, Some(RunEnding::Completed));
    assert_eq!(transcript.of(&["PrepareForSync", "Synchronize"]), ["PrepareForSync 1", "Synchronize"]);
}

#[tokio::test(start_paused = true)]
async fn r089_a_host_can_synchronize_only_after_completion_with_ok() {
    let handler = Scripted::new(&["a"]).on_prepare(|_| tokio::task::yield_now().map(Ok).boxed());
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::ready(handler, &transcript).await;
    on.adapter.prepare_for_sync(&[id("a")]);
    assert_eq!(on.adapter.synchronize(), HResult::E_UNEXPECTED);
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    assert_eq!(on.adapter.synchronize(), HResult::S_OK);
    assert_eq!(transcript.count("synchronize"), 1);
}

#[tokio::test(start_paused = true)]
async fn r090_completing_with_a_failure_ends_the_run_without_synchronize() {
    for code in [HResult::E_FAIL, HResult::E_OUTOFMEMORY, HResult(0x8007_0005_u32 as i32)] {
        assert_not_prepared(
            code,
            scripted_handler().on_prepare(complete_before_return(move |to| to.prepare_for_sync_completed(code))),
        )
        .await;
        assert_not_prepared(
            code,
            scripted_handler().on_prepare(complete_after_return(move |to| to.prepare_for_sync_completed(code))),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn r091_success_codes_other_than_ok_release_the_handler() {
    for code in OTHER_SUCCESSES {
        assert_not_prepared(
            code,
            scripted_handler().on_prepare(complete_before_return(move |to| to.prepare_for_sync_completed(code))),
        )
        .await;
        assert_not_prepared(
            code,
            scripted_handler().on_prepare(complete_after_return(move |to| to.prepare_for_sync_completed(code))),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn r092_returning_a_code_other_than_ok_ends_the_run_without_synchronize() {
    for code in OTHER_SUCCESSES.into_iter().chain([HResult::E_FAIL, HResult::E_NOTIMPL]) {
        assert_not_prepared(code, scripted_handler().on_prepare(move |_| code)).await;
    }
}

fn scripted_handler() -> ScriptedHandler {
    ScriptedHandler::new(items_named(&["a"]))
}

async fn assert_not_prepared(code: HResult, handler: ScriptedHandler) {
    let (run, transcript) = run_classic(handler).await;
    assert_eq!(run.ending, Some(RunEnding::NotPrepared(code.into())));
    assert!(!run.is_success());
    assert_eq!(transcript.lines()[2..], ["SetProgressCallback", "PrepareForSync 1", "SetProgressCallback NULL"]);
    let outcome = match code {
        HResult::S_FALSE => Outcome::NeedsUser,
        code if code.is_success() => Outcome::Skipped,
        _ => Outcome::Failed,
    };
    assert!(run.items().all(|item| item.outcome == outcome), "{code}: {run}");
}

#[tokio::test(start_paused = true)]
async fn r090_an_error_or_panic_of_prepare_ends_the_run_and_fails_its_items() {
    let unclassified = FailureClass::Transient;
    let cases: [(Scripted, HResult, FailureClass); 4] = [
        (failing_handler(|| Err(anyhow!("no disk"))), HResult::E_FAIL, unclassified),
        (failing_handler(|| Err(anyhow!("no disk")).permanent()), HResult::E_FAIL, FailureClass::Permanent),
        (failing_handler(|| Err(CodeError(HResult::E_OUTOFMEMORY).into())), HResult::E_OUTOFMEMORY, unclassified),
        (failing_handler(|| panic!("no disk")), HResult::E_UNEXPECTED, unclassified),
    ];
    for (handler, code, class) in cases {
        let transcript = handler.transcript.clone();
        let report = run(handler).await;
        assert_eq!(report.runs[0].ending, Some(RunEnding::NotPrepared(code.into())));
        assert!(report.items().all(|item| (item.outcome, item.class) == (Outcome::Failed, Some(class))), "{report}");
        assert_eq!(report.items().count(), 2);
        let errors = report.runs[0].log.iter().filter(|entry| entry.level == LogLevel::Error);
        assert_eq!(errors.count(), 1, "the error was not logged exactly once: {report}");
        assert_eq!(transcript.count("synchronize") + transcript.count("item "), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn r090_a_host_cannot_synchronize_after_a_failed_prepare() {
    let handler = failing_handler(|| Err(CodeError(HResult::E_OUTOFMEMORY).into()));
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::ready(handler, &transcript).await;
    assert_eq!(on.adapter.prepare_for_sync(&[id("a")]), HResult::S_OK);
    assert_eq!(transcript.of(&["PrepareForSyncCompleted"]), ["PrepareForSyncCompleted E_OUTOFMEMORY"]);
    assert_eq!(on.adapter.synchronize(), HResult::E_UNEXPECTED);
    assert_eq!(transcript.count("synchronize"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_prepare_that_returns_because_of_a_stop_logs_no_error() {
    let handler = Scripted::new(&["a"]).on_prepare(|run| {
        async move {
            run.cancelled().await;
            Ok(run.check()?)
        }
        .boxed()
    });
    let session = start(handler);
    until_run(&session, RunChange::Preparing).await;
    session.stop();
    let report = within(session.finish()).await;
    assert!(report.items().all(|item| item.outcome == Outcome::Stopped), "{report}");
    assert!(report.runs[0].log.iter().all(|entry| entry.level == LogLevel::Information), "{report}");
}

#[tokio::test(start_paused = true)]
async fn r093_needing_the_user_in_an_unattended_session_is_s_false() {
    let (run, _) = run_classic(scripted_handler().on_prepare(|side| {
        assert_eq!(side.callback().enable_modeless(Attention::Ask), HResult::S_FALSE);
        HResult::S_FALSE
    }))
    .await;
    assert_eq!(run.ending, Some(RunEnding::NotPrepared(RunFault::NeedsUser)));
    assert!(run.items().all(|item| (item.outcome, item.class) == (Outcome::NeedsUser, None)), "{run}");
    assert!(run.log.iter().all(|entry| entry.level < LogLevel::Error), "{run}");
}
