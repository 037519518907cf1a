use super::*;
use crate::decision::needs::Needs;
use crate::explain::Next;
use crate::local_change::LocalChange;
use crate::schedule::{Schedule, Window};

const OPENS: u64 = 3_600;
const CLOSES: u64 = 7_200;
const DAY: u64 = 24 * 3_600;

fn window() -> Window {
    "01:00-02:00 in UTC".parse().unwrap()
}

fn outside(until: u64) -> Hold {
    Hold::OutsideWindow { until: at(until) }
}

fn needs() -> Needs {
    Needs { capabilities: Capabilities::default(), requirements: Requirements::NONE.within(window()) }
}

/// A ledger whose mail handler requires the window.
fn windowed() -> RetryLedger {
    let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
    let _ = ledger.register(MAIL, Generation::FIRST, needs(), BTreeMap::new(), at(0));
    ledger
}

fn begin_at(ledger: &mut RetryLedger, requested_by: RequestedBy, seconds: u64) -> Option<Hold> {
    let origin = (requested_by, StartReason::Requested);
    ledger.begin(request(MAIL), origin, needs(), online(), at(seconds)).0
}

fn tick(ledger: &mut RetryLedger, seconds: u64) -> Vec<Effect> {
    ledger.tick(None, online(), at(seconds))
}

#[test]
fn work_outside_its_window_waits_until_the_window_opens() {
    let mut ledger = windowed();
    assert_eq!(begin_at(&mut ledger, RequestedBy::Automatic, 10), Some(outside(OPENS)));
    assert_eq!(ledger.next_by_clock(), Some(at(OPENS)));
    assert_eq!(tick(&mut ledger, OPENS - 1), []);
    let effects = tick(&mut ledger, OPENS);
    assert_eq!(effects, [Effect::CheckRuns, start(StartReason::HoldLifted, handlers(&[MAIL]))]);
    assert_eq!(begin_at(&mut ledger, RequestedBy::Automatic, OPENS), None);
    assert_eq!(ledger.next_by_clock(), Some(at(CLOSES)));
}

#[test]
fn requested_work_runs_outside_its_window() {
    for requested_by in [RequestedBy::User, RequestedBy::UserForced] {
        assert_eq!(begin_at(&mut windowed(), requested_by, 10), None);
    }
}

#[test]
fn a_window_that_closes_lets_a_run_finish_unless_its_policy_is_to_stop() {
    let mut ledger = windowed();
    assert_eq!(begin_at(&mut ledger, RequestedBy::Automatic, OPENS), None);
    let _ = tick(&mut ledger, OPENS);
    assert_eq!(tick(&mut ledger, CLOSES), [Effect::CheckRuns]);
    let stops = |policy| ledger.stops(needs(), (Trigger::Scheduled, policy), online(), at(CLOSES));
    assert_eq!(stops(ConditionPolicy::Finish), None);
    assert_eq!(stops(ConditionPolicy::Stop), Some(outside(DAY + OPENS)));
}

#[test]
fn a_firing_outside_its_window_runs_once_when_the_window_opens() {
    let mut ledger = windowed();
    let every = Schedule::every(Duration::from_secs(1_000)).unwrap();
    let _ = ledger.set_schedules(MAIL, Generation::FIRST, [every.clone()], &BTreeMap::new(), at(0));
    for fires in [1_000, 2_000, 3_000] {
        assert_eq!(started(&tick(&mut ledger, fires)), []);
    }
    assert_eq!(ledger.next_by_clock(), Some(at(OPENS)));
    let started = started(&tick(&mut ledger, OPENS));
    assert_eq!((started.len(), started[0].reason), (1, StartReason::Scheduled));
    assert_eq!(started[0].targets, Targets::Schedules(BTreeMap::from([(MAIL, Arc::new([every].into()))])));
}

#[test]
fn a_change_outside_its_window_runs_when_the_window_opens() {
    let mut ledger = windowed();
    let _ = ledger.local_change(MAIL, LocalChange::Item(INBOX), at(0));
    assert_eq!(started(&tick(&mut ledger, 60)), []);
    assert_eq!(ledger.next_deadline(), None);
    let started = started(&tick(&mut ledger, OPENS));
    assert_eq!(started, self::started(&[start(StartReason::LocalChange, items(MAIL, &[INBOX]))]));
}

#[test]
fn an_item_needs_the_windows_of_its_handler_and_its_own() {
    let mut ledger = windowed();
    let own = Requirements::NONE.within("01:30-03:00 in UTC".parse().unwrap());
    let run = HeldRun::new(request(MAIL).with_items([INBOX]), (RequestedBy::Automatic, StartReason::Requested));
    let run = run.with_requirements(needs().requirements.and(&own));
    let origin = (INBOX, RequestedBy::Automatic);
    assert_eq!(ledger.check_requirements(origin, run, online(), at(OPENS)).0, Some(outside(5_400)));
    let _ = tick(&mut ledger, OPENS);
    assert_eq!(ledger.next_by_clock(), Some(at(5_400)));
    let started = started(&tick(&mut ledger, 5_400));
    assert_eq!((started.len(), &started[0].targets), (1, &items(MAIL, &[INBOX])));
}

#[test]
fn a_window_goes_by_the_clock_also_when_the_clock_is_set() {
    let mut ledger = windowed();
    assert_eq!(begin_at(&mut ledger, RequestedBy::Automatic, DAY), Some(outside(DAY + OPENS)));
    let _ = tick(&mut ledger, DAY);
    // Set back into the window of the day before.
    assert_eq!(started(&tick(&mut ledger, OPENS + 60)).len(), 1);
    assert_eq!(ledger.next_by_clock(), Some(at(CLOSES)));
    // Set back again, to before it.
    assert_eq!(tick(&mut ledger, 60), [Effect::CheckRuns]);
    assert_eq!(ledger.next_by_clock(), Some(at(OPENS)));
    // Set forward past it.
    assert_eq!(tick(&mut ledger, CLOSES + 1), [Effect::CheckRuns]);
    assert_eq!(ledger.next_by_clock(), Some(at(DAY + OPENS)));
}

#[test]
fn a_held_run_says_what_holds_it_now() {
    let mut ledger = windowed();
    let environment = Environment::UNKNOWN.with_power(crate::environment::Power::Battery);
    let run = HeldRun::new(request(MAIL), (RequestedBy::Automatic, StartReason::Requested));
    let run = run.with_hold(Hold::OnBattery).with_requirements(Requirements::NONE.with(Requirement::Mains));
    let _ = ledger.set_aside(run);
    let _ = ledger.tick(None, &environment, at(0));
    let version = ledger.agenda_version();
    let _ = ledger.tick(None, online(), at(1));
    assert!(ledger.agenda_version() > version);
    let agenda = ledger.agenda(online(), at(1));
    assert_eq!((&agenda[0].hold, agenda[0].next), (&Some(outside(OPENS)), Next::At { time: at(OPENS) }));
}

#[test]
fn the_agenda_and_explanations_know_when_the_window_opens() {
    let mut ledger = windowed();
    let every = Schedule::every(Duration::from_secs(2_500)).unwrap();
    let _ = ledger.set_schedules(MAIL, Generation::FIRST, [every], &BTreeMap::new(), at(0));
    let next = |ledger: &RetryLedger, now| {
        let mut known = Known::of(MAIL);
        ledger.describe(&mut known, (&[], &Requirements::NONE), online(), at(now));
        let entry = ledger.agenda(online(), at(now)).remove(0);
        (entry.next, entry.hold, known.due)
    };
    // The firing at 2,500 s waits for the window.
    let opens = (Next::At { time: at(OPENS) }, Some(outside(OPENS)), Some(at(OPENS)));
    assert_eq!(next(&ledger, 100), opens);
    let _ = tick(&mut ledger, 2_500);
    assert_eq!((next(&ledger, 2_500).0, next(&ledger, 2_500).1), (opens.0, opens.1));
    let _ = (tick(&mut ledger, OPENS), ledger.automatic_run_ended(MAIL));
    // The firing at 5,000 s is inside it.
    assert_eq!(next(&ledger, OPENS), (Next::At { time: at(5_000) }, None, Some(at(5_000))));
    let _ = (tick(&mut ledger, 5_000), ledger.automatic_run_ended(MAIL));
    // The one at 7,500 s is after it.
    assert_eq!(next(&ledger, 6_000).0, Next::At { time: at(DAY + OPENS) });
}

#[test]
fn the_window_of_a_handler_that_is_gone_is_forgotten() {
    let mut ledger = windowed();
    ledger.unregister(MAIL);
    let _ = tick(&mut ledger, OPENS);
    assert_eq!(ledger.next_by_clock(), None);
}

#[test]
fn a_firing_goes_by_the_clock_of_its_window_after_the_clock_was_set_back() {
    let mut ledger = windowed();
    let every = Schedule::every(Duration::from_secs(1_800)).unwrap();
    let _ = ledger.set_schedules(MAIL, Generation::FIRST, [every], &BTreeMap::new(), at(0));
    // The scheduler has waited for a time after the window, and then the clock was set back to before it.
    let _ = ledger.tick(Some(at(CLOSES + 3_600)), online(), at(1_000));
    assert_eq!(started(&tick(&mut ledger, 2_800)), []);
    assert_eq!(started(&tick(&mut ledger, OPENS)).len(), 1);
}

#[test]
fn the_scheduler_learns_when_the_window_of_an_item_closes() {
    let mut ledger = ledger();
    let own = Requirements::NONE.within(window());
    let run = HeldRun::new(request(MAIL).with_items([INBOX]), (RequestedBy::Automatic, StartReason::Requested));
    let run = run.with_requirements(own);
    let mut check = |now| ledger.check_requirements((INBOX, RequestedBy::Automatic), run.clone(), online(), at(now));
    assert_eq!(check(OPENS), (None, vec![Effect::Wake]));
    assert_eq!(check(OPENS + 1), (None, vec![]));
    assert_eq!(ledger.next_by_clock(), Some(at(CLOSES)));
}
