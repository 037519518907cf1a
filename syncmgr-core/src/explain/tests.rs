use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::claim::Claim;
use crate::environment::EndingKind;
use crate::item::ItemState;
use crate::record::{Fence, ItemRecord};
use crate::register::RegisterFlags;
use crate::retry::RetryState;

const HANDLER: HandlerId = HandlerId::from_u128(7);
const ITEM: ItemId = ItemId::from_u128(9);
const ERROR: ErrorId = ErrorId::from_u128(11);
const SESSION: SessionId = SessionId(12);

/// 2026-11-21 14:00:00Z plus `seconds`.
fn at(seconds: i64) -> SystemTime {
    crate::time::from_millis((1_795_269_600 + seconds) * 1_000)
}

fn now() -> SystemTime {
    at(0)
}

fn inbox() -> Known {
    let name = Some(Arc::from("Inbox"));
    let registered = Some(RegisterFlags::CONNECT);
    Known {
        name,
        registered,
        listed: Listed::Present,
        chosen: Some(ItemState::Checked),
        ..Known::of(HANDLER).with_item(ITEM)
    }
}

fn ended_record(outcome: Outcome, retry: Option<RetryState>) -> ItemRecord {
    let (last_attempt, last_success) = (Some(at(-60)), Some(at(-86_400)));
    let fence = Fence { session: SESSION, attempt: 0 };
    ItemRecord { fence, outcome: Some(outcome), last_attempt, last_success, retry, ..ItemRecord::new() }
}

fn failed_item(status: RetryStatus, until: Option<SystemTime>) -> Known {
    let retry = RetryState::new(status, at(-600), until).with_failures(3, 5);
    Known { record: Some(ended_record(Outcome::Failed, Some(retry))), ..inbox() }
}

fn holds_of(known: &Known) -> Vec<Hold> {
    explain(known, now()).holds
}

fn next_of(known: &Known) -> Next {
    explain(known, now()).next
}

fn every_hold() -> Vec<Hold> {
    let until = at(300);
    vec![
        Hold::Paused,
        Hold::Behind { session: SESSION },
        Hold::NoFreeWorker,
        Hold::Claimed { claim: Claim::new("account") },
        Hold::Quarantined,
        Hold::Merged { session: SESSION },
        Hold::BackingOff { until, failures: 3 },
        Hold::NotBefore { until },
        Hold::NeedsUser,
        Hold::NeedsAttention { failures: 10 },
        Hold::Permanent,
        Hold::Gone,
        Hold::UnreadableState,
        Hold::Offline,
        Hold::Metered,
        Hold::NoInternet,
        Hold::OnBattery,
        Hold::BatteryLow,
        Hold::UserActive,
        Hold::UserIdle,
        Hold::Ending { kind: EndingKind::Sleep },
        Hold::OutsideWindow { until: at(70) },
        Hold::Contradictory,
        Hold::Guarded,
        Hold::Unchosen,
        Hold::Disabled { reason: "on a journey".into() },
    ]
}

#[test]
fn a_handler_that_has_begun_again_is_idle_whatever_its_items_did() {
    let record = ItemRecord { last_success: Some(at(-60)), ..ended_record(Outcome::Succeeded, None) };
    let known = Known {
        record: Some(record),
        name: Some("Mail".into()),
        registered: Some(RegisterFlags::empty()),
        ..Known::of(HANDLER)
    };
    assert_eq!(explain(&known, at(0)).to_string(), "Mail: idle; runs on request");
}

#[test]
fn every_explanation_has_a_text_and_a_json_form() {
    let record = |outcome, retry| Some(ended_record(outcome, retry));
    let succeeded = ItemRecord { last_success: Some(at(-60)), ..ended_record(Outcome::Succeeded, None) };
    let needs_user = failed_item(RetryStatus::NeedsUser, None)
        .record
        .map(|record| ItemRecord { outcome: Some(Outcome::NeedsUser), ..record });
    let mut cases = vec![
        Known::of(HANDLER),
        Known { registered: None, ..inbox() },
        inbox(),
        Known { current: Some(Current::Running(SESSION)), ..inbox() },
        Known { current: Some(Current::Waiting(SESSION)), ..inbox() },
        Known { current: Some(Current::Interrupted(SESSION)), ..inbox() },
        Known { listed: Listed::Absent, record: record(Outcome::Failed, None), ..inbox() },
        Known { listed: Listed::Unknown, ..inbox() },
        Known { record: Some(succeeded), due: Some(at(3_600)), ..inbox() },
        Known { record: record(Outcome::Failed, None), ..inbox() },
        Known { record: record(Outcome::Skipped, None), registered: Some(RegisterFlags::empty()), ..inbox() },
        Known { record: record(Outcome::Stopped, None), ..inbox() },
        Known { record: needs_user, question: Some(ERROR), ..inbox() },
        failed_item(RetryStatus::Backoff, Some(at(300))),
        Known { other_holds: vec![Hold::Offline], ..failed_item(RetryStatus::Backoff, Some(at(300))) },
        Known { other_holds: vec![Hold::Metered], ..failed_item(RetryStatus::Backoff, Some(at(-1))) },
    ];
    cases.extend(every_hold().into_iter().map(|hold| Known { other_holds: vec![hold], ..inbox() }));
    let explanations: Vec<_> = cases.iter().map(|known| explain(known, now())).collect();
    let lines = explanations.iter().map(|it| format!("{it}\n  {}\n", serde_json::to_string(it).unwrap()));
    insta::assert_snapshot!(lines.collect::<String>());
}

#[test]
fn the_explanation_of_an_item_in_backoff_has_the_time_of_its_next_run() {
    let explanation = explain(&failed_item(RetryStatus::Backoff, Some(at(300))), now());
    assert_eq!(explanation.next, Next::At { time: at(300) });
    let line = "Inbox: backing off until 2026-11-21 14:05:00Z after 3 failures; last succeeded 2026-11-20 14:00:00Z";
    assert_eq!(explanation.to_string(), line);
    let passed = failed_item(RetryStatus::Backoff, Some(now()));
    assert_eq!(
        (holds_of(&passed), next_of(&passed)),
        (vec![], Next::WhenTriggered),
        "the retry time has come, but is not reported as due"
    );
    assert_eq!(
        next_of(&failed_item(RetryStatus::Backoff, Some(at(-1)))),
        Next::WhenTriggered,
        "the retry time has passed, but is not reported as due"
    );
    assert_eq!(next_of(&Known { due: Some(now()), ..passed }), Next::Now);
}

#[test]
fn each_retry_status_has_its_own_hold() {
    let until = Some(at(300));
    let hold = |status| holds_of(&failed_item(status, until));
    assert_eq!(hold(RetryStatus::NotBefore), [Hold::NotBefore { until: at(300) }]);
    assert_eq!(hold(RetryStatus::NeedsUser), [Hold::NeedsUser]);
    assert_eq!(hold(RetryStatus::NeedsAttention), [Hold::NeedsAttention { failures: 5 }]);
    assert_eq!(hold(RetryStatus::Permanent), [Hold::Permanent]);
    assert_eq!(hold(RetryStatus::Gone), [Hold::Gone]);
    assert_eq!(hold(RetryStatus::UnreadableState), [Hold::UnreadableState]);
}

#[test]
fn the_maximum_of_all_holds_decides_the_next_run() {
    let offline = Known { other_holds: vec![Hold::Offline], ..failed_item(RetryStatus::Backoff, Some(at(300))) };
    assert_eq!(next_of(&offline), Next::WhenOnline);
    assert_eq!(next_of(&Known { chosen: Some(ItemState::Unchecked), ..offline }), Next::WhenRequested);
    let [sooner, later] = [at(5), at(6)].map(|until| Hold::NotBefore { until });
    assert_eq!(next(&[later.clone(), sooner], None, Next::Now), Next::At { time: at(6) });
    assert_eq!(next(&[Hold::Metered, later], None, Next::Now), Next::WhenLifted);
    assert_eq!(next(&[], Some(ERROR), Next::WhenTriggered), Next::WhenTriggered);
}

#[test]
fn an_item_with_an_open_question_names_its_log_entry() {
    let open = Known { record: Some(ended_record(Outcome::NeedsUser, None)), ..inbox() };
    assert_eq!((holds_of(&open), next_of(&open)), (vec![Hold::NeedsUser], Next::WhenRequested));
    assert_eq!(next_of(&Known { question: Some(ERROR), ..open }), Next::WhenAnswered { error: ERROR });
}

#[test]
fn an_item_with_an_open_question_about_a_part_has_no_hold() {
    let asks = RetryState::new(RetryStatus::Asks, at(0), None);
    let record = Some(ended_record(Outcome::NeedsUser, Some(asks)));
    let open = Known { record, question: Some(ERROR), registered: Some(RegisterFlags::empty()), ..inbox() };
    assert_eq!((holds_of(&open), next_of(&open)), (vec![], Next::WhenAnswered { error: ERROR }));
    let scheduled = Known { due: Some(at(300)), ..open };
    assert_eq!(next_of(&scheduled), Next::At { time: at(300) });
}

#[test]
fn a_running_item_has_no_holds_and_a_waiting_item_those_of_its_session() {
    let failed = Known { held: vec![Hold::NoFreeWorker], ..failed_item(RetryStatus::Backoff, Some(at(300))) };
    let running = Known { current: Some(Current::Running(SESSION)), ..failed.clone() };
    assert_eq!((holds_of(&running), next_of(&running)), (vec![], Next::Now));
    let waiting = Known { current: Some(Current::Waiting(SESSION)), ..failed };
    assert_eq!((holds_of(&waiting), next_of(&waiting)), (vec![Hold::NoFreeWorker], Next::WhenLifted));
    assert_eq!(next_of(&Known { held: vec![], ..waiting }), Next::Now);
}

#[test]
fn claims_and_quarantine_are_listed_once_each() {
    let account = Claim::new("account");
    let claimed = Hold::Claimed { claim: account.clone() };
    let held = vec![claimed.clone(), claimed.clone(), Hold::Quarantined];
    let known = Known { held, quarantined: true, ..inbox() };
    assert_eq!(holds_of(&known), [claimed, Hold::Quarantined]);
}

#[test]
fn an_absent_item_runs_once_listed_and_a_forgotten_item_never() {
    let absent = ItemRecord { absent_since: Some(at(-5)), ..ended_record(Outcome::Succeeded, None) };
    let known = Known { listed: Listed::Unknown, record: Some(absent), ..inbox() };
    assert_eq!(explain(&known, now()).condition, Condition::Absent);
    assert_eq!(next_of(&known), Next::WhenListed);
    assert_eq!(explain(&Known { listed: Listed::Present, ..known.clone() }, now()).condition, Condition::Succeeded);
    assert_eq!(next_of(&Known { listed: Listed::Absent, record: None, ..known.clone() }), Next::Never);
    assert_eq!(next_of(&Known { registered: None, ..known }), Next::Never);
}

#[test]
fn an_item_without_a_listing_has_the_condition_of_its_record() {
    let known = Known { listed: Listed::Unknown, record: Some(ended_record(Outcome::Skipped, None)), ..inbox() };
    assert_eq!(explain(&known, now()).condition, Condition::Skipped);
}

#[test]
fn a_registered_handler_is_idle_and_an_unregistered_handler_is_unknown() {
    let handler = Known { registered: Some(RegisterFlags::CONNECT), ..Known::of(HANDLER) };
    let explanations = [&handler, &Known::of(HANDLER)].map(|known| explain(known, now()));
    assert_eq!(
        explanations.map(|it| (it.condition, it.next)),
        [(Condition::Idle, Next::WhenTriggered), (Condition::Unknown, Next::Never)]
    );
}

#[test]
fn line_breaks_in_a_name_are_escaped() {
    let line = explain(&Known { name: Some("In\nbox".into()), ..inbox() }, now()).to_string();
    assert!(line.starts_with("In\\u{a}box: has not run yet"), "{line}");
}

fn some_time() -> impl Strategy<Value = SystemTime> {
    (-100_000..100_000_i64).prop_map(at)
}

fn some_retry() -> impl Strategy<Value = RetryState> {
    let status = proptest::sample::select(RetryStatus::ALL.to_vec());
    (status, some_time(), proptest::option::of(some_time()), 0..60_u32, 0..60_u32).prop_map(
        |(status, since, until, failures, total)| RetryState::new(status, since, until).with_failures(failures, total),
    )
}

fn some_record() -> impl Strategy<Value = ItemRecord> {
    use proptest::option::of;
    let outcome = of(proptest::sample::select(Outcome::ALL.to_vec()));
    let times = (of(some_time()), of(some_time()), of(some_time()));
    (outcome, times, of(some_retry())).prop_map(|(outcome, (last_attempt, last_success, absent_since), retry)| {
        ItemRecord { outcome, last_attempt, last_success, absent_since, retry, ..ItemRecord::new() }
    })
}

fn some_holds() -> impl Strategy<Value = Vec<Hold>> {
    proptest::sample::subsequence(every_hold(), 0..4)
}

fn some_known() -> impl Strategy<Value = Known> {
    use proptest::option::of;
    use proptest::sample::select;
    let item = of(Just(ITEM));
    let registered = of(select(vec![RegisterFlags::empty(), RegisterFlags::IDLE]));
    let listed = select(vec![Listed::Unknown, Listed::Present, Listed::Absent]);
    let chosen = of(select(vec![ItemState::Checked, ItemState::Unchecked]));
    let current = [Current::Running(SESSION), Current::Waiting(SESSION), Current::Interrupted(SESSION)];
    let handler_and_item = (item, registered, listed, chosen, of(select(current.to_vec())));
    let stored = (of(some_record()), of(Just(ERROR)), of(some_time()));
    (handler_and_item, some_holds(), some_holds(), any::<bool>(), stored).prop_map(
        |((item, registered, listed, chosen, current), held, other_holds, quarantined, (record, question, due))| {
            Known {
                item,
                registered,
                listed,
                chosen,
                current,
                held,
                other_holds,
                quarantined,
                record,
                question,
                due,
                ..Known::of(HANDLER)
            }
        },
    )
}

proptest! {
    #[test]
    fn every_hold_has_a_description_and_can_end(holds in some_holds(), question in proptest::option::of(Just(ERROR))) {
        prop_assert!(holds.iter().all(|hold| !hold.to_string().is_empty()));
        prop_assert_ne!(next(&holds, question, Next::Now), Next::Never);
    }

    #[test]
    fn only_unregistered_or_forgotten_items_never_run(known in some_known()) {
        let explanation = explain(&known, now());
        let forgotten = known.record.is_none() && known.listed == Listed::Absent && known.item.is_some();
        let excluded = known.registered.is_none() || forgotten;
        prop_assert!(explanation.next != Next::Never || excluded, "{explanation:?}");
    }

    #[test]
    fn an_item_that_does_not_run_now_names_the_reason(known in some_known()) {
        let explanation = explain(&known, now());
        match explanation.next {
            Next::Now => {}
            Next::At { time } => prop_assert!(time > now()),
            Next::WhenLifted | Next::WhenOnline | Next::WhenResumed | Next::WhenEnabled => {
                prop_assert!(!explanation.holds.is_empty());
            }
            Next::WhenAnswered { error } => prop_assert_eq!(Some(error), known.question),
            _ => {}
        }
        let distinct: BTreeSet<_> = explanation.holds.iter().map(ToString::to_string).collect();
        prop_assert_eq!(distinct.len(), explanation.holds.len());
    }

    #[test]
    fn an_explanation_survives_serialization_and_prints_as_one_line(known in some_known()) {
        let explanation = explain(&known, now());
        let json = serde_json::to_string(&explanation).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Explanation>(&json).unwrap(), &explanation);
        let line = explanation.to_string();
        prop_assert!(!line.is_empty() && !line.contains('\n'));
    }
}
