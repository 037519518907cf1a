use crate::error::RetryAt;

use super::*;

fn end(ledger: &mut RetryLedger, attempt: &EndedAttempt<'_>) -> (Option<RetryState>, Vec<Effect>) {
    ledger.ended(attempt)
}

#[test]
fn a_failure_is_due_after_its_wait_and_wakes_the_scheduler() {
    let mut ledger = ledger();
    let (after, effects) = end(&mut ledger, &attempted(INBOX, failed(), 100));
    assert_eq!(after, Some(backoff(100, 130)));
    assert_eq!(effects, [Effect::Wake]);
    assert_eq!(ledger.next_deadline(), Some(at(130)));
    assert_eq!(ledger.state_of(MAIL, INBOX), after.as_ref());
    assert!(!ledger.is_clean(MAIL) && ledger.is_clean(PAGES));
}

#[test]
fn a_success_clears_the_retry_state_and_settles_the_questions() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let (after, effects) = end(&mut ledger, &attempted(INBOX, plain(Outcome::Succeeded), 40));
    assert_eq!(after, None);
    let settled = StateChange::Settled { handler: MAIL, item: INBOX };
    assert_eq!(effects, [Effect::RemoveQuestions(INBOX), Effect::Write(settled)]);
    assert!(ledger.is_clean(MAIL));
    assert_eq!(ledger.next_deadline(), None);
}

#[test]
fn a_success_of_an_item_that_never_failed_settles_nothing() {
    let mut ledger = with_account(&[], backoff(0, 30));
    let (after, effects) = end(&mut ledger, &attempted(INBOX, plain(Outcome::Succeeded), 40));
    assert_eq!((after, effects), (None, Vec::new()));
}

#[test]
fn the_end_of_an_item_updates_its_resources_and_writes_each_change_once() {
    let mut ledger = ledger();
    let effects = ledger.claims_used(&attempted(INBOX, failed(), 100), &[account()]);
    let counted = RetryState::new(RetryStatus::Backoff, at(100), None).with_failures(1, 1);
    assert_eq!(effects, [Effect::Write(StateChange::Resource { claim: account(), retry: Some(counted) })]);
    assert!(!ledger.is_clean(PAGES), "any item may claim the account");
    let succeeded = attempted(INBOX, plain(Outcome::Succeeded), 200);
    let cleared = StateChange::Resource { claim: account(), retry: None };
    assert_eq!(ledger.claims_used(&succeeded, &[account()]), [Effect::Write(cleared)]);
    assert!(ledger.is_clean(PAGES));
    assert_eq!(ledger.claims_used(&succeeded, &[account()]), []);
}

#[test]
fn a_requested_item_clears_the_waits_of_its_claims_that_do_not_hold_it() {
    let not_before = RetryState::new(RetryStatus::NotBefore, at(0), Some(at(900)));
    let backing_off = RetryState { status: RetryStatus::Backoff, ..not_before };
    let left_after = |state, by| {
        let mut ledger = with_account(&[], state);
        let (hold, effects) = ledger.select(MAIL, INBOX, &[&account()], by, at(100));
        let left = ledger.resources.get(&account()).copied();
        assert_eq!(hold.is_some(), left.is_some(), "{by:?}");
        assert_eq!(
            effects.contains(&Effect::Write(StateChange::Resource { claim: account(), retry: None })),
            left.is_none()
        );
        left
    };
    assert_eq!(left_after(not_before, RequestedBy::User), Some(not_before));
    assert_eq!(left_after(not_before, RequestedBy::UserForced), None);
    assert_eq!(left_after(backing_off, RequestedBy::User), None);
    assert_eq!(left_after(backing_off, RequestedBy::Automatic), Some(backing_off));
}

#[test]
fn a_held_back_claim_holds_a_selected_item_until_its_own_wait_is_over() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let (hold, _) = ledger.select(MAIL, INBOX, &[&account()], RequestedBy::User, at(10));
    assert_eq!(hold, None);
    let later = FailureClass::NotBefore(RetryAt::At(at(20)));
    let _ = ledger.claims_used(&attempted(DRAFTS, Verdict::failed(later), 10), &[account()]);
    let (hold, effects) = ledger.hold_of_claims(MAIL, INBOX, &[&account()], at(11));
    assert_eq!(hold, Some(Hold::NotBefore { until: at(20) }));
    assert_eq!((effects, ledger.next_deadline()), (vec![Effect::Wake], Some(at(30))));
    assert_eq!(ledger.hold_of_claims(MAIL, INBOX, &[&account()], at(20)), (None, Vec::new()));
}

#[test]
fn a_manual_request_resets_failures_unless_the_item_is_skipped_or_stopped() {
    let before = RetryState::new(RetryStatus::Backoff, at(0), Some(at(900))).with_failures(5, 5);
    let manual = |verdict| EndedAttempt { cleared_by: Some(ClearedBy::User), ..attempted(INBOX, verdict, 100) };
    let (after, _) = end(&mut with(&[(INBOX, before)]), &manual(failed()));
    assert_eq!(after, Some(backoff(100, 130)));
    for outcome in [Outcome::Skipped, Outcome::Stopped] {
        let (after, _) = end(&mut with(&[(INBOX, before)]), &manual(plain(outcome)));
        assert_eq!(after, Some(before), "{outcome}");
    }
}

#[test]
fn a_skipped_retry_comes_back_after_the_longest_wait() {
    let (after, _) = end(&mut with(&[(INBOX, backoff(0, 30))]), &attempted(INBOX, plain(Outcome::Skipped), 30));
    assert_eq!(after.and_then(|state| state.until), Some(at(30) + POLICY.cap));
    let (after, _) = end(&mut with(&[(INBOX, backoff(0, 31))]), &attempted(INBOX, plain(Outcome::Skipped), 30));
    assert_eq!(after.and_then(|state| state.until), Some(at(31)));
}

#[test]
fn a_failure_with_a_wait_of_zero_is_due_immediately() {
    let policy = POLICY.with_initial(Duration::ZERO);
    let (after, _) = end(&mut ledger(), &EndedAttempt { policy: &policy, ..attempted(INBOX, failed(), 30) });
    assert_eq!(after.and_then(|state| state.until), Some(at(30)));
}

#[test]
fn an_item_that_has_used_up_its_budget_asks_one_question() {
    let policy = POLICY.with_budget(2, 50);
    let mut ledger = ledger();
    let attempt = EndedAttempt { policy: &policy, ..attempted(INBOX, failed(), 0) };
    assert_eq!(end(&mut ledger, &attempt).1, [Effect::Wake]);
    let (after, effects) = end(&mut ledger, &attempt);
    assert_eq!(after.map(|state| (state.status, state.until)), Some((RetryStatus::NeedsAttention, None)));
    let [Effect::AddQuestion(entry), Effect::Wake] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((entry.level, entry.item), (LogLevel::Warning, Some(INBOX)));
    assert!(entry.text.contains("failed 2 times"), "{}", entry.text);
    let Some(Action::Decide(question)) = &entry.action else { panic!("{entry:?}") };
    assert_eq!(question.remedies[..], [Remedy::TryAgain, Remedy::Refuse]);
    assert_eq!(entry.id, Some(ErrorId::of_question(INBOX, &question.key)));
    assert_eq!(end(&mut ledger, &attempt).1, [Effect::Wake], "the question is in the log already");
    assert_eq!(ledger.next_deadline(), None);
}

#[test]
fn a_handler_that_cannot_begin_is_due_as_a_whole() {
    let mut ledger = ledger();
    let (after, effects) = ledger.began(&attempted(INBOX, failed(), 0), &request(MAIL)).expect("a failure is recorded");
    assert_eq!((after, effects), (Some(backoff(0, 30)), vec![Effect::Wake]));
    assert_eq!(ledger.state_of(MAIL, HANDLER_ITSELF), after.as_ref());
    assert_eq!(ledger.state_of(MAIL, INBOX), None);
    let begun = ledger.began(&attempted(INBOX, plain(Outcome::Succeeded), 40), &request(MAIL));
    assert_eq!(begun, Some((None, Vec::new())));
    assert_eq!(ledger.began(&attempted(INBOX, plain(Outcome::Succeeded), 40), &request(MAIL)), None);
}

/// The session of the due item could not begin, and the next session that begins was requested for another item.
#[test]
fn an_item_whose_run_could_not_begin_is_due_once_the_handler_can_begin() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    assert_eq!(started(&ledger.tick(None, online(), at(30))).len(), 1);
    let _ = ledger.began(&attempted(INBOX, failed(), 30), &request(MAIL));
    let _ = ledger.automatic_run_ended(MAIL);
    let begun = ledger.began(&attempted(INBOX, plain(Outcome::Succeeded), 40), &request(MAIL).with_items([DRAFTS]));
    assert_eq!(begun, Some((None, vec![Effect::Wake])));
    assert_eq!(ledger.next_deadline(), Some(at(40) + POLICY.cap));
}

#[test]
fn an_unknown_handler_has_no_retry_state() {
    let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
    let (after, _) = end(&mut ledger, &attempted(INBOX, failed(), 0));
    assert_eq!(after, Some(backoff(0, 30)), "the caller still receives the new state");
    assert_eq!((ledger.state_of(MAIL, INBOX), ledger.next_deadline()), (None, None));
}

#[test]
fn a_retired_handler_keeps_its_retry_states_but_is_not_due() {
    let mut ledger = with(&[(DRAFTS, backoff(0, 30))]);
    ledger.retire(MAIL);
    let (after, _) = end(&mut ledger, &attempted(INBOX, failed(), 0));
    assert_eq!(ledger.state_of(MAIL, INBOX), after.as_ref());
    assert_eq!(ledger.state_of(MAIL, DRAFTS), Some(&backoff(0, 30)));
    assert_eq!(ledger.next_deadline(), None);
    ledger.unregister(MAIL);
    assert_eq!(ledger.state_of(MAIL, INBOX), None);
}

#[test]
fn a_wait_begins_at_the_last_deadline_if_the_clock_shows_an_earlier_time() {
    let mut ledger = ledger();
    let _ = ledger.tick(Some(at(1_000)), &Environment::UNKNOWN, at(5));
    let (after, _) = end(&mut ledger, &attempted(INBOX, failed(), 5));
    assert_eq!(after, Some(backoff(1_000, 1_030)));
    let (after, _) = ledger.began(&attempted(INBOX, failed(), 5), &request(MAIL)).expect("a failure is recorded");
    assert_eq!(after, Some(backoff(1_000, 1_030)));
}

/// A ledger in which the account, which the peer asked to wait until 60, holds the selected inbox back.
fn with_inbox_held_back() -> RetryLedger {
    let mut ledger = ledger();
    let busy = Verdict::failed(FailureClass::NotBefore(RetryAt::At(at(60))));
    let _ = ledger.claims_used(&attempted(DRAFTS, busy, 10), &[account()]);
    let (hold, _) = ledger.hold_of_claims(MAIL, INBOX, &[&account()], at(10));
    assert_eq!(hold, Some(Hold::NotBefore { until: at(60) }));
    ledger
}

#[test]
fn an_item_that_a_claim_held_back_is_due_again_after_a_run_that_left_it_out() {
    let mut ledger = with_inbox_held_back();
    assert_eq!(started(&ledger.tick(None, online(), at(60))).len(), 1);
    let _ = ledger.postpone_missed(MAIL, StartReason::Retry, &POLICY, |_| true, at(61));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(ledger.next_deadline(), Some(at(61) + POLICY.cap));
    let (hold, _) = ledger.select(MAIL, INBOX, &[&account()], RequestedBy::Automatic, at(70));
    assert_eq!((hold, ledger.next_deadline()), (None, None));
}

#[test]
fn a_claim_that_is_free_again_starts_the_items_that_it_held_back() {
    let mut ledger = with_inbox_held_back();
    let (_, effects) = ledger.select(MAIL, DRAFTS, &[&account()], RequestedBy::UserForced, at(20));
    assert!(effects.contains(&Effect::Wake));
    assert_eq!(started(&ledger.tick(None, online(), at(20)))[0].targets, items(MAIL, &[INBOX]));
}

#[test]
fn an_item_whose_backoff_the_network_ended_is_due_again_if_it_was_left_out() {
    let mut ledger = with(&[(INBOX, backoff(0, 600))]);
    assert_eq!(started(&ledger.environment_changed(offline(), online(), at(10))).len(), 1);
    let _ = ledger.postpone_missed(MAIL, StartReason::Retry, &POLICY, |_| true, at(11));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(ledger.next_deadline(), Some(at(11) + POLICY.cap));
}

#[test]
fn a_forced_attempt_that_fails_keeps_the_time_that_the_peer_set() {
    let not_before = RetryState::new(RetryStatus::NotBefore, at(0), Some(at(900)));
    let forced = |now, verdict| {
        let mut ledger = with(&[(INBOX, not_before)]);
        let attempt = EndedAttempt { cleared_by: Some(ClearedBy::UserForced), ..attempted(INBOX, verdict, now) };
        end(&mut ledger, &attempt).0.map(|state| (state.status, state.until))
    };
    assert_eq!(forced(100, failed()), Some((RetryStatus::NotBefore, Some(at(900)))));
    assert_eq!(forced(900, failed()), Some((RetryStatus::Backoff, Some(at(930)))), "it has passed");
    assert_eq!(forced(100, plain(Outcome::Succeeded)), None, "the peer has accepted it");
}
