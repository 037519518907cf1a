//! Examples and properties of shared resources.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::decision::retry::{ClearedBy, clear};
use crate::error::RetryAt;

const STEADY: RetryPolicy = RetryPolicy::DEFAULT.with_jitter(0);

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn failed_verdict(class: FailureClass) -> Verdict {
    Verdict { class: Some(class), ..Verdict::plain(Outcome::Failed) }
}

fn fail(before: Option<RetryState>, now: u64) -> Option<RetryState> {
    after(&STEADY, before.as_ref(), failed_verdict(FailureClass::Transient), at(now), 0)
}

fn fail_until(before: Option<RetryState>, until: u64, now: u64) -> Option<RetryState> {
    let verdict = failed_verdict(FailureClass::NotBefore(RetryAt::At(at(until))));
    after(&STEADY, before.as_ref(), verdict, at(now), 0)
}

fn succeed(before: Option<RetryState>, now: u64) -> Option<RetryState> {
    after(&STEADY, before.as_ref(), Verdict::plain(Outcome::Succeeded), at(now), 0)
}

fn is_held(state: Option<RetryState>, now: u64) -> bool {
    state.is_some_and(|state| may_run(&state, RequestedBy::Automatic, at(now)).is_err())
}

#[test]
fn the_third_failure_in_a_row_holds_a_resource() {
    let second = fail(fail(None, 1), 2);
    assert_eq!(second, Some(RetryState::new(RetryStatus::Backoff, at(1), None).with_failures(2, 2)));
    assert!(!is_held(second, 2));
    let third = fail(second, 3);
    assert_eq!(third, Some(RetryState::new(RetryStatus::Backoff, at(1), Some(at(33))).with_failures(3, 3)));
    let fourth = fail(third, 33);
    assert_eq!(fourth.and_then(|state| state.until), Some(at(33 + 60)));
}

#[test]
fn a_success_resets_the_number_of_failures() {
    let state = fail(fail(succeed(fail(fail(None, 1), 2), 3), 4), 5);
    assert!(!is_held(state, 5));
}

#[test]
fn a_success_ends_a_backoff_but_not_a_not_before_time() {
    let backing_off = fail(fail(fail(None, 1), 2), 3);
    assert_eq!(succeed(backing_off, 4), None);
    let not_before = fail_until(None, 90, 5);
    assert_eq!(succeed(not_before, 89), not_before);
    assert_eq!(succeed(not_before, 90), None);
    assert_eq!(succeed(clear(not_before, ClearedBy::UserForced), 6), None, "a forced request clears it");
}

#[test]
fn the_latest_not_before_time_wins() {
    let state = fail_until(fail_until(fail_until(None, 50, 1), 90, 2), 70, 3);
    assert_eq!(state, Some(RetryState::new(RetryStatus::NotBefore, at(1), Some(at(90))).with_failures(0, 3)));
    assert_eq!(fail_until(state, 100, 90).and_then(|state| state.until), Some(at(100)));
    let backing_off = fail(fail(fail(None, 1), 2), 3);
    assert_eq!(
        fail_until(backing_off, 20, 4).and_then(|state| state.until),
        Some(at(20)),
        "a not-before time replaces a backoff"
    );
}

#[test]
fn a_failure_does_not_shorten_a_not_before_time() {
    let not_before = fail_until(fail(fail(None, 1), 2), 90, 3);
    assert_eq!(fail(not_before, 4), not_before);
    let third = RetryState::new(RetryStatus::Backoff, at(1), Some(at(120))).with_failures(3, 4);
    assert_eq!(fail(not_before, 90), Some(third), "the third failure in a row");
}

#[test]
fn other_outcomes_do_not_change_the_resource() {
    let others = [
        failed_verdict(FailureClass::Permanent),
        failed_verdict(FailureClass::Gone),
        failed_verdict(FailureClass::UnreadableState),
        Verdict::plain(Outcome::NeedsUser),
        Verdict::plain(Outcome::Skipped),
        Verdict::plain(Outcome::Stopped),
    ];
    for verdict in others {
        for before in [None, fail(None, 1), fail(fail(fail(None, 1), 2), 3), fail_until(None, 90, 1)] {
            assert_eq!(after(&STEADY, before.as_ref(), verdict, at(4), 0), before);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Fail,
    NotBefore(u64),
    Succeed,
}

fn ops() -> impl Strategy<Value = Vec<(Op, u64)>> {
    let op = prop_oneof![4 => Just(Op::Fail), 2 => (0..5_000_u64).prop_map(Op::NotBefore), 1 => Just(Op::Succeed)];
    proptest::collection::vec((op, 0..60_u64), 0..80)
}

proptest! {
    #[test]
    fn many_failures_at_the_same_time_hold_no_longer_than_three(crowd in 3..200_usize) {
        let state = (0..crowd).fold(None, |state, _| fail(state, 100));
        prop_assert_eq!(state.and_then(|state| state.until), Some(at(130)));
    }

    #[test]
    fn a_hold_of_a_resource_always_ends_at_a_known_time(ops in ops()) {
        let (mut state, mut now, mut not_before) = (None, 1_000, 0);
        for (op, passed) in ops {
            now += passed;
            state = match op {
                Op::Fail => fail(state, now),
                Op::NotBefore(wait) => {
                    let until = now + wait;
                    not_before = not_before.max(if wait == 0 { now + 30 } else { until });
                    fail_until(state, until, now)
                }
                Op::Succeed => succeed(state, now),
            };
            prop_assert!(now >= not_before || is_held(state, now));
            if let Some(left) = state {
                prop_assert!(matches!(left.status, RetryStatus::Backoff | RetryStatus::NotBefore));
                let end = left.until.unwrap_or(at(now));
                prop_assert!(may_run(&left, RequestedBy::Automatic, end).is_ok());
                prop_assert!(end <= at(not_before.max(now + STEADY.cap.as_secs())));
                prop_assert!(may_run(&left, RequestedBy::UserForced, at(now)).is_ok());
            }
        }
    }
}
