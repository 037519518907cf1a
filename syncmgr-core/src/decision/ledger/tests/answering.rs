use super::*;

fn question(remedies: &[Remedy]) -> Question {
    Question::of_host("key", "go on?", remedies.iter().cloned(), 5)
}

fn plain_question() -> Question {
    Question::new("key", "which?", ["this".into(), "that".into()])
}

fn deleted() -> Effect {
    let error = ErrorId::of_question(INBOX, "key");
    Effect::Write(StateChange::LogDeleted { handler: MAIL, scope: ErrorScope::One(error) })
}

fn cleared() -> Effect {
    Effect::Write(StateChange::Retry { handler: MAIL, item: INBOX, retry: None })
}

#[test]
fn an_answer_that_refuses_changes_nothing() {
    let mut ledger = with(&[(INBOX, status(RetryStatus::NeedsUser))]);
    let question = question(&[Remedy::Refuse]);
    assert_eq!(ledger.answer(MAIL, INBOX, question.clone(), 0), []);
    assert_eq!(ledger.answer_to(MAIL, INBOX, &question), None);
    assert!(ledger.state_of(MAIL, INBOX).is_some());
}

#[test]
fn the_host_carries_out_its_remedies_and_deletes_the_log_entry() {
    let reset = Effect::Write(StateChange::Reset { handler: MAIL, item: INBOX });
    for (remedy, change) in [(Remedy::Reset, reset), (Remedy::TryAgain, cleared())] {
        let mut ledger = with(&[(INBOX, backoff(0, 30))]);
        let question = question(&[remedy]);
        assert_eq!(ledger.answer(MAIL, INBOX, question.clone(), 0), [deleted(), change]);
        assert_eq!((ledger.state_of(MAIL, INBOX), ledger.next_deadline()), (None, None));
        assert_eq!(ledger.answer_to(MAIL, INBOX, &question), None, "the answer is not stored");
    }
}

#[test]
fn any_other_answer_is_stored_with_its_question() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let question = plain_question();
    let answered = StateChange::Answered { handler: MAIL, item: INBOX, question: question.clone(), choice: 1 };
    assert_eq!(ledger.answer(MAIL, INBOX, question.clone(), 1), [deleted(), Effect::Write(answered)]);
    assert_eq!(ledger.answer_to(MAIL, INBOX, &question), Some(Some(1)));
    let changed = Question::new("key", "which now?", ["this".into(), "that".into()]);
    assert_eq!(ledger.answer_to(MAIL, INBOX, &changed), Some(None));
    assert_eq!(ledger.answer_to(MAIL, DRAFTS, &question), None);
    assert!(ledger.state_of(MAIL, INBOX).is_some(), "the backoff continues");
}

#[test]
fn an_answer_ends_the_wait_of_its_item() {
    let mut ledger = with(&[(INBOX, status(RetryStatus::NeedsUser))]);
    let effects = ledger.answer(MAIL, INBOX, plain_question(), 0);
    assert_eq!(effects.last(), Some(&cleared()));
    assert_eq!(ledger.state_of(MAIL, INBOX), None);
}

#[test]
fn used_and_forgotten_answers_are_removed() {
    let question = plain_question();
    let answered = || {
        let mut ledger = ledger();
        for (handler, item) in [(MAIL, INBOX), (MAIL, DRAFTS), (PAGES, INBOX)] {
            let _ = ledger.answer(handler, item, question.clone(), 0);
        }
        ledger
    };
    let left = |ledger: &RetryLedger| {
        [(MAIL, INBOX), (MAIL, DRAFTS), (PAGES, INBOX)]
            .map(|(handler, item)| ledger.answer_to(handler, item, &question).is_some())
    };
    let mut ledger = answered();
    ledger.consume_answers(MAIL, INBOX, &[Arc::from("other")]);
    assert_eq!(left(&ledger), [true, true, true]);
    ledger.consume_answers(MAIL, INBOX, std::slice::from_ref(&question.key));
    assert_eq!(left(&ledger), [false, true, true]);
    let mut ledger = answered();
    let _ = ledger.forget_item(MAIL, INBOX);
    assert_eq!(left(&ledger), [false, true, true]);
    let _ = ledger.forget(MAIL, Vec::new(), at(0));
    assert_eq!(left(&ledger), [false, false, true]);
}
