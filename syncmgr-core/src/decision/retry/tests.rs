//! Examples of retry states.

use super::*;
use crate::decision::verdict::Outcome;

const DEFAULT: RetryPolicy = RetryPolicy::DEFAULT;
pub(super) const STEADY: RetryPolicy = DEFAULT.with_jitter(0);

pub(super) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(super) fn failed(class: FailureClass) -> Verdict {
    Verdict { class: Some(class), ..Verdict::plain(Outcome::Failed) }
}

pub(super) const TRANSIENT: Verdict = Verdict { class: None, ..Verdict::plain(Outcome::Failed) };

fn fail(before: Option<RetryState>, now: SystemTime) -> Option<RetryState> {
    after(&STEADY, before.as_ref(), TRANSIENT, AttemptProgress::None, now, 0)
}

pub(super) fn wait(state: Option<RetryState>, now: SystemTime) -> Option<Duration> {
    state?.until?.duration_since(now).ok()
}

#[test]
fn the_default_waits_are_those_of_the_table() {
    let mut state = None;
    let mut waits = vec![];
    while let Some(wait) = {
        state = fail(state, at(1_000));
        wait(state, at(1_000))
    } {
        waits.push(wait.as_secs());
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
    assert_eq!(state, Some(RetryState::new(RetryStatus::NeedsAttention, at(1_000), None).with_failures(10, 10)));
}

#[test]
fn the_jitter_depends_on_chance_and_stays_within_its_limit() {
    let wait = |chance| delay(&STEADY.with_jitter(10), 1, chance);
    let (shortest, longest) = (Duration::from_secs(30), Duration::from_secs(33));
    assert_eq!([wait(0), wait(1)], [shortest, shortest + Duration::from_nanos(1)]);
    assert_eq!([wait(3_000_000_000), wait(3_000_000_001)], [longest, shortest]);
}

#[test]
fn a_failure_without_a_class_is_transient() {
    let marked = failed(FailureClass::Transient);
    assert_eq!(after(&STEADY, None, marked, AttemptProgress::None, at(5), 0), fail(None, at(5)));
}

#[test]
fn failures_with_progress_wait_the_initial_time_up_to_the_larger_budget() {
    let policy = STEADY.with_budget(2, 4);
    let mut state = None;
    for total in 1..4 {
        state = after(&policy, state.as_ref(), TRANSIENT, AttemptProgress::Committed, at(1_000), 0);
        let expected = RetryState::new(RetryStatus::Backoff, at(1_000), Some(at(1_030))).with_failures(1, total);
        assert_eq!(state, Some(expected));
    }
    state = after(&policy, state.as_ref(), TRANSIENT, AttemptProgress::Committed, at(1_000), 0);
    assert_eq!(state.map(|state| (state.status, state.total)), Some((RetryStatus::NeedsAttention, 4)));
}

#[test]
fn a_failure_with_progress_does_not_count_as_one_in_a_row() {
    let policy = STEADY.with_budget(1, 9);
    let status = |progress| after(&policy, None, TRANSIENT, progress, at(9), 0).map(|state| state.status);
    assert_eq!(status(AttemptProgress::Committed), Some(RetryStatus::Backoff));
    assert_eq!(status(AttemptProgress::None), Some(RetryStatus::NeedsAttention));
}

#[test]
fn a_not_before_time_is_rounded_up_and_may_exceed_the_cap() {
    let until = |retry_at, now| {
        let verdict = failed(FailureClass::NotBefore(retry_at));
        let state = after(&DEFAULT, None, verdict, AttemptProgress::None, now, u64::MAX).unwrap();
        assert_eq!((state.status, state.failures, state.total), (RetryStatus::NotBefore, 0, 1));
        state.until.unwrap()
    };
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    assert_eq!(until(RetryAt::After(week), at(10)), at(10) + week);
    assert_eq!(until(RetryAt::At(at(77_777)), at(10)), at(77_777));
    assert_eq!(until(RetryAt::At(at(9)), at(10)), at(40), "a time in the past becomes the initial wait");
    assert_eq!(until(RetryAt::After(Duration::ZERO), at(10)), at(40));
    let between = at(20) + Duration::from_nanos(1);
    assert_eq!(until(RetryAt::At(between), at(10)), at(20) + Duration::from_millis(1), "the time was not rounded up");
    assert_eq!(until(RetryAt::After(Duration::MAX), at(10)), at(253_402_300_799) + Duration::from_millis(999));
}

#[test]
fn a_not_before_time_counts_only_toward_the_larger_budget() {
    let before = fail(fail(None, at(1)), at(2));
    let verdict = failed(FailureClass::NotBefore(RetryAt::At(at(900))));
    let state = after(&STEADY, before.as_ref(), verdict, AttemptProgress::None, at(3), 0);
    assert_eq!(state, Some(RetryState::new(RetryStatus::NotBefore, at(1), Some(at(900))).with_failures(2, 3)));
    let next = RetryState::new(RetryStatus::Backoff, at(1), Some(at(900 + 120))).with_failures(3, 4);
    assert_eq!(fail(state, at(900)), Some(next));
}

#[test]
fn a_failure_that_needs_a_change_has_no_due_time() {
    let classes = [
        (FailureClass::Permanent, RetryStatus::Permanent),
        (FailureClass::Gone, RetryStatus::Gone),
        (FailureClass::UnreadableState, RetryStatus::UnreadableState),
    ];
    for (class, status) in classes {
        let before = fail(None, at(1));
        let state = after(&STEADY, before.as_ref(), failed(class), AttemptProgress::None, at(2), 0);
        assert_eq!(state, Some(RetryState::new(status, at(1), None).with_failures(1, 2)));
    }
}

#[test]
fn a_needs_user_outcome_does_not_count_as_a_failure() {
    let before = fail(None, at(1));
    let needs_user = Verdict::plain(Outcome::NeedsUser);
    let state = after(&STEADY, before.as_ref(), needs_user, AttemptProgress::Committed, at(2), 0);
    assert_eq!(state, Some(RetryState::new(RetryStatus::NeedsUser, at(1), None).with_failures(1, 1)));
    let fresh = after(&STEADY, None, needs_user, AttemptProgress::None, at(2), 0);
    assert_eq!(fresh, Some(RetryState::new(RetryStatus::NeedsUser, at(2), None)));
}

#[test]
fn a_skipped_or_stopped_item_keeps_its_retry_state() {
    for before in [None, fail(None, at(1))] {
        for outcome in [Outcome::Skipped, Outcome::Stopped] {
            assert_eq!(
                after(&STEADY, before.as_ref(), Verdict::plain(outcome), AttemptProgress::Committed, at(2), 0),
                before
            );
        }
    }
}

#[test]
fn a_clock_set_back_ends_a_backoff_and_the_next_failure_waits() {
    let before = fail(None, at(1_000_000)).unwrap();
    assert!(may_run(&before, RequestedBy::Automatic, at(1_000_001)).is_err());
    assert_eq!(may_run(&before, RequestedBy::Automatic, at(999_999)), Ok(()));
    let again = fail(Some(before), at(500)).unwrap();
    assert_eq!((again.since, again.until), (at(500), Some(at(560))));
    assert!(may_run(&again, RequestedBy::Automatic, at(501)).is_err());
}

#[test]
fn a_manual_request_waits_only_for_the_peer_and_a_forced_one_never() {
    for status in RetryStatus::ALL {
        let state = RetryState::new(status, at(10), Some(at(20)));
        let may = |requested_by, now| may_run(&state, requested_by, at(now)).is_ok();
        let (timed, peer) = (status.is_timed(), status == RetryStatus::NotBefore);
        let (free, automatic) = (status == RetryStatus::Asks, RequestedBy::Automatic);
        assert_eq!([may(automatic, 19), may(automatic, 20)], [free, free || timed], "{status:?}");
        assert_eq!([may(RequestedBy::User, 19), may(RequestedBy::User, 20)], [!peer, true], "{status:?}");
        assert!(may(RequestedBy::UserForced, 19), "{status:?}");
    }
}

#[test]
fn a_hold_has_the_data_of_the_retry_state() {
    let state = RetryState::new(RetryStatus::Backoff, at(10), Some(at(20))).with_failures(3, 8);
    assert_eq!(state.hold(), Some(Hold::BackingOff { until: at(20), failures: 3 }));
    assert_eq!(may_run(&state, RequestedBy::Automatic, at(11)), Err(Hold::BackingOff { until: at(20), failures: 3 }));
    let spent = RetryState { status: RetryStatus::NeedsAttention, ..state };
    assert_eq!(spent.hold(), Some(Hold::NeedsAttention { failures: 8 }));
    assert_eq!(RetryState { until: None, ..state }.hold(), None);
}

#[test]
fn only_a_forced_request_clears_a_not_before_time() {
    for status in RetryStatus::ALL {
        let state = Some(RetryState::new(status, at(10), Some(at(20))));
        let cleared =
            [ClearedBy::Reconnect, ClearedBy::User, ClearedBy::UserForced].map(|by| clear(state, by).is_none());
        let expected = match status {
            RetryStatus::Backoff => [true; 3],
            RetryStatus::NotBefore => [false, false, true],
            RetryStatus::Interrupted => [false, true, true],
            _ => [false; 3],
        };
        assert_eq!(cleared, expected, "{status:?}");
    }
    assert_eq!(clear(None, ClearedBy::User), None);
}

#[test]
fn the_wait_saturates_at_the_largest_numbers() {
    let most = RetryPolicy {
        initial: Duration::MAX,
        factor: u32::MAX,
        cap: Duration::MAX,
        jitter: u32::MAX,
        budget: u32::MAX,
        partial_budget: u32::MAX,
    };
    assert!(delay(&most, u32::MAX, u64::MAX) >= Duration::from_secs(u64::MAX));
    let constant = STEADY.with_factor(0);
    assert_eq!(delay(&constant, u32::MAX, 7), Duration::from_secs(30));
    let full = RetryState::new(RetryStatus::Backoff, at(1), None).with_failures(u32::MAX - 1, u32::MAX - 1);
    let state = after(&most, Some(&full), TRANSIENT, AttemptProgress::None, at(1), u64::MAX);
    assert_eq!(state.map(|state| state.status), Some(RetryStatus::NeedsAttention));
}

#[test]
fn a_retry_state_has_a_readable_stored_form() {
    let state = fail(None, at(1)).unwrap();
    let stored = serde_json::json!({
        "status": "backoff", "failures": 1, "total": 1, "since": 1_000, "until": 31_000
    });
    assert_eq!(serde_json::to_value(state).unwrap(), stored);
    assert_eq!(serde_json::from_value::<RetryState>(stored).unwrap(), state);
    let untimed = serde_json::json!({"status": "gone", "failures": 0, "total": 1, "since": -5});
    assert_eq!(serde_json::from_value::<RetryState>(untimed).unwrap().until, None);
}
