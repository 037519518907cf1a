//! The promises that need no disk, each with the test that keeps it.

use crate::coverage::every_line;

/// A promise in a few words, and the names of its tests.
const PROMISES: [(&str, &[&str]); 22] = [
    ("a skip, a stop and a shutdown are heard at once", &["an_item_that_looks_leaves_at_once"]),
    ("who does not listen is cut", &["an_author_who_never_thinks_of_cancellation_is_cut_after_the_soft_grace"]),
    ("who must not be cut says so", &["uninterrupted_work_is_cut_only_after_the_hard_grace"]),
    ("what an item started is awaited", &["blocking_work_of_a_cancelled_item_is_awaited_before_it_counts_as_stopped"]),
    (
        "what cannot be stopped is abandoned and named",
        &[
            "blocking_work_that_outlives_the_hard_grace_leaves_its_item_abandoned_and_shutdown_names_its_handler",
            "shutdown_lists_the_items_that_block_their_threads_and_returns",
        ],
    ),
    ("the time to a stop can be read", &["an_item_that_ignores_the_cancel_takes_the_soft_grace"]),
    ("a dropped future is never success", &["a_dropped_future_is_never_success"]),
    ("nothing is left after a shutdown", &["after_a_shutdown_the_manager_owns_no_task_and_starts_no_session"]),
    (
        "one item's fault is its own",
        &[
            "a_panic_or_error_in_one_item_touches_no_neighbour",
            "an_item_that_hangs_holds_up_neither_its_neighbours_nor_other_handlers",
        ],
    ),
    ("one handler's fault is its own", &["a_failing_handler_does_not_stop_the_session"]),
    (
        "what waits has a reason",
        &["what_waits_for_a_claim_is_named_with_it", "what_is_paused_is_named_with_its_session_until_it_is_resumed"],
    ),
    (
        "no item runs twice at once",
        &[
            "an_abandoned_item_does_not_run_again_while_its_work_goes_on",
            "a_retry_that_waited_while_the_item_was_abandoned_leaves_it_out_too",
        ],
    ),
    ("duplicate requests merge", &["what_had_not_begun_runs_once_and_what_was_running_runs_again"]),
    ("manual work overtakes background work", &["a_manual_session_takes_the_only_worker_after_the_item_that_runs"]),
    ("named resources are claimed", &["items_of_two_handlers_with_the_same_claim_never_run_at_once"]),
    ("progress waits for no observer", &["progress_is_sampled_the_last_report_is_seen_and_those_before_it_are_not"]),
    ("progress is sticky and masked", &["r117_fields_outside_the_mask_keep_their_last_value"]),
    ("several managers per process", &["managers_of_one_process_share_nothing"]),
    ("any tokio runtime will do", &["a_program_ends_the_same_on_one_thread_and_on_two"]),
    (
        "no signal handler and no subscriber of ours",
        &["no_signal_that_ends_a_program_is_caught", "no_subscriber_is_installed"],
    ),
    ("a run is plain data", &["a_run_that_went_through_text_runs_the_items_it_names_under_its_conditions"]),
    (
        "whatever anybody does, everything ends once and nothing is kept",
        &["whatever_anybody_does_everything_ends_once_and_nothing_is_kept"],
    ),
];

#[test]
fn every_promise_has_a_test_of_its_name() {
    let lines = every_line();
    let kept = |test: &str| lines.iter().any(|line| line.contains(&format!("fn {test}(")));
    for (promise, tests) in PROMISES {
        for test in tests {
            assert!(kept(test), "`{promise}` is kept by `{test}`, which is not there");
        }
    }
}
