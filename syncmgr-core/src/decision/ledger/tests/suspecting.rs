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
    ledger.set(MAIL, INBOX, Some(state));
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
    assert_eq!((spent.status, spent.until), (RetryStatus::NeedsAttention, None));
    assert!(!with(&[(INBOX, spent)]).continues(MAIL, INBOX));
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
