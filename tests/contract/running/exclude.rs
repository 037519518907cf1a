//! Items that `prepare` excludes, and the outcomes of items after a failed `prepare`.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use syncmgr::anyhow::{self, anyhow};
use syncmgr::classic::HResult;
use syncmgr::context::ReportError;
use syncmgr::progress::Status;
use syncmgr::{Classify, FailureClass, ItemId, LogLevel, NeedsUser, Outcome, PrepareContext, RunEnding, SyncResult};
use syncmgr_test::Transcript;

use crate::support::awaitable_host::{HandlerOnHost, within};
use crate::support::steps::outcome;
use crate::support::{HANDLER, Scripted, id, run, start};

/// A handler whose `prepare` calls `exclude`.
fn excluding_handler(
    names: &[&str],
    exclude: impl Fn(&PrepareContext) -> SyncResult + Send + Sync + 'static,
) -> Scripted {
    Scripted::new(names).on_prepare(move |run| {
        let excluded = exclude(run);
        async { excluded }.boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn an_excluded_item_fails_with_a_class_and_an_entry_and_others_run() {
    let handler =
        excluding_handler(&["a", "b"], |run| Ok(run.exclude(id("a"), anyhow!("moved away").context("folder"))?));
    let transcript = handler.transcript.clone();
    let report = run(handler).await;
    let run = &report.runs[0];
    let item = run.item(id("a")).unwrap();
    assert_eq!((item.outcome, item.class, item.hold), (Outcome::Failed, Some(FailureClass::Transient), None));
    assert_eq!(outcome(&report, id("b")), Outcome::Succeeded);
    let [entry] = &run.log[..] else { panic!("{report}") };
    assert_eq!((entry.level, entry.item), (LogLevel::Error, Some(id("a"))));
    assert!(entry.text.contains("folder") && entry.text.contains("moved away"), "{entry:?}");
    assert_eq!(transcript.of(&["synchronize", "item "]), ["synchronize", "item b"]);
    assert_eq!(run.ending, Some(RunEnding::Completed));
    assert!(!report.is_success());
}

fn gone_error() -> anyhow::Error {
    Err::<(), _>(anyhow!("no such folder")).gone().expect_err("an error")
}

fn permanent_error() -> anyhow::Error {
    Err::<(), _>(anyhow!("read only")).permanent().expect_err("an error")
}

#[tokio::test(start_paused = true)]
async fn the_class_of_an_excluded_item_is_that_of_its_reason() {
    let reasons: [(fn() -> anyhow::Error, FailureClass); 2] =
        [(gone_error, FailureClass::Gone), (permanent_error, FailureClass::Permanent)];
    for (reason, class) in reasons {
        let report = run(excluding_handler(&["a", "b"], move |run| Ok(run.exclude(id("a"), reason())?))).await;
        assert_eq!(report.runs[0].item(id("a")).unwrap().class, Some(class), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_excluded_because_the_user_is_needed_waits_for_the_user() {
    let report =
        run(excluding_handler(&["a", "b"], |run| Ok(run.exclude(id("a"), NeedsUser::new("a password"))?))).await;
    let item = report.runs[0].item(id("a")).unwrap();
    assert_eq!((item.outcome, item.class), (Outcome::NeedsUser, None));
    let [entry] = &report.runs[0].log[..] else { panic!("{report}") };
    assert_eq!((entry.level, entry.item), (LogLevel::Warning, Some(id("a"))));
}

#[tokio::test(start_paused = true)]
async fn synchronize_is_not_called_if_every_item_is_excluded() {
    let handler = excluding_handler(&["a", "b"], |run| {
        run.exclude(id("a"), anyhow!("locked"))?;
        Ok(run.exclude(id("b"), NeedsUser::new("a password"))?)
    });
    let transcript = handler.transcript.clone();
    let report = within(run(handler)).await;
    assert_eq!(transcript.count("synchronize"), 0);
    assert_eq!([id("a"), id("b")].map(|item| outcome(&report, item)), [Outcome::Failed, Outcome::NeedsUser]);
    assert_eq!(report.runs[0].ending, Some(RunEnding::Completed));
}

#[tokio::test(start_paused = true)]
async fn excluding_every_item_after_an_await_ends_the_run() {
    let handler = Scripted::new(&["a"]).on_prepare(|run| {
        async move {
            tokio::task::yield_now().await;
            run.exclude(id("a"), anyhow!("locked"))?;
            tokio::task::yield_now().await;
            Ok(())
        }
        .boxed()
    });
    let transcript = handler.transcript.clone();
    let report = within(run(handler)).await;
    assert_eq!((transcript.count("synchronize"), outcome(&report, id("a"))), (0, Outcome::Failed));
}

#[tokio::test(start_paused = true)]
async fn an_unchosen_or_already_excluded_item_cannot_be_excluded() {
    let report = run(excluding_handler(&["a", "b"], |run| {
        let unknown = run.exclude(ItemId::from_u128(1), anyhow!("x"));
        assert_eq!(unknown, Err(ReportError::NotPrepared { item: ItemId::from_u128(1) }));
        run.exclude(id("a"), anyhow!("first"))?;
        assert_eq!(run.exclude(id("a"), anyhow!("second")), Err(ReportError::Ended { item: id("a") }));
        Ok(())
    }))
    .await;
    let texts: Vec<_> = report.runs[0].log.iter().map(|entry| &*entry.text).collect();
    assert_eq!(texts, ["first"]);
    assert_eq!(outcome(&report, id("b")), Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_item_skipped_before_it_is_excluded_stays_skipped() {
    let waits = Arc::new(tokio::sync::Notify::new());
    let go = waits.clone();
    let handler = Scripted::new(&["a", "b"]).on_prepare(move |run| {
        let waits = waits.clone();
        async move {
            waits.notified().await;
            assert!(matches!(run.exclude(id("a"), anyhow!("too late")), Err(ReportError::Cancelled(_))));
            Ok(())
        }
        .boxed()
    });
    let session = start(handler);
    crate::support::awaitable_host::until_run(&session, syncmgr::session::RunChange::Preparing).await;
    session.skip(HANDLER, id("a")).unwrap();
    go.notify_one();
    let report = within(session.finish()).await;
    assert_eq!([id("a"), id("b")].map(|item| outcome(&report, item)), [Outcome::Skipped, Outcome::Succeeded]);
    assert!(report.runs[0].log.is_empty(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn no_item_can_be_excluded_after_prepare() {
    let saved: Arc<Mutex<Option<PrepareContext>>> = Arc::default();
    let save = saved.clone();
    let handler = excluding_handler(&["a"], move |run| {
        *save.lock().unwrap() = Some(run.clone());
        Ok(())
    });
    let during = saved.clone();
    let handler = handler.on_item(move |_| {
        let context = during.lock().unwrap().clone().unwrap();
        assert_eq!(context.exclude(id("a"), anyhow!("late")), Err(ReportError::NotRunning));
        async { Ok(()) }.boxed()
    });
    let session = start(handler);
    let report = within(session.report()).await;
    assert!(report.is_success(), "{report}");
    within(session.finish()).await;
    let context = saved.lock().unwrap().take().unwrap();
    assert_eq!(context.exclude(id("a"), anyhow!("later")), Err(ReportError::NotRunning));
}

#[tokio::test(start_paused = true)]
async fn a_long_reason_is_truncated_and_its_control_characters_are_not_shown() {
    let report = run(excluding_handler(&["a"], |run| {
        let long = format!("\u{202e}evil\n{}", "x".repeat(1 << 20));
        Ok(run.exclude(id("a"), anyhow::Error::msg(long))?)
    }))
    .await;
    assert!(report.runs[0].log[0].text.len() < 1 << 17, "{}", report.runs[0].log[0].text.len());
    assert!(!report.to_string().contains('\u{202e}'));
}

/// Prepares and synchronizes the items of a handler on a foreign host.
async fn synchronize_on_host(handler: Scripted) -> (HandlerOnHost, Transcript) {
    let transcript = Transcript::new();
    let host = HandlerOnHost::prepared(handler.with_transcript(&transcript), &transcript, &[id("a"), id("b")]).await;
    assert_eq!(host.adapter.synchronize(), HResult::S_OK);
    host.host.wait_for("SynchronizeCompleted S_OK").await;
    (host, transcript)
}

#[tokio::test(start_paused = true)]
async fn a_foreign_host_is_notified_of_excluded_items() {
    let (host, transcript) =
        synchronize_on_host(excluding_handler(&["a", "b"], |run| Ok(run.exclude(id("a"), anyhow!("moved away"))?)))
            .await;
    let status = |name| host.host.script.state(id(name)).status;
    assert_eq!((status("a"), status("b")), (Some(Status::Failed), Some(Status::Succeeded)), "{:?}", host.lines());
    assert_eq!(transcript.count("LogError Error moved away"), 1, "{:?}", host.lines());
    assert_eq!(transcript.count("item a"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_host_is_notified_when_every_item_is_excluded() {
    let (host, transcript) = synchronize_on_host(excluding_handler(&["a", "b"], |run| {
        run.exclude(id("a"), anyhow!("moved away"))?;
        Ok(run.exclude(id("b"), anyhow!("locked"))?)
    }))
    .await;
    let status = |name| host.host.script.state(id(name)).status;
    assert_eq!((status("a"), status("b")), (Some(Status::Failed), Some(Status::Failed)), "{:?}", host.lines());
    assert_eq!(transcript.lines().iter().filter(|line| *line == "synchronize").count(), 0);
}

/// The outcomes of `a`, `b` and `c` after the `prepare` of their handler excluded `a` and returned the result of the closure.
async fn outcomes_after(
    prepare: impl Fn() -> SyncResult + Send + Sync + 'static,
) -> [(Outcome, Option<FailureClass>); 3] {
    let handler = excluding_handler(&["a", "b", "c"], move |run| {
        run.exclude(id("a"), gone_error())?;
        prepare()
    });
    let transcript = handler.transcript.clone();
    let report = within(run(handler)).await;
    assert_eq!(transcript.count("synchronize"), 0);
    assert!(matches!(report.runs[0].ending, Some(RunEnding::NotPrepared(_))), "{report}");
    let item = |name| report.runs[0].item(id(name)).expect("every selected item has an end");
    ["a", "b", "c"].map(|name| (item(name).outcome, item(name).class))
}

#[tokio::test(start_paused = true)]
async fn a_failed_prepare_fails_every_other_item_with_its_class() {
    let excluded = (Outcome::Failed, Some(FailureClass::Gone));
    let failed = |class| (Outcome::Failed, Some(class));
    let [transient, permanent] = [FailureClass::Transient, FailureClass::Permanent].map(failed);
    assert_eq!(outcomes_after(|| Err(anyhow!("no network"))).await, [excluded, transient, transient]);
    assert_eq!(outcomes_after(|| Err(anyhow!("no account")).permanent()).await, [excluded, permanent, permanent]);
    assert_eq!(outcomes_after(|| panic!("the fault")).await, [excluded, transient, transient]);
}

#[tokio::test(start_paused = true)]
async fn items_need_the_user_if_prepare_needs_the_user() {
    let needs_user = (Outcome::NeedsUser, None);
    let ends = outcomes_after(|| Err(NeedsUser::new("a password").into())).await;
    assert_eq!(ends, [(Outcome::Failed, Some(FailureClass::Gone)), needs_user, needs_user]);
}

#[tokio::test(start_paused = true)]
async fn an_excluded_item_can_be_retried_from_the_results() {
    let tries = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let error = syncmgr::log::ErrorId::from_key("again");
    let count = tries.clone();
    let handler = excluding_handler(&["a", "b"], move |run| {
        if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            run.log(syncmgr::LogEntry::new(LogLevel::Error, "again?").with_link(error));
            run.exclude(id("a"), anyhow!("locked"))?;
        }
        Ok(())
    })
    .on_show_error(|_, _| async { Ok(syncmgr::handler::Resolution::Retry(vec![id("a")])) }.boxed());
    let transcript = handler.transcript.clone();
    let session = start(handler);
    within(session.report()).await;
    within(session.show_error(HANDLER, error)).await.unwrap();
    let report = within(session.finish()).await;
    assert!(report.is_success(), "{report}");
    assert_eq!(transcript.of(&["item "]), ["item b", "item a"]);
}
