use super::*;

#[test]
fn a_due_item_is_started_once() {
    let mut ledger = with(&[(INBOX, backoff(0, 30)), (DRAFTS, backoff(0, 40))]);
    assert_eq!(ledger.tick(None, &Environment::UNKNOWN, at(29)), []);
    let effects = ledger.tick(None, &Environment::UNKNOWN, at(30));
    assert_eq!(effects, [start(StartReason::Retry, items(MAIL, &[INBOX]))]);
    assert_eq!(ledger.tick(None, &Environment::UNKNOWN, at(30)), []);
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(ledger.next_deadline(), Some(at(40)));
}

#[test]
fn a_handler_has_one_automatic_run_that_takes_along_what_becomes_due() {
    let mut ledger = with(&[(INBOX, backoff(0, 30)), (DRAFTS, backoff(0, 40))]);
    let _ = ledger.tick(None, &Environment::UNKNOWN, at(30));
    assert_eq!((ledger.next_deadline(), ledger.tick(None, &Environment::UNKNOWN, at(50))), (None, vec![]));
    assert_eq!(ledger.take_along(MAIL, Generation::FIRST, at(50)), BTreeSet::from([DRAFTS]));
    assert_eq!(ledger.take_along(MAIL, Generation::FIRST, at(50)), BTreeSet::new());
    assert_eq!(ledger.automatic_run_ended(MAIL), []);
}

#[test]
fn an_item_that_is_due_during_the_automatic_run_starts_another_afterwards() {
    let mut ledger = with(&[(INBOX, backoff(0, 30)), (DRAFTS, backoff(0, 40))]);
    let _ = ledger.tick(None, &Environment::UNKNOWN, at(30));
    assert_eq!(ledger.automatic_run_ended(MAIL), [Effect::Wake]);
    let effects = ledger.tick(None, &Environment::UNKNOWN, at(40));
    assert_eq!(effects, [start(StartReason::Retry, items(MAIL, &[DRAFTS]))]);
}

#[test]
fn a_held_automatic_run_waits_for_the_automatic_run_of_its_handler() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let _ = ledger.tick(None, offline(), at(30));
    let origin = (RequestedBy::Automatic, StartReason::Requested);
    let _ = ledger.begin(request(MAIL), origin, NEEDS_NETWORK, offline(), at(31));
    assert_eq!(ledger.tick(None, online(), at(32)), []);
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(started(&ledger.tick(None, online(), at(32)))[0].reason, StartReason::HoldLifted);
}

#[test]
fn a_reconnect_during_an_automatic_run_leaves_the_items_to_that_run() {
    let mut ledger = with(&[(INBOX, backoff(0, 30)), (DRAFTS, backoff(0, 600))]);
    let _ = ledger.tick(None, offline(), at(30));
    assert_eq!(started(&ledger.environment_changed(offline(), online(), at(40))), []);
    assert_eq!(ledger.take_along(MAIL, Generation::FIRST, at(40)), BTreeSet::from([INBOX, DRAFTS]));
}

#[test]
fn a_flapping_network_reconnects_once_in_an_interval() {
    let mut ledger = with(&[(INBOX, backoff(0, 600))]).with_reconnect_interval(Duration::from_secs(5));
    assert_eq!(started(&ledger.environment_changed(offline(), online(), at(10))).len(), 1);
    let _ = ledger.automatic_run_ended(MAIL);
    let _ = ledger.ended(&attempted(INBOX, failed(), 11));
    assert_eq!(ledger.environment_changed(offline(), online(), at(11)), [Effect::Wake]);
    assert_eq!(ledger.environment_changed(offline(), online(), at(12)), [Effect::Wake]);
    assert_eq!(ledger.next_deadline(), Some(at(15)));
    assert_eq!(ledger.tick(None, online(), at(14)), []);
    assert_eq!(started(&ledger.tick(None, online(), at(15))).len(), 1);
    assert_eq!(ledger.tick(None, online(), at(15)), []);
}

#[test]
fn a_clock_that_is_set_back_ends_the_reconnect_interval() {
    let mut ledger = with(&[(INBOX, backoff(0, 600))]).with_reconnect_interval(Duration::from_secs(5));
    let _ = ledger.environment_changed(offline(), online(), at(10));
    assert!(begin(&mut ledger, request(MAIL), offline()).is_some());
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(started(&ledger.tick(None, online(), at(12))), [], "within the interval");
    assert_eq!(started(&ledger.tick(None, online(), at(9))).len(), 1);
}

#[test]
fn a_delayed_reconnect_keeps_a_backoff_that_began_after_the_network_was_back() {
    let mut ledger = with(&[(INBOX, backoff(0, 600))]).with_reconnect_interval(Duration::from_secs(5));
    let _ = ledger.environment_changed(offline(), online(), at(10));
    let _ = ledger.environment_changed(offline(), online(), at(11));
    let _ = ledger.automatic_run_ended(MAIL);
    let (after, _) = ledger.ended(&attempted(INBOX, failed(), 12));
    assert_eq!(ledger.tick(None, online(), at(15)), []);
    assert_eq!(ledger.state_of(MAIL, INBOX), after.as_ref());
}

/// The time of a retry state is that of its first failure.
#[test]
fn a_delayed_reconnect_keeps_the_backoff_of_an_item_that_has_failed_before() {
    let mut ledger = with(&[(DRAFTS, backoff(0, 600))]).with_reconnect_interval(Duration::from_secs(5));
    let _ = ledger.environment_changed(offline(), online(), at(10));
    let _ = ledger.automatic_run_ended(MAIL);
    let _ = ledger.environment_changed(offline(), online(), at(11));
    ledger.set(MAIL, INBOX, status(RetryStatus::NeedsUser), at(0));
    let (after, _) = ledger.ended(&attempted(INBOX, failed(), 12));
    assert_eq!(started(&ledger.tick(None, online(), at(15))), []);
    assert_eq!(ledger.state_of(MAIL, INBOX), after.as_ref());
}

#[test]
fn a_network_that_is_down_at_the_end_of_the_interval_does_not_reconnect() {
    let mut ledger = with(&[(INBOX, backoff(0, 600))]).with_reconnect_interval(Duration::from_secs(5));
    let _ = ledger.environment_changed(offline(), online(), at(10));
    let _ = ledger.automatic_run_ended(MAIL);
    let _ = ledger.ended(&attempted(INBOX, failed(), 11));
    let _ = ledger.environment_changed(offline(), online(), at(11));
    assert_eq!(ledger.tick(None, offline(), at(15)), []);
    assert_ne!(ledger.next_deadline(), Some(at(15)), "nothing waits for the interval any more");
}

#[test]
fn a_deadline_waited_for_is_reached_whatever_the_clock_says() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    assert_eq!(started(&ledger.tick(Some(at(30)), &Environment::UNKNOWN, at(3))).len(), 1);
    assert_eq!((ledger.time(at(3)), ledger.time(at(31))), (at(30), at(31)));
    let _ = ledger.tick(Some(at(20)), &Environment::UNKNOWN, at(3));
    assert_eq!(ledger.time(at(3)), at(30), "the time does not go back");
}

#[test]
fn a_handler_that_could_not_begin_gets_a_session_of_its_own() {
    let mut ledger = with(&[(HANDLER_ITSELF, backoff(0, 30)), (INBOX, backoff(0, 30))]);
    let states = BTreeMap::from([(DRAFTS, backoff(0, 30))]);
    let _ = ledger.register(PAGES, Generation::FIRST, Capabilities::default(), states, at(0));
    let effects = ledger.tick(None, &Environment::UNKNOWN, at(30));
    assert_eq!(
        effects,
        [start(StartReason::Retry, items(PAGES, &[DRAFTS])), start(StartReason::Retry, handlers(&[MAIL]))]
    );
}

#[test]
fn all_backoffs_end_when_the_network_is_back() {
    let not_before = RetryState::new(RetryStatus::NotBefore, at(0), Some(at(900)));
    let mut ledger = with_account(&[(INBOX, backoff(0, 600)), (DRAFTS, not_before)], backoff(0, 600));
    assert_eq!(ledger.environment_changed(online(), offline(), at(50)), []);
    let effects = ledger.environment_changed(offline(), online(), at(50));
    let cleared = StateChange::Retry { handler: MAIL, item: INBOX, retry: None };
    let resource = StateChange::Resource { claim: account(), retry: None };
    let started = start(StartReason::Retry, items(MAIL, &[INBOX]));
    assert_eq!(effects, [Effect::Write(cleared), Effect::Write(resource), started]);
    assert_eq!((ledger.state_of(MAIL, INBOX), ledger.state_of(MAIL, DRAFTS)), (None, Some(&not_before)));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(ledger.next_deadline(), Some(at(900)));
    assert!(ledger.resources.is_empty());
}

#[test]
fn a_not_before_time_of_a_resource_outlasts_a_reconnect() {
    let not_before = RetryState::new(RetryStatus::NotBefore, at(0), Some(at(900)));
    let mut ledger = with_account(&[], not_before);
    assert_eq!(ledger.environment_changed(offline(), online(), at(50)), []);
    assert_eq!(ledger.resources.get(&account()), Some(&not_before));
}

#[test]
fn a_reconnect_clears_nothing_of_a_retired_handler() {
    let mut ledger = with(&[(INBOX, backoff(0, 600))]);
    ledger.retire(MAIL);
    assert_eq!(ledger.environment_changed(offline(), online(), at(50)), []);
    assert_eq!(ledger.state_of(MAIL, INBOX), Some(&backoff(0, 600)));
}

#[test]
fn a_state_from_the_future_starts_its_wait_now() {
    let mut ledger = ledger();
    let states = BTreeMap::from([(INBOX, backoff(500, 530)), (DRAFTS, status(RetryStatus::Permanent))]);
    let effects = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, states, at(100));
    assert_eq!(effects, [Effect::Wake]);
    assert_eq!(ledger.state_of(MAIL, INBOX), Some(&backoff(100, 130)));
    assert_eq!(ledger.state_of(MAIL, DRAFTS), Some(&status(RetryStatus::Permanent)));
    assert_eq!(ledger.next_deadline(), Some(at(130)));
    let _ = ledger.restore(BTreeMap::from([(account(), backoff(500, 530))]), Vec::new(), at(100));
    assert_eq!(ledger.resources.get(&account()), Some(&backoff(100, 130)));
}

#[test]
fn registering_a_handler_with_nothing_pending_has_no_effect() {
    let mut ledger = RetryLedger::new(Resume::Immediately);
    assert_eq!(ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::new(), at(0)), []);
    assert!(!ledger.has_pending());
}

#[test]
fn registering_a_retired_handler_makes_its_items_due_again() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    ledger.retire(MAIL);
    let _ = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::from([(INBOX, backoff(0, 30))]), at(0));
    assert_eq!(started(&ledger.tick(None, &Environment::UNKNOWN, at(30))).len(), 1);
}

#[test]
fn an_automatic_run_takes_along_nothing_of_a_later_registration() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let _ = ledger.tick(None, online(), at(30));
    ledger.retire(MAIL);
    let _ = ledger.register(MAIL, Generation::FIRST.next(), NEEDS_NETWORK, BTreeMap::new(), at(30));
    assert_eq!(ledger.take_along(MAIL, Generation::FIRST, at(40)), BTreeSet::new());
    assert_eq!(ledger.tick(None, online(), at(40)), [], "the old automatic run is still active");
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(started(&ledger.tick(None, online(), at(40)))[0].targets, items(MAIL, &[INBOX]));
}

#[test]
fn a_forgotten_handler_has_no_automatic_run() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let _ = ledger.tick(None, online(), at(30));
    let _ = ledger.forget(MAIL, Vec::new(), at(31));
    let states = BTreeMap::from([(INBOX, backoff(31, 32))]);
    let _ = ledger.register(MAIL, Generation::FIRST.next(), NEEDS_NETWORK, states, at(31));
    assert_eq!(started(&ledger.tick(None, online(), at(40)))[0].targets, items(MAIL, &[INBOX]));
}

#[test]
fn the_network_starts_a_run_of_the_handlers_that_are_registered_for_it() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    assert_eq!(ledger.set_events(MAIL, RegisterFlags::CONNECT), Some(Effect::Wake));
    let effects = ledger.environment_changed(offline(), online(), at(10));
    let start = Start {
        reason: StartReason::HoldLifted,
        trigger: Trigger::Connect,
        requested_by: RequestedBy::Automatic,
        targets: Targets::Handlers([MAIL].into()),
        changes: Vec::new(),
        latest: Generation::FIRST,
    };
    let cleared = StateChange::Retry { handler: MAIL, item: INBOX, retry: None };
    assert_eq!(effects, [Effect::Write(cleared), Effect::Start(start)]);
    assert_eq!(
        ledger.take_along(MAIL, Generation::FIRST, at(10)),
        [INBOX].into(),
        "the run takes the item whose backoff has ended"
    );
}

#[test]
fn the_network_starts_a_run_once_the_automatic_run_of_the_handler_has_ended() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let _ = ledger.set_events(MAIL, RegisterFlags::CONNECT);
    assert_eq!(started(&ledger.tick(None, online(), at(30))).len(), 1);
    assert_eq!(started(&ledger.environment_changed(offline(), online(), at(31))), []);
    assert_eq!(ledger.automatic_run_ended(MAIL), [Effect::Wake]);
    assert_eq!(started(&ledger.tick(None, online(), at(32)))[0].trigger, Trigger::Connect);
    assert_eq!(ledger.take_along(MAIL, Generation::FIRST, at(32)), [INBOX].into());
    let _ = ledger.set_events(MAIL, RegisterFlags::IDLE);
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(started(&ledger.environment_changed(offline(), online(), at(60))), []);
}

#[test]
fn an_item_that_is_no_longer_listed_is_due_again_once_it_is_listed() {
    let mut ledger = with(&[(INBOX, backoff(0, 30)), (DRAFTS, backoff(0, 40))]);
    let _ = ledger.listed(MAIL, Generation::FIRST, at(0), |item| item == DRAFTS);
    assert_eq!(ledger.next_deadline(), Some(at(40)));
    let _ = ledger.listed(MAIL, Generation::FIRST, at(0), |_| true);
    assert_eq!(ledger.next_deadline(), Some(at(30)));
    let _ = ledger.tick(None, online(), at(30));
    let _ = ledger.listed(MAIL, Generation::FIRST, at(0), |item| item == DRAFTS);
    assert_eq!(ledger.next_deadline(), None, "the run has taken the item, and an automatic run is active");
    let _ = ledger.automatic_run_ended(MAIL);
    let _ = ledger.listed(MAIL, Generation::FIRST, at(0), |_| true);
    assert_eq!(ledger.next_deadline(), Some(at(30)));
}

#[test]
fn a_listing_of_an_earlier_registration_settles_nothing() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    assert_eq!(ledger.listed(MAIL, Generation::FIRST.next(), at(0), |_| false), []);
    assert_eq!(ledger.next_deadline(), Some(at(30)));
}

#[test]
fn the_agenda_has_the_runs_of_a_delayed_reconnect() {
    let mut ledger = ledger().with_reconnect_interval(Duration::from_secs(5));
    let _ = ledger.set_events(MAIL, RegisterFlags::CONNECT);
    assert_eq!(ledger.environment_changed(offline(), online(), at(1)).len(), 1);
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(ledger.agenda(online(), at(2)), []);
    let _ = ledger.environment_changed(offline(), online(), at(2));
    let agenda = ledger.agenda(online(), at(2));
    let shown: Vec<_> = agenda.iter().map(|entry| (entry.handler, entry.next)).collect();
    assert_eq!(shown, [(MAIL, crate::explain::Next::At { time: at(6) })]);
}
