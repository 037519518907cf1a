use super::*;
use crate::agenda::AgendaWork;
use crate::decision::timetable::LastFiring;
use crate::explain::Next;
use crate::schedule::{Missed, Schedule};

const EVERY: u64 = 60;

fn every(seconds: u64) -> Schedule {
    Schedule::every(Duration::from_secs(seconds)).unwrap()
}

/// A ledger with a handler that runs every minute.
fn scheduled() -> RetryLedger {
    let mut ledger = with(&[]);
    let effects = ledger.set_schedules(MAIL, Generation::FIRST, [every(EVERY)], &BTreeMap::new(), at(0));
    assert_eq!(effects, [Effect::Write(fired(MAIL, at(0), None)), Effect::Wake]);
    ledger
}

fn fired(handler: HandlerId, time: SystemTime, started: Option<SystemTime>) -> StateChange {
    let last = Some(LastFiring { time, started });
    StateChange::Fired { handler, firings: BTreeMap::from([(every(EVERY), last)]) }
}

fn tick(ledger: &mut RetryLedger, seconds: u64) -> Vec<Effect> {
    ledger.tick(None, online(), at(seconds))
}

/// The start of a run for a firing at this time.
fn start(seconds: u64) -> Effect {
    Effect::Start(Start {
        reason: StartReason::Scheduled,
        trigger: Trigger::Scheduled,
        requested_by: RequestedBy::Automatic,
        targets: Targets::Schedules(BTreeMap::from([(MAIL, Arc::new([every(EVERY)].into()))])),
        changes: vec![fired(MAIL, at(seconds), Some(at(seconds)))],
        latest: Generation::FIRST,
    })
}

#[test]
fn a_firing_is_stored_with_the_start_of_its_run() {
    let mut ledger = scheduled();
    assert_eq!(ledger.next_by_clock(), Some(at(60)));
    assert_eq!(tick(&mut ledger, 59), []);
    assert_eq!(tick(&mut ledger, 60), [start(60)]);
}

#[test]
fn a_start_names_the_latest_registration_that_it_is_for() {
    let mut ledger = scheduled();
    let second = Generation::FIRST.next();
    let _ = ledger.register(PAGES, second, Capabilities::default(), BTreeMap::new(), at(1));
    assert_eq!(started(&tick(&mut ledger, 60))[0].latest, second);
}

#[test]
fn a_firing_waits_for_the_automatic_run_of_its_handler() {
    let mut ledger = scheduled();
    let _ = tick(&mut ledger, 60);
    assert_eq!(tick(&mut ledger, 120), []);
    assert_eq!(tick(&mut ledger, 180), []);
    assert_eq!(ledger.automatic_run_ended(MAIL), [Effect::Wake]);
    assert_eq!(tick(&mut ledger, 185), [start(180)]);
}

#[test]
fn a_firing_of_another_registration_is_dropped() {
    let mut ledger = scheduled();
    ledger.unregister(MAIL);
    assert_eq!((ledger.next_by_clock(), tick(&mut ledger, 60)), (None, vec![]));
    let effects = ledger.set_schedules(MAIL, Generation::FIRST, [every(EVERY)], &BTreeMap::new(), at(0));
    assert_eq!(effects, [], "the handler is not registered");
}

#[test]
fn a_schedule_that_goes_away_is_removed_from_the_store_with_its_firing() {
    let mut ledger = scheduled();
    let _ = tick(&mut ledger, 60);
    let _ = tick(&mut ledger, 120);
    let effects = ledger.set_schedules(MAIL, Generation::FIRST, [], &BTreeMap::new(), at(130));
    let removed = StateChange::Fired { handler: MAIL, firings: BTreeMap::from([(every(EVERY), None)]) };
    assert_eq!(effects, [Effect::Write(removed)]);
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(tick(&mut ledger, 140), []);
}

#[test]
fn the_agenda_changes_its_version_with_each_firing() {
    let mut ledger = scheduled();
    let versions = [59, 60, 61].map(|seconds| {
        let _ = tick(&mut ledger, seconds);
        ledger.agenda_version()
    });
    assert!(versions[0] < versions[1] && versions[1] == versions[2], "{versions:?}");
}

#[test]
fn a_firing_that_waits_is_one_entry_of_the_agenda() {
    let mut ledger = scheduled();
    let _ = tick(&mut ledger, 60);
    let _ = tick(&mut ledger, 120);
    let agenda = ledger.agenda(online(), at(120));
    let shown: Vec<_> = agenda.into_iter().map(|entry| (entry.next, entry.work)).collect();
    assert_eq!(shown, [(Next::WhenLifted, AgendaWork::Scheduled(every(EVERY)))]);
}

#[test]
fn a_clock_that_was_set_back_makes_no_firing_look_due() {
    let mut ledger = scheduled();
    let _ = ledger.tick(Some(at(100)), online(), at(0));
    let mut known = Known::of(MAIL);
    ledger.describe(&mut known, (&[], &Requirements::NONE), online(), at(10));
    assert_eq!((ledger.time(at(10)), known.due), (at(100), Some(at(150))), "50 seconds are left");
}

#[test]
fn a_handler_that_could_not_begin_runs_all_its_items_at_the_next_firing() {
    let mut ledger = with(&[(HANDLER_ITSELF, backoff(0, 60))]);
    let _ = ledger.set_schedules(MAIL, Generation::FIRST, [every(EVERY)], &BTreeMap::new(), at(0));
    let started = started(&tick(&mut ledger, 60));
    assert_eq!(started.iter().map(|start| start.targets.clone()).collect::<Vec<_>>(), [handlers(&[MAIL])]);
    assert_eq!(started[0].changes, [fired(MAIL, at(60), Some(at(60)))]);
}

#[test]
fn a_firing_waits_for_the_backoff_of_its_handler() {
    let mut ledger = with(&[(HANDLER_ITSELF, backoff(0, 90))]);
    let _ = ledger.set_schedules(MAIL, Generation::FIRST, [every(EVERY)], &BTreeMap::new(), at(0));
    assert_eq!(tick(&mut ledger, 60), []);
    let held = ledger.agenda(online(), at(60));
    assert!(held.iter().any(|entry| matches!(entry.hold, Some(Hold::BackingOff { .. }))), "{held:?}");
    assert_eq!(started(&tick(&mut ledger, 90)).len(), 1);
}

#[test]
fn a_firing_that_waits_for_its_handler_starts_once_a_requested_run_begins() {
    let mut ledger = with(&[(HANDLER_ITSELF, status(RetryStatus::NeedsAttention))]);
    let _ = ledger.set_schedules(MAIL, Generation::FIRST, [every(EVERY)], &BTreeMap::new(), at(0));
    assert_eq!(tick(&mut ledger, 60), []);
    let (_, effects) = ledger.began(&attempted(INBOX, plain(Outcome::Succeeded), 70), &request(MAIL)).unwrap();
    assert!(effects.contains(&Effect::Wake), "{effects:?}");
    assert_eq!(tick(&mut ledger, 70).len(), 1);
}

#[test]
fn a_schedule_that_replaces_that_of_the_handler_begins_at_once() {
    let mut ledger = scheduled();
    assert_eq!(ledger.set_own_schedule(MAIL, Some(every(EVERY)), |_| false, at(0)), [Effect::Wake], "it is known");
    assert_eq!(ledger.set_own_schedule(MAIL, Some(every(EVERY)), |_| false, at(5)), []);
    let effects = ledger.set_own_schedule(MAIL, Some(every(10)), |_| false, at(30));
    assert_eq!(effects.last(), Some(&Effect::Wake));
    assert_eq!((ledger.schedules_of(MAIL), ledger.next_by_clock()), (BTreeSet::from([every(10)]), Some(at(40))));
    let _ = ledger.set_own_schedule(MAIL, None, |_| false, at(35));
    assert_eq!((ledger.own_schedule(MAIL), ledger.next_by_clock()), (None, None));
}

#[test]
fn a_replaced_schedule_that_an_item_has_too_stays() {
    let mut ledger = scheduled();
    let _ = ledger.set_own_schedule(MAIL, Some(every(EVERY)), |_| false, at(0));
    let _ = ledger.set_own_schedule(MAIL, None, |schedule| *schedule == every(EVERY), at(30));
    assert_eq!(ledger.next_by_clock(), Some(at(60)));
}

#[test]
fn a_skipped_firing_is_stored_with_the_run_that_waits_for_an_earlier_one() {
    let (mut ledger, schedule) = (with(&[]), every(600).with_missed(Missed::Skip));
    let _ = ledger.set_schedules(MAIL, Generation::FIRST, [schedule.clone()], &BTreeMap::new(), at(0));
    assert_eq!(ledger.tick(None, offline(), at(600)), [], "it waits for the network");
    assert_eq!(ledger.tick(None, offline(), at(1_290)), [], "the firing at 1,200 is skipped");
    let last = Some(LastFiring { time: at(1_200), started: Some(at(600)) });
    let stored = StateChange::Fired { handler: MAIL, firings: BTreeMap::from([(schedule, last)]) };
    assert_eq!(
        started(&tick(&mut ledger, 1_290)).into_iter().flat_map(|start| start.changes).collect::<Vec<_>>(),
        [stored]
    );
}
