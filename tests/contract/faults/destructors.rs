//! Values of authors whose destructors panic: the panic is logged and does not affect the rest.

use std::fmt;

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::{
    HandlerInfo, ItemContext, Items, Limits, NeedsUser, Outcome, Participation, Report, SyncHandler, SyncItem,
    SyncManager, SyncResult, Trigger, anyhow,
};

use crate::support::awaitable_host::{begin, until, within};
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, id, run, start};

/// A value, also an error, whose destructor panics.
#[derive(Debug)]
struct Faulty;

impl Drop for Faulty {
    fn drop(&mut self) {
        panic!("the fault")
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("request failed")
    }
}

impl std::error::Error for Faulty {}

fn faulty_error<T>() -> SyncResult<T> {
    Err(anyhow::Error::new(Faulty))
}

/// Returns the log entries about destructors.
fn logged(report: &Report) -> Vec<Option<&str>> {
    let run = ran(report, HANDLER);
    let about = run.log.iter().filter(|entry| entry.text.ends_with("a destructor of the handler panicked: the fault"));
    about
        .map(|entry| run.items().find(|item| Some(item.item.id()) == entry.item).map(|item| item.item.name()))
        .collect()
}

fn outcomes(report: &Report) -> Vec<Outcome> {
    report.items().map(|item| item.outcome).collect()
}

/// Runs three items sequentially. The first item returns the result of `end`.
async fn run_three_items(end: fn(&ItemContext) -> SyncResult) -> Report {
    let handler = Scripted::new(&["a", "b", "c"])
        .info(|info| info.with_limits(Limits::DEFAULT.with_items(1)))
        .on_item(move |item| async move { if item.name() == "a" { end(item) } else { Ok(()) } }.boxed());
    within(run(handler)).await
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_error_panics_on_drop_fails_and_the_others_run() {
    let needs_user = |_: &ItemContext| Err(anyhow::Error::new(NeedsUser::new("sign in")).context(Faulty));
    for end in [|_: &ItemContext| faulty_error(), needs_user] {
        let report = run_three_items(end).await;
        assert_eq!(outcomes(&report), [Outcome::Failed, Outcome::Succeeded, Outcome::Succeeded], "{report}");
        assert_eq!(logged(&report), [Some("a")], "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tolerated_error_that_panics_on_drop_fails_only_its_item() {
    let report = run_three_items(|item| item.tolerate("copy", faulty_error::<()>()).map(drop)).await;
    assert_eq!(outcomes(&report), [Outcome::Failed, Outcome::Succeeded, Outcome::Succeeded], "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_skipped_item_whose_error_panics_on_drop_fails() {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async move {
            item.cancelled().await;
            faulty_error()
        }
        .boxed()
    });
    let session = start(handler);
    until(&mut session.events(), |event| matches!(event, syncmgr::SessionEvent::Began { .. })).await;
    session.skip(HANDLER, id("a")).unwrap();
    let report = within(session.finish()).await;
    assert_eq!((outcomes(&report), logged(&report)), (vec![Outcome::Failed], vec![Some("a")]), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_method_that_panics_on_drop_is_logged_and_ends_the_run() {
    let plain = || Scripted::new(&["a"]);
    let handlers = [
        plain().on_initialize(|_| async { faulty_error::<Participation>() }.boxed()),
        plain().items(faulty_error::<Items>),
        plain().on_prepare(|_| async { faulty_error() }.boxed()),
        plain().on_synchronize(|_| async { faulty_error() }.boxed()),
    ];
    for handler in handlers {
        let report = within(run(handler)).await;
        assert_eq!(logged(&report), [None], "{report}");
        assert!(!report.is_success());
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_value_that_panics_on_drop_is_logged() {
    let handler = Scripted::new(&["a"]).on_prepare(|run| {
        run.keep(Faulty);
        // Replaces a value, which is dropped now.
        run.keep(Faulty);
        async { Ok(()) }.boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    let report = within(begin(&manager).finish()).await;
    assert_eq!(outcomes(&report), [Outcome::Succeeded], "{report}");
    let log = manager.log(HANDLER).await.unwrap();
    assert!(log.iter().any(|record| record.entry.text.ends_with("panicked: the fault")), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn work_of_an_item_that_panics_on_drop_does_not_keep_the_item() {
    let handler = Scripted::new(&["spawned", "unread", "blocking", "closure"]).on_item(|item| {
        let held = Faulty;
        async move {
            match item.name() {
                "spawned" => drop(item.spawn(async move {
                    let _held = held;
                    Ok(())
                })),
                "unread" => drop(item.spawn(async move { Ok(held) })),
                "blocking" => drop(item.blocking(move |_| Ok(held)).now_or_never()),
                _ => {
                    let work = item.blocking(move |_| {
                        let _held = held;
                        Ok(())
                    });
                    work.await?;
                }
            }
            Ok(())
        }
        .boxed()
    });
    let report = within(run(handler)).await;
    assert!(report.items().all(|item| item.outcome == Outcome::Failed), "{report}");
    assert_eq!(report.runs[0].log.iter().filter(|entry| entry.text.ends_with(": the fault")).count(), 4, "{report}");
}

/// A handler whose destructor panics.
struct FaultyHandler(#[allow(dead_code, reason = "it is dropped")] Faulty);

#[async_trait]
impl SyncHandler for FaultyHandler {
    fn info(&self) -> HandlerInfo {
        HandlerInfo::new(HANDLER, "Faulty")
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok([SyncItem::named("a")].into_iter().collect())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_on_drop_can_be_refused_run_and_unregistered() {
    let manager = SyncManager::new();
    manager.register(FaultyHandler(Faulty)).unwrap();
    assert!(manager.register(FaultyHandler(Faulty)).is_err(), "the id is taken");
    let session = manager.session(Trigger::Manual).start().unwrap();
    let report = within(session.report()).await;
    assert!(manager.unregister(HANDLER));
    within(session.close()).await;
    assert!(report.is_success(), "{report}");
    manager.register(FaultyHandler(Faulty)).unwrap();
    drop(manager);
}
