//! The promises that need no disk, each with the tests that check it.

use crate::coverage::every_line;

/// The promises, each with the names of its tests.
const PROMISES: [(&str, &[&str]); 22] = [
    (
        "a skip, a stop and a shutdown take effect immediately",
        &["an_item_that_checks_for_cancellation_ends_immediately"],
    ),
    (
        "an item that ignores cancellation is dropped",
        &["an_item_without_cancellation_checks_is_dropped_after_the_soft_grace"],
    ),
    ("an item can mark work as uninterrupted", &["uninterrupted_work_is_dropped_only_after_the_hard_grace"]),
    ("work started by an item is awaited", &["a_cancelled_item_ends_after_its_blocking_work"]),
    (
        "work that cannot be stopped is abandoned and named",
        &[
            "an_item_whose_blocking_work_outlives_the_hard_grace_is_abandoned",
            "shutdown_lists_the_items_that_block_their_threads_and_returns",
        ],
    ),
    ("stop latencies can be read", &["the_latency_of_an_item_that_ignores_cancellation_is_the_soft_grace"]),
    ("a dropped future is never success", &["a_dropped_future_is_never_success"]),
    ("no task outlives a shutdown", &["a_shut_down_manager_owns_no_task_and_starts_no_session"]),
    (
        "a faulty item does not affect others",
        &[
            "a_panic_or_error_in_one_item_does_not_affect_others",
            "a_hanging_item_delays_neither_other_items_nor_other_handlers",
        ],
    ),
    ("a faulty handler does not affect others", &["a_failing_handler_does_not_stop_the_session"]),
    (
        "every waiting item has a reason",
        &[
            "an_item_that_waits_for_a_claim_is_listed_with_the_claim",
            "a_paused_run_is_listed_with_its_session_until_it_is_resumed",
        ],
    ),
    (
        "no item runs twice at the same time",
        &[
            "an_abandoned_item_does_not_run_again_while_its_work_continues",
            "a_retry_that_waited_skips_an_item_abandoned_meanwhile",
        ],
    ),
    ("duplicate requests merge", &["waiting_items_run_once_and_running_items_run_again"]),
    ("manual work overtakes background work", &["a_manual_session_gets_the_only_worker_after_the_running_item"]),
    ("named resources are claimed", &["items_of_two_handlers_with_the_same_claim_never_run_concurrently"]),
    ("progress waits for no observer", &["progress_events_are_sampled_and_carry_the_last_report"]),
    ("progress fields outside the mask keep their values", &["r117_fields_outside_the_mask_keep_their_last_value"]),
    ("several managers per process", &["managers_of_one_process_share_nothing"]),
    ("any tokio runtime works", &["a_program_has_the_same_outcomes_on_one_thread_and_on_two"]),
    (
        "no signal handler and no subscriber is installed",
        &["no_signal_that_ends_a_program_is_caught", "no_subscriber_is_installed"],
    ),
    ("a run is plain data", &["a_deserialized_run_runs_its_items_with_its_flags_and_cookie"]),
    ("everything ends once and nothing leaks", &["in_any_case_every_item_ends_once_and_nothing_leaks"]),
];

#[test]
fn every_promise_has_a_test_of_its_name() {
    let lines = every_line();
    let exists = |test: &str| lines.iter().any(|line| line.contains(&format!("fn {test}(")));
    for (promise, tests) in PROMISES {
        for test in tests {
            assert!(exists(test), "`{promise}` names the test `{test}`, which does not exist");
        }
    }
}
