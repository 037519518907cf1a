//! The user's attention during `prepare`: R93 and R94.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::classic::{Attention, CallbackAdapter, HResult};
use syncmgr::request::RunFlags;
use syncmgr::{SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, ScriptedUser, Transcript};

use crate::support::awaitable_host::{AwaitableHost, host_in, items_named, prepares, synchronizes, within};
use crate::support::{Scripted, id};

/// Drives a handler that asks the user during `prepare`. Returns the questions to the user and the calls to the host.
async fn prepare_on_host(flags: RunFlags, attention: HResult) -> Vec<String> {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).on_prepare(|run| {
        async move {
            run.interaction().await?.confirm("really?").await?;
            Ok(())
        }
        .boxed()
    });
    let user = ScriptedUser::new().with_transcript(&transcript).with_answer(1);
    let adapter = CallbackAdapter::with_interaction(Arc::new(handler), Some(Arc::new(user))).expect("inside a runtime");
    let host = AwaitableHost::with_transcript(&transcript);
    host.script.answer_attention(attention);
    adapter.initialize(Trigger::Manual, flags, None).await;
    adapter.enum_sync_items().await.expect("the script lists its items");
    adapter.set_progress_callback(Some(host.clone()));
    adapter.prepare_for_sync(&[id("a")]);
    host.wait_for("PrepareForSyncCompleted").await;
    transcript.of(&["confirm", "EnableModeless", "PrepareForSyncCompleted"])
}

#[tokio::test(start_paused = true)]
async fn r093_needing_the_user_without_the_flag_is_s_false_and_asks_nothing() {
    let lines = prepare_on_host(RunFlags::empty(), HResult::S_OK).await;
    assert_eq!(lines, ["PrepareForSyncCompleted S_FALSE"]);
}

#[tokio::test(start_paused = true)]
async fn r094_the_host_grants_attention_before_the_user_is_asked() {
    let lines = prepare_on_host(RunFlags::MAY_BOTHER_USER, HResult::S_OK).await;
    let expected = ["EnableModeless TRUE", "confirm really?", "EnableModeless FALSE", "PrepareForSyncCompleted S_OK"];
    assert_eq!(lines, expected);
}

#[tokio::test(start_paused = true)]
async fn r094_the_user_is_not_asked_if_the_host_refuses_attention() {
    let lines = prepare_on_host(RunFlags::MAY_BOTHER_USER, HResult::S_FALSE).await;
    assert_eq!(lines, ["EnableModeless TRUE -> S_FALSE", "PrepareForSyncCompleted S_FALSE"]);
}

#[tokio::test(start_paused = true)]
async fn r094_prepare_gets_attention_only_with_may_bother_user() {
    let answers = Transcript::new();
    let noted = answers.clone();
    let handler = ScriptedHandler::new(items_named(&["a"])).on_synchronize(synchronizes()).on_prepare(move |side| {
        noted.note(side.callback().enable_modeless(Attention::Ask).to_string());
        side.callback().enable_modeless(Attention::Release);
        prepares()(side)
    });
    let manager = SyncManager::builder().interaction(ScriptedUser::new()).build();
    host_in(&manager, &Arc::new(handler));
    within(manager.session(Trigger::Manual).start().unwrap().finish()).await;
    within(manager.session(Trigger::Manual).may_bother_user().start().unwrap().finish()).await;
    assert_eq!(answers.lines(), ["S_FALSE", "S_OK"]);
}
