use super::*;

fn reason() -> Arc<str> {
    Arc::from("travelling")
}

fn hold() -> Option<Hold> {
    Some(Hold::Disabled { reason: reason() })
}

fn select(ledger: &mut RetryLedger, item: ItemId, requested_by: RequestedBy) -> Option<Hold> {
    ledger.select(MAIL, item, &[], requested_by, at(50)).0
}

#[test]
fn a_disabled_item_is_held_in_every_session_and_the_others_run() {
    let mut ledger = ledger();
    let _ = ledger.disable(MAIL, Subject::Item(INBOX), reason());
    for requested_by in [RequestedBy::Automatic, RequestedBy::User, RequestedBy::UserForced] {
        assert_eq!(select(&mut ledger, INBOX, requested_by), hold());
        assert_eq!(select(&mut ledger, DRAFTS, requested_by), None);
    }
    assert_eq!(begin(&mut ledger, request(MAIL), online()), None);
}

#[test]
fn a_disabled_handler_is_held_with_its_items() {
    let mut ledger = ledger();
    let _ = ledger.disable(MAIL, Subject::Handler, reason());
    assert_eq!(begin(&mut ledger, request(MAIL), online()), hold());
    assert_eq!(select(&mut ledger, INBOX, RequestedBy::UserForced), hold());
    assert_eq!(begin(&mut ledger, request(PAGES), online()), None);
}

#[test]
fn a_due_item_starts_only_once_it_is_enabled() {
    for subject in [Subject::Handler, Subject::Item(INBOX)] {
        let mut ledger = with(&[(INBOX, backoff(0, 30))]);
        let _ = ledger.disable(MAIL, subject, reason());
        assert_eq!((ledger.next_deadline(), ledger.tick(None, online(), at(50))), (None, Vec::new()));
        assert!(ledger.enable(MAIL, subject, at(50)).contains(&Effect::Wake));
        assert_eq!(ledger.tick(None, online(), at(50)), [start(StartReason::Retry, items(MAIL, &[INBOX]))]);
    }
}

#[test]
fn an_item_of_a_disabled_handler_stays_disabled_by_itself() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let _ = ledger.disable(MAIL, Subject::Item(INBOX), reason());
    let _ = ledger.disable(MAIL, Subject::Handler, Arc::from("moved"));
    let _ = ledger.enable(MAIL, Subject::Handler, at(50));
    assert_eq!(ledger.tick(None, online(), at(50)), []);
    assert_eq!(select(&mut ledger, INBOX, RequestedBy::User), hold());
}

#[test]
fn a_failure_of_a_disabled_item_does_not_make_it_due() {
    let mut ledger = ledger();
    let _ = ledger.disable(MAIL, Subject::Item(INBOX), reason());
    let _ = ledger.ended(&attempted(INBOX, failed(), 0));
    assert_eq!(ledger.next_deadline(), None);
    let _ = ledger.enable(MAIL, Subject::Item(INBOX), at(50));
    assert_eq!(ledger.next_deadline(), Some(at(30)));
}

#[test]
fn a_reconnect_starts_no_disabled_item_before_it_is_enabled() {
    let mut ledger = with(&[(INBOX, backoff(0, 300))]);
    let _ = ledger.disable(MAIL, Subject::Item(INBOX), reason());
    assert_eq!(ledger.environment_changed(offline(), online(), at(50)), []);
    let _ = ledger.enable(MAIL, Subject::Item(INBOX), at(50));
    assert_eq!(ledger.next_deadline(), Some(at(300)));
}

#[test]
fn a_held_run_of_a_disabled_handler_waits_until_it_is_enabled() {
    for (subject, request) in
        [(Subject::Handler, request(MAIL)), (Subject::Item(INBOX), request(MAIL).with_items([INBOX]))]
    {
        let mut ledger = ledger();
        assert_eq!(begin(&mut ledger, request, offline()), Some(Hold::Offline));
        let _ = ledger.disable(MAIL, subject, reason());
        assert_eq!(ledger.tick(None, online(), at(50)), []);
        let _ = ledger.enable(MAIL, subject, at(50));
        assert_eq!(started(&ledger.tick(None, online(), at(50))).len(), 1);
    }
}

#[test]
fn a_disabled_item_of_a_held_run_waits_until_it_is_enabled() {
    let mut ledger = ledger();
    let _ = begin(&mut ledger, request(MAIL).with_items([INBOX, DRAFTS]), offline());
    let _ = ledger.disable(MAIL, Subject::Item(INBOX), reason());
    assert_eq!(started(&ledger.tick(None, online(), at(50)))[0].targets, items(MAIL, &[DRAFTS]));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(ledger.tick(None, online(), at(50)), []);
    let _ = ledger.enable(MAIL, Subject::Item(INBOX), at(50));
    assert_eq!(started(&ledger.tick(None, online(), at(50)))[0].targets, items(MAIL, &[INBOX]));
}

#[test]
fn a_run_whose_handler_is_disabled_before_it_begins_waits_until_it_is_enabled() {
    for reason_of_run in [StartReason::Scheduled, StartReason::HoldLifted] {
        let mut ledger = ledger();
        let _ = ledger.disable(MAIL, Subject::Handler, reason());
        let origin = (RequestedBy::Automatic, reason_of_run);
        let (held, _) = ledger.begin(request(MAIL).with_items([INBOX]), origin, NEEDS_NETWORK, online(), at(0));
        assert_eq!((held, ledger.tick(None, online(), at(50))), (hold(), vec![]));
        let _ = ledger.enable(MAIL, Subject::Handler, at(50));
        assert_eq!(started(&ledger.tick(None, online(), at(50)))[0].targets, items(MAIL, &[INBOX]));
    }
}

#[test]
fn a_requested_run_of_a_disabled_handler_does_not_wait() {
    let mut ledger = ledger();
    let _ = ledger.disable(MAIL, Subject::Handler, reason());
    assert_eq!(begin(&mut ledger, request(MAIL), online()), hold());
    let _ = ledger.enable(MAIL, Subject::Handler, at(50));
    assert_eq!(ledger.tick(None, online(), at(50)), []);
}

#[test]
fn an_interrupted_run_of_a_disabled_handler_is_resumed_once_enabled() {
    let record = SessionRecord::new(SessionId(7), Uuid::nil(), Trigger::Manual, at(0), vec![request(MAIL)]);
    let mut ledger = RetryLedger::new(Resume::Immediately);
    let _ = ledger.restore(BTreeMap::new(), vec![record], at(50));
    ledger.load_disabled(MAIL, BTreeMap::from([(Subject::Handler, reason())]));
    let _ = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::new(), at(50));
    assert_eq!(ledger.tick(None, online(), at(50)), []);
    let _ = ledger.enable(MAIL, Subject::Handler, at(50));
    assert_eq!(ledger.tick(None, online(), at(50)), [start(StartReason::Resumed, handlers(&[MAIL]))]);
}

#[test]
fn a_disabled_item_of_a_resumed_run_is_resumed_once_enabled() {
    let record = SessionRecord::new(SessionId(7), Uuid::nil(), Trigger::Manual, at(0), vec![request(MAIL)]);
    let mut ledger = RetryLedger::new(Resume::Immediately);
    let _ = ledger.restore(BTreeMap::new(), vec![record], at(50));
    let _ = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::new(), at(50));
    let _ = ledger.disable(MAIL, Subject::Item(INBOX), reason());
    assert_eq!(started(&ledger.tick(None, online(), at(50))).len(), 1);
    let unfinished = BTreeSet::from([INBOX, DRAFTS]);
    assert_eq!(ledger.finished(MAIL, &[SessionId(7)], &unfinished, at(50)), []);
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(ledger.tick(None, online(), at(50)), []);
    let left =
        InterruptedRun { session: SessionId(7), items: Some(Arc::new(BTreeSet::from([INBOX]))), schedules: None };
    assert_eq!(ledger.interrupted(MAIL), [left]);
    let _ = ledger.enable(MAIL, Subject::Item(INBOX), at(50));
    assert_eq!(ledger.tick(None, online(), at(50)), [start(StartReason::Resumed, handlers(&[MAIL]))]);
}

#[test]
fn a_loaded_reason_holds_items_that_are_due_at_registration() {
    let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
    ledger.load_disabled(MAIL, BTreeMap::from([(Subject::Item(INBOX), reason())]));
    let _ = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::from([(INBOX, backoff(0, 30))]), at(0));
    assert_eq!(ledger.next_deadline(), None);
    assert_eq!(select(&mut ledger, INBOX, RequestedBy::User), hold());
}

#[test]
fn disabled_subjects_are_listed_and_described_until_forgotten() {
    let mut ledger = ledger();
    let _ = ledger.disable(MAIL, Subject::Item(INBOX), reason());
    let held = Held::new(MAIL, Hold::Disabled { reason: reason() }).with_item(INBOX);
    assert_eq!(ledger.disabled(), [held]);
    let mut known = Known::of(MAIL).with_item(INBOX);
    ledger.describe(&mut known, (&[], &Requirements::NONE), online(), at(50));
    assert_eq!(known.other_holds, Vec::from_iter(hold()));
    let _ = ledger.forget_item(MAIL, INBOX);
    assert_eq!(ledger.disabled(), []);
    assert!(ledger.is_clean(MAIL));
}

#[test]
fn a_run_that_waits_for_a_disabled_item_makes_no_other_item_due() {
    let mut ledger = ledger();
    let _ = begin(&mut ledger, request(MAIL).with_items([INBOX]), offline());
    let _ = ledger.disable(MAIL, Subject::Item(INBOX), reason());
    for mut known in [Known::of(MAIL), Known::of(MAIL).with_item(DRAFTS)] {
        ledger.describe(&mut known, (&[], &Requirements::NONE), online(), at(50));
        assert_eq!(known.due, None, "{known:?}");
    }
}
