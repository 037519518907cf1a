//! The reported mistakes in the keys for automatic runs: condition policy, importance, settle times, and schedules.

use super::{assert_accepted, assert_mistakes};

#[test]
fn a_condition_policy_or_an_importance_is_one_of_the_known_words() {
    assert_accepted(&["when_condition_ends = finish", "when_condition_ends = stop", "importance = normal"]);
    assert_mistakes(&[
        (
            "when_condition_ends = Stop",
            "Stop",
            "there is no condition policy `Stop`, did you mean `stop`?\nthe condition policies are `finish`, `stop`",
        ),
        (
            "importance = urgent",
            "urgent",
            "there is no importance `urgent`\nthe importances are `low`, `normal`, `high`",
        ),
        (
            r#"importance = "high""#,
            r#""high""#,
            "expected `low`, `normal` or `high`, with nothing around it, as in `importance = high`",
        ),
        ("importance(high)", "importance", "expected a value, as in `importance = high`"),
    ]);
}

#[test]
fn a_settle_time_is_a_duration_above_zero() {
    assert_accepted(&["settle()", r#"settle(quiet = "5s", max_wait = "5s")"#, r#"settle(max_wait = "1h")"#]);
    assert_mistakes(&[
        ("settle", "settle", r#"expected a list, as in `settle(quiet = "5s")`"#),
        (
            r#"settle(quite = "5s")"#,
            "quite",
            "there is no settle time `quite`, did you mean `quiet`?\nthe settle times are `quiet`, `max_wait`",
        ),
        ("settle(quiet = 5)", "5", r#"expected a duration in quotes, as in `quiet = "5s"`"#),
        (
            r#"settle(quiet = "0s")"#,
            r#""0s""#,
            "a time of zero would start a run for every change\nwrite more than zero, as in `quiet = \"5s\"`, or leave it out",
        ),
        (
            r#"settle(quiet = "2min", max_wait = "1min")"#,
            "max_wait",
            "`max_wait` is shorter than `quiet`\na run would never wait for the quiet time",
        ),
    ]);
}

#[test]
fn a_key_for_schedules_is_reported_with_advice() {
    let wrong = "a schedule is checked at run time and cannot be in the constant `HANDLER`\n\
                 add it in `info`, as in `fn info(&self) -> HandlerInfo { Self::HANDLER.with_schedule(self.schedule.clone()) }`";
    assert_mistakes(&[
        (r#"schedule = "0 3 * * *""#, "schedule", wrong),
        (r#"schedules("0 3 * * *")"#, "schedules", wrong),
    ]);
}
