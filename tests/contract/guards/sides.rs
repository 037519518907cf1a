//! Sides and clocks of plans: compared with what was there the last time.

use futures::FutureExt;
use syncmgr::guard::Side;
use syncmgr::store::{MemoryStore, StateStore};
use syncmgr::{Clearance, Plan, SyncManager};

use crate::guards::plans::{Planning, many, over, question};
use crate::support::daytime::{Daytime, HOUR, YEAR, stored};
use crate::support::steps::{registered, succeeds};
use crate::support::watched::{begin, within};
use crate::support::{HANDLER, Scripted, id};

/// A plan between a source with so many entries and a target.
pub(crate) fn sides(entries: u64, disk: &str) -> Plan {
    Plan::new().with_side(Side::new("here", entries).with_identity(disk)).with_side(Side::new("there", 100))
}

#[tokio::test(start_paused = true)]
async fn sides_are_compared_with_those_of_the_last_plan_that_was_carried_out() {
    for (plan, told) in [
        (sides(40, "disk"), "Go"),
        (sides(0, "disk"), "Held"),
        (sides(40, "another"), "Held"),
        (Plan::new().with_side(Side::new("here", 40)), "Go"),
        (Plan::new().with_side(Side::new("elsewhere", 0)), "Go"),
    ] {
        let (store, planning) = (MemoryStore::new(), Planning::new(sides(40, "disk")));
        succeeds(begin(&over(&store, &planning))).await;
        planning.set(plan.clone());
        let manager = over(&store.left_behind(), &planning);
        within(begin(&manager).finish()).await;
        // What was held changes nothing: it is held again.
        within(begin(&manager).finish()).await;
        assert_eq!(planning.told.lines(), ["Go", told, told], "{plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_side_that_is_said_to_be_right_is_named_and_the_plan_becomes_the_new_measure() {
    let (store, planning) = (MemoryStore::new(), Planning::new(sides(40, "disk")));
    let manager = over(&store, &planning);
    succeeds(begin(&manager)).await;
    planning.set(sides(0, "disk"));
    within(begin(&manager).finish()).await;
    succeeds(manager.answer(HANDLER, question(&manager), 2).unwrap()).await;
    succeeds(begin(&manager)).await;
    assert_eq!(planning.told.lines(), ["Go", "Held", "Side(\"there\")", "Go"]);
    assert_eq!(store.record(HANDLER, id("a")).unwrap().unwrap().sides[0].entries, 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_failed_is_no_measure() {
    let (store, planning) = (MemoryStore::new(), Planning::new(sides(40, "disk")));
    succeeds(begin(&over(&store, &planning))).await;
    let swapped = Scripted::new(&["a"]).on_item(|item| {
        let clearance = item.clear(&sides(40, "disk").with_side(Side::new("third", 50)));
        async move {
            assert_eq!(clearance, Clearance::Go);
            Err(syncmgr::anyhow::anyhow!("no luck"))
        }
        .boxed()
    });
    let manager = registered(SyncManager::builder().store(store.clone()).build(), [swapped]);
    within(begin(&manager).finish()).await;
    assert_eq!(store.record(HANDLER, id("a")).unwrap().unwrap().sides.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_went_back_is_asked_about_until_somebody_allows_it() {
    let (clock, store, planning) = (Daytime::new(), MemoryStore::new(), Planning::new(Plan::new()));
    let manager = registered(stored(&clock, &store).build(), [planning.handler()]);
    succeeds(begin(&manager)).await;
    clock.set_back(YEAR);
    within(begin(&manager).finish()).await;
    within(begin(&manager).finish()).await;
    succeeds(manager.answer(HANDLER, question(&manager), 0).unwrap()).await;
    succeeds(begin(&manager)).await;
    assert_eq!(planning.told.lines(), ["Go", "Held", "Held", "Go", "Go"]);
}

#[tokio::test(start_paused = true)]
async fn one_answer_is_enough_where_the_clock_went_back_after_a_failure() {
    let (clock, store, planning) = (Daytime::new(), MemoryStore::new(), Planning::new(Plan::new()));
    let manager = registered(stored(&clock, &store).build(), [planning.handler()]);
    succeeds(begin(&manager)).await;
    tokio::time::sleep(HOUR).await;
    planning.set(many());
    within(begin(&manager).finish()).await;
    planning.set(Plan::new());
    clock.set_back(YEAR);
    within(begin(&manager).finish()).await;
    within(manager.answer(HANDLER, question(&manager), 0).unwrap().finish()).await;
    assert_eq!(planning.told.lines(), ["Go", "Held", "Held", "Go"]);
}
