//! The reported mistakes in a state version and in retry rules.

use super::{assert_accepted, assert_mistakes};

#[test]
fn a_state_version_is_a_whole_number_from_1() {
    assert_accepted(&[
        "state_version = 1",
        "state_version = 4294967295",
        "state_version = 0x10",
        "state_version = 2u32",
    ]);
    assert_mistakes(&[
        ("state_version = 0", "0", "the first version of a handler's state is 1: write 1 or more"),
        ("state_version = -1", "-1", "expected a whole number from 1 to 4294967295"),
        ("state_version = 4294967296", "4294967296", "expected a whole number from 1 to 4294967295"),
        (r#"state_version = "2""#, r#""2""#, "expected a whole number, as in `state_version = 2`"),
        ("state_version = 2.0", "2.0", "expected a whole number, as in `state_version = 2`"),
        ("state_version = VERSION", "VERSION", "expected a whole number, as in `state_version = 2`"),
        ("state_version", "state_version", "expected a value, as in `state_version = 2`"),
        ("state_version(2)", "state_version", "expected a value, as in `state_version = 2`"),
        ("state_version = 2, state_version = 2", "state_version", "`state_version` is given twice"),
    ]);
}

#[test]
fn any_number_of_retry_rules_in_any_order_is_accepted() {
    assert_accepted(&[
        "retry()",
        r#"retry(cap = "1h", partial_budget = 50, budget = 10, initial = "30s", jitter = 10, factor = 2,)"#,
        "retry(factor = 1, jitter = 0, budget = 1, partial_budget = 1)",
        "retry(jitter = 100)",
    ]);
    assert_mistakes(&[
        ("retry", "retry", r#"expected a list, as in `retry(initial = "30s")`"#),
        ("retry = 3", "retry", r#"expected a list, as in `retry(initial = "30s")`"#),
        ("retry(3)", "3", r#"expected a retry rule, as in `retry(initial = "30s")`"#),
        ("retry(budget = 5, budget = 6)", "budget", "`budget` is given twice"),
        ("retry(), retry()", "retry", "`retry` is given twice"),
        (
            "retry(factr = 2)",
            "factr",
            "there is no retry rule `factr`, did you mean `factor`?\n\
             the retry rules are `initial`, `factor`, `cap`, `jitter`, `budget`, `partial_budget`",
        ),
    ]);
}

#[test]
fn a_wait_of_zero_is_reported_with_an_example() {
    let flaw = "a wait of zero would retry a failed item immediately";
    let wrong = |example: &str| format!("{flaw}\nwrite more than zero, as in `{example}`, or leave it out");
    assert_mistakes(&[
        (r#"retry(initial = "0s")"#, r#""0s""#, &wrong(r#"initial = "30s""#)),
        (r#"retry(cap = "0h")"#, r#""0h""#, &wrong(r#"cap = "1h""#)),
        ("retry(initial = 30)", "30", r#"expected a duration in quotes, as in `initial = "30s"`"#),
        (
            r#"retry(cap = "1d")"#,
            r#""1d""#,
            "`1d` is not a duration\nwrite a whole number and `ms`, `s`, `min` or `h`, as in `cap = \"1h\"`",
        ),
    ]);
}

#[test]
fn a_first_wait_longer_than_the_cap_is_reported_at_the_second_key() {
    let wrong = "`initial` is longer than `cap`\nno wait is longer than `cap`, the first included";
    assert_mistakes(&[
        (r#"retry(initial = "61min", cap = "1h", budget = 5)"#, "cap", wrong),
        (r#"retry(cap = "1h", initial = "61min")"#, "initial", wrong),
    ]);
    assert_accepted(&[r#"retry(initial = "60min", cap = "1h")"#]);
}

#[test]
fn numbers_in_retry_rules_have_bounds() {
    let percent = "expected a whole number of percent from 0 to 100, as in `jitter = 10`";
    let budget = "a budget of 0 failures would be used up before the first: write 1 or more";
    assert_mistakes(&[
        ("retry(jitter = 101)", "101", percent),
        ("retry(jitter = -1)", "-1", percent),
        (r#"retry(jitter = "10%")"#, r#""10%""#, "expected a whole number, as in `jitter = 10`"),
        ("retry(factor = 0)", "0", "a factor of 0 would leave no wait between retries: write 1 or more"),
        ("retry(factor = 1.5)", "1.5", "expected a whole number, as in `factor = 2`"),
        ("retry(budget = 0)", "0", budget),
        ("retry(partial_budget = 0)", "0", budget),
        ("retry(budget = -3)", "-3", "expected a whole number from 1 to 4294967295"),
    ]);
}
