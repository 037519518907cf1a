//! The order of work when workers are scarce.

use syncmgr::request::Priority;
use syncmgr::{Hold, Outcome, Trigger};

use crate::support::awaitable_host::within;
use crate::support::id;
use crate::support::steps::{
    Steps, assert_succeeds, holds, manager_with_max_items, nth, outcome, start_background, start_manual, start_session,
    wait_until_idle,
};

#[tokio::test(start_paused = true)]
async fn a_manual_session_gets_the_only_worker_after_the_running_item() {
    for trigger in [Trigger::Scheduled, Trigger::Idle, Trigger::Connect] {
        let steps = Steps::default();
        let manager = manager_with_max_items(1, [steps.handler(1, &["a", "b"]), steps.handler(2, &["c", "d"])]);
        let first = start_session(&manager, trigger, 1);
        assert_eq!(steps.running().await, "a");
        let second = start_manual(&manager, 2);
        assert_eq!(steps.running().await, "a", "the running item was interrupted");
        steps.release(&["a", "c", "d", "b"]).await;
        assert_succeeds(first).await;
        assert_succeeds(second).await;
        assert_eq!(steps.began(), "a c d b", "after {trigger:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_before_a_disconnect_is_as_urgent_as_a_manual_one() {
    let steps = Steps::default();
    let manager = manager_with_max_items(1, [steps.handler(1, &["a", "b"]), steps.handler(2, &["c"])]);
    let first = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let second = start_session(&manager, Trigger::PendingDisconnect, 2);
    wait_until_idle().await;
    steps.release(&["a", "b", "c"]).await;
    assert_succeeds(first).await;
    assert_succeeds(second).await;
    assert_eq!(steps.began(), "a c b");
}

#[tokio::test(start_paused = true)]
async fn background_work_keeps_one_worker_until_urgent_work_ends() {
    let steps = Steps::default();
    let manager = manager_with_max_items(
        4,
        [steps.handler(1, &["a", "b", "c", "d", "e", "f"]), steps.handler(2, &["u", "v", "w", "x"])],
    );
    let first = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a b c", "one worker is reserved for the other handler");
    let second = start_manual(&manager, 2);
    wait_until_idle().await;
    assert_eq!(steps.running().await, "a b c u");
    steps.release(&["a"]).await;
    steps.release(&["b"]).await;
    assert_eq!(steps.running().await, "c u v w");
    steps.release(&["c"]).await;
    assert_eq!(steps.running().await, "u v w d", "background work lost its last worker");
    steps.release(&["u", "v"]).await;
    assert_eq!(steps.running().await, "w d x e");
    steps.release(&["w", "x"]).await;
    assert_eq!(steps.running().await, "d e f");
    steps.release(&["d", "e", "f"]).await;
    assert_succeeds(first).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn sessions_of_equal_priority_share_the_workers() {
    let steps = Steps::default();
    let manager =
        manager_with_max_items(4, [steps.handler(1, &["a", "b", "c", "d"]), steps.handler(2, &["u", "v", "w", "x"])]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a b c");
    let second = start_manual(&manager, 2);
    wait_until_idle().await;
    assert_eq!(steps.running().await, "a b c u");
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "b c u v");
    steps.release(&["b"]).await;
    assert_eq!(steps.running().await, "c u v d");
    steps.release(&["u"]).await;
    assert_eq!(steps.running().await, "c v d w");
    ["c", "d", "v", "w", "x"].iter().for_each(|name| steps.open(name));
    assert_succeeds(first).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn background_work_requested_later_waits_for_urgent_work_to_end() {
    let steps = Steps::default();
    let manager = manager_with_max_items(1, [steps.handler(1, &["a"]), steps.handler(2, &["u", "v"])]);
    let first = start_manual(&manager, 2);
    assert_eq!(steps.running().await, "u");
    let second = start_background(&manager, 1);
    wait_until_idle().await;
    assert_eq!(holds(&manager.held()), [(); 2].map(|()| (None, Hold::NoFreeWorker)));
    steps.release(&["u"]).await;
    assert_eq!(steps.running().await, "v");
    steps.release(&["v", "a"]).await;
    assert_succeeds(first).await;
    assert_succeeds(second).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_has_the_priority_that_was_requested() {
    let steps = Steps::default();
    let manager =
        manager_with_max_items(1, [steps.handler(1, &["a", "b"]), steps.handler(2, &["c"]), steps.handler(3, &["d"])]);
    let first = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let start = |trigger, number, priority| {
        manager.session(trigger).handlers([nth(number)]).priority(priority).start().unwrap()
    };
    let unhurried = start(Trigger::Manual, 2, Priority::Background);
    wait_until_idle().await;
    let urgent = start(Trigger::Scheduled, 3, Priority::Foreground);
    wait_until_idle().await;
    ["a", "b", "c", "d"].iter().for_each(|name| steps.open(name));
    for session in [first, unhurried, urgent] {
        assert_succeeds(session).await;
    }
    assert_eq!(steps.began(), "a d b c");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_yields_to_urgent_work_releases_its_claims() {
    let steps = Steps::default();
    let manager = manager_with_max_items(1, [steps.handler(1, &["a:x", "b:x"]), steps.handler(2, &["c:x"])]);
    let first = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let urgent = start_manual(&manager, 2);
    wait_until_idle().await;
    ["a", "b", "c"].iter().for_each(|name| steps.open(name));
    assert_succeeds(urgent).await;
    assert_succeeds(first).await;
    assert_eq!(steps.began(), "a c b");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_last_item_has_begun_does_not_wait_for_a_worker() {
    let steps = Steps::default();
    let manager = manager_with_max_items(1, [steps.handler(1, &["a", "b"])]);
    let session = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    assert_eq!(holds(&manager.held()), [(None, Hold::NoFreeWorker)]);
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "b");
    assert_eq!(holds(&manager.held()), []);
    steps.release(&["b"]).await;
    assert_succeeds(session).await;
}

#[tokio::test(start_paused = true)]
async fn urgent_work_stopped_while_it_waits_takes_no_worker() {
    let steps = Steps::default();
    let manager = manager_with_max_items(1, [steps.handler(1, &["a", "b"]), steps.handler(2, &["c"])]);
    let first = start_background(&manager, 1);
    assert_eq!(steps.running().await, "a");
    let urgent = start_manual(&manager, 2);
    wait_until_idle().await;
    urgent.stop();
    assert_eq!(outcome(&within(urgent.finish()).await, id("c")), Outcome::Stopped);
    steps.release(&["a"]).await;
    assert_eq!(steps.running().await, "b");
    steps.release(&["b"]).await;
    assert_succeeds(first).await;
}
