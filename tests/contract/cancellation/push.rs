//! Cancellations pushed with `SetItemStatus`, and their agreement with pulled cancellations: R125 to R129.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::choice::{Chooser, Chosen, Offer};
use syncmgr::classic::HResult;
use syncmgr::progress::Status;
use syncmgr::session::{RunChange, RunFault};
use syncmgr::{Outcome, Progress, RunEnding, Subject, SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, Transcript};
use tokio::sync::Notify;

use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, host_classic, items_named, until_run, within};
use crate::support::window::{Window, waiting_handler};
use crate::support::{HANDLER, Scripted, id};

const OK: HResult = HResult::S_OK;
const ITEM: HResult = HResult::S_SYNCMGR_CANCELITEM;
const ALL: HResult = HResult::S_SYNCMGR_CANCELALL;
const EVERY_STATUS: [Status; 10] = [
    Status::Stopped,
    Status::Skipped,
    Status::Pending,
    Status::Updating,
    Status::Succeeded,
    Status::Failed,
    Status::Paused,
    Status::Resuming,
    Status::UpdatingIndeterminate,
    Status::Deleted,
];

fn hanging_handler(names: &[&str], transcript: &Transcript) -> Scripted {
    Scripted::new(names).on_item(|_| std::future::pending().boxed()).with_transcript(transcript)
}

#[tokio::test(start_paused = true)]
async fn r125_a_stopped_status_without_an_item_stops_the_whole_handler() {
    let transcript = Transcript::new();
    let on = HandlerOnHost::prepared(hanging_handler(&["a", "b"], &transcript), &transcript, &[id("a"), id("b")]).await;
    on.adapter.synchronize();
    on.host.wait_for(&format!("Progress {} Updating", id("b"))).await;
    assert_eq!(on.adapter.set_item_status(Subject::Handler, Status::Stopped), OK);
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(transcript.of(&["set_item_status"]), ["set_item_status Handler Stopped"]);
    let last = |name| on.host.script.state(id(name)).status;
    assert_eq!((last("a"), last("b")), (Some(Status::Stopped), Some(Status::Stopped)));
}

#[tokio::test(start_paused = true)]
async fn r125_a_stopped_status_while_preparing_ends_the_preparation() {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).with_transcript(&transcript).on_prepare(|_| std::future::pending().boxed());
    let on = HandlerOnHost::ready(handler, &transcript).await;
    on.adapter.prepare_for_sync(&[id("a")]);
    assert_eq!(on.adapter.set_item_status(Subject::Handler, Status::Stopped), OK);
    on.host.wait_for("PrepareForSyncCompleted").await;
    on.adapter.synchronize();
    assert_eq!(transcript.count("synchronize"), 0);
}

#[tokio::test(start_paused = true)]
async fn r125_nothing_is_synchronized_after_a_stopped_status() {
    for (completion, ending) in
        [(HResult::S_OK, RunEnding::Stopped), (HResult::E_FAIL, RunEnding::NotPrepared(RunFault::Failed))]
    {
        let (manager, handler) = host_classic(ScriptedHandler::new(items_named(&["a"])));
        let session = manager.session(Trigger::Manual).start().unwrap();
        until_run(&session, RunChange::Preparing).await;
        session.stop();
        tokio::task::yield_now().await;
        assert_eq!(handler.transcript().of(&["SetItemStatus"]), ["SetItemStatus Handler Stopped"]);
        handler.side().callback().prepare_for_sync_completed(completion);
        let report = within(session.finish()).await;
        assert_eq!(report.runs[0].ending, Some(ending));
        assert_eq!(report.items().next().unwrap().outcome, Outcome::Stopped);
        assert_eq!(handler.transcript().count("Synchronize"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn r126_a_manager_pushes_only_skipped_for_items_and_stopped_for_handlers() {
    let window = Window::of(waiting_handler(&["a", "b", "c"])).await;
    window.report("a", Progress::new().with_value(1));
    window.status("c", Status::Succeeded);
    for name in ["a", "a", "b", "c"] {
        window.skip(name);
    }
    window.session.stop();
    window.session.stop_handler(CLASSIC).unwrap();
    tokio::task::yield_now().await;
    let skipped = |name| format!("SetItemStatus {:?} Skipped", Subject::Item(id(name)));
    let mut pushed = window.transcript().of(&["SetItemStatus"]);
    pushed.dedup();
    assert_eq!(pushed, [skipped("a"), skipped("b"), "SetItemStatus Handler Stopped".into()]);
}

#[tokio::test(start_paused = true)]
async fn r126_a_host_that_pushes_another_status_is_refused() {
    let transcript = Transcript::new();
    let on = HandlerOnHost::prepared(hanging_handler(&["a"], &transcript), &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    for status in EVERY_STATUS {
        let pushed = |subject| on.adapter.set_item_status(subject, status);
        let (item, handler) = (Subject::Item(id("a")), Subject::Handler);
        if status != Status::Skipped {
            assert_eq!(pushed(item), HResult::E_INVALIDARG, "{status:?}");
        }
        if status != Status::Stopped {
            assert_eq!(pushed(handler), HResult::E_INVALIDARG, "{status:?}");
        }
    }
    tokio::task::yield_now().await;
    assert_eq!(transcript.count("set_item_status"), 0);
    assert_eq!(on.adapter.set_item_status(Subject::Item(id("a")), Status::Skipped), OK);
    on.host.wait_for("SynchronizeCompleted S_OK").await;
}

#[tokio::test(start_paused = true)]
async fn r127_a_status_is_compared_by_equality() {
    for status in EVERY_STATUS {
        let window = Window::of(waiting_handler(&["a"])).await;
        assert_eq!(window.status("a", status), OK);
        let ended = window.progress().is_empty();
        assert_eq!(ended, status.is_terminal(), "{status:?}");
        let outcome = window.complete(OK).await.items().next().unwrap().outcome;
        let wanted = match status {
            Status::Stopped => Outcome::Stopped,
            Status::Skipped => Outcome::Skipped,
            Status::Failed => Outcome::Failed,
            // A reported item that still runs when its handler completes succeeds (R105).
            _ => Outcome::Succeeded,
        };
        assert_eq!(outcome, wanted, "{status:?}");
    }
}

/// A chooser that waits for a notification and then chooses everything.
struct Slow(Arc<Notify>);

#[async_trait]
impl Chooser for Slow {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        self.0.notified().await;
        let all = |offer: &Offer| (offer.handler, offer.items.iter().map(|item| item.item).collect());
        Some(offers.iter().map(all).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn r128_an_item_skipped_before_prepare_is_neither_prepared_nor_run() {
    let choose = Arc::new(Notify::new());
    let handler = Scripted::new(&["a", "b"]);
    let manager = SyncManager::builder().chooser(Slow(choose.clone())).build();
    manager.register(handler.clone()).unwrap();
    let session = manager.session(Trigger::Manual).may_bother_user().start().unwrap();
    until_run(&session, RunChange::Listed(2)).await;
    session.skip(HANDLER, id("b")).unwrap();
    choose.notify_one();
    let report = within(session.finish()).await;
    assert_eq!(handler.transcript.of(&["prepare", "item "]), ["prepare a", "item a"]);
    let outcomes: Vec<_> = report.items().map(|item| (item.item.name(), item.outcome)).collect();
    assert_eq!(outcomes, [("a", Outcome::Succeeded), ("b", Outcome::Skipped)]);
}

#[tokio::test(start_paused = true)]
async fn r128_a_deferred_skip_is_pulled_immediately_and_pushed_in_the_next_call() {
    let (answers, transcript) = (Transcript::new(), Transcript::new());
    let session = Arc::new(std::sync::OnceLock::<syncmgr::Session>::new());
    let (shared, notes) = (session.clone(), answers.clone());
    let handler = ScriptedHandler::new(items_named(&["a", "b"])).with_transcript(&transcript).on_prepare(move |side| {
        shared.get().unwrap().skip(CLASSIC, id("b")).unwrap();
        notes.note(side.callback().progress(id("b"), None).to_string());
        notes.note(side.callback().progress(id("a"), None).to_string());
        side.callback().prepare_for_sync_completed(OK)
    });
    let (manager, _handler) = host_classic(handler);
    session.set(manager.session(Trigger::Manual).start().unwrap()).unwrap();
    until_run(session.get().unwrap(), RunChange::Synchronizing).await;
    assert_eq!(answers.lines(), ["S_SYNCMGR_CANCELITEM", "S_OK"]);
    let pushed = format!("SetItemStatus {:?} Skipped", Subject::Item(id("b")));
    assert_eq!(transcript.lines()[4..], ["Synchronize", pushed.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn r129_push_and_pull_report_the_same_cancels() {
    let window = Window::of(waiting_handler(&["a", "b", "c"])).await;
    window.report("a", Progress::new().with_value(1));
    window.skip("a");
    window.skip("b");
    tokio::task::yield_now().await;
    assert_eq!(window.transcript().count("SetItemStatus"), 2);
    assert_eq!([window.poll("a"), window.poll("b"), window.poll("c")], [ITEM, ITEM, OK]);
    window.session.stop();
    tokio::task::yield_now().await;
    assert_eq!(window.transcript().count("SetItemStatus Handler Stopped"), 1);
    assert_eq!(window.poll("c"), ALL);
}

#[tokio::test(start_paused = true)]
async fn r129_a_push_from_a_host_cancels_an_item_even_if_progress_answers_ok() {
    let transcript = Transcript::new();
    let notes = transcript.clone();
    let handler = Scripted::new(&["a"]).with_transcript(&transcript).on_item(move |item| {
        let notes = notes.clone();
        async move {
            item.cancelled().await;
            let cancelled = item.progress(1, None).expect_err("`progress` did not return the pushed cancel");
            notes.note(cancelled.to_string());
            Err(cancelled.into())
        }
        .boxed()
    });
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    on.adapter.synchronize();
    on.host.wait_for(&format!("Progress {} Updating", id("a"))).await;
    on.adapter.set_item_status(Subject::Item(id("a")), Status::Skipped);
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(transcript.count("cancelled: the item was skipped"), 1);
}
