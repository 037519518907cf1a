//! Plans under the callback adapter and in a test context.

use std::sync::Arc;

use syncmgr::classic::{CallbackAdapter, HResult};
use syncmgr::context::TestContext;
use syncmgr::progress::Status;
use syncmgr::request::RunFlags;
use syncmgr::store::MemoryStore;
use syncmgr::{Plan, Trigger};
use syncmgr_test::{ScriptedUser, Transcript};

use crate::guards::plans::{Planning, many_deletions};
use crate::support::awaitable_host::{AwaitableHost, HandlerOnHost};
use crate::support::{Scripted, id};

/// Synchronizes a handler on a host with a store and a user who chooses `answer`.
async fn on_host(handler: Scripted, store: &MemoryStore, answer: usize, transcript: &Transcript) -> HandlerOnHost {
    let user = ScriptedUser::new().with_answer(answer);
    let adapter = CallbackAdapter::with_store(Arc::new(handler), Some(Arc::new(user)), Arc::new(store.clone()));
    let on =
        HandlerOnHost { adapter: adapter.expect("inside a runtime"), host: AwaitableHost::with_transcript(transcript) };
    on.adapter.initialize(Trigger::Manual, RunFlags::MAY_BOTHER_USER, None).await;
    on.adapter.enum_sync_items().await.expect("the handler lists its items");
    on.attach();
    assert_eq!(on.adapter.prepare_for_sync(&[id("a")]), HResult::S_OK);
    on.host.wait_for("PrepareForSyncCompleted S_OK").await;
    on.adapter.synchronize();
    on.host.wait_for("SynchronizeCompleted").await;
    on
}

#[tokio::test(start_paused = true)]
async fn the_callback_adapter_asks_the_user_through_show_error() {
    for (answer, decision) in [(0, "Proceed"), (1, "Revert")] {
        let (planning, transcript) = (Planning::new(many_deletions()), Transcript::new());
        let on = on_host(planning.handler(), &MemoryStore::new(), answer, &transcript).await;
        assert_eq!(planning.decisions.lines(), ["Held"]);
        let logged = transcript.of(&["LogError"]);
        assert_eq!(logged.iter().filter(|line| line.contains("20 of 30")).count(), 1, "{logged:?}");
        on.adapter.show_error(syncmgr::log::ErrorId::of_question(id("a"), "guard"));
        on.host.wait_for("ShowErrorCompleted S_SYNCMGR_RETRYSYNC 1").await;
        assert_eq!(on.adapter.prepare_for_sync(&on.host.script.retry_items()), HResult::S_OK);
        on.adapter.synchronize();
        on.host.wait_for("Progress").await;
        tokio::time::sleep(crate::support::test_clock::MINUTE).await;
        assert_eq!(planning.decisions.lines(), ["Held", decision]);
        assert_eq!(on.host.script.state(id("a")).status, Some(Status::Succeeded));
    }
}

#[tokio::test(start_paused = true)]
async fn the_callback_adapter_lets_harmless_plans_proceed() {
    let (planning, transcript) = (Planning::new(Plan::new().with_deletes(3, 3)), Transcript::new());
    let _on = on_host(planning.handler(), &MemoryStore::new(), 0, &transcript).await;
    assert_eq!(planning.decisions.lines(), ["Proceed"]);
    assert!(transcript.of(&["LogError"]).is_empty(), "{:?}", transcript.lines());
}

#[tokio::test(start_paused = true)]
async fn a_test_context_records_plans_and_lets_them_proceed() {
    let context = TestContext::new();
    let item = context.item("a");
    assert_eq!(item.propose(&many_deletions()), Ok(()));
    assert_eq!(context.plans(), [many_deletions()]);
}
