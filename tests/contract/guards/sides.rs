//! Sides and clocks of plans, compared with those of the last successful plan.

use futures::FutureExt;
use syncmgr::guard::{PlanRemedy, Side};
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{Plan, SyncManager};

use crate::guards::plans::{Planning, many_deletions, question, with_store};
use crate::support::awaitable_host::{begin, within};
use crate::support::steps::{assert_succeeds, register_all};
use crate::support::test_clock::{HOUR, TestClock, YEAR, builder_with_store};
use crate::support::{HANDLER, Scripted, id};

/// Returns a plan between a source with `entries` entries and a target.
pub(crate) fn sides(entries: u64, disk: &str) -> Plan {
    let plan = Plan::new().with_side(Side::new("here", entries).with_identity(disk));
    plan.with_side(Side::new("there", 100)).with_remedies([PlanRemedy::ChooseSide])
}

#[tokio::test(start_paused = true)]
async fn sides_are_compared_with_the_last_successful_plan() {
    for (plan, decision) in [
        (sides(40, "disk"), "Proceed"),
        (sides(0, "disk"), "Held"),
        (sides(40, "another"), "Held"),
        (Plan::new().with_side(Side::new("here", 40)), "Proceed"),
        (Plan::new().with_side(Side::new("elsewhere", 0)), "Proceed"),
    ] {
        let (store, planning) = (MemoryStore::new(), Planning::new(sides(40, "disk")));
        assert_succeeds(begin(&with_store(&store, &planning))).await;
        planning.set(plan.clone());
        let manager = with_store(&store.after_crash(), &planning);
        within(begin(&manager).finish()).await;
        // A held plan does not change the baseline, so it is held again.
        within(begin(&manager).finish()).await;
        assert_eq!(planning.decisions.lines(), ["Proceed", decision, decision], "{plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_chosen_side_reaches_the_item_and_its_plan_becomes_the_baseline() {
    let (store, planning) = (MemoryStore::new(), Planning::new(sides(40, "disk")));
    let manager = with_store(&store, &planning);
    assert_succeeds(begin(&manager)).await;
    planning.set(sides(0, "disk"));
    within(begin(&manager).finish()).await;
    assert_succeeds(manager.answer(HANDLER, question(&manager), 2).unwrap()).await;
    assert_succeeds(begin(&manager)).await;
    assert_eq!(planning.decisions.lines(), ["Proceed", "Held", "Side(\"there\")", "Proceed"]);
    assert_eq!(store.record(HANDLER, id("a")).unwrap().unwrap().sides[0].entries, 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_does_not_change_the_baseline() {
    let (store, planning) = (MemoryStore::new(), Planning::new(sides(40, "disk")));
    assert_succeeds(begin(&with_store(&store, &planning))).await;
    let swapped = Scripted::new(&["a"]).on_item(|item| {
        let decision = item.propose(&sides(40, "disk").with_side(Side::new("third", 50)));
        async move {
            assert_eq!(decision, Ok(()));
            Err(syncmgr::anyhow::anyhow!("no luck"))
        }
        .boxed()
    });
    let manager = register_all(SyncManager::builder().store(store.clone()).build(), [swapped]);
    within(begin(&manager).finish()).await;
    assert_eq!(store.record(HANDLER, id("a")).unwrap().unwrap().sides.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_holds_plans_until_the_user_allows_it() {
    let (clock, store, planning) = (TestClock::new(), MemoryStore::new(), Planning::new(Plan::new()));
    let manager = register_all(builder_with_store(&clock, &store).build(), [planning.handler()]);
    assert_succeeds(begin(&manager)).await;
    clock.set_back(YEAR);
    within(begin(&manager).finish()).await;
    within(begin(&manager).finish()).await;
    assert_succeeds(manager.answer(HANDLER, question(&manager), 0).unwrap()).await;
    assert_succeeds(begin(&manager)).await;
    assert_eq!(planning.decisions.lines(), ["Proceed", "Held", "Held", "Proceed", "Proceed"]);
}

#[tokio::test(start_paused = true)]
async fn one_answer_allows_a_clock_set_back_after_a_failure() {
    let (clock, store, planning) = (TestClock::new(), MemoryStore::new(), Planning::new(Plan::new()));
    let manager = register_all(builder_with_store(&clock, &store).build(), [planning.handler()]);
    assert_succeeds(begin(&manager)).await;
    tokio::time::sleep(HOUR).await;
    planning.set(many_deletions());
    within(begin(&manager).finish()).await;
    planning.set(Plan::new());
    clock.set_back(YEAR);
    within(begin(&manager).finish()).await;
    within(manager.answer(HANDLER, question(&manager), 0).unwrap().finish()).await;
    assert_eq!(planning.decisions.lines(), ["Proceed", "Held", "Held", "Proceed"]);
}
