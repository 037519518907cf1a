//! A handler that panics in one of its ten methods: the panic is logged and does not affect the rest.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use syncmgr::classic::CallbackAdapter;
use syncmgr::session::RunFault;
use syncmgr::{
    HandlerId, HandlerInfo, Limits, LogLevel, Outcome, Report, RunEnding, RunReport, Session, SessionEvent, Subject,
    SyncManager, Trigger, Uuid,
};

use crate::asking::show_error::error;
use crate::support::awaitable_host::{CLASSIC, begin, until, within};
use crate::support::faulty::{At, Faulty, When};
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, id, run};

const MOMENTS: [When; 3] = [When::Called, When::Polled, When::Dropped];

/// Starts a session of a faulty handler and a correct one.
fn start_with_correct_handler(faulty: Faulty) -> Session {
    let manager = SyncManager::new();
    let other = Scripted::new(&["other"]).info(|_| HandlerInfo::new(CLASSIC, "Other"));
    manager.register(faulty).and(manager.register(other)).expect("the handlers can be registered");
    begin(&manager)
}

/// Returns the run of the faulty handler; asserts that the other handler succeeded and that the panic was logged.
fn faulty_run(report: &Report) -> &RunReport {
    assert!(ran(report, CLASSIC).is_success(), "{report}");
    let run = ran(report, HANDLER);
    let logged =
        run.log.iter().any(|entry| entry.level == LogLevel::Error && entry.text.ends_with("panicked: the fault"));
    assert!(logged, "{report}");
    run
}

fn outcomes(run: &RunReport) -> Vec<Outcome> {
    run.items().map(|item| item.outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_initialize_or_items_ends_the_run_as_not_begun() {
    for at in [At::Initialize, At::Items] {
        for when in MOMENTS {
            let report = within(start_with_correct_handler(Faulty(at, when)).finish()).await;
            let run = faulty_run(&report);
            assert_eq!(run.ending, Some(RunEnding::NotBegun(RunFault::Unexpected)), "{at:?} {when:?}");
            assert_eq!(outcomes(run), []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_prepare_ends_the_run_as_not_prepared() {
    for when in MOMENTS {
        let report = within(start_with_correct_handler(Faulty(At::Prepare, when)).finish()).await;
        let run = faulty_run(&report);
        assert_eq!(run.ending, Some(RunEnding::NotPrepared(RunFault::Unexpected)), "{when:?}");
        assert_eq!(outcomes(run), [Outcome::Failed; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_synchronize_completes_the_run_with_unexpected() {
    for when in MOMENTS {
        let report = within(start_with_correct_handler(Faulty(At::Synchronize, when)).finish()).await;
        let run = faulty_run(&report);
        assert_eq!(run.ending, Some(RunEnding::NotCompleted(RunFault::Unexpected)), "{when:?}");
        // The items have ended before the drop panics.
        let outcome = if when == When::Dropped { Outcome::Succeeded } else { Outcome::Failed };
        assert_eq!(outcomes(run), [outcome; 2], "{when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_an_item_fails_that_item_and_names_it() {
    for when in MOMENTS {
        let report = within(start_with_correct_handler(Faulty(At::Item, when)).finish()).await;
        let run = faulty_run(&report);
        assert_eq!(outcomes(run), [Outcome::Succeeded, Outcome::Failed], "{when:?}");
        let entry = run.log.iter().find(|entry| entry.level == LogLevel::Error).unwrap();
        assert_eq!(entry.item, Some(id("b")));
        assert_eq!(run.ending, Some(RunEnding::Completed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_set_item_status_does_not_undo_the_skip() {
    let session = start_with_correct_handler(Faulty(At::Status, When::Called));
    let begun = |event: &SessionEvent| matches!(event, SessionEvent::Began { item, .. } if *item == id("a"));
    until(&mut session.events(), begun).await;
    session.skip(HANDLER, id("a")).unwrap();
    session.stop_handler(HANDLER).unwrap();
    let report = within(session.finish()).await;
    let run = report.run(HANDLER).unwrap();
    assert_eq!(run.ending, Some(RunEnding::Completed));
    let logged = run.log.iter().filter(|entry| entry.text.contains("in `set_item_status`: the fault")).count();
    assert_eq!(logged, 2, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_show_error_keeps_the_results_open() {
    for when in MOMENTS {
        let session = start_with_correct_handler(Faulty(At::Error, when));
        within(session.report()).await;
        for _ in 0..2 {
            within(session.show_error(HANDLER, error())).await.unwrap();
        }
        let report = within(session.finish()).await;
        let run = faulty_run(&report);
        assert_eq!(run.log.iter().filter(|entry| entry.level == LogLevel::Error).count(), 2, "{when:?}");
        assert_eq!(run.ending, Some(RunEnding::Completed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_show_properties_is_an_error_for_the_caller() {
    for when in MOMENTS {
        let manager = SyncManager::new();
        manager.register(Faulty(At::Properties, when)).unwrap();
        let shown = within(manager.show_properties(HANDLER, Subject::Handler)).await;
        assert!(shown.is_err(), "{when:?}: {shown:?}");
        // The handler can run in the next session.
        within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_info_is_an_error_for_the_caller_of_register() {
    let manager = SyncManager::new();
    let registered = catch_unwind(AssertUnwindSafe(|| manager.register(Faulty(At::Info, When::Called))));
    assert!(registered.expect("the panic reached the application").is_err());
    let adapter = catch_unwind(|| CallbackAdapter::new(Arc::new(Faulty(At::Info, When::Called))).is_err());
    assert!(adapter.expect("the panic reached the host"));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_item_object_returns_no_object() {
    let manager = SyncManager::new();
    manager.register(Faulty(At::Object, When::Called)).unwrap();
    let object = || manager.item_object(HANDLER, Subject::Handler, Uuid::nil()).is_none();
    assert!(catch_unwind(AssertUnwindSafe(object)).expect("the panic reached the application"));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_item_whose_destructor_panics_frees_its_worker() {
    let bomb = || OnDrop(|| panic!("the fault"));
    let handler =
        Scripted::new(&["a", "b"]).info(|info| info.with_limits(Limits::DEFAULT.with_items(1))).on_item(move |item| {
            let first = item.name() == "a";
            async move {
                let _bomb = first.then(bomb);
                if first { std::future::pending().await } else { Ok(()) }
            }
            .boxed()
        });
    let session = crate::support::start(handler);
    let begun = |event: &SessionEvent| matches!(event, SessionEvent::Began { .. });
    until(&mut session.events(), begun).await;
    session.skip(HANDLER, id("a")).unwrap();
    let report = within(session.finish()).await;
    assert_eq!(outcomes(&report.runs[0]), [Outcome::Failed, Outcome::Succeeded], "{report}");
}

/// Calls a function on drop.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_value_whose_drop_panics_does_not_keep_the_results_open() {
    let handler = Scripted::new(&["a"]).on_prepare(|run| {
        run.keep(OnDrop(|| panic!("the fault")));
        async { Ok(()) }.boxed()
    });
    let report = within(run(handler)).await;
    assert_eq!(outcomes(&report.runs[0]), [Outcome::Succeeded]);
}

/// An error whose `Display` panics.
#[derive(Debug)]
struct DisplayPanics;

impl fmt::Display for DisplayPanics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("the fault")
    }
}

impl std::error::Error for DisplayPanics {}

/// Runs three items sequentially. The first item ends with `end`.
async fn run_three_items(end: fn() -> syncmgr::SyncResult) -> Report {
    let one = Limits::DEFAULT.with_items(1);
    let handler = Scripted::new(&["a", "b", "c"])
        .info(|info| info.with_limits(one))
        .on_item(move |item| if item.name() == "a" { async move { end() }.boxed() } else { async { Ok(()) }.boxed() });
    within(run(handler)).await
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_error_display_panics_fails_and_the_others_run() {
    let report = run_three_items(|| Err(DisplayPanics.into())).await;
    assert_eq!(outcomes(&report.runs[0]), [Outcome::Failed, Outcome::Succeeded, Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_error_display_panics_still_ends() {
    let report = within(run(Scripted::new(&["a"]).on_prepare(|_| async { Err(DisplayPanics.into()) }.boxed()))).await;
    assert_eq!(report.runs[0].ending, Some(RunEnding::NotPrepared(RunFault::Failed)));
}

#[tokio::test(start_paused = true)]
async fn a_panic_payload_that_panics_on_drop_fails_only_its_item() {
    let report = run_three_items(|| std::panic::panic_any(OnDrop(|| panic!("the fault")))).await;
    assert_eq!(outcomes(&report.runs[0]), [Outcome::Failed, Outcome::Succeeded, Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn many_faulty_handlers_do_not_affect_a_correct_one() {
    let manager = SyncManager::new();
    for number in 1..50 {
        let panicking = Scripted::new(&["x"]).on_item(|_| async { panic!("the fault") }.boxed());
        manager.register(panicking.info(|_| HandlerInfo::new(HandlerId::from_u128(number), "Faulty"))).unwrap();
    }
    manager.register(Scripted::new(&["a"]).info(|_| HandlerInfo::new(CLASSIC, "Other"))).unwrap();
    let report = within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    let failed = report.items().filter(|item| item.outcome == Outcome::Failed).count();
    assert!(failed == 49 && report.run(CLASSIC).unwrap().is_success());
}
