//! The runs that local changes start.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use syncmgr::changes::{LocalChange, ManualChanges};
use syncmgr::explain::Condition;
use syncmgr::item::ItemState;
use syncmgr::retry::StartReason;
use syncmgr::store::MemoryStore;
use syncmgr::{Outcome, SyncManager, Trigger};
use tokio::time::sleep;

use super::{after_first_session, builder_with_changes, seconds, watched, watching, watching_and};
use crate::support::awaitable_host::within;
use crate::support::steps::{Steps, assert_succeeds, nth, outcome, register_all, start_manual};
use crate::support::test_clock::{DAY, HOUR, StartTimes, fail_until};
use crate::support::{id, stored_log};

/// A manager whose handler has one watched item and has run once, and the steps of this item.
async fn after_first_steps() -> (Steps, SyncManager, ManualChanges) {
    let steps = Steps::default();
    let handler = steps.handler(1, &["a"]).items(|| Ok(watched(&["a"])));
    let (builder, changes) = builder_with_changes();
    let manager = register_all(builder.build(), [handler]);
    let first = start_manual(&manager, 1);
    steps.release(&["a"]).await;
    assert_succeeds(first).await;
    (steps, manager, changes)
}

#[tokio::test(start_paused = true)]
async fn a_changed_item_runs_once_its_handler_was_quiet() {
    let began = StartTimes::new();
    let (_manager, changes) = after_first_session(watching(&began, &["a", "b"])).await;
    seconds(60).await;
    changes.changed("/a/letter");
    sleep(DAY).await;
    assert_eq!((began.of("a"), began.of("b")), (vec![0, 65], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn changes_of_several_items_run_together_and_once() {
    let began = StartTimes::new();
    let handler = watching(&began, &["a", "b"]);
    let (_manager, changes) = after_first_session(handler.clone()).await;
    seconds(60).await;
    for path in ["/a/1", "/b/1", "/a/2"] {
        changes.changed(path);
        seconds(2).await;
    }
    sleep(DAY).await;
    assert_eq!((began.of("a"), began.of("b")), (vec![0, 69], vec![0, 69]));
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare a b", "prepare a b"]);
}

#[tokio::test(start_paused = true)]
async fn a_watched_item_that_appears_runs_together_with_the_change_that_reveals_it() {
    let (began, listed) = (StartTimes::new(), Arc::new(Mutex::new(watched(&["old"]))));
    let listing = listed.clone();
    let handler = watching(&began, &["old", "new"]).items(move || Ok(listing.lock().unwrap().clone()));
    let (_manager, changes) = after_first_session(handler.clone()).await;
    seconds(60).await;
    *listed.lock().unwrap() = watched(&["old", "new"]);
    changes.changed("/old");
    seconds(60).await;
    assert_eq!((began.of("old"), began.of("new")), (vec![0, 65], vec![65]));
    assert_eq!(handler.transcript.of(&["prepare"]), ["prepare old", "prepare old new"]);
}

#[tokio::test(start_paused = true)]
async fn an_item_with_an_open_question_about_a_part_of_it_runs_for_its_changes() {
    let (began, answers) = (StartTimes::new(), Arc::new(Mutex::new(Vec::new())));
    let noted = answers.clone();
    let handler = watching_and(&began, &["a"], move |item, _| {
        noted.lock().unwrap().push(item.ask("letter", "which letter is right?", &["here", "there"]));
        Ok(())
    });
    let (builder, changes) = builder_with_changes();
    let manager = register_all(builder.store(MemoryStore::new()).build(), [handler]);
    let report = within(start_manual(&manager, 1).finish()).await;
    assert_eq!(outcome(&report, id("a")), Outcome::NeedsUser);
    seconds(60).await;
    changes.changed("/a");
    seconds(60).await;
    assert_eq!(began.of("a"), [0, 65]);
    let explanation = manager.explain_item(nth(1), id("a")).unwrap();
    assert!(explanation.condition == Condition::NeedsUser && explanation.holds.is_empty(), "{explanation}");
    let open = stored_log(&manager, nth(1));
    let [question] = &open[..] else { panic!("the question is not in the log once: {open:?}") };
    assert_succeeds(manager.answer(nth(1), question.entry.id.unwrap(), 1).unwrap()).await;
    assert_eq!(*answers.lock().unwrap(), [None, None, Some("there")]);
    assert!(stored_log(&manager, nth(1)).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_question_that_a_later_run_does_not_ask_is_no_longer_open() {
    let began = StartTimes::new();
    let handler = watching_and(&began, &["a"], |item, times| {
        let files = ["1.txt", "2.txt"].get(times - 1..).unwrap_or_default();
        files.iter().for_each(|file| _ = item.ask(file, &format!("{file}: which side is right?"), &["here", "there"]));
        Ok(())
    });
    let (builder, changes) = builder_with_changes();
    let manager = register_all(builder.store(MemoryStore::new()).build(), [handler]);
    within(start_manual(&manager, 1).finish()).await;
    for open in [2, 1, 0] {
        assert_eq!(stored_log(&manager, nth(1)).len(), open);
        changes.changed("/a");
        seconds(60).await;
    }
    assert_eq!(manager.explain_item(nth(1), id("a")).unwrap().condition, Condition::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_written_without_pause_runs_at_the_maximum_wait() {
    let began = StartTimes::new();
    let (_manager, changes) = after_first_session(watching(&began, &["a"])).await;
    seconds(60).await;
    for _ in 0..80 {
        changes.changed("/a/log");
        seconds(1).await;
    }
    sleep(HOUR).await;
    assert_eq!(began.of("a"), [0, 90, 121, 144]);
}

#[tokio::test(start_paused = true)]
async fn a_change_starts_an_unattended_session_with_its_reason() {
    let (steps, manager, changes) = after_first_steps().await;
    changes.changed("/a");
    seconds(1).await;
    let [session] = &manager.sessions()[..] else { panic!("expected one session: {:?}", manager.sessions()) };
    assert_eq!((session.reason(), session.trigger()), (StartReason::LocalChange, Trigger::Scheduled));
    steps.open("a");
    assert_succeeds(session.clone()).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_during_the_run_of_its_item_runs_the_item_again() {
    let (steps, _manager, changes) = after_first_steps().await;
    changes.changed("/a");
    seconds(1).await;
    assert_eq!(steps.running().await, "a");
    changes.changed("/a"); // the run may have read this file already
    seconds(60).await;
    assert_eq!(steps.began(), "a a", "the item still runs");
    steps.release(&["a"]).await;
    seconds(1).await;
    assert_eq!(steps.running().await, "a");
    assert_eq!(steps.began(), "a a a");
    steps.release(&["a"]).await;
    seconds(60).await;
    assert_eq!(steps.began(), "a a a");
}

#[tokio::test(start_paused = true)]
async fn a_change_during_a_requested_run_of_its_item_runs_the_item_again() {
    let (steps, (builder, changes)) = (Steps::default(), builder_with_changes());
    let manager = register_all(builder.build(), [steps.handler(1, &["a"]).items(|| Ok(watched(&["a"])))]);
    let first = start_manual(&manager, 1);
    assert_eq!(steps.running().await, "a");
    changes.changed("/a");
    seconds(60).await;
    assert_eq!(steps.began(), "a", "one run of a handler at a time");
    steps.release(&["a", "a"]).await;
    assert_succeeds(first).await;
    seconds(60).await;
    assert_eq!(steps.began(), "a a");
}

#[tokio::test(start_paused = true)]
async fn a_requested_run_covers_the_changes_before_it() {
    let began = StartTimes::new();
    let (manager, changes) = after_first_session(watching(&began, &["a"])).await;
    seconds(60).await;
    changes.changed("/a/letter");
    seconds(1).await;
    assert_succeeds(start_manual(&manager, 1)).await;
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 61]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_change_runs_the_items_that_a_queued_run_has_left_out() {
    let (steps, (builder, changes)) = (Steps::default(), builder_with_changes());
    let manager = register_all(builder.build(), [steps.handler(1, &["a"]).items(|| Ok(watched(&["a"])))]);
    let [first, queued] = [start_manual(&manager, 1), start_manual(&manager, 1)];
    assert_eq!(steps.running().await, "a");
    changes.report(nth(1), LocalChange::Unknown);
    steps.release(&["a"]).await;
    assert_succeeds(first).await;
    // The queued run leaves out what has begun since its request. The change came later.
    assert_succeeds(queued).await;
    seconds(1).await;
    assert_eq!(steps.began(), "a a");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_change_runs_all_chosen_items() {
    let began = StartTimes::new();
    let handler = watching(&began, &["a", "b"]).items(|| {
        let unchecked =
            watched(&["c"]).iter().map(|item| item.clone().with_state(ItemState::Unchecked)).collect::<Vec<_>>();
        Ok(watched(&["a", "b"]).iter().cloned().chain(unchecked).collect())
    });
    let (_manager, changes) = after_first_session(handler).await;
    seconds(60).await;
    changes.report(nth(1), LocalChange::Unknown);
    changes.changed("/a");
    sleep(DAY).await;
    assert_eq!((began.of("a"), began.of("b"), began.of("c")), (vec![0, 65], vec![0, 65], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_changed_item_that_is_not_chosen_or_not_listed_does_not_run() {
    let began = StartTimes::new();
    let (manager, changes) = after_first_session(watching(&began, &["a", "b"])).await;
    manager.choose(nth(1), [id("a")], ItemState::Unchecked).await.unwrap();
    changes.changed("/a");
    changes.report(nth(1), LocalChange::Item(id("unknown")));
    sleep(DAY).await;
    assert_eq!((began.of("a"), began.of("b")), (vec![0], vec![0]));
    changes.changed("/a");
    changes.changed("/b");
    sleep(DAY).await;
    assert_eq!((began.of("a").len(), began.of("b").len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_changed_item_that_fails_is_retried() {
    let began = StartTimes::new();
    let handler = watching_and(&began, &["a"], |_, times| if times == 1 { Ok(()) } else { fail_until(times, 2) });
    let (_manager, changes) = after_first_session(handler).await;
    seconds(60).await;
    changes.changed("/a");
    sleep(DAY).await;
    assert_eq!(began.of("a"), [0, 65, 95]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_item_that_the_user_stops_runs_again_after_a_wait() {
    let (steps, manager, changes) = after_first_steps().await;
    changes.changed("/a");
    seconds(1).await;
    let session = manager.sessions().pop().unwrap();
    session.stop();
    within(session.finish()).await;
    seconds(60).await;
    assert_eq!(steps.running().await, "");
    sleep(HOUR).await;
    assert_eq!(steps.running().await, "a");
    steps.open("a");
    sleep(Duration::from_secs(1)).await;
}
