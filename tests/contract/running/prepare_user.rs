//! The user while preparing: R93 and R94.

use std::sync::Arc;

use futures::FutureExt;
use syncmgr::classic::{Attention, Driven, HResult};
use syncmgr::request::RunFlags;
use syncmgr::{SyncManager, Trigger};
use syncmgr_test::{ScriptedHandler, ScriptedUser, Transcript};

use crate::support::watched::{Watched, host_in, listed, prepares, synchronizes, within};
use crate::support::{Scripted, id};

/// A handler that asks while it prepares, driven by a host under these flags; who was asked what, and what the host
/// was told.
async fn asked_on_host(flags: RunFlags, attention: HResult) -> Vec<String> {
    let transcript = Transcript::new();
    let handler = Scripted::new(&["a"]).on_prepare(|run| {
        async move {
            run.interaction().await?.confirm("really?").await?;
            Ok(())
        }
        .boxed()
    });
    let user = ScriptedUser::new().with_transcript(&transcript).with_answer(1);
    let driven = Driven::with_interaction(Arc::new(handler), Some(Arc::new(user))).expect("inside a runtime");
    let host = Watched::with_transcript(&transcript);
    host.script.answer_attention(attention);
    driven.initialize(Trigger::Manual, flags, None).await;
    driven.enum_sync_items().await.expect("the script lists its items");
    driven.set_progress_callback(Some(host.clone()));
    driven.prepare_for_sync(&[id("a")]);
    host.saw("PrepareForSyncCompleted").await;
    transcript.of(&["confirm", "EnableModeless", "PrepareForSyncCompleted"])
}

#[tokio::test(start_paused = true)]
async fn r093_a_host_is_told_s_false_where_the_user_would_be_needed_and_is_not_asked_for_its_attention() {
    let told = asked_on_host(RunFlags::empty(), HResult::S_OK).await;
    assert_eq!(told, ["PrepareForSyncCompleted S_FALSE"]);
}

#[tokio::test(start_paused = true)]
async fn r094_a_host_is_asked_for_its_attention_before_the_user_is_and_gets_it_back() {
    let told = asked_on_host(RunFlags::MAY_BOTHER_USER, HResult::S_OK).await;
    let wanted = ["EnableModeless TRUE", "confirm really?", "EnableModeless FALSE", "PrepareForSyncCompleted S_OK"];
    assert_eq!(told, wanted);
}

#[tokio::test(start_paused = true)]
async fn r094_where_a_host_refuses_its_attention_the_user_is_not_asked() {
    let told = asked_on_host(RunFlags::MAY_BOTHER_USER, HResult::S_FALSE).await;
    assert_eq!(told, ["EnableModeless TRUE -> S_FALSE", "PrepareForSyncCompleted S_FALSE"]);
}

#[tokio::test(start_paused = true)]
async fn r094_attention_is_granted_while_preparing_only_where_the_user_may_be_bothered() {
    let answers = Transcript::new();
    let noted = answers.clone();
    let handler = ScriptedHandler::new(listed(&["a"])).on_synchronize(synchronizes()).on_prepare(move |side| {
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
