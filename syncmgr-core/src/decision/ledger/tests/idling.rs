use super::*;
use crate::environment::Presence;

const DELAY: Duration = Duration::from_secs(300);

/// A ledger whose mail handler runs when the user is idle.
fn idling() -> RetryLedger {
    let mut ledger = ledger().with_idle_delay(DELAY);
    assert_eq!(ledger.set_events(MAIL, RegisterFlags::IDLE), Some(Effect::Wake));
    ledger
}

fn idle_since(seconds: u64) -> Environment {
    Environment::UNKNOWN.with_user(Presence::Present).with_idle_since(at(seconds))
}

fn present() -> Environment {
    Environment::UNKNOWN.with_user(Presence::Present)
}

fn triggers(effects: &[Effect]) -> Vec<Trigger> {
    started(effects).iter().map(|start| start.trigger).collect()
}

#[test]
fn an_idle_period_begins_once_the_user_has_been_idle_for_the_delay() {
    let mut ledger = idling();
    assert_eq!(triggers(&ledger.tick(None, &idle_since(10), at(20))), []);
    assert_eq!(ledger.next_deadline(), Some(at(310)));
    let effects = ledger.tick(None, &idle_since(10), at(310));
    assert_eq!((triggers(&effects), effects.contains(&Effect::CheckRuns)), (vec![Trigger::Idle], true));
    assert_eq!(started(&effects)[0].targets, handlers(&[MAIL]), "the other one is not registered for it");
}

#[test]
fn a_handler_runs_once_in_an_idle_period() {
    let mut ledger = idling();
    assert_eq!(triggers(&ledger.tick(None, &idle_since(10), at(400))), [Trigger::Idle]);
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(triggers(&ledger.tick(None, &idle_since(10), at(9_000))), []);
    assert_eq!(ledger.next_deadline(), None);
    let _ = ledger.tick(None, &present(), at(9_001));
    assert_eq!(triggers(&ledger.tick(None, &idle_since(9_100), at(9_399))), []);
    assert_eq!(triggers(&ledger.tick(None, &idle_since(9_100), at(9_400))), [Trigger::Idle]);
}

#[test]
fn a_later_idleness_is_a_new_period_although_no_return_was_reported() {
    let mut ledger = idling();
    let _ = ledger.tick(None, &idle_since(10), at(400));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(triggers(&ledger.tick(None, &idle_since(500), at(600))), []);
    assert_eq!(triggers(&ledger.tick(None, &idle_since(500), at(800))), [Trigger::Idle]);
}

#[test]
fn an_absent_user_is_idle_at_once() {
    let absent = Environment::UNKNOWN.with_user(Presence::Absent);
    assert_eq!(triggers(&idling().tick(None, &absent, at(1))), [Trigger::Idle]);
    assert_eq!(triggers(&idling().tick(None, &Environment::UNKNOWN, at(1_000))), [], "nothing is known");
}

#[test]
fn a_run_for_an_idle_user_stops_when_the_user_returns_and_goes_on_later() {
    let mut ledger = idling();
    let _ = ledger.tick(None, &idle_since(10), at(310));
    let stops = |ledger: &RetryLedger, environment: &Environment, now| {
        ledger.stops(Capabilities::default().into(), (Trigger::Idle, ConditionPolicy::Finish), environment, at(now))
    };
    assert_eq!(stops(&ledger, &idle_since(10), 400), None);
    assert_eq!(stops(&ledger, &present(), 401), Some(Hold::UserActive));
    assert_eq!(stops(&ledger, &idle_since(390), 402), Some(Hold::UserActive), "the user was back for a moment");
    let origin = (RequestedBy::Automatic, StartReason::HoldLifted);
    let rest = HeldRun::new(request(MAIL).with_trigger(Trigger::Idle).with_items([INBOX]), origin);
    let _ = ledger.set_aside(rest.with_hold(Hold::UserActive));
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(triggers(&ledger.tick(None, &present(), at(403))), []);
    assert_eq!(triggers(&ledger.tick(None, &idle_since(500), at(800))), [Trigger::Idle]);
}

#[test]
fn a_source_that_reports_only_idleness_reports_a_return_by_its_absence() {
    let mut ledger = idling();
    let only_idle = Environment::UNKNOWN.with_idle_since(at(10));
    let stops = |ledger: &RetryLedger| {
        let terms = (Trigger::Idle, ConditionPolicy::Finish);
        ledger.stops(Capabilities::default().into(), terms, &Environment::UNKNOWN, at(400))
    };
    assert_eq!(stops(&ledger), None, "nothing was ever reported");
    let _ = ledger.tick(None, &only_idle, at(310));
    assert_eq!(stops(&ledger), Some(Hold::UserActive));
}

#[test]
fn a_held_run_for_an_idle_user_does_not_delay_another_run_of_its_handler() {
    let mut ledger = idling();
    let on_battery = |environment: Environment| environment.with_power(crate::environment::Power::Battery);
    assert_eq!(triggers(&ledger.tick(None, &on_battery(idle_since(10)), at(310))), []);
    let _ = begin(&mut ledger, request(MAIL), offline());
    assert_eq!(triggers(&ledger.tick(None, &on_battery(present()), at(400))), [Trigger::Scheduled]);
}

#[test]
fn a_run_for_an_event_at_which_its_handler_no_longer_runs_does_not_start() {
    let mut ledger = idling();
    let _ = ledger.set_events(MAIL, RegisterFlags::IDLE);
    let on_battery = idle_since(10).with_power(crate::environment::Power::Battery);
    assert_eq!(triggers(&ledger.tick(None, &on_battery, at(310))), []);
    assert!(!ledger.clone().agenda(&on_battery, at(310)).is_empty());
    let _ = ledger.set_events(MAIL, RegisterFlags::CONNECT);
    assert_eq!(triggers(&ledger.tick(None, &idle_since(10), at(311))), []);
}

#[test]
fn a_run_with_a_requested_trigger_starts_whatever_the_events_of_its_handler() {
    let mut ledger = ledger();
    let _ = begin(&mut ledger, request(MAIL).with_trigger(Trigger::Connect), offline());
    let _ = ledger.set_events(MAIL, RegisterFlags::empty());
    assert_eq!(triggers(&ledger.tick(None, online(), at(1))), [Trigger::Connect]);
}

#[test]
fn a_run_that_may_start_at_any_time_covers_the_one_for_an_idle_user() {
    let mut ledger = ledger();
    let _ = begin(&mut ledger, request(MAIL).with_trigger(Trigger::Idle), offline());
    let _ = begin(&mut ledger, request(MAIL), offline());
    assert_eq!(triggers(&ledger.tick(None, online(), at(1))), [Trigger::Scheduled]);
    assert!(ledger.held.is_empty());
}

#[test]
fn a_requirement_of_an_idle_user_is_met_after_the_delay() {
    let ledger = idling();
    let needs = Requirements::NONE.with(Requirement::IdleUser);
    assert_eq!(ledger.unmet(&needs, &idle_since(10), at(309)), Some(Hold::UserActive));
    assert_eq!(ledger.unmet(&needs, &idle_since(10), at(310)), None);
}
