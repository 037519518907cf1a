//! A classic handler that panics in one of its methods.

use std::sync::Arc;

use syncmgr::classic::{ClassicHandler, HResult, SyncCallback};
use syncmgr::handler::HandlerFlags;
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::request::RunFlags;
use syncmgr::session::RunFault;
use syncmgr::{
    HandlerInfo, ItemId, Items, LogLevel, Outcome, Progress, Report, RunEnding, Session, Subject, SyncManager, Trigger,
};
use syncmgr_test::ScriptedHandler;

use crate::asking::show_error::{error, explaining_handler};
use crate::support::awaitable_host::{CLASSIC, begin, host_in, within};
use crate::support::window::ran;
use crate::support::{HANDLER, Scripted, id};

/// A classic handler that panics in the method `at` and forwards every other call.
struct Faulty {
    inner: ScriptedHandler,
    at: &'static str,
}

impl Faulty {
    fn at(&self, method: &str) -> &ScriptedHandler {
        assert!(method != self.at, "the fault");
        &self.inner
    }
}

impl ClassicHandler for Faulty {
    fn initialize(&self, trigger: Trigger, flags: RunFlags, cookie: Option<&[u8]>) -> HResult {
        self.at("Initialize").initialize(trigger, flags, cookie)
    }

    fn handler_info(&self) -> Result<HandlerInfo, HResult> {
        let info = self.inner.handler_info()?;
        Ok(info.with_flags(HandlerFlags::HAS_PROPERTIES))
    }

    fn enum_sync_items(&self) -> Result<Items, HResult> {
        self.at("EnumSyncMgrItems").enum_sync_items()
    }

    fn show_properties(&self, subject: Subject) -> HResult {
        self.at("ShowProperties").show_properties(subject)
    }

    fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> HResult {
        let method = if callback.is_some() { "SetProgressCallback" } else { "SetProgressCallback NULL" };
        self.at(method).set_progress_callback(callback)
    }

    fn prepare_for_sync(&self, items: &[ItemId]) -> HResult {
        self.at("PrepareForSync").prepare_for_sync(items)
    }

    fn synchronize(&self) -> HResult {
        self.at("Synchronize").synchronize()
    }

    fn set_item_status(&self, subject: Subject, status: Status) -> HResult {
        self.at("SetItemStatus").set_item_status(subject, status)
    }

    fn show_error(&self, error: ErrorId) -> HResult {
        self.at("ShowError").show_error(error)
    }
}

/// Starts a session of a faulty handler and a correct one.
fn start_with_correct_handler(inner: ScriptedHandler, at: &'static str) -> Session {
    let faulty = Arc::new(Faulty { inner, at });
    let manager = SyncManager::new();
    host_in(&manager, &faulty);
    manager.register(Scripted::new(&["other"])).expect("the handler can be registered");
    begin(&manager)
}

fn linking_handler() -> ScriptedHandler {
    explaining_handler(&["a"], |side| side.callback().show_error_completed(HResult::S_OK, &[]))
}

/// Returns the ending of the faulty handler; asserts that the other handler succeeded and that the panic was logged.
fn ending(report: &Report) -> RunEnding {
    assert!(ran(report, HANDLER).is_success(), "{report}");
    let run = ran(report, CLASSIC);
    let logged =
        run.log.iter().any(|entry| entry.level == LogLevel::Error && entry.text.ends_with("panicked: the fault"));
    assert!(logged, "{report}");
    run.ending.expect("the run has ended")
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_prepare_ends_the_run_as_not_begun() {
    for at in ["Initialize", "EnumSyncMgrItems", "SetProgressCallback"] {
        let report = within(start_with_correct_handler(linking_handler(), at).finish()).await;
        assert_eq!(ending(&report), RunEnding::NotBegun(RunFault::Unexpected), "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_call_with_a_completion_ends_the_call() {
    let report = within(start_with_correct_handler(linking_handler(), "PrepareForSync").finish()).await;
    assert_eq!(ending(&report), RunEnding::NotPrepared(RunFault::Unexpected));
    let report = within(start_with_correct_handler(linking_handler(), "Synchronize").finish()).await;
    assert_eq!(ending(&report), RunEnding::NotCompleted(RunFault::Unexpected));
    let session = start_with_correct_handler(linking_handler(), "ShowError");
    within(session.report()).await;
    within(session.show_error(CLASSIC, error())).await.unwrap();
    let report = within(session.finish()).await;
    assert_eq!(ending(&report), RunEnding::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_set_item_status_does_not_undo_the_skip() {
    let inner = crate::support::window::waiting_handler(&["a", "b"]);
    let side = inner.side().clone();
    let session = start_with_correct_handler(inner, "SetItemStatus");
    until_synchronizing(&session).await;
    session.skip(CLASSIC, id("a")).unwrap();
    tokio::task::yield_now().await;
    let ask = |name| side.callback().progress(id(name), None);
    assert_eq!((ask("a"), ask("b")), (HResult::S_SYNCMGR_CANCELITEM, HResult::S_OK));
    side.callback().progress(id("b"), Some(&Progress::new().with_status(Status::Succeeded)));
    side.callback().synchronize_completed(HResult::S_OK);
    let report = within(session.finish()).await;
    let run = report.run(CLASSIC).unwrap();
    let outcomes: Vec<_> = run.items().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Skipped, Outcome::Succeeded]);
    assert!(run.log.iter().any(|entry| entry.text.ends_with("in `set_item_status`: the fault")), "{report}");
}

/// Waits until the faulty handler synchronizes.
async fn until_synchronizing(session: &Session) {
    let synchronizing = |event: &syncmgr::SessionEvent| {
        matches!(
            event,
            syncmgr::SessionEvent::Run { handler: CLASSIC, change: syncmgr::session::RunChange::Synchronizing, .. }
        )
    };
    crate::support::awaitable_host::until(&mut session.events(), synchronizing).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_on_detaching_the_callback_does_not_keep_the_results_open() {
    let session = start_with_correct_handler(linking_handler(), "SetProgressCallback NULL");
    assert!(within(session.report()).await.is_success());
    within(session.close()).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panicked_in_show_properties_can_run_afterwards() {
    let faulty = Arc::new(Faulty { inner: linking_handler(), at: "ShowProperties" });
    let manager = SyncManager::new();
    host_in(&manager, &faulty);
    let _ = within(manager.show_properties(CLASSIC, Subject::Handler)).await;
    assert!(within(manager.session(Trigger::Manual).start().unwrap().finish()).await.is_success());
}
