use super::*;

fn lifted(ledger: &mut RetryLedger, environment: &Environment) -> Vec<Start> {
    started(&ledger.tick(None, environment, at(0)))
}

fn lift(reason: StartReason, requested_by: RequestedBy, targets: Targets) -> Start {
    Start { reason, trigger: Trigger::Scheduled, requested_by, targets, changes: Vec::new(), latest: Generation::FIRST }
}

#[test]
fn a_held_run_starts_once_the_environment_allows_it() {
    let mut ledger = ledger();
    let origin = (RequestedBy::Automatic, StartReason::Requested);
    let held = ledger.begin(request(MAIL), origin, NEEDS_NETWORK, offline(), at(0));
    assert_eq!(held, (Some(Hold::Offline), vec![Effect::Wake]), "the environment may have changed since");
    assert!(ledger.has_pending());
    assert_eq!(lifted(&mut ledger, offline()), []);
    assert_eq!(
        lifted(&mut ledger, online()),
        [lift(StartReason::HoldLifted, RequestedBy::Automatic, handlers(&[MAIL]))]
    );
    assert_eq!(lifted(&mut ledger, online()), []);
    assert!(!ledger.has_pending());
}

#[test]
fn the_agenda_says_what_holds_a_run_now() {
    let mut ledger = ledger();
    let _ = begin(&mut ledger, request(MAIL), offline());
    let metered = Environment::UNKNOWN.with_network(Network::Metered);
    let hold_in = |environment: &Environment| ledger.agenda(environment, at(0)).remove(0).hold;
    assert_eq!(
        (hold_in(offline()), hold_in(&metered), hold_in(online())),
        (Some(Hold::Offline), Some(Hold::Metered), None)
    );
}

#[test]
fn a_held_run_keeps_its_trigger_its_items_and_its_origin() {
    let mut ledger = ledger();
    let manual = RunRequest::new(MAIL).with_items([INBOX]).with_trigger(Trigger::Manual);
    let _ = ledger.begin(manual, (RequestedBy::User, StartReason::Resumed), NEEDS_NETWORK, offline(), at(0));
    let targets = items(MAIL, &[INBOX]);
    let start = Start {
        reason: StartReason::Resumed,
        trigger: Trigger::Manual,
        requested_by: RequestedBy::User,
        targets,
        changes: Vec::new(),
        latest: Generation::FIRST,
    };
    assert_eq!(lifted(&mut ledger, online()), [start]);
}

#[test]
fn held_runs_of_a_handler_are_merged_into_one() {
    let mut ledger = ledger();
    let hold = |ledger: &mut RetryLedger, request, requested_by, reason| {
        let _ = ledger.begin(request, (requested_by, reason), NEEDS_NETWORK, offline(), at(0));
    };
    hold(&mut ledger, request(MAIL).with_items([INBOX]), RequestedBy::User, StartReason::Resumed);
    hold(&mut ledger, request(MAIL).with_items([DRAFTS]), RequestedBy::Automatic, StartReason::Resumed);
    let both = items(MAIL, &[INBOX, DRAFTS]);
    assert_eq!(lifted(&mut ledger, online()), [lift(StartReason::Resumed, RequestedBy::User, both)]);
    hold(&mut ledger, request(MAIL).with_items([INBOX]), RequestedBy::Automatic, StartReason::Resumed);
    hold(&mut ledger, request(MAIL), RequestedBy::Automatic, StartReason::Requested);
    assert_eq!(
        lifted(&mut ledger, online()),
        [lift(StartReason::HoldLifted, RequestedBy::Automatic, handlers(&[MAIL]))]
    );
    let _ = ledger.automatic_run_ended(MAIL);
    hold(&mut ledger, request(MAIL), RequestedBy::Automatic, StartReason::Requested);
    hold(&mut ledger, request(MAIL).with_items([INBOX]), RequestedBy::Automatic, StartReason::Requested);
    assert_eq!(lifted(&mut ledger, online())[0].targets, handlers(&[MAIL]), "the given items wait for its end");
}

#[test]
fn a_run_that_begins_removes_the_held_run_it_covers() {
    let mut ledger = ledger();
    let _ = begin(&mut ledger, request(MAIL), offline());
    assert_eq!(begin(&mut ledger, request(MAIL).with_items([INBOX]), online()), None);
    assert!(ledger.has_pending(), "a run of single items does not cover the preferred items");
    assert_eq!(begin(&mut ledger, request(MAIL), online()), None);
    assert!(!ledger.has_pending());
    assert_eq!(begin(&mut ledger, request(MAIL), online()), None);
}

#[test]
fn held_items_wait_until_each_of_them_runs() {
    let mut ledger = ledger();
    let _ = begin(&mut ledger, request(MAIL).with_items([INBOX, DRAFTS]), offline());
    assert_eq!(begin(&mut ledger, request(MAIL), online()), None);
    assert!(ledger.has_pending(), "the preferred items are not known yet");
    ledger.runs(PAGES, [INBOX, DRAFTS]);
    ledger.runs(MAIL, [INBOX]);
    assert_eq!(lifted(&mut ledger.clone(), online())[0].targets, items(MAIL, &[DRAFTS]));
    ledger.runs(MAIL, [DRAFTS]);
    assert!(!ledger.has_pending());
}

#[test]
fn the_items_of_a_run_that_begins_are_no_longer_held() {
    let mut ledger = ledger();
    let _ = begin(&mut ledger, request(MAIL).with_items([INBOX, DRAFTS]), offline());
    assert_eq!(begin(&mut ledger, request(MAIL).with_items([INBOX]), online()), None);
    assert_eq!(lifted(&mut ledger, online())[0].targets, items(MAIL, &[DRAFTS]));
}

#[test]
fn a_run_of_a_handler_that_backs_off_is_refused_and_not_held() {
    let mut ledger = with(&[(HANDLER_ITSELF, backoff(0, 30))]);
    let automatic = (RequestedBy::Automatic, StartReason::Requested);
    let (hold, effects) = ledger.begin(request(MAIL), automatic, NEEDS_NETWORK, online(), at(10));
    assert_eq!((hold, effects), (Some(Hold::BackingOff { until: at(30), failures: 1 }), Vec::new()));
    assert!(ledger.held.is_empty());
    let manual = (RequestedBy::User, StartReason::Requested);
    assert_eq!(ledger.begin(request(MAIL), manual, NEEDS_NETWORK, online(), at(10)).0, None);
}

#[test]
fn a_held_run_starts_although_its_handler_is_unregistered() {
    let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
    let _ = begin(&mut ledger, request(MAIL), offline());
    assert_eq!(lifted(&mut ledger, offline()).len(), 1);
}

#[test]
fn unregistering_a_handler_removes_its_held_run() {
    for remove in [RetryLedger::unregister, RetryLedger::retire] {
        let mut ledger = with(&[(INBOX, backoff(0, 30))]);
        let _ = begin(&mut ledger, request(MAIL), offline());
        remove(&mut ledger, MAIL);
        assert!(!ledger.has_pending());
    }
}

/// Returns the waiting runs that these effects store, if they do.
fn waiting(effects: &[Effect]) -> Option<Vec<RunRequest>> {
    let of_start = |effect: &Effect| match effect {
        Effect::Start(start) => start.changes.clone(),
        Effect::Write(change) => vec![change.clone()],
        _ => Vec::new(),
    };
    let changes = effects.iter().flat_map(of_start);
    changes.filter_map(|change| if let StateChange::Waiting { runs, .. } = change { Some(runs) } else { None }).last()
}

#[test]
fn an_automatic_run_that_waits_is_stored_until_it_starts() {
    let mut ledger = ledger();
    let run = request(MAIL).with_items([INBOX]);
    let _ = begin(&mut ledger, run.clone(), offline());
    assert_eq!(waiting(&ledger.store_waiting(MAIL, Generation::FIRST)), Some(vec![run]));
    assert_eq!(ledger.store_waiting(MAIL, Generation::FIRST), [], "it has not changed");
    assert_eq!(waiting(&ledger.tick(None, online(), at(0))), Some(vec![]), "with the start of its session");
    assert_eq!(ledger.store_waiting(MAIL, Generation::FIRST), []);
}

#[test]
fn a_stored_run_waits_after_the_next_registration() {
    let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
    let _ = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::new(), at(0));
    assert_eq!(ledger.restore_waiting(MAIL, vec![request(MAIL).with_items([INBOX])]), Some(Effect::Wake));
    assert_eq!(lifted(&mut ledger, offline()), []);
    assert_eq!(ledger.agenda(offline(), at(0))[0].hold, Some(Hold::Offline));
    let effects = ledger.tick(None, online(), at(0));
    assert_eq!((started(&effects)[0].targets.clone(), waiting(&effects)), (items(MAIL, &[INBOX]), Some(vec![])));
}

#[test]
fn a_run_that_a_person_requested_or_that_was_interrupted_is_not_stored() {
    let origins = [(RequestedBy::User, StartReason::Requested), (RequestedBy::Automatic, StartReason::Resumed)];
    for origin in origins {
        let mut ledger = ledger();
        let _ = ledger.begin(request(MAIL), origin, NEEDS_NETWORK, offline(), at(0));
        assert_eq!(ledger.store_waiting(MAIL, Generation::FIRST), []);
    }
}

#[test]
fn an_item_that_is_forgotten_no_longer_waits_in_the_store() {
    let mut ledger = ledger();
    let _ = begin(&mut ledger, request(MAIL).with_items([INBOX, DRAFTS]), offline());
    let _ = ledger.store_waiting(MAIL, Generation::FIRST);
    let effects = ledger.forget_item(MAIL, INBOX);
    assert_eq!(waiting(&effects), Some(vec![request(MAIL).with_items([DRAFTS])]));
}

#[test]
fn an_earlier_registration_stores_nothing_that_waits() {
    let mut ledger = ledger();
    let _ = begin(&mut ledger, request(MAIL), offline());
    assert_eq!(ledger.store_waiting(MAIL, Generation::default()), []);
    ledger.retire(MAIL);
    assert_eq!(ledger.store_waiting(MAIL, Generation::FIRST), []);
}

#[test]
fn a_run_without_items_does_not_wait_and_keeps_no_other_from_being_stored() {
    let mut ledger = ledger();
    assert_eq!(begin(&mut ledger, request(MAIL), offline()), Some(Hold::Offline));
    assert_eq!(begin(&mut ledger, request(MAIL).with_items([]), offline()), Some(Hold::Offline));
    let stored = ledger.store_waiting(MAIL, Generation::FIRST);
    let [Effect::Write(StateChange::Waiting { runs, .. })] = &stored[..] else { panic!("{stored:?}") };
    assert!(runs.len() == 1 && runs[0].check().is_ok(), "{runs:?}");
}

#[test]
fn a_run_without_items_that_is_held_does_not_start_later() {
    let mut ledger = with(&[]);
    let needs = Capabilities::NEEDS_NETWORK;
    let (hold, _) = ledger.begin(
        request(MAIL).with_items([]),
        (RequestedBy::User, StartReason::Requested),
        needs,
        offline(),
        at(0),
    );
    assert_eq!((hold, ledger.agenda(online(), at(1))), (Some(Hold::Offline), Vec::new()));
}
