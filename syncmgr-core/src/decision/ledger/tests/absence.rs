use super::*;

#[test]
fn forgetting_a_handler_ends_its_interrupted_runs_and_clears_its_claims() {
    let mut ledger = with_account(&[(INBOX, backoff(0, 30))], backoff(0, 60));
    let record = SessionRecord::new(SessionId(7), Uuid::nil(), Trigger::Manual, at(0), vec![request(MAIL)]);
    let _ = ledger.restore(BTreeMap::from([(account(), backoff(0, 60))]), vec![record], at(0));
    let _ = begin(&mut ledger, request(MAIL), offline());
    let effects = ledger.forget(MAIL, vec![account()], at(50));
    let end = SessionEnd::new(at(50), SessionOutcome::Interrupted, BTreeMap::new());
    assert_eq!(
        effects,
        [
            Effect::Write(StateChange::SessionEnded { session: SessionId(7), manager: Uuid::nil(), end }),
            Effect::Write(StateChange::Forget { handler: MAIL }),
            Effect::Write(StateChange::Resource { claim: account(), retry: None }),
        ]
    );
    assert!(ledger.is_clean(MAIL) && !ledger.has_pending());
    assert_eq!(ledger.interrupted(MAIL), []);
}

#[test]
fn a_forgotten_item_is_not_due_not_held_and_not_resumed() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let request = request(MAIL).with_items([INBOX, DRAFTS]);
    let record = SessionRecord::new(SessionId(7), Uuid::nil(), Trigger::Manual, at(0), vec![request.clone()]);
    let _ = ledger.restore(BTreeMap::new(), vec![record], at(0));
    let _ = begin(&mut ledger, request, offline());
    let forgotten = StateChange::ForgetItem { handler: MAIL, item: INBOX };
    assert_eq!(ledger.forget_item(MAIL, INBOX), [Effect::Write(forgotten)]);
    assert_eq!((ledger.state_of(MAIL, INBOX), ledger.next_deadline()), (None, None));
    assert_eq!(ledger.interrupted(MAIL)[0].items, Some(Arc::new(BTreeSet::from([DRAFTS]))));
    assert_eq!(started(&ledger.tick(None, online(), at(0)))[0].targets, items(MAIL, &[DRAFTS]));
}

#[test]
fn an_item_that_was_absent_for_long_is_forgotten_with_its_answers() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let question = Question::new("key", "which?", ["this".into()]);
    let _ = ledger.answer(MAIL, INBOX, question.clone(), 0);
    let forgotten = StateChange::ForgetItem { handler: MAIL, item: INBOX };
    assert_eq!(ledger.forget_absent(MAIL, INBOX), [Effect::Write(forgotten)]);
    assert_eq!((ledger.state_of(MAIL, INBOX), ledger.answer_to(MAIL, INBOX, &question)), (None, None));
}

#[test]
fn an_item_that_a_later_listing_lacked_is_not_requeued() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let _ = ledger.listed(MAIL, Generation::FIRST, at(0), |_| false);
    let _ = ledger.postpone_missed(MAIL, StartReason::Retry, &POLICY, |_| true, at(10));
    assert_eq!(ledger.next_deadline(), None);
    let _ = ledger.listed(MAIL, Generation::FIRST, at(0), |_| true);
    assert_eq!(ledger.next_deadline(), Some(at(30)));
}

#[test]
fn items_that_waited_for_a_forgotten_item_are_due_at_their_own_time() {
    let mut ledger = with(&[(INBOX, backoff(0, 100)), (DRAFTS, backoff(0, 105))]);
    assert_eq!(ledger.next_deadline(), Some(at(105)), "both are due together");
    let effects = ledger.forget_item(MAIL, DRAFTS);
    assert_eq!(effects.last(), Some(&Effect::Wake), "the scheduler waits for a later time");
    assert_eq!(ledger.next_deadline(), Some(at(100)));
}

#[test]
fn items_that_waited_for_a_requested_item_are_due_at_their_own_time() {
    let mut ledger = with(&[(INBOX, backoff(0, 100)), (DRAFTS, backoff(0, 105))]);
    let (hold, effects) = ledger.select(MAIL, DRAFTS, &[], RequestedBy::User, at(50));
    assert_eq!((hold, effects), (None, vec![Effect::Wake]));
    assert_eq!(ledger.next_deadline(), Some(at(100)));
}

#[test]
fn items_that_waited_for_a_disabled_or_answered_item_are_due_at_their_own_time() {
    let leave: [fn(&mut RetryLedger) -> Vec<Effect>; 3] = [
        |ledger| ledger.disable(MAIL, Subject::Item(DRAFTS), Arc::from("broken")),
        |ledger| ledger.answer(MAIL, DRAFTS, Question::of_host("key", "again?", [Remedy::TryAgain], 0), 0),
        |ledger| ledger.answer(MAIL, DRAFTS, Question::of_host("key", "anew?", [Remedy::Reset], 0), 0),
    ];
    for leave in leave {
        let mut ledger = with(&[(INBOX, backoff(0, 100)), (DRAFTS, backoff(0, 105))]);
        assert_eq!(leave(&mut ledger).last(), Some(&Effect::Wake));
        assert_eq!(ledger.next_deadline(), Some(at(100)));
    }
}
