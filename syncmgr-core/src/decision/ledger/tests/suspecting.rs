//! Items that may have ended their process.

use super::*;

fn begins(ledger: &RetryLedger, cleared_by: Option<ClearedBy>) -> RetryState {
    let suspect = Suspect { handler: MAIL, item: INBOX, policy: &POLICY, cleared_by, now: at(100), chance: 0 };
    match &ledger.suspect_begins(&suspect)[..] {
        [Effect::Write(StateChange::Retry { handler: MAIL, item: INBOX, retry: Some(retry) })] => *retry,
        other => panic!("{other:?}"),
    }
}

fn interruptions(failures: u32, until: u64) -> RetryState {
    RetryState::new(RetryStatus::Interrupted, at(100), Some(at(until))).with_failures(failures, failures)
}

fn with_suspect(state: RetryState) -> RetryLedger {
    let mut ledger = ledger();
    ledger.set(MAIL, INBOX, state, at(0));
    ledger
}

#[test]
fn a_suspect_is_counted_in_the_store_before_it_begins() {
    let ledger = ledger();
    assert_eq!(begins(&ledger, None), interruptions(1, 130));
    assert_eq!(ledger.state_of(MAIL, INBOX), None, "the item is only counted if the process ends");
    assert!(ledger.continues(MAIL, INBOX) && !ledger.was_interrupted(MAIL, INBOX));
}

#[test]
fn interruptions_add_up_until_the_item_needs_attention() {
    let mut state = interruptions(1, 130);
    for failures in 2..10 {
        state = begins(&with(&[(INBOX, state)]), None);
        assert_eq!((state.status, state.failures), (RetryStatus::Interrupted, failures));
    }
    let spent = begins(&with(&[(INBOX, state)]), None);
    assert_eq!((spent.status, spent.until, spent.failures), (RetryStatus::Interrupted, None, 10));
    assert_eq!(spent.hold(), Some(Hold::NeedsAttention { failures: 10 }));
    assert!(!with(&[(INBOX, spent)]).continues(MAIL, INBOX));
}

#[test]
fn the_next_process_asks_about_an_item_whose_interruptions_used_up_its_budget() {
    let manager = Uuid::from_u128(3);
    let session = |number| SessionRecord::new(SessionId(number), manager, Trigger::Manual, at(0), vec![request(MAIL)]);
    let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
    let _ = ledger.restore(BTreeMap::new(), vec![session(1), session(2)], at(0));
    let spent = RetryState { until: None, ..interruptions(10, 130) };
    let states = BTreeMap::from([(INBOX, spent), (DRAFTS, interruptions(2, 130))]);
    let effects = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, states, at(110));
    let [Effect::Write(retry), Effect::Write(StateChange::Logged { session, time, entries, .. }), Effect::Wake] =
        &effects[..]
    else {
        panic!("{effects:?}")
    };
    let needs = RetryState { status: RetryStatus::NeedsAttention, ..spent };
    assert_eq!(*retry, StateChange::Retry { handler: MAIL, item: INBOX, retry: Some(needs) });
    assert_eq!((*session, *time, entries.len()), (SessionId(2), at(110), 1));
    assert_eq!((entries[0].item, entries[0].id), (Some(INBOX), Some(ErrorId::of_question(INBOX, ATTENTION))));
    assert_eq!(ledger.state_of(MAIL, INBOX), Some(&needs));
    let again = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::from([(INBOX, needs)]), at(120));
    assert_eq!(again, [Effect::Wake], "the question is asked once");
}

#[test]
fn a_question_about_no_known_session_gets_the_number_of_the_last_one() {
    let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
    ledger.set_last_session(SessionId(5));
    let states = BTreeMap::from([(INBOX, RetryState { until: None, ..interruptions(10, 130) })]);
    let effects = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, states, at(110));
    let origin = |effect: &Effect| match effect {
        Effect::Write(StateChange::Logged { session, manager, .. }) => Some((*session, *manager)),
        _ => None,
    };
    assert_eq!(effects.iter().find_map(origin), Some((SessionId(5), Uuid::nil())), "{effects:?}");
}

#[test]
fn a_registration_during_a_run_asks_about_no_item_that_is_counted_in_advance() {
    let mut ledger = with_suspect(interruptions(2, 130));
    ledger.retire(MAIL);
    let in_advance = BTreeMap::from([(INBOX, RetryState { until: None, ..interruptions(10, 130) })]);
    let effects = ledger.register(MAIL, Generation::FIRST.next(), NEEDS_NETWORK, in_advance, at(110));
    assert_eq!(effects, [Effect::Wake]);
    assert_eq!(ledger.state_of(MAIL, INBOX), Some(&interruptions(2, 130)));
}

#[test]
fn a_handler_that_begins_is_no_longer_asked_about() {
    let needs = RetryState { until: None, status: RetryStatus::NeedsAttention, ..interruptions(10, 130) };
    let mut ledger = with(&[(HANDLER_ITSELF, needs)]);
    let begun = attempted(HANDLER_ITSELF, plain(Outcome::Succeeded), 140);
    let (after, effects) = ledger.began(&begun, &request(MAIL)).expect("it had a state");
    let scope = ErrorScope::One(ErrorId::of_question(HANDLER_ITSELF, ATTENTION));
    assert_eq!(after, None);
    assert!(effects.contains(&Effect::Write(StateChange::LogDeleted { handler: MAIL, scope })), "{effects:?}");
}

#[test]
fn an_interrupted_item_that_a_claim_holds_back_stays_a_suspect_until_it_runs() {
    let mut ledger = with_account(&[], backoff(0, 200));
    ledger.add_suspects(MAIL, [INBOX, DRAFTS]);
    let (hold, _) = ledger.select(MAIL, INBOX, &[&account()], RequestedBy::Automatic, at(100));
    let _ = ledger.ended(&attempted(DRAFTS, plain(Outcome::Skipped), 100));
    let _ = ledger.finished(MAIL, &[SessionId(1)], &BTreeSet::from([INBOX, DRAFTS]), at(100));
    assert!(hold.is_some() && ledger.is_suspect(MAIL, INBOX) && ledger.is_suspect(MAIL, DRAFTS));
    let _ = ledger.select(MAIL, INBOX, &[&account()], RequestedBy::Automatic, at(200));
    assert!(ledger.is_suspect(MAIL, INBOX) && !ledger.is_clean(MAIL) && !ledger.was_interrupted(MAIL, INBOX));
    let _ = ledger.ended(&attempted(INBOX, plain(Outcome::Succeeded), 210));
    assert!(!ledger.is_suspect(MAIL, INBOX) && ledger.is_suspect(MAIL, DRAFTS));
    ledger.unregister(MAIL);
    assert!(ledger.is_suspect(MAIL, DRAFTS), "the handler may be registered again");
    let _ = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::new(), at(220));
    let _ = ledger.listed(MAIL, Generation::FIRST, at(0), |item| item == INBOX);
    assert!(!ledger.is_suspect(MAIL, DRAFTS), "an item that no longer exists is no suspect");
}

#[test]
fn an_interrupted_item_waits_and_a_success_clears_it() {
    let mut ledger = with_suspect(interruptions(1, 130));
    assert!(ledger.was_interrupted(MAIL, INBOX) && !ledger.continues(MAIL, INBOX));
    assert_eq!(ledger.tick(None, online(), at(129)), []);
    let _ = ledger.environment_changed(offline(), online(), at(129));
    assert!(ledger.was_interrupted(MAIL, INBOX), "the network does not explain an interruption");
    assert_eq!(ledger.tick(None, online(), at(130)), [start(StartReason::Retry, items(MAIL, &[INBOX]))]);
    let (after, _) = ledger.ended(&attempted(INBOX, plain(Outcome::Succeeded), 140));
    assert_eq!((after, ledger.was_interrupted(MAIL, INBOX)), (None, false));
}

#[test]
fn a_request_by_the_user_starts_the_count_again() {
    assert_eq!(begins(&with(&[(INBOX, interruptions(4, 130))]), Some(ClearedBy::User)), interruptions(1, 130));
}

#[test]
fn a_suspect_that_the_end_of_the_manager_stops_keeps_its_state() {
    let retry = Some(interruptions(2, 130));
    let ledger = with_suspect(interruptions(2, 130));
    let restored = Effect::Write(StateChange::Retry { handler: MAIL, item: INBOX, retry });
    assert_eq!(ledger.suspect_cleared(MAIL, INBOX), [restored]);
}
