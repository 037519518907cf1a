//! The user's attention: R130 to R132.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use syncmgr::classic::{Attention, CallbackAdapter, HResult};
use syncmgr::environment::{Asker, Confirmation, Secret};
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::request::RunFlags;
use syncmgr::session::{RunChange, RunFault};
use syncmgr::{Interaction, LogLevel, NeedsUser, Outcome, RunContext, RunEnding, SyncManager, SyncResult, Trigger};
use syncmgr_test::{ScriptedHandler, ScriptedUser, Side, Transcript};

use crate::support::awaitable_host::{AwaitableHost, CLASSIC, HandlerOnHost, host_in, items_named, until_run, within};
use crate::support::window::assert_in_order;
use crate::support::{HANDLER, Scripted, id};

/// Asks the user for a confirmation, and fails if the user refuses.
async fn ask(run: &RunContext) -> SyncResult {
    let user = run.interaction().await?;
    match user.confirm("sure?").await? {
        Confirmation::Confirm => Ok(()),
        Confirmation::Refuse => Err(NeedsUser::new("a confirmation").into()),
    }
}

/// Returns a handler that asks the user in `prepare`, in its item and in `show_error`.
fn asking_handler(transcript: &Transcript) -> Scripted {
    Scripted::new(&["a"])
        .with_transcript(transcript)
        .on_prepare(|run| ask(run).boxed())
        .on_item(|item| ask(item.run()).boxed())
        .on_show_error(|run, _| ask(run).map(|asked| asked.map(|()| syncmgr::handler::Resolution::Done)).boxed())
}

/// Creates a handler on a host with a user, initializes it, lists its items and sets the callback.
pub(crate) async fn on_host(
    handler: Scripted,
    flags: RunFlags,
    user: impl Interaction,
    transcript: &Transcript,
) -> HandlerOnHost {
    let adapter = CallbackAdapter::with_interaction(Arc::new(handler), Some(Arc::new(user))).expect("inside a runtime");
    let on = HandlerOnHost { adapter, host: AwaitableHost::with_transcript(transcript) };
    on.adapter.initialize(Trigger::Manual, flags, None).await;
    on.adapter.enum_sync_items().await.expect("the handler lists its items");
    on.attach();
    on
}

fn answering_user(transcript: &Transcript) -> ScriptedUser {
    ScriptedUser::new().with_transcript(transcript).with_answer(1).with_answer(1).with_answer(1)
}

/// A user who never answers.
struct Absent;

#[async_trait]
impl Interaction for Absent {
    async fn confirm(&self, _: &Asker, _: &str) -> SyncResult<Confirmation> {
        std::future::pending().await
    }

    async fn choose(&self, _: &Asker, _: &str, _: &[String]) -> SyncResult<Option<usize>> {
        std::future::pending().await
    }

    async fn secret(&self, _: &Asker, _: &str) -> SyncResult<Option<Secret>> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn r130_r132_each_dialog_asks_the_host_for_attention_and_releases_it() {
    let transcript = Transcript::new();
    let on =
        on_host(asking_handler(&transcript), RunFlags::MAY_BOTHER_USER, answering_user(&transcript), &transcript).await;
    on.adapter.prepare_for_sync(&[id("a")]);
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    on.adapter.show_error(ErrorId::from_u128(1));
    on.host.wait_for("ShowErrorCompleted S_OK").await;
    let dialog = ["EnableModeless TRUE", "confirm sure?", "EnableModeless FALSE"];
    assert_eq!(transcript.of(&["EnableModeless", "confirm"]), dialog.repeat(3));
    assert_in_order(
        &transcript,
        &["prepare a", "EnableModeless FALSE", "item a", "EnableModeless FALSE", "confirm sure?"],
    );
}

#[tokio::test(start_paused = true)]
async fn r131_nothing_is_shown_if_the_host_refuses_attention() {
    for refusal in [HResult::S_FALSE, HResult::E_FAIL] {
        let transcript = Transcript::new();
        let on =
            on_host(asking_handler(&transcript), RunFlags::MAY_BOTHER_USER, answering_user(&transcript), &transcript)
                .await;
        on.host.script.answer_attention(refusal);
        on.adapter.prepare_for_sync(&[id("a")]);
        on.host.wait_for("PrepareForSyncCompleted S_FALSE").await;
        assert_eq!(transcript.count("confirm"), 0);
        assert_eq!(transcript.of(&["EnableModeless"]), [format!("EnableModeless TRUE -> {refusal}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn r131_an_item_refused_attention_ends_as_needs_user() {
    let transcript = Transcript::new();
    let handler = asking_handler(&transcript).on_prepare(|_| async { Ok(()) }.boxed());
    let on = on_host(handler, RunFlags::MAY_BOTHER_USER, answering_user(&transcript), &transcript).await;
    on.host.script.answer_attention(HResult::S_FALSE);
    on.adapter.prepare_for_sync(&[id("a")]);
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(transcript.count("confirm"), 0);
    assert_eq!(on.host.script.state(id("a")).status, Some(Status::Skipped));
    assert_eq!(transcript.count("LogError Error"), 0);
}

#[tokio::test(start_paused = true)]
async fn r131_a_host_is_not_asked_if_the_user_may_not_be_bothered() {
    let transcript = Transcript::new();
    let on = on_host(asking_handler(&transcript), RunFlags::empty(), answering_user(&transcript), &transcript).await;
    on.adapter.prepare_for_sync(&[id("a")]);
    on.host.wait_for("PrepareForSyncCompleted S_FALSE").await;
    assert_eq!(transcript.of(&["EnableModeless", "confirm"]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn r131_a_manager_grants_attention_only_if_the_user_may_be_bothered() {
    for (bother, prepared, outcome) in [
        (true, RunEnding::Completed, Outcome::Succeeded),
        (false, RunEnding::NotPrepared(RunFault::NeedsUser), Outcome::NeedsUser),
    ] {
        let transcript = Transcript::new();
        let manager = SyncManager::builder().interaction(answering_user(&transcript)).build();
        manager.register(asking_handler(&transcript)).unwrap();
        let request = manager.session(Trigger::Manual);
        let request = if bother { request.may_bother_user() } else { request };
        let report = within(request.start().unwrap().finish()).await;
        assert_eq!(report.run(HANDLER).unwrap().ending, Some(prepared));
        assert_eq!(report.items().next().unwrap().outcome, outcome);
        assert_eq!(transcript.count("confirm"), if bother { 2 } else { 0 });
    }
}

/// Returns a handler whose `PrepareForSync` asks for attention, releases it and asks again, and notes the answers.
fn handler_asking_twice(answers: &Transcript) -> ScriptedHandler {
    let answers = answers.clone();
    ScriptedHandler::new(items_named(&["a"])).on_prepare(move |side: &Side| {
        let callback = side.callback();
        answers.note(callback.enable_modeless(Attention::Ask).to_string());
        answers.note(callback.enable_modeless(Attention::Release).to_string());
        answers.note(callback.enable_modeless(Attention::Ask).to_string());
        callback.enable_modeless(Attention::Release);
        callback.prepare_for_sync_completed(HResult::S_OK)
    })
}

#[tokio::test(start_paused = true)]
async fn r130_r131_r132_a_classic_handler_asks_the_manager_for_attention() {
    for (bother, wanted) in [(true, ["S_OK", "S_OK", "S_OK"]), (false, ["S_FALSE", "S_OK", "S_FALSE"])] {
        let answers = Transcript::new();
        let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
        let handler = Arc::new(handler_asking_twice(&answers));
        host_in(&manager, &handler);
        let request = manager.session(Trigger::Manual);
        let session = if bother { request.may_bother_user() } else { request }.start().unwrap();
        until_run(&session, RunChange::Synchronizing).await;
        assert_eq!(answers.lines(), wanted);
        handler.side().callback().synchronize_completed(HResult::S_OK);
        let report = within(session.report()).await;
        assert_eq!(report.run(CLASSIC).unwrap().ending, Some(RunEnding::Completed));
        // After the end of the run, attention is refused.
        assert_eq!(handler.side().callback().enable_modeless(Attention::Ask), HResult::S_FALSE);
    }
}

#[tokio::test(start_paused = true)]
async fn r132_a_handler_dropped_during_a_dialog_releases_attention() {
    let transcript = Transcript::new();
    let on = on_host(asking_handler(&transcript), RunFlags::MAY_BOTHER_USER, Absent, &transcript).await;
    on.adapter.prepare_for_sync(&[id("a")]);
    on.host.wait_for("EnableModeless TRUE").await;
    on.adapter.set_item_status(syncmgr::Subject::Handler, Status::Stopped);
    on.host.wait_for("EnableModeless FALSE").await;
    on.host.wait_for("PrepareForSyncCompleted").await;
    assert_in_order(&transcript, &["EnableModeless TRUE", "EnableModeless FALSE"]);
    assert_eq!(transcript.count("EnableModeless"), 2);
}

#[tokio::test(start_paused = true)]
async fn r132_a_handler_that_panics_during_a_dialog_releases_attention() {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).with_transcript(&transcript).on_prepare(|run| {
        async {
            let _user = run.interaction().await?;
            panic!("the fault")
        }
        .boxed()
    });
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    manager.register(handler).unwrap();
    let after = Scripted::new(&["b"])
        .info(|_| syncmgr::HandlerInfo::new(syncmgr::HandlerId::from_u128(u128::MAX), "After"))
        .on_item(|item| async { item.run().interaction().await.map(drop) }.boxed());
    manager.register(after).unwrap();
    let session = manager.session(Trigger::Manual).may_bother_user().start().unwrap();
    let report = within(session.finish()).await;
    let entries = &report.run(HANDLER).unwrap().log;
    assert!(entries.iter().any(|entry| entry.level == LogLevel::Error && entry.text.contains("panicked")));
    assert!(report.run(syncmgr::HandlerId::from_u128(u128::MAX)).unwrap().is_success());
}

#[tokio::test(start_paused = true)]
async fn r132_r134_a_grant_still_held_at_completion_is_revoked() {
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    let holding = Arc::new(crate::support::window::waiting_handler(&["a"]));
    host_in(&manager, &holding);
    let session = manager.session(Trigger::Manual).may_bother_user().start().unwrap();
    until_run(&session, RunChange::Synchronizing).await;
    let callback = holding.side().callback();
    assert_eq!(callback.enable_modeless(Attention::Ask), HResult::S_OK);
    callback.synchronize_completed(HResult::S_OK);
    within(session.report()).await;

    manager.register(Scripted::new(&["b"]).on_item(|item| request_attention(item.run()).boxed())).unwrap();
    let other = manager.session(Trigger::Manual).handlers([HANDLER]).may_bother_user().start().unwrap();
    assert!(within(other.finish()).await.is_success());
}

async fn request_attention(run: &RunContext) -> SyncResult {
    run.interaction().await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn r130_r144_opening_a_question_of_an_item_asks_the_user() {
    let transcript = Transcript::new();
    let notes = transcript.clone();
    let handler = Scripted::new(&["file"]).with_transcript(&transcript).on_item(move |item| {
        let side = item.decide("side", "which side wins?", &["here", "there"]);
        notes.note(side.map_or("later".into(), |side| format!("{side} wins")));
        async { Ok(()) }.boxed()
    });
    let on = on_host(handler, RunFlags::empty(), answering_user(&transcript), &transcript).await;
    on.adapter.prepare_for_sync(&[id("file")]);
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted S_OK").await;
    assert_eq!(on.host.script.state(id("file")).status, Some(Status::Skipped));
    on.adapter.show_error(ErrorId::of_question(id("file"), "side"));
    on.host.wait_for("ShowErrorCompleted S_SYNCMGR_RETRYSYNC 1").await;
    on.adapter.prepare_for_sync(&on.host.script.retry_items());
    on.adapter.synchronize();
    on.host.wait_for(&format!("Progress {} Succeeded", id("file"))).await;
    let dialog = ["EnableModeless TRUE", "choose which side wins?", "EnableModeless FALSE"];
    let wanted = [&["LogError Warning which side wins? link"][..], &dialog].concat();
    assert_eq!(transcript.of(&["LogError", "EnableModeless", "choose"]), wanted);
    assert_in_order(&transcript, &["later", "ShowErrorCompleted S_SYNCMGR_RETRYSYNC 1", "there wins"]);
    assert_eq!(transcript.count("show_error"), 0, "the handler was called for a question of its item");
}
