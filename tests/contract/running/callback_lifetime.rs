//! The lifetime of the callback: R74 to R77, without R75. R79 to R81 are in `threads` and `session::closing`.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use syncmgr::classic::HResult;
use syncmgr::handler::HandlerFlags;
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::request::RunFlags;
use syncmgr::session::RunChange;
use syncmgr::{HandlerInfo, Outcome, Subject, Trigger};
use syncmgr_test::{ScriptedHandler, Side, Transcript};
use tokio::sync::{Notify, oneshot};

use crate::support::awaitable_host::{
    AwaitableHost, CLASSIC, HandlerOnHost, complete_before_return, host_classic, items_named, prepares, synchronizes,
    until_run,
};
use crate::support::{Scripted, id};

fn scripted_handler() -> ScriptedHandler {
    ScriptedHandler::new(items_named(&["a", "b"]))
}

#[tokio::test(start_paused = true)]
async fn r074_the_callback_is_set_before_prepare_is_called() {
    let (manager, handler) = host_classic(scripted_handler().on_prepare(prepares()).on_synchronize(synchronizes()));
    manager.session(Trigger::Manual).start().unwrap().finish().await;
    let lines = handler.transcript().lines();
    let expected =
        ["EnumSyncMgrItems", "SetProgressCallback", "PrepareForSync 2", "Synchronize", "SetProgressCallback NULL"];
    assert_eq!(lines[1..], expected);
}

#[tokio::test(start_paused = true)]
async fn r074_a_host_without_a_callback_cannot_prepare() {
    let handler = Scripted::new(&["a"]);
    let transcript = handler.transcript.clone();
    let on = HandlerOnHost::created(handler, &transcript);
    on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await;
    on.adapter.enum_sync_items().await.unwrap();
    assert_eq!(on.adapter.prepare_for_sync(&[id("a")]), HResult::E_UNEXPECTED);
    assert_eq!(transcript.count("prepare"), 0);
}

#[tokio::test(start_paused = true)]
async fn r076_a_second_callback_replaces_the_first_which_is_released() {
    let handler = Scripted::new(&["a"]);
    let on = HandlerOnHost::ready(handler, &Transcript::new()).await;
    let second = AwaitableHost::with_transcript(&Transcript::new());
    assert_eq!(Arc::strong_count(&on.host), 2);
    assert_eq!(on.adapter.set_progress_callback(Some(second.clone())), HResult::S_OK);
    assert_eq!(Arc::strong_count(&on.host), 1);
    on.adapter.prepare_for_sync(&[id("a")]);
    second.wait_for("PrepareForSyncCompleted S_OK").await;
    assert!(on.lines().is_empty(), "{:?}", on.lines());
    on.adapter.set_progress_callback(None);
    assert_eq!(Arc::strong_count(&second), 1);
}

#[tokio::test(start_paused = true)]
async fn r076_a_callback_is_not_replaced_during_a_call() {
    let go = Arc::new(Notify::new());
    let waiting = go.clone();
    let handler = Scripted::new(&["a"]).on_prepare(move |_| waiting.clone().notified_owned().map(Ok).boxed());
    let on = HandlerOnHost::ready(handler, &Transcript::new()).await;
    assert_eq!(on.adapter.prepare_for_sync(&[id("a")]), HResult::S_OK);
    let second = AwaitableHost::with_transcript(&Transcript::new());
    assert_eq!(on.adapter.set_progress_callback(Some(second.clone())), HResult::E_UNEXPECTED);
    assert_eq!(Arc::strong_count(&second), 1);
    go.notify_one();
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
}

#[tokio::test(start_paused = true)]
async fn r077_every_run_ends_with_exactly_one_detach_of_its_callback() {
    let fails = |_: &Side| HResult::E_FAIL;
    let panics = |_: &Side| -> HResult { panic!("the script panics") };
    let refuses = || complete_before_return(|callback| callback.prepare_for_sync_completed(HResult::E_FAIL));
    let handlers = [
        scripted_handler().on_prepare(fails),
        scripted_handler().on_prepare(panics),
        scripted_handler().on_prepare(refuses()),
        scripted_handler().on_prepare(prepares()).on_synchronize(fails),
        scripted_handler().on_prepare(prepares()).on_synchronize(panics),
        scripted_handler().on_prepare(prepares()).on_synchronize(synchronizes()),
    ];
    for handler in handlers {
        let (manager, handler) = host_classic(handler);
        manager.session(Trigger::Manual).start().unwrap().finish().await;
        assert_detached(&handler);
    }
}

#[tokio::test(start_paused = true)]
async fn r077_the_callback_of_a_stopped_handler_that_hangs_is_detached() {
    for (handler, stage) in [
        (scripted_handler(), RunChange::Preparing),
        (scripted_handler().on_prepare(prepares()), RunChange::Synchronizing),
    ] {
        let (manager, handler) = host_classic(handler);
        let session = manager.session(Trigger::Manual).start().unwrap();
        until_run(&session, stage).await;
        session.stop();
        let report = session.finish().await;
        assert!(report.items().all(|item| item.outcome == Outcome::Stopped), "{report}");
        assert_detached(&handler);
    }
}

#[tokio::test(start_paused = true)]
async fn r077_the_callback_is_detached_after_properties_were_shown() {
    let info = HandlerInfo::new(CLASSIC, "Scripted").with_flags(HandlerFlags::HAS_PROPERTIES);
    let shown = complete_before_return(|callback| callback.show_properties_completed(HResult::S_OK));
    let (manager, handler) = host_classic(scripted_handler().with_info(info).on_show_properties(shown));
    manager.show_properties(CLASSIC, Subject::Handler).await.unwrap();
    assert_detached(&handler);
}

fn assert_detached(handler: &ScriptedHandler) {
    let lines = handler.transcript().of(&["SetProgressCallback"]);
    assert_eq!(lines, ["SetProgressCallback", "SetProgressCallback NULL"]);
    assert_eq!(handler.transcript().lines().last().map(String::as_str), Some("SetProgressCallback NULL"));
    assert!(!handler.side().is_attached());
}

#[tokio::test(start_paused = true)]
async fn r077_a_handler_that_declines_or_fails_to_list_gets_no_callback() {
    for handler in [
        scripted_handler().on_initialize(|_| HResult::S_FALSE),
        scripted_handler().with_listing_failure(HResult::E_FAIL),
    ] {
        let (manager, handler) = host_classic(handler);
        manager.session(Trigger::Manual).start().unwrap().finish().await;
        assert_eq!(handler.transcript().count("SetProgressCallback"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn r077_after_a_detach_the_host_is_not_called_and_items_are_stopped() {
    let transcript = Transcript::new();
    let (sender, receiver) = oneshot::channel();
    let sender = Mutex::new(Some(sender));
    let handler = Scripted::new(&["a"]).with_transcript(&transcript).on_item(move |item| {
        let sender = sender.lock().unwrap().take().expect("one item runs once");
        async move {
            item.cancelled().await;
            item.warn("too late");
            sender.send(item.check()).unwrap();
            Ok(())
        }
        .boxed()
    });
    let on = HandlerOnHost::prepared(handler, &transcript, &[id("a")]).await;
    assert_eq!(on.adapter.synchronize(), HResult::S_OK);
    on.host.wait_for("Progress").await;
    assert_eq!(on.adapter.set_progress_callback(None), HResult::S_OK);
    let before = transcript.lines();
    receiver.await.unwrap().unwrap_err();
    tokio::task::yield_now().await;
    assert_eq!(transcript.lines(), before);
    assert_eq!(Arc::strong_count(&on.host), 1);
}

#[tokio::test(start_paused = true)]
async fn r077_a_host_cannot_list_after_the_callback_was_detached() {
    let handler = Scripted::new(&["a"]);
    let on = HandlerOnHost::ready(handler.clone(), &Transcript::new()).await;
    on.adapter.set_progress_callback(None);
    assert_eq!(on.adapter.enum_sync_items().await, Err(HResult::E_UNEXPECTED));
    assert_eq!(handler.transcript.count("items"), 1);
}

#[tokio::test(start_paused = true)]
async fn r077_all_calls_of_a_host_are_refused_after_the_callback_was_detached() {
    let handler = Scripted::new(&["a"]).info(|info| info.with_flags(HandlerFlags::HAS_PROPERTIES));
    let on = HandlerOnHost::prepared(handler.clone(), &Transcript::new(), &[id("a")]).await;
    on.adapter.set_progress_callback(None);
    let before = handler.transcript.lines();
    assert_eq!(on.attach(), HResult::E_UNEXPECTED);
    assert_eq!(on.adapter.prepare_for_sync(&[id("a")]), HResult::E_UNEXPECTED);
    assert_eq!(on.adapter.synchronize(), HResult::E_UNEXPECTED);
    assert_eq!(on.adapter.set_item_status(Subject::Handler, Status::Stopped), HResult::E_UNEXPECTED);
    assert_eq!(on.adapter.show_properties(Subject::Handler), HResult::E_UNEXPECTED);
    assert_eq!(on.adapter.show_error(ErrorId::from_u128(1)), HResult::E_UNEXPECTED);
    assert_eq!(on.adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await, HResult::E_UNEXPECTED);
    assert_eq!(handler.transcript.lines(), before);
}
