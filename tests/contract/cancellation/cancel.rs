//! Cancellations pushed with `SetItemStatus`: R121 to R124. R125 to R129 are in `push`.

use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::progress::Status;
use syncmgr::session::RunChange;
use syncmgr::{Outcome, RunEnding, Session, Subject, SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, Side, Transcript};
use tokio::sync::oneshot;

use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, begin, host_classic, items_named, until_run, within};
use crate::support::window::assert_in_order;
use crate::support::{HANDLER, Scripted, id};

const OK: HResult = HResult::S_OK;

/// A session that the methods of its handler can access.
#[derive(Clone, Default)]
struct SharedSession(Arc<OnceLock<Session>>);

impl SharedSession {
    fn start(&self, manager: &SyncManager) -> Session {
        let session = begin(manager);
        self.0.get_or_init(|| session).clone()
    }

    fn session(&self) -> &Session {
        self.0.get().expect("the session has started")
    }
}

fn pushed(name: &str) -> String {
    format!("SetItemStatus {:?} Skipped", Subject::Item(id(name)))
}

#[tokio::test(start_paused = true)]
async fn r121_a_skip_during_a_method_is_pushed_after_the_method_returns() {
    let (transcript, running) = (Transcript::new(), SharedSession::default());
    let skipping = |name: &'static str, method: &'static str| {
        let (transcript, running) = (transcript.clone(), running.clone());
        move |_: &Side| {
            running.session().skip(CLASSIC, id(name)).unwrap();
            transcript.note(format!("{method} returns"));
            OK
        }
    };
    let handler = ScriptedHandler::new(items_named(&["a", "b", "c"]))
        .on_prepare(skipping("b", "PrepareForSync"))
        .on_synchronize(skipping("c", "Synchronize"))
        .with_transcript(&transcript);
    let (manager, handler) = host_classic(handler);
    let session = running.start(&manager);
    until_run(&session, RunChange::Preparing).await;
    handler.side().callback().prepare_for_sync_completed(OK);
    until_run(&session, RunChange::Synchronizing).await;
    handler.side().callback().synchronize_completed(OK);
    within(session.finish()).await;
    let lines = transcript.of(&["PrepareForSync", "Synchronize", "SetItemStatus"]);
    let wanted = ["PrepareForSync 3", "PrepareForSync returns", &pushed("b"), "Synchronize", "Synchronize returns"];
    assert_eq!(lines[..5], wanted);
    assert_eq!(lines[5..], [pushed("c")]);
}

#[tokio::test(start_paused = true)]
async fn r121_an_async_handler_is_notified_of_a_skip_between_two_polls() {
    let running = SharedSession::default();
    let (shared, transcript) = (running.clone(), Transcript::new());
    let notes = transcript.clone();
    let handler = Scripted::new(&["a", "b"]).with_transcript(&transcript).on_prepare(move |_| {
        let (shared, notes) = (shared.clone(), notes.clone());
        async move {
            shared.session().skip(HANDLER, id("b")).unwrap();
            notes.note("still in the first poll");
            tokio::task::yield_now().await;
            notes.note("in the second poll");
            Ok(())
        }
        .boxed()
    });
    let manager = SyncManager::new();
    manager.register(handler).unwrap();
    within(running.start(&manager).finish()).await;
    let pushed = format!("set_item_status {:?} Skipped", Subject::Item(id("b")));
    assert_in_order(&transcript, &["still in the first poll", &pushed, "in the second poll"]);
    assert_eq!(transcript.count("set_item_status"), 1);
}

#[tokio::test(start_paused = true)]
async fn r121_a_skip_outside_prepare_and_synchronize_is_refused() {
    let transcript = Transcript::new();
    let on = HandlerOnHost::ready(Scripted::new(&["a"]).with_transcript(&transcript), &transcript).await;
    let skip = || on.adapter.set_item_status(Subject::Item(id("a")), Status::Skipped);
    assert_eq!(skip(), HResult::E_UNEXPECTED, "before `prepare_for_sync`");
    on.adapter.prepare_for_sync(&[id("a")]);
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(skip(), HResult::E_UNEXPECTED, "after the end of the run");
    assert_eq!(on.host.script.state(id("a")).status, Some(Status::Succeeded));
    assert_eq!(transcript.count("set_item_status"), 0);
}

#[tokio::test(start_paused = true)]
async fn r122_no_skip_is_pushed_to_a_method_that_completes_before_it_returns() {
    let running = SharedSession::default();
    let completing = |name: &'static str, complete: fn(&Side) -> HResult| {
        let shared = running.clone();
        move |side: &Side| {
            shared.session().skip(CLASSIC, id(name)).unwrap();
            assert_eq!(side.callback().progress(id(name), None), HResult::S_SYNCMGR_CANCELITEM);
            complete(side)
        }
    };
    let handler = ScriptedHandler::new(items_named(&["a", "b", "c"]))
        .on_prepare(completing("b", |side| side.callback().prepare_for_sync_completed(OK)))
        .on_synchronize(completing("c", |side| side.callback().synchronize_completed(OK)));
    let (manager, handler) = host_classic(handler);
    let report = within(running.start(&manager).finish()).await;
    assert_eq!(handler.transcript().count("Synchronize"), 1);
    assert_eq!(handler.transcript().count("SetItemStatus"), 0);
    assert_eq!(report.runs[0].item(id("b")).unwrap().outcome, Outcome::Skipped);
    assert_eq!(report.runs[0].item(id("c")).unwrap().outcome, Outcome::Skipped);
}

#[tokio::test(start_paused = true)]
async fn r122_nothing_is_pushed_to_a_future_that_is_ready_at_its_first_poll() {
    let running = SharedSession::default();
    let (in_prepare, in_synchronize) = (running.clone(), running.clone());
    let handler = Scripted::new(&["a", "b"])
        .on_prepare(move |_| {
            in_prepare.session().skip(HANDLER, id("a")).unwrap();
            async { Ok(()) }.boxed()
        })
        .on_synchronize(move |_| {
            in_synchronize.session().stop();
            async { Ok(()) }.boxed()
        });
    let manager = SyncManager::new();
    manager.register(handler.clone()).unwrap();
    let report = within(running.start(&manager).finish()).await;
    assert_eq!(handler.transcript.count("set_item_status"), 0);
    let outcomes: Vec<_> = report.items().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Outcome::Skipped, Outcome::Stopped]);
}

#[tokio::test(start_paused = true)]
async fn r123_r124_an_item_skipped_while_preparing_is_not_synchronized() {
    let (ready, wait) = oneshot::channel::<()>();
    let wait = Arc::new(tokio::sync::Mutex::new(Some(wait)));
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a", "b"]).with_transcript(&transcript).on_prepare(move |run| {
        let wait = wait.clone();
        async move {
            let wait = wait.lock().await.take().expect("`prepare` runs once");
            assert!(!run.is_skipped(id("b")));
            wait.await?;
            assert!(run.is_skipped(id("b")) && !run.is_skipped(id("a")));
            Ok(())
        }
        .boxed()
    });
    let on = HandlerOnHost::ready(handler, &transcript).await;
    on.adapter.prepare_for_sync(&[id("a"), id("b")]);
    assert_eq!(on.adapter.set_item_status(Subject::Item(id("b")), Status::Skipped), OK);
    ready.send(()).unwrap();
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!((transcript.count("item a"), transcript.count("item b")), (1, 0));
    let last = |name| on.host.script.state(id(name)).status;
    assert_eq!((last("a"), last("b")), (Some(Status::Succeeded), Some(Status::Skipped)));
}

#[tokio::test(start_paused = true)]
async fn r124_synchronize_is_not_called_if_every_item_was_skipped() {
    let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&["a", "b"])));
    let session = manager.session(Trigger::Manual).start().unwrap();
    until_run(&session, RunChange::Preparing).await;
    session.skip(CLASSIC, id("a")).unwrap();
    session.skip(CLASSIC, id("b")).unwrap();
    handler.side().callback().prepare_for_sync_completed(OK);
    let report = within(session.finish()).await;
    assert_eq!(handler.transcript().count("Synchronize"), 0);
    assert_eq!(report.runs[0].ending, Some(RunEnding::Completed));
    assert!(report.items().all(|item| item.outcome == Outcome::Skipped));
}

#[tokio::test(start_paused = true)]
async fn r124_a_host_receives_the_status_of_items_skipped_while_preparing() {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).on_prepare(|_| tokio::task::yield_now().map(Ok).boxed());
    let on = HandlerOnHost::ready(handler.with_transcript(&transcript), &transcript).await;
    on.adapter.prepare_for_sync(&[id("a")]);
    assert_eq!(on.adapter.set_item_status(Subject::Item(id("a")), Status::Skipped), OK);
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(transcript.count("synchronize"), 0);
    assert_eq!(on.host.script.state(id("a")).status, Some(Status::Skipped));
}
