//! Plans under hosts that are not ours: on a driven handler, and outside of any host.

use std::sync::Arc;

use syncmgr::classic::{Driven, HResult};
use syncmgr::context::Detached;
use syncmgr::guard::Objection;
use syncmgr::progress::Status;
use syncmgr::request::RunFlags;
use syncmgr::store::MemoryStore;
use syncmgr::{Clearance, Plan, Trigger};
use syncmgr_test::{ScriptedUser, Transcript};

use crate::guards::plans::{Planning, many};
use crate::support::watched::{OnHost, Watched};
use crate::support::{Scripted, id};

/// The handler on a host with a user who chooses this, over a store, prepared.
async fn on_host(handler: Scripted, store: &MemoryStore, answer: usize, transcript: &Transcript) -> OnHost {
    let user = ScriptedUser::new().with_answer(answer);
    let driven = Driven::with_store(Arc::new(handler), Some(Arc::new(user)), Arc::new(store.clone()));
    let on = OnHost { driven: driven.expect("inside a runtime"), host: Watched::with_transcript(transcript) };
    on.driven.initialize(Trigger::Manual, RunFlags::MAY_BOTHER_USER, None).await;
    on.driven.enum_sync_items().await.expect("the script lists its items");
    on.attach();
    assert_eq!(on.driven.prepare_for_sync(&[id("a")]), HResult::S_OK);
    on.host.saw("PrepareForSyncCompleted S_OK").await;
    on.driven.synchronize();
    on.host.saw("SynchronizeCompleted").await;
    on
}

#[tokio::test(start_paused = true)]
async fn a_driven_host_is_told_and_its_user_answers_through_show_error() {
    for (answer, told) in [(0, "Go"), (1, "Revert")] {
        let (planning, transcript) = (Planning::new(many()), Transcript::new());
        let on = on_host(planning.handler(), &MemoryStore::new(), answer, &transcript).await;
        assert_eq!(planning.told.lines(), ["Held"]);
        let logged = transcript.of(&["LogError"]);
        assert_eq!(logged.iter().filter(|line| line.contains("20 of 30")).count(), 1, "{logged:?}");
        on.driven.show_error(syncmgr::log::ErrorId::of_question(id("a"), "guard"));
        on.host.saw("ShowErrorCompleted S_SYNCMGR_RETRYSYNC 1").await;
        assert_eq!(on.driven.prepare_for_sync(&on.host.script.again()), HResult::S_OK);
        on.driven.synchronize();
        on.host.saw("Progress").await;
        tokio::time::sleep(crate::support::daytime::MINUTE).await;
        assert_eq!(planning.told.lines(), ["Held", told]);
        assert_eq!(on.host.script.state(id("a")).status, Some(Status::Succeeded));
    }
}

#[tokio::test(start_paused = true)]
async fn a_driven_host_lets_harmless_plans_go() {
    let (planning, transcript) = (Planning::new(Plan::new().with_deletes(3, 3)), Transcript::new());
    let _on = on_host(planning.handler(), &MemoryStore::new(), 0, &transcript).await;
    assert_eq!(planning.told.lines(), ["Go"]);
    assert!(transcript.of(&["LogError"]).is_empty(), "{:?}", transcript.lines());
}

#[tokio::test(start_paused = true)]
async fn outside_of_a_host_plans_are_recorded_and_cleared() {
    let detached = Detached::new();
    let item = detached.item("a");
    assert!(item.clear(&many()).is_go());
    assert_eq!(detached.plans(), [many()]);
    assert_eq!(Clearance::Revert.or_leave(), Ok(Clearance::Revert));
    let objection = Objection::TooManyDeletions { deletes: 11, existing: 12 };
    assert!(Clearance::Held(objection).or_leave().is_err());
}
