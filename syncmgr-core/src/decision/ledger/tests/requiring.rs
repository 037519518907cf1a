use super::*;
use crate::environment::Power;

fn on(power: Power) -> Environment {
    online().clone().with_power(power)
}

fn run_of(item: ItemId, requirement: Requirement) -> HeldRun {
    let origin = (RequestedBy::Automatic, StartReason::Requested);
    HeldRun::new(request(MAIL).with_items([item]), origin).with_requirements(Requirements::NONE.with(requirement))
}

fn check(ledger: &mut RetryLedger, item: ItemId, requirement: Requirement, environment: &Environment) -> Option<Hold> {
    ledger.check_requirements((item, RequestedBy::Automatic), run_of(item, requirement), environment, at(0)).0
}

#[test]
fn an_item_whose_requirement_is_not_met_starts_once_it_is() {
    let mut ledger = ledger();
    for item in [INBOX, DRAFTS] {
        assert_eq!(check(&mut ledger, item, Requirement::Mains, &on(Power::Battery)), Some(Hold::OnBattery));
    }
    assert_eq!(started(&ledger.tick(None, &on(Power::Battery), at(1))), []);
    let both = started(&ledger.tick(None, &on(Power::Mains), at(2)));
    assert_eq!((both.len(), &both[0].targets), (1, &items(MAIL, &[INBOX, DRAFTS])));
    assert!(!ledger.has_pending());
}

#[test]
fn items_with_different_requirements_start_one_after_the_other() {
    let mut ledger = ledger();
    let train = on(Power::Battery).with_network(Network::Metered);
    assert_eq!(check(&mut ledger, INBOX, Requirement::Mains, &train), Some(Hold::OnBattery));
    assert_eq!(check(&mut ledger, DRAFTS, Requirement::UnmeteredNetwork, &train), Some(Hold::Metered));
    assert_eq!(started(&ledger.tick(None, &on(Power::Battery), at(1)))[0].targets, items(MAIL, &[DRAFTS]));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(started(&ledger.tick(None, &on(Power::Mains), at(2)))[0].targets, items(MAIL, &[INBOX]));
}

#[test]
fn an_item_that_runs_on_request_no_longer_waits_for_its_requirement() {
    let mut ledger = ledger();
    let _ = check(&mut ledger, INBOX, Requirement::Mains, &on(Power::Battery));
    let requested = HeldRun { requested_by: RequestedBy::User, ..run_of(INBOX, Requirement::Mains) };
    assert_eq!(ledger.check_requirements((INBOX, RequestedBy::User), requested, &on(Power::Battery), at(0)).0, None);
    ledger.runs(MAIL, [INBOX]);
    assert!(!ledger.has_pending());
}

#[test]
fn a_due_item_waits_for_its_requirement_and_not_for_the_retry_queue() {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]);
    let battery = on(Power::Battery);
    let backs_off = Hold::BackingOff { until: at(30), failures: 1 };
    assert_eq!(check(&mut ledger, INBOX, Requirement::Mains, &battery), None, "{backs_off} comes first");
    let _ = ledger.tick(None, &battery, at(30));
    let (hold, _) =
        ledger.check_requirements((INBOX, RequestedBy::Automatic), run_of(INBOX, Requirement::Mains), &battery, at(30));
    assert_eq!(hold, Some(Hold::OnBattery));
    let lists = |_| true;
    assert_eq!(ledger.postpone_missed(MAIL, StartReason::Retry, &POLICY, lists, at(30)), []);
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!((started(&ledger.tick(None, &battery, at(90))), ledger.next_deadline()), (vec![], None));
    assert_eq!(started(&ledger.tick(None, &on(Power::Mains), at(91)))[0].targets, items(MAIL, &[INBOX]));
}

#[test]
fn an_item_with_contradictory_requirements_never_starts_by_itself() {
    let mut ledger = ledger();
    let mut run = run_of(INBOX, Requirement::IdleUser);
    run.requirements = run.requirements.with(Requirement::ActiveUser);
    let (hold, _) = ledger.check_requirements((INBOX, RequestedBy::Automatic), run, &Environment::UNKNOWN, at(0));
    assert_eq!((hold, ledger.has_pending()), (Some(Hold::Contradictory), false));
}

#[test]
fn the_requirement_that_an_item_waits_for_is_described() {
    let (mut ledger, battery) = (ledger(), on(Power::Battery));
    let _ = check(&mut ledger, INBOX, Requirement::Mains, &battery);
    let holds = |known: Known, requirements: &Requirements| {
        let mut known = known;
        ledger.describe(&mut known, (&[], requirements), &battery, at(0));
        known.other_holds
    };
    let mains = Requirements::NONE.with(Requirement::Mains);
    assert_eq!(holds(Known::of(MAIL).with_item(INBOX), &mains), [Hold::OnBattery]);
    assert_eq!(holds(Known::of(MAIL).with_item(DRAFTS), &mains), [], "it is not due");
    assert_eq!(holds(Known::of(MAIL), &Requirements::NONE), []);
    let never = Requirements::NONE.with(Requirement::IdleUser).with(Requirement::ActiveUser);
    assert_eq!(holds(Known::of(MAIL).with_item(DRAFTS), &never), [Hold::Contradictory]);
}

#[test]
fn a_handler_whose_requirement_is_not_met_starts_once_it_is() {
    let mut ledger = ledger();
    let requirements = Requirements::NONE.with(Requirement::Mains);
    let needs = Needs { capabilities: Capabilities::default(), requirements };
    let _ = ledger.register(PAGES, Generation::FIRST.next(), needs.clone(), BTreeMap::new(), at(0));
    let origin = (RequestedBy::Automatic, StartReason::Requested);
    let (hold, _) = ledger.begin(request(PAGES), origin, needs, &on(Power::Battery), at(0));
    assert_eq!(hold, Some(Hold::OnBattery));
    assert_eq!(started(&ledger.tick(None, &on(Power::Battery), at(1))), []);
    assert_eq!(started(&ledger.tick(None, &on(Power::Mains), at(1))).len(), 1);
}

#[test]
fn an_interrupted_item_waits_for_its_requirement() {
    let mut ledger = with(&[(INBOX, RetryState::new(RetryStatus::Interrupted, at(0), Some(at(30))))]);
    let origin = (INBOX, RequestedBy::User);
    let run = run_of(INBOX, Requirement::Mains);
    let (hold, _) = ledger.check_requirements(origin, run, &on(Power::Battery), at(0));
    assert_eq!(hold, Some(Hold::OnBattery), "it continues at once, but not on battery");
}
