use proptest::prelude::*;

use super::*;
use crate::log::{Question, Remedy};
use crate::plan::{PlanError, PlanRemedy};
use crate::redacted_url::RedactedUrl;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const POLICY: GuardPolicy = GuardPolicy::DEFAULT;

fn record_with_sides(sides: &[Side]) -> ItemRecord {
    ItemRecord { sides: sides.to_vec(), ..ItemRecord::new() }
}

fn violation_of_deletes(deletes: u64, existing: u64) -> Option<GuardViolation> {
    violation(&Plan::new().with_deletes(deletes, existing), None, &POLICY, NOW)
}

fn violation_of_change(now: Side, before: Side) -> Option<GuardViolation> {
    violation(&Plan::new().with_side(now), Some(&record_with_sides(&[before])), &POLICY, NOW)
}

fn question_about(plan: &Plan) -> Question {
    let violation = GuardViolation::PeerChanged { side: "TO".into() };
    question(&violation, plan)
}

/// A violation for tests in which its kind does not matter.
const VIOLATION: GuardViolation = GuardViolation::TooManyDeletions { deletes: 11, existing: 12 };

#[test]
fn more_than_ten_deletions_of_more_than_half_are_a_violation() {
    assert_eq!(violation_of_deletes(10, 10), None);
    assert_eq!(violation_of_deletes(11, 11), Some(GuardViolation::TooManyDeletions { deletes: 11, existing: 11 }));
    assert_eq!(violation_of_deletes(11, 22), None);
    assert!(violation_of_deletes(11, 21).is_some() && violation_of_deletes(12, 23).is_some());
    assert!(violation_of_deletes(u64::MAX, u64::MAX).is_some() && violation_of_deletes(11, 0).is_some());
}

#[test]
fn a_custom_policy_replaces_the_default_limits() {
    let plan = |deletes| Plan::new().with_deletes(deletes, 100);
    let is_violation = |deletes, policy: GuardPolicy| violation(&plan(deletes), None, &policy, NOW).is_some();
    let few = POLICY.with_deletions(2, 3);
    assert!(!is_violation(3, few) && is_violation(4, few), "more than three percent");
    assert!(
        !is_violation(5, POLICY.with_deletions(5, 3)) && is_violation(6, POLICY.with_deletions(5, 3)),
        "more than five"
    );
    let record = ItemRecord { last_success: Some(NOW + Duration::from_secs(3)), ..ItemRecord::new() };
    let went_back = |slack| {
        let policy = POLICY.with_clock_slack(Duration::from_secs(slack));
        violation(&Plan::new(), Some(&record), &policy, NOW).is_some()
    };
    assert!(went_back(2) && !went_back(3));
}

#[test]
fn an_empty_side_that_had_more_than_ten_entries_is_a_violation() {
    let side = |entries| Side::new("TO", entries);
    assert_eq!(
        violation_of_change(side(0), side(11)),
        Some(GuardViolation::SideEmpty { side: "TO".into(), before: 11 })
    );
    assert_eq!(violation_of_change(side(0), side(10)), None);
    assert_eq!(violation_of_change(side(1), side(11)), None);
    assert_eq!(violation_of_change(side(0), Side::new("FROM", 11)), None);
}

#[test]
fn sides_that_are_empty_together_are_no_violation_if_nothing_changes() {
    let sides = |to| [Side::new("FROM", 0), Side::new("TO", to)];
    let plan = |to| sides(to).into_iter().fold(Plan::new(), Plan::with_side);
    let record = ItemRecord { sides: sides(30).into(), ..ItemRecord::new() };
    let violation = |plan: Plan| violation(&plan, Some(&record), &POLICY, NOW);
    assert_eq!(violation(plan(0)), None);
    assert_eq!(violation(plan(0).with_creates(1)), Some(GuardViolation::SideEmpty { side: "TO".into(), before: 30 }));
}

#[test]
fn a_peer_has_changed_if_both_identities_are_known_and_differ() {
    let side = Side::new("TO", 1);
    let named = |identity: &str| side.clone().with_identity(identity);
    assert_eq!(violation_of_change(named("b"), named("a")), Some(GuardViolation::PeerChanged { side: "TO".into() }));
    assert_eq!(violation_of_change(named("a"), named("a")), None);
    assert_eq!(violation_of_change(side.clone(), named("a")), None);
    assert_eq!(violation_of_change(named("b"), side.clone()), None);
}

#[test]
fn a_clock_that_went_back_by_more_than_the_slack_is_a_violation() {
    let slack = POLICY.clock_slack;
    let violation_after = |last_attempt, last_success| {
        let record = ItemRecord { last_attempt, last_success, ..ItemRecord::new() };
        violation(&Plan::new(), Some(&record), &POLICY, NOW)
    };
    let late = NOW + slack + Duration::from_nanos(1);
    assert_eq!(violation_after(None, Some(NOW + slack)), None);
    assert_eq!(violation_after(Some(late), None), None, "only a success counts, not a held attempt");
    assert_eq!(violation_after(Some(NOW), Some(late)), Some(GuardViolation::ClockWentBack { last: late }));
    assert_eq!(violation_after(Some(NOW - slack * 100), None), None);
}

#[test]
fn violations_are_reported_in_a_fixed_order() {
    let before = Side::new("TO", 50).with_identity("a");
    let mut record = ItemRecord { last_success: Some(NOW + POLICY.clock_slack * 2), ..record_with_sides(&[before]) };
    let plan = Plan::new().with_deletes(50, 50).with_side(Side::new("TO", 0).with_identity("b"));
    let mut found = Vec::new();
    let mut plan_now = plan.clone();
    while let Some(violation) = violation(&plan_now, Some(&record), &POLICY, NOW) {
        match violation {
            GuardViolation::PeerChanged { .. } => record.sides[0].identity = None,
            GuardViolation::SideEmpty { .. } => record.sides.clear(),
            GuardViolation::TooManyDeletions { .. } => plan_now.deletes = 0,
            GuardViolation::ClockWentBack { .. } => record.last_success = None,
        }
        found.push(violation.to_string());
    }
    let words = [
        "TO has a different identity than before",
        "TO is empty but had 50 entries",
        "50 of 50 entries would be deleted",
        "the clock went back: the last success was 1970-01-01 02:00:00Z",
    ];
    assert_eq!(found, words);
    assert!(violation(&plan, None, &POLICY, NOW).is_some());
}

#[test]
fn a_plan_without_remedies_offers_only_to_allow_and_to_refuse_it() {
    let plan = Plan::new().with_side(Side::new("FROM", 3)).with_side(Side::new("TO", 0)).with_deletes(12, 12);
    let deletions = GuardViolation::TooManyDeletions { deletes: 12, existing: 12 };
    for violation in [deletions, GuardViolation::PeerChanged { side: "TO".into() }] {
        assert_eq!(*question(&violation, &plan).remedies, [Remedy::Allow, Remedy::Refuse]);
    }
}

#[test]
fn each_violation_offers_the_remedies_of_the_handler_that_resolve_it() {
    let plan = Plan::new().with_side(Side::new("FROM", 3)).with_side(Side::new("TO", 0)).with_deletes(12, 12);
    let plan = plan.with_remedies([PlanRemedy::Revert, PlanRemedy::ChooseSide]);
    let sides = [Remedy::ChooseSide("FROM".into()), Remedy::ChooseSide("TO".into())];
    let [from, to] = sides;
    let side: Arc<str> = "TO".into();
    let offered = |violation| question(&violation, &plan).remedies.to_vec();
    let with_sides = vec![Remedy::Allow, from, to, Remedy::Refuse];
    assert_eq!(offered(GuardViolation::PeerChanged { side: side.clone() }), with_sides);
    assert_eq!(offered(GuardViolation::SideEmpty { side, before: 12 }), with_sides);
    let deletions = GuardViolation::TooManyDeletions { deletes: 12, existing: 12 };
    assert_eq!(offered(deletions), [Remedy::Allow, Remedy::Revert, Remedy::Refuse]);
    assert_eq!(offered(GuardViolation::ClockWentBack { last: NOW }), [Remedy::Allow, Remedy::Refuse]);
}

#[test]
fn the_question_names_the_deletions() {
    let plan = Plan::new().with_side(Side::new("FROM", 3)).with_side(Side::new("TO\n", 0)).with_deletes(12, 20);
    assert_eq!(
        &*question_about(&plan).text,
        "TO has a different identity than before. TO\\u{a} is empty. 12 of 20 entries would be deleted. Continue?"
    );
    assert_eq!(
        &*question_about(&Plan::new()).text,
        "TO has a different identity than before. Nothing would be deleted. Continue?"
    );
}

#[test]
fn the_remedy_of_an_answer_decides_and_unoffered_remedies_hold_the_plan() {
    let remedies = [
        Remedy::Allow,
        Remedy::Revert,
        Remedy::ChooseSide("TO".into()),
        Remedy::Refuse,
        Remedy::OpenPage(RedactedUrl::new("https://example.org").expect("the URL is valid")),
        Remedy::SignIn,
        Remedy::TryAgain,
    ];
    let count = remedies.len();
    let question = Question::of_host(KEY, "x", remedies, 0);
    let allowing = POLICY.with_unattended(UnattendedPolicy::Allow);
    for policy in [POLICY, allowing] {
        let answers: Vec<_> =
            (0..=count).map(|answer| decision(&VIOLATION, &question, Some(answer), &policy)).collect();
        let expected = [Ok(()), Err(PlanError::Revert), Err(PlanError::Side("TO".into()))];
        assert_eq!(answers[..3], expected);
        assert!(answers[3..].iter().all(|answer| *answer == Err(PlanError::Held(VIOLATION))));
    }
    assert_eq!(decision(&VIOLATION, &question, None, &POLICY), Err(PlanError::Held(VIOLATION)));
    assert_eq!(decision(&VIOLATION, &question, None, &allowing), Ok(()));
}

#[test]
fn the_digest_is_the_same_in_every_process_and_version() {
    let side = Side::new("TO", 3).with_identity("disk");
    let plan = Plan::new().with_deletes(12, 20).with_side(side);
    let deletions = GuardViolation::TooManyDeletions { deletes: 12, existing: 20 };
    let digests =
        [question(&deletions, &plan).digest, question_about(&plan).digest, question_about(&Plan::new()).digest];
    let expected = [11_077_118_788_149_250_999, 4_246_010_953_370_974_555, 2_514_432_572_409_100_455];
    assert_eq!(digests, expected.map(Some));
}

#[test]
fn the_digest_depends_on_the_order_of_the_sides() {
    let [from, to] = [Side::new("FROM", 1), Side::new("TO", 1)];
    let plan = Plan::new().with_side(from.clone()).with_side(to.clone());
    assert_ne!(question_about(&plan).digest, question_about(&Plan::new().with_side(to).with_side(from)).digest);
}

#[test]
fn a_violation_survives_a_round_trip_through_json() {
    let last = NOW + Duration::from_millis(1_500);
    let side: Arc<str> = "TO".into();
    for violation in [
        GuardViolation::PeerChanged { side: side.clone() },
        GuardViolation::SideEmpty { side, before: 11 },
        GuardViolation::TooManyDeletions { deletes: 11, existing: 12 },
        GuardViolation::ClockWentBack { last },
    ] {
        let json = serde_json::to_string(&violation).unwrap();
        assert_eq!(serde_json::from_str::<GuardViolation>(&json).unwrap(), violation, "{json}");
    }
}

fn any_side() -> impl Strategy<Value = Side> {
    ("[ab]", proptest::option::of("[xy]"), 0..14_u64).prop_map(|(name, identity, entries)| Side {
        name: name.into(),
        identity: identity.map(Into::into),
        entries,
    })
}

fn any_sides() -> impl Strategy<Value = Vec<Side>> {
    proptest::collection::vec(any_side(), 0..3)
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let remedies = proptest::sample::subsequence(vec![PlanRemedy::Revert, PlanRemedy::ChooseSide], 0..=2);
    (0..3_u64, 0..3_u64, 0..3_u64, 0..40_u64, 0..40_u64, any_sides(), remedies).prop_map(
        |(creates, updates, bytes, deletes, existing, sides, remedies)| Plan {
            creates,
            updates,
            deletes,
            bytes,
            existing,
            sides,
            remedies: remedies.into_iter().collect(),
        },
    )
}

fn any_record() -> impl Strategy<Value = ItemRecord> {
    (any_sides(), proptest::option::of(0..3_u64), proptest::option::of(0..3_u64)).prop_map(
        |(sides, attempt, success)| {
            let hours = |hours: u64| NOW + Duration::from_secs(hours * 3_600 + 1);
            ItemRecord {
                sides,
                last_attempt: attempt.map(hours),
                last_success: success.map(hours),
                ..ItemRecord::new()
            }
        },
    )
}

/// The part of a plan that the digest covers.
fn covered_by_digest(plan: &Plan) -> Plan {
    let side = |side: &Side| Side { entries: side.entries.min(1), ..side.clone() };
    let sides = plan.sides.iter().map(side).collect();
    Plan { deletes: plan.deletes, existing: plan.existing, sides, remedies: plan.remedies.clone(), ..Plan::new() }
}

proptest! {
    #[test]
    fn an_answer_to_one_plan_is_not_valid_for_another(
        (one, other) in (any_plan(), any_plan()), record in any_record(),
    ) {
        let asked = |plan| violation(plan, Some(&record), &POLICY, NOW).map(|violation| question(&violation, plan));
        let (Some(first), Some(second)) = (asked(&one), asked(&other)) else { return Ok(()) };
        prop_assert_eq!(first.digest == second.digest, covered_by_digest(&one) == covered_by_digest(&other));
        prop_assert_eq!(first.digest == second.digest, first == second);
    }

    #[test]
    fn the_digest_changes_only_with_the_figures_it_covers(plan in any_plan(), figure in 0..8_usize) {
        let mut changed = plan.clone();
        changed.sides.push(Side::new("c", 5));
        let before = question_about(&changed);
        match figure {
            0 => changed.creates += 1,
            1 => changed.updates += 1,
            2 => changed.bytes += 1,
            3 => changed.sides.last_mut().unwrap().entries += 1,
            4 => changed.deletes += 1,
            5 => changed.existing += 1,
            6 => changed.sides.last_mut().unwrap().entries = 0,
            _ => changed.sides.last_mut().unwrap().identity = Some("z".into()),
        }
        prop_assert_eq!(question_about(&changed).digest == before.digest, figure < 4);
        prop_assert_eq!(question_about(&changed) == before, figure < 4);
    }

    #[test]
    fn more_deletions_never_end_a_violation(plan in any_plan(), more in 0..40_u64, record in any_record()) {
        let is_violation = |plan: &Plan| violation(plan, Some(&record), &POLICY, NOW).is_some();
        let held = is_violation(&plan);
        let deletes = plan.deletes + more;
        prop_assert!(!held || is_violation(&Plan { deletes, ..plan }), "{more} more");
    }

    #[test]
    fn an_unanswered_plan_is_held_if_the_policy_refuses(plan in any_plan(), record in any_record()) {
        if let Some(violation) = violation(&plan, Some(&record), &POLICY, NOW) {
            let decision = decision(&violation, &question(&violation, &plan), None, &POLICY);
            prop_assert_eq!(decision, Err(PlanError::Held(violation)));
        }
    }

    #[test]
    fn every_guard_question_offers_to_allow_and_to_refuse(plan in any_plan(), record in any_record()) {
        if let Some(violation) = violation(&plan, Some(&record), &POLICY, NOW) {
            let question = question(&violation, &plan);
            prop_assert_eq!(question.remedies.first(), Some(&Remedy::Allow));
            prop_assert_eq!(question.remedies.last(), Some(&Remedy::Refuse));
            prop_assert_eq!(question.choices.len(), question.remedies.len());
            prop_assert!(!violation.to_string().contains('\n'));
        }
    }
}
