//! Properties of retry states.

use proptest::prelude::*;

use super::tests::{STEADY, TRANSIENT, at, failed, wait};
use super::*;

fn waits() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0..200_000_u64).prop_map(Duration::from_millis),
        1 => (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
    ]
}

fn policies() -> impl Strategy<Value = RetryPolicy> {
    let factor = prop_oneof![4 => 0..5_u32, 1 => any::<u32>()];
    let jitter = prop_oneof![4 => 0..=100_u32, 1 => any::<u32>()];
    (waits(), factor, waits(), jitter, 0..12_u32, 0..20_u32).prop_map(|(initial, factor, cap, jitter, most, all)| {
        RetryPolicy { initial, factor, cap, jitter, budget: most, partial_budget: all }
    })
}

fn times() -> impl Strategy<Value = SystemTime> {
    let nanos = (0..200_000_000_000_u64).prop_map(Duration::from_nanos);
    prop_oneof![
        9 => nanos.prop_map(|nanos| at(1_000_000) + nanos),
        1 => (0..1_u64 << 40).prop_map(at),
        1 => (0..1_u64 << 40).prop_map(|seconds| SystemTime::UNIX_EPOCH - Duration::from_secs(seconds)),
    ]
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    let retry_at = prop_oneof![waits().prop_map(RetryAt::After), times().prop_map(RetryAt::At)];
    let class = prop_oneof![
        4 => Just(FailureClass::Transient),
        2 => retry_at.prop_map(FailureClass::NotBefore),
        1 => Just(FailureClass::Permanent),
        1 => Just(FailureClass::Gone),
        1 => Just(FailureClass::UnreadableState),
    ];
    prop_oneof![3 => class.prop_map(failed), 1 => proptest::sample::select(&Outcome::ALL[..]).prop_map(Verdict::plain)]
}

fn advances() -> impl Strategy<Value = AttemptProgress> {
    prop_oneof![3 => Just(AttemptProgress::None), 1 => Just(AttemptProgress::Committed)]
}

fn clearings() -> impl Strategy<Value = ClearedBy> {
    prop_oneof![Just(ClearedBy::Reconnect), Just(ClearedBy::User), Just(ClearedBy::UserForced)]
}

#[derive(Clone, Debug)]
struct Step {
    clearing: Option<ClearedBy>,
    verdict: Verdict,
    progress: AttemptProgress,
    now: SystemTime,
    chance: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (proptest::option::weighted(0.2, clearings()), verdicts(), advances(), times(), any::<u64>());
    let step =
        step.prop_map(|(clearing, verdict, progress, now, chance)| Step { clearing, verdict, progress, now, chance });
    proptest::collection::vec(step, 0..40)
}

fn perform(policy: &RetryPolicy, before: Option<RetryState>, step: &Step) -> Option<RetryState> {
    let before = step.clearing.map_or(before, |by| clear(before, by));
    after(policy, before.as_ref(), step.verdict, step.progress, step.now, step.chance)
}

proptest! {
    #[test]
    fn a_wait_is_bounded_by_the_cap_and_the_jitter(
        policy in policies(), failures in any::<u32>(), chance in any::<u64>()
    ) {
        let steady = delay(&policy.with_jitter(0), failures, chance);
        let jittered = delay(&policy, failures, chance);
        prop_assert!(steady <= policy.cap);
        prop_assert!(steady >= policy.initial.min(policy.cap));
        prop_assert!(steady <= jittered);
        let most = steady.as_nanos() + steady.as_nanos() * u128::from(policy.jitter) / 100;
        prop_assert!(jittered.as_nanos() <= most);
    }

    #[test]
    fn waits_grow_with_the_failures(policy in policies(), failures in 0..200_u32) {
        let steady = policy.with_jitter(0);
        let (this, next) = (delay(&steady, failures, 0), delay(&steady, failures + 1, 0));
        prop_assert!(this <= next);
        if failures > 0 && next < policy.cap {
            prop_assert_eq!(next, this * policy.factor.max(1));
        }
    }

    #[test]
    fn automatic_attempts_end_with_the_budget(
        policy in policies(), tries in proptest::collection::vec((advances(), any::<u64>()), 100)
    ) {
        let (mut state, mut without_progress, mut all) = (None, 0, 0);
        let mut now = at(1_000_000);
        for (progress, chance) in tries {
            state = after(&policy, state.as_ref(), TRANSIENT, progress, now, chance);
            all += 1;
            without_progress = if progress == AttemptProgress::Committed { 0 } else { without_progress + 1 };
            let left = state.unwrap();
            prop_assert_eq!(left.total, all);
            let Some(until) = left.until else { break };
            prop_assert_eq!(left.status, RetryStatus::Backoff);
            prop_assert!(may_run(&left, RequestedBy::Automatic, until).is_ok());
            now = until;
        }
        let (budget, partial_budget) = (policy.budget.max(1), policy.partial_budget.max(1));
        prop_assert!(without_progress <= budget && all <= partial_budget);
        prop_assert_eq!(state.map(|state| state.status), Some(RetryStatus::NeedsAttention));
        prop_assert!(without_progress + 1 >= budget || all == partial_budget, "the retries ended too early");
    }

    #[test]
    fn manual_requests_never_make_the_wait_longer(
        manual in proptest::collection::vec(any::<bool>(), 1..30)
    ) {
        let policy = STEADY.with_budget(u32::MAX, u32::MAX);
        let (mut with, mut without, now) = (None, None, at(1_000_000));
        for is_manual in manual {
            let before = if is_manual { clear(with, ClearedBy::User) } else { with };
            with = after(&policy, before.as_ref(), TRANSIENT, AttemptProgress::None, now, 0);
            if !is_manual || without.is_none() {
                without = after(&policy, without.as_ref(), TRANSIENT, AttemptProgress::None, now, 0);
            }
            prop_assert!(wait(with, now) <= wait(without, now));
            if is_manual {
                prop_assert_eq!(wait(with, now), Some(policy.initial));
            }
        }
    }

    #[test]
    fn every_hold_can_end_and_stronger_requests_run_at_least_as_often(policy in policies(), steps in steps()) {
        let mut state = None;
        for step in steps {
            state = perform(&policy, state, &step);
            let Some(left) = state else { continue };
            let may = |requested_by| may_run(&left, requested_by, step.now).is_ok();
            prop_assert!(may(RequestedBy::UserForced));
            prop_assert!(may(RequestedBy::User) || left.status == RetryStatus::NotBefore);
            prop_assert!(!may(RequestedBy::Automatic) || may(RequestedBy::User));
            prop_assert_eq!(clear(state, ClearedBy::UserForced).filter(|left| left.until.is_some()), None);
            match left.until {
                Some(until) => prop_assert!(may_run(&left, RequestedBy::Automatic, until).is_ok()),
                None => prop_assert!(may(RequestedBy::User)),
            }
            if !may(RequestedBy::Automatic) {
                prop_assert!(left.hold().is_some());
            }
        }
    }

    #[test]
    fn an_item_may_run_at_any_time_after_its_due_time(policy in policies(), steps in steps(), later in 0..1_u64 << 40) {
        let state = steps.iter().fold(None, |state, step| perform(&policy, state, step));
        if let Some(until) = state.and_then(|state| state.until) {
            let then = until + Duration::from_secs(later);
            prop_assert!(may_run(&state.unwrap(), RequestedBy::Automatic, then).is_ok());
        }
    }

    #[test]
    fn a_failure_is_followed_by_its_whole_wait_whatever_the_clock_does(
        policy in policies(), steps in steps(), now in times(), chance in any::<u64>()
    ) {
        let before = steps.iter().fold(None, |state, step| perform(&policy, state, step));
        let left = after(&policy, before.as_ref(), TRANSIENT, AttemptProgress::None, now, chance).unwrap();
        prop_assert!(left.since <= now);
        if let Some(until) = left.until {
            prop_assert!(until >= later(now, delay(&policy, left.failures, chance)));
            prop_assert_eq!(may_run(&left, RequestedBy::Automatic, now).is_ok(), until <= now);
        }
    }

    #[test]
    fn a_success_clears_the_retry_state(policy in policies(), steps in steps(), now in times()) {
        let before = steps.iter().fold(None, |state, step| perform(&policy, state, step));
        let success = Verdict::plain(Outcome::Succeeded);
        prop_assert_eq!(after(&policy, before.as_ref(), success, AttemptProgress::None, now, 0), None);
    }

    #[test]
    fn an_item_does_not_run_before_the_not_before_time(
        policy in policies(), steps in steps(), not_before in times(), now in times()
    ) {
        let before = steps.iter().fold(None, |state, step| perform(&policy, state, step));
        let verdict = failed(FailureClass::NotBefore(RetryAt::At(not_before)));
        let left = after(&policy, before.as_ref(), verdict, AttemptProgress::None, now, 0).unwrap();
        prop_assert!(left.until >= Some(not_before.min(later(now, Duration::MAX))));
        if not_before > now {
            prop_assert!(left.until <= Some(not_before + Duration::from_millis(1)));
            prop_assert!(may_run(&left, RequestedBy::User, now).is_err());
        }
        prop_assert_eq!(clear(clear(Some(left), ClearedBy::Reconnect), ClearedBy::User), Some(left));
    }

    #[test]
    fn a_retry_state_survives_a_round_trip_through_json(policy in policies(), steps in steps()) {
        for state in steps.iter().scan(None, |state, step| { *state = perform(&policy, *state, step); Some(*state) }) {
            let stored = serde_json::to_string(&state).unwrap();
            prop_assert_eq!(serde_json::from_str::<Option<RetryState>>(&stored).unwrap(), state);
        }
    }
}
