//! The exclusive right to the user's attention: R133 to R135, R145. R130 to R132 are in `attention`.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::classic::{Attention, HResult};
use syncmgr::handler::{HandlerFlags, PropertiesOutcome};
use syncmgr::progress::Status;
use syncmgr::request::RunFlags;
use syncmgr::session::RunChange;
use syncmgr::{HandlerId, HandlerInfo, Outcome, Session, Subject, SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, ScriptedUser, Side, Transcript};
use tokio::sync::Notify;

use crate::asking::attention::on_host;
use crate::asking::show_error::{error, explaining_handler};
use crate::support::awaitable_host::{CLASSIC, HandlerOnHost, host_in, items_named, prepares, until_run, within};
use crate::support::window::waiting_handler;
use crate::support::{HANDLER, Scripted, id};

const ASK: Attention = Attention::Ask;
const RELEASE: Attention = Attention::Release;
const OTHER: HandlerId = HandlerId::from_u128(0x07E4);

fn manager_with_user() -> SyncManager {
    SyncManager::builder().interaction(ScriptedUser::new()).build()
}

fn start_attended(manager: &SyncManager, handler: HandlerId) -> Session {
    let request = manager.session(Trigger::Manual).handlers([handler]).may_bother_user();
    request.start().expect("inside a runtime")
}

/// Starts a session of a classic handler with this id, and waits until it synchronizes.
async fn start_synchronizing(manager: &SyncManager, handler: HandlerId) -> (Arc<ScriptedHandler>, Session) {
    let classic = Arc::new(waiting_handler(&["a"]).with_info(HandlerInfo::new(handler, "Waiting")));
    host_in(manager, &classic);
    let session = start_attended(manager, handler);
    until_run(&session, RunChange::Synchronizing).await;
    (classic, session)
}

fn set_attention(handler: &ScriptedHandler, attention: Attention) -> HResult {
    handler.side().callback().enable_modeless(attention)
}

/// Returns `true` if another handler can get the user's attention now.
async fn attention_is_free(manager: &SyncManager) -> bool {
    let handler = Scripted::new(&["a"]).on_item(|item| {
        async {
            let asked = item.run().interaction().now_or_never();
            anyhow::ensure!(asked.is_some_and(|permit| permit.is_ok()), "another handler has the user's attention");
            Ok(())
        }
        .boxed()
    });
    manager.register(handler.info(|_| HandlerInfo::new(HANDLER, "Asking"))).expect("the handler can be registered");
    let report = within(start_attended(manager, HANDLER).finish()).await;
    manager.unregister(HANDLER);
    report.is_success()
}

#[tokio::test(start_paused = true)]
async fn r133_a_second_handler_is_refused_the_users_attention() {
    let manager = manager_with_user();
    let (mine, _session) = start_synchronizing(&manager, CLASSIC).await;
    let (theirs, _other) = start_synchronizing(&manager, OTHER).await;
    assert_eq!((set_attention(&mine, ASK), set_attention(&theirs, ASK)), (HResult::S_OK, HResult::S_FALSE));
    assert!(!attention_is_free(&manager).await);
    set_attention(&mine, RELEASE);
    assert_eq!((set_attention(&theirs, ASK), set_attention(&mine, ASK)), (HResult::S_OK, HResult::S_FALSE));
    set_attention(&theirs, RELEASE);
    assert!(attention_is_free(&manager).await);
}

#[tokio::test(start_paused = true)]
async fn r133_a_handler_that_asks_through_a_permit_waits_for_its_turn() {
    let (manager, transcript) = (manager_with_user(), Transcript::new());
    let (holding, _session) = start_synchronizing(&manager, CLASSIC).await;
    assert_eq!(set_attention(&holding, ASK), HResult::S_OK);
    let (notes, asking) = (transcript.clone(), Arc::new(Notify::new()));
    let asks = asking.clone();
    let handler = Scripted::new(&["a"]).on_item(move |item| {
        let (notes, asks) = (notes.clone(), asks.clone());
        async move {
            let mut permit = Box::pin(item.run().interaction());
            assert!((&mut permit).now_or_never().is_none(), "two handlers have the user's attention");
            asks.notify_one();
            let _user = permit.await?;
            notes.note("granted");
            Ok(())
        }
        .boxed()
    });
    manager.register(handler).unwrap();
    let session = start_attended(&manager, HANDLER);
    within(asking.notified()).await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(transcript.lines(), [""; 0]);
    set_attention(&holding, RELEASE);
    assert!(within(session.finish()).await.is_success());
    assert_eq!(transcript.lines(), ["granted"]);
}

/// Returns a handler whose `PrepareForSync` obtains the user's attention without releasing it, and then calls `then`.
fn handler_keeping_attention(then: impl FnMut(&Side) -> HResult + Send + 'static) -> ScriptedHandler {
    let mut then = then;
    ScriptedHandler::new(items_named(&["a"])).on_prepare(move |side| {
        assert_eq!(side.callback().enable_modeless(ASK), HResult::S_OK);
        then(side)
    })
}

#[tokio::test(start_paused = true)]
async fn r133_r145_show_error_is_refused_attention_that_another_handler_has() {
    let (manager, answers) = (manager_with_user(), Transcript::new());
    let (holding, _session) = start_synchronizing(&manager, OTHER).await;
    let notes = answers.clone();
    let explaining = explaining_handler(&["a"], move |side| {
        notes.note(side.callback().enable_modeless(ASK).to_string());
        side.callback().show_error_completed(HResult::S_OK, &[])
    });
    host_in(&manager, &Arc::new(explaining));
    let session = manager.session(Trigger::Scheduled).handlers([CLASSIC]).start().unwrap();
    within(session.report()).await;
    for held in [true, false] {
        set_attention(&holding, if held { ASK } else { RELEASE });
        within(session.show_error(CLASSIC, error())).await.unwrap();
    }
    assert_eq!(answers.lines(), ["S_FALSE", "S_OK"]);
}

#[tokio::test(start_paused = true)]
async fn r134_every_ending_of_a_run_revokes_its_grant() {
    let fails = |_: &Side| HResult::E_FAIL;
    let panics = |_: &Side| -> HResult { panic!("the fault") };
    let refuses = |side: &Side| side.callback().prepare_for_sync_completed(HResult::S_FALSE);
    let synchronizes = |side: &Side| side.callback().synchronize_completed(HResult::S_OK);
    let endings = [
        handler_keeping_attention(fails),
        handler_keeping_attention(panics),
        handler_keeping_attention(refuses),
        handler_keeping_attention(prepares()).on_synchronize(fails),
        handler_keeping_attention(prepares()).on_synchronize(panics),
        handler_keeping_attention(prepares()).on_synchronize(synchronizes),
    ];
    for (number, handler) in endings.into_iter().enumerate() {
        let manager = manager_with_user();
        host_in(&manager, &Arc::new(handler));
        let session = start_attended(&manager, CLASSIC);
        // The results stay open.
        within(session.report()).await;
        assert!(attention_is_free(&manager).await, "ending {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn r134_stopping_a_handler_that_never_completes_revokes_its_grant() {
    let manager = manager_with_user();
    let (handler, session) = start_synchronizing(&manager, CLASSIC).await;
    assert_eq!(set_attention(&handler, ASK), HResult::S_OK);
    session.stop();
    let report = within(session.report()).await;
    assert_eq!(report.items().next().unwrap().outcome, Outcome::Stopped);
    assert!(attention_is_free(&manager).await);
}

#[tokio::test(start_paused = true)]
async fn r134_the_end_of_show_error_revokes_its_grant() {
    let manager = manager_with_user();
    let handler = explaining_handler(&["a"], |side| {
        assert_eq!(side.callback().enable_modeless(ASK), HResult::S_OK);
        side.callback().show_error_completed(HResult::S_OK, &[])
    });
    host_in(&manager, &Arc::new(handler));
    let session = start_attended(&manager, CLASSIC);
    within(session.report()).await;
    within(session.show_error(CLASSIC, error())).await.unwrap();
    assert!(attention_is_free(&manager).await);
}

#[tokio::test(start_paused = true)]
async fn r135_a_release_without_a_grant_has_no_effect() {
    let manager = manager_with_user();
    let (mine, session) = start_synchronizing(&manager, CLASSIC).await;
    let (theirs, _other) = start_synchronizing(&manager, OTHER).await;
    assert_eq!(set_attention(&theirs, RELEASE), HResult::S_OK);
    assert_eq!(set_attention(&mine, ASK), HResult::S_OK);
    assert_eq!(set_attention(&theirs, RELEASE), HResult::S_OK);
    assert_eq!(set_attention(&theirs, ASK), HResult::S_FALSE, "a release ended the grant of another handler");
    assert_eq!((set_attention(&mine, RELEASE), set_attention(&mine, RELEASE)), (HResult::S_OK, HResult::S_OK));
    assert_eq!(set_attention(&theirs, ASK), HResult::S_OK);
    assert_eq!(set_attention(&mine, ASK), HResult::S_FALSE, "a second release allowed a second grant");
    mine.side().callback().progress(id("a"), Some(&syncmgr::Progress::new().with_status(Status::Succeeded)));
    mine.side().callback().synchronize_completed(HResult::S_OK);
    assert!(within(session.finish()).await.is_success());
}

#[tokio::test(start_paused = true)]
async fn r135_properties_need_no_grant_while_another_handler_holds_it() {
    let manager = manager_with_user();
    let (holding, _session) = start_synchronizing(&manager, CLASSIC).await;
    assert_eq!(set_attention(&holding, ASK), HResult::S_OK);
    let info = HandlerInfo::new(OTHER, "Showing").with_flags(HandlerFlags::HAS_PROPERTIES);
    let shows = |side: &Side| side.callback().show_properties_completed(HResult::S_OK);
    let showing = Arc::new(ScriptedHandler::new(items_named(&["a"])).with_info(info).on_show_properties(shows));
    host_in(&manager, &showing);
    within(manager.show_properties(OTHER, Subject::Handler)).await.unwrap();
    assert_eq!(showing.transcript().count("ShowProperties"), 1);
}

#[tokio::test(start_paused = true)]
async fn r135_properties_are_shown_without_asking_the_host_for_attention() {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).info(|info| info.with_flags(HandlerFlags::HAS_PROPERTIES));
    let handler = handler.with_transcript(&transcript);
    let on = HandlerOnHost::ready(handler, &transcript).await;
    on.host.script.answer_attention(HResult::S_FALSE);
    assert_eq!(on.adapter.show_properties(Subject::Handler), HResult::S_OK);
    let lines = transcript.of(&["EnableModeless", "show_properties", "ShowPropertiesCompleted"]);
    assert_eq!(lines, ["show_properties Handler", "ShowPropertiesCompleted S_OK"]);
}

/// Returns a handler whose `show_properties` asks the user.
fn asking_in_properties() -> Scripted {
    let handler = Scripted::new(&["a"]).info(|info| info.with_flags(HandlerFlags::HAS_PROPERTIES));
    handler.on_show_properties(|run, _| {
        async {
            run.interaction().await?.confirm("keep for ever?").await?;
            Ok(PropertiesOutcome::Done)
        }
        .boxed()
    })
}

#[tokio::test(start_paused = true)]
async fn r135_show_properties_may_ask_the_user_of_a_manager() {
    let user = ScriptedUser::new();
    let (asked, manager) = (user.transcript().clone(), SyncManager::builder().interaction(user).build());
    manager.register(asking_in_properties()).unwrap();
    within(manager.show_properties(HANDLER, Subject::Handler)).await.unwrap();
    assert_eq!(asked.lines(), ["confirm keep for ever?"]);
    manager.unregister(HANDLER);
    assert!(attention_is_free(&manager).await);
}

#[tokio::test(start_paused = true)]
async fn r135_show_properties_asks_the_user_without_a_grant_of_the_host() {
    let transcript = Transcript::new();
    let user = ScriptedUser::new().with_transcript(&transcript);
    let on = on_host(asking_in_properties(), RunFlags::empty(), user, &transcript).await;
    // A host refuses attention outside of prepare, synchronize and show_error.
    on.host.script.answer_attention(HResult::S_FALSE);
    assert_eq!(on.adapter.show_properties(Subject::Handler), HResult::S_OK);
    on.host.wait_for("ShowPropertiesCompleted").await;
    assert_eq!(transcript.lines(), ["confirm keep for ever?", "ShowPropertiesCompleted S_OK"]);
}
