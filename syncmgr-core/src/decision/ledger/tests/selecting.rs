use super::*;

fn select(ledger: &mut RetryLedger, item: ItemId, requested_by: RequestedBy, now: u64) -> (Option<Hold>, Vec<Effect>) {
    ledger.select(MAIL, item, &[&account()], requested_by, at(now))
}

fn backing_off(until: u64) -> Hold {
    Hold::BackingOff { until: at(until), failures: 1 }
}

#[test]
fn an_item_that_backs_off_may_not_run_and_stays_due() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    assert_eq!(select(&mut ledger, INBOX, RequestedBy::Automatic, 29), (Some(backing_off(30)), Vec::new()));
    assert_eq!(ledger.next_deadline(), Some(at(30)));
    assert_eq!(select(&mut ledger, DRAFTS, RequestedBy::Automatic, 29), (None, Vec::new()));
}

#[test]
fn a_selected_item_is_no_longer_due() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    assert_eq!(select(&mut ledger, INBOX, RequestedBy::User, 10), (None, Vec::new()));
    assert_eq!(ledger.next_deadline(), None);
    assert_eq!(ledger.state_of(MAIL, INBOX), Some(&backoff(0, 30)), "the state stays until the attempt ends");
}

#[test]
fn an_item_with_a_held_resource_is_due_when_the_resource_is_free() {
    for until in [backoff(0, 60), RetryState::new(RetryStatus::NotBefore, at(0), Some(at(60)))] {
        let mut ledger = with_account(&[], until);
        let (hold, effects) = select(&mut ledger, INBOX, RequestedBy::Automatic, 10);
        assert_eq!((hold, effects), (until.hold(), vec![Effect::Wake]));
        assert_eq!(ledger.next_deadline(), Some(at(60)));
        assert_eq!(ledger.state_of(MAIL, INBOX), None);
    }
}

#[test]
fn a_hold_of_the_handler_without_an_end_makes_nothing_due() {
    let mut ledger = with(&[(HANDLER_ITSELF, status(RetryStatus::Permanent)), (INBOX, backoff(0, 30))]);
    assert_eq!(select(&mut ledger, INBOX, RequestedBy::Automatic, 40), (Some(Hold::Permanent), Vec::new()));
    assert_eq!(ledger.next_deadline(), None);
}

#[test]
fn an_item_without_retry_states_may_run() {
    assert_eq!(select(&mut ledger(), INBOX, RequestedBy::Automatic, 0), (None, Vec::new()));
}

#[test]
fn an_item_is_selected_after_its_deadline_was_waited_for_despite_the_clock() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let _ = ledger.tick(Some(at(30)), &Environment::UNKNOWN, at(3));
    assert_eq!(select(&mut ledger, INBOX, RequestedBy::Automatic, 3).0, None);
}

fn put_off(ledger: &mut RetryLedger, reason: StartReason, lists: bool) -> Vec<Effect> {
    let _ = ledger.tick(None, &Environment::UNKNOWN, at(30));
    ledger.postpone_missed(MAIL, reason, &POLICY, |_| lists, at(30))
}

#[test]
fn a_due_item_that_did_not_run_is_due_again_after_the_longest_wait() {
    for reason in [StartReason::Retry, StartReason::HoldLifted] {
        let mut ledger = with(&[(INBOX, backoff(0, 30)), (DRAFTS, backoff(0, 40))]);
        assert_eq!(put_off(&mut ledger, reason, true), [Effect::Wake], "{reason:?}");
        let _ = ledger.automatic_run_ended(MAIL);
        assert_eq!(ledger.next_deadline(), Some(at(40)), "an item that is not due yet keeps its time");
        let _ = ledger.tick(None, &Environment::UNKNOWN, at(40));
        let _ = ledger.automatic_run_ended(MAIL);
        assert_eq!(ledger.next_deadline(), Some(at(30) + POLICY.cap));
    }
}

/// A clock that is set back ends a backoff. If it is set forward again before the item runs, the backoff holds again.
#[test]
fn an_item_that_backs_off_again_when_its_run_begins_stays_due() {
    let mut ledger = ledger();
    ledger.set(MAIL, INBOX, backoff(100, 130), at(0));
    assert_eq!(started(&ledger.tick(None, &Environment::UNKNOWN, at(5))).len(), 1);
    assert_eq!(select(&mut ledger, INBOX, RequestedBy::Automatic, 105).0, Some(backing_off(130)));
    let effects = ledger.postpone_missed(MAIL, StartReason::Retry, &POLICY, |_| true, at(105));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!((effects, ledger.next_deadline()), (vec![Effect::Wake], Some(at(130))));
}

#[test]
fn an_item_whose_wait_the_clock_has_ended_is_not_due_again_at_once() {
    let mut ledger = ledger();
    ledger.set(MAIL, INBOX, backoff(100, 130), at(0));
    assert_eq!(started(&ledger.tick(None, &Environment::UNKNOWN, at(5))).len(), 1);
    let _ = ledger.postpone_missed(MAIL, StartReason::Retry, &POLICY, |_| true, at(5));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(
        ledger.tick(None, &Environment::UNKNOWN, at(5)),
        [],
        "a run that skips the item would be started in a loop"
    );
    assert_eq!(ledger.next_deadline(), Some(at(5) + POLICY.cap));
}

#[test]
fn only_listed_items_of_a_retry_session_are_postponed() {
    for (reason, lists) in [(StartReason::Requested, true), (StartReason::Resumed, true), (StartReason::Retry, false)] {
        let mut ledger = with(&[(INBOX, backoff(0, 30))]);
        assert_eq!(put_off(&mut ledger, reason, lists), [], "{reason:?}");
        assert_eq!(ledger.next_deadline(), None);
    }
}

#[test]
fn an_item_that_is_still_due_is_not_postponed() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    assert_eq!(ledger.postpone_missed(MAIL, StartReason::Retry, &POLICY, |_| true, at(30)), []);
    assert_eq!(ledger.next_deadline(), Some(at(30)));
}

#[test]
fn a_selected_item_that_does_not_run_is_due_at_its_old_time() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let _ = select(&mut ledger, INBOX, RequestedBy::User, 10);
    assert_eq!(ledger.requeue(MAIL, [INBOX, DRAFTS], &POLICY, at(10)), [Effect::Wake]);
    assert_eq!(ledger.next_deadline(), Some(at(30)));
    assert_eq!(ledger.requeue(MAIL, [INBOX], &POLICY, at(50)), [], "it is due already");
}

#[test]
fn a_selected_due_item_that_does_not_run_waits_the_longest_time() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let _ = select(&mut ledger, INBOX, RequestedBy::Automatic, 30);
    assert_eq!(ledger.requeue(MAIL, [INBOX], &POLICY, at(30)), [Effect::Wake]);
    assert_eq!(ledger.next_deadline(), Some(at(30) + POLICY.cap));
}

#[test]
fn a_due_item_in_quarantine_is_due_again_after_the_first_wait() {
    let mut ledger = ledger();
    assert_eq!(ledger.postpone_quarantined(MAIL, INBOX, StartReason::Requested, &POLICY, at(0)), []);
    assert_eq!(ledger.postpone_quarantined(MAIL, INBOX, StartReason::Retry, &POLICY, at(0)), [Effect::Wake]);
    assert_eq!(ledger.next_deadline(), Some(at(30)));
}

#[test]
fn a_description_has_the_retry_state_the_due_time_and_the_holds() {
    let mut ledger = with_account(&[(INBOX, backoff(0, 600))], backoff(0, 60));
    let describe = |ledger: &RetryLedger, mut known: Known| {
        ledger.describe(&mut known, (&[&account()], &Requirements::NONE), offline(), at(0));
        (known.record.and_then(|record| record.retry), known.due, known.other_holds)
    };
    let held = vec![Hold::Offline, backing_off(60)];
    let of_item = describe(&ledger, Known::of(MAIL).with_item(INBOX));
    assert_eq!(of_item, (Some(backoff(0, 600)), Some(at(600)), held.clone()));
    assert_eq!(describe(&ledger, Known::of(MAIL)), (None, Some(at(600)), held));
    assert_eq!(
        describe(&ledger, Known::of(MAIL).with_item(DRAFTS)),
        (None, None, vec![]),
        "the item has nothing to run"
    );
    ledger.set(MAIL, HANDLER_ITSELF, backoff(0, 90), at(0));
    assert_eq!(describe(&ledger, Known::of(MAIL).with_item(DRAFTS)).1, Some(at(90)), "due with its handler");
    assert_eq!(begin(&mut ledger, request(PAGES), offline()), None);
    ledger.retire(MAIL);
    assert_eq!(describe(&ledger, Known::of(MAIL).with_item(INBOX)), (Some(backoff(0, 600)), None, vec![]));
}

#[test]
fn a_description_has_the_hold_of_a_held_run_until_nothing_holds_it() {
    let mut ledger = ledger();
    assert_eq!(begin(&mut ledger, request(MAIL), offline()), Some(Hold::Offline));
    let describe = |environment| {
        let mut known = Known::of(MAIL);
        ledger.describe(&mut known, (&[], &Requirements::NONE), environment, at(5));
        (known.other_holds, known.due)
    };
    assert_eq!(describe(offline()), (vec![Hold::Offline], None), "although nothing is due");
    assert_eq!(describe(online()), (vec![], Some(at(5))));
}
