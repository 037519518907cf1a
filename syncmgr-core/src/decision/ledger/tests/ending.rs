use super::*;
use crate::environment::{Ending, EndingKind};

const MARGIN: Duration = Duration::from_secs(1);

/// A ledger whose pages handler runs when the machine or the network is about to go down.
fn ending() -> RetryLedger {
    let mut ledger = with(&[(INBOX, backoff(0, 30))]).with_ending_margin(MARGIN);
    assert_eq!(ledger.set_events(PAGES, RegisterFlags::PENDING_DISCONNECT), Some(Effect::Wake));
    ledger
}

fn announced(kind: EndingKind, deadline: u64) -> Environment {
    online().clone().with_ending(Ending::new(kind, at(deadline)))
}

fn start_for_ending() -> Effect {
    Effect::Start(Start {
        reason: StartReason::Ending,
        trigger: Trigger::PendingDisconnect,
        requested_by: RequestedBy::Automatic,
        targets: handlers(&[PAGES]),
        changes: Vec::new(),
        latest: Generation::FIRST,
    })
}

#[test]
fn an_announced_end_starts_the_handlers_that_are_registered_for_it() {
    let (mut ledger, sleep) = (ending(), announced(EndingKind::Sleep, 25));
    assert_eq!(ledger.tick(None, &sleep, at(20)), [Effect::CheckRuns, start_for_ending()]);
    assert!(ledger.is_ending());
    assert_eq!(ledger.tick(None, &sleep, at(21)), []);
}

#[test]
fn all_work_stops_a_margin_before_the_deadline() {
    let (mut ledger, sleep) = (ending(), announced(EndingKind::Sleep, 25));
    let _ = ledger.tick(None, &sleep, at(20));
    assert_eq!(ledger.next_deadline(), Some(at(24)));
    assert_eq!(ledger.tick(None, &sleep, at(24)), [Effect::StopRuns(Hold::Ending { kind: EndingKind::Sleep })]);
    assert_eq!(ledger.tick(None, &sleep, at(24)), []);
}

#[test]
fn the_agenda_says_that_a_retry_waits_for_an_announced_end() {
    let (mut ledger, sleep) = (ending(), announced(EndingKind::Sleep, 25));
    let before = ledger.agenda_version();
    let _ = ledger.tick(None, &sleep, at(20));
    assert!(ledger.agenda_version() > before);
    let agenda = ledger.agenda(&sleep, at(40));
    assert_eq!((agenda.len(), &agenda[0].hold), (1, &Some(Hold::Ending { kind: EndingKind::Sleep })));
    let before = ledger.agenda_version();
    let _ = ledger.tick(None, &sleep, at(85)); // the announcement is out of date
    assert!(ledger.agenda_version() > before);
}

#[test]
fn the_system_goes_on_once_and_as_soon_as_nothing_is_left_to_do() {
    let (mut ledger, sleep) = (ending(), announced(EndingKind::Sleep, 25));
    assert_eq!(ledger.release(Work::Done, at(19)), None, "nothing is announced");
    let _ = ledger.tick(None, &sleep, at(20));
    assert_eq!(ledger.release(Work::Busy, at(21)), None);
    assert_eq!(ledger.release(Work::Done, at(22)), Some(Effect::Release(Ending::new(EndingKind::Sleep, at(25)))));
    assert_eq!(ledger.release(Work::Done, at(22)), None);
    assert!(!ledger.is_ending());
}

#[test]
fn the_system_goes_on_at_the_deadline_in_any_case() {
    let (mut ledger, sleep) = (ending(), announced(EndingKind::Shutdown, 25));
    let _ = ledger.tick(None, &sleep, at(20));
    let _ = ledger.tick(None, &sleep, at(24));
    assert_eq!(ledger.next_deadline(), Some(at(25)));
    assert!(ledger.release(Work::Busy, at(25)).is_some());
}

#[test]
fn nothing_starts_by_itself_while_the_machine_is_about_to_go_down() {
    for kind in [EndingKind::Sleep, EndingKind::Shutdown] {
        let (mut ledger, environment) = (ending(), announced(kind, 60));
        let _ = ledger.tick(None, &environment, at(20));
        let _ = ledger.release(Work::Done, at(20));
        assert_eq!(
            (started(&ledger.tick(None, &environment, at(40))), ledger.next_deadline()),
            (vec![], Some(at(120)))
        );
        let hold = Hold::Ending { kind };
        assert_eq!(begin(&mut ledger, request(MAIL), &environment), Some(hold));
        let woken: Vec<_> =
            started(&ledger.tick(None, online(), at(50))).into_iter().map(|start| start.targets).collect();
        assert_eq!(woken, [handlers(&[MAIL])], "it takes along the due item");
    }
}

#[test]
fn work_that_needs_no_network_starts_while_the_network_is_about_to_go_down() {
    let (mut ledger, environment) = (ending(), announced(EndingKind::Disconnect, 60));
    let _ = ledger.tick(None, &environment, at(20));
    let hold = Hold::Ending { kind: EndingKind::Disconnect };
    assert_eq!(begin(&mut ledger, request(MAIL), &environment), Some(hold));
    assert_eq!(begin(&mut ledger, request(PAGES), &environment), None);
}

#[test]
fn a_withdrawn_announcement_changes_nothing_any_more() {
    let (mut ledger, sleep) = (ending(), announced(EndingKind::Sleep, 25));
    let _ = ledger.tick(None, &sleep, at(20));
    assert_eq!(ledger.tick(None, online(), at(21)), []);
    assert_eq!((ledger.is_ending(), ledger.release(Work::Done, at(21))), (false, None));
    assert_eq!(ledger.next_deadline(), Some(at(30)), "the retry");
    assert_eq!(ledger.tick(None, &sleep, at(22)).len(), 2, "announced again");
}

#[test]
fn an_announcement_that_was_never_withdrawn_is_out_of_date_a_minute_later() {
    let (mut ledger, sleep) = (ending(), announced(EndingKind::Sleep, 25));
    let _ = ledger.tick(None, &sleep, at(20));
    let _ = ledger.release(Work::Done, at(20));
    assert_eq!(started(&ledger.tick(None, &sleep, at(84))), []);
    assert_eq!(ledger.next_deadline(), Some(at(85)));
    assert_eq!(started(&ledger.tick(None, &sleep, at(85))).len(), 1, "the retry");
}

#[test]
fn an_announcement_without_time_for_work_only_stops_what_runs() {
    let (mut ledger, sleep) = (ending(), announced(EndingKind::Sleep, 21));
    let stop = Effect::StopRuns(Hold::Ending { kind: EndingKind::Sleep });
    assert_eq!(ledger.tick(None, &sleep, at(20)), [Effect::CheckRuns, stop]);
}

#[test]
fn a_run_for_an_announced_end_that_is_held_is_not_made_up_for() {
    let (mut ledger, sleep) = (ending(), announced(EndingKind::Sleep, 25));
    let needs = Needs { capabilities: NEEDS_NETWORK, requirements: Requirements::NONE };
    let run = request(MAIL).with_trigger(Trigger::PendingDisconnect);
    let origin = (RequestedBy::Automatic, StartReason::Ending);
    let down = sleep.with_network(Network::Offline);
    assert_eq!(ledger.begin(run.clone(), origin, needs, &down, at(20)).0, Some(Hold::Offline));
    assert_eq!(ledger.set_aside(HeldRun::new(run, origin)), []);
    assert!(ledger.held.is_empty());
}

#[test]
fn the_time_left_ends_when_work_is_stopped() {
    let (mut ledger, sleep) = (ending(), announced(EndingKind::Sleep, 25));
    assert_eq!(ledger.time_left(at(20)), None, "nothing is announced");
    let left = |seconds| Some((EndingKind::Sleep, Duration::from_secs(seconds)));
    let _ = ledger.tick(None, &sleep, at(20));
    assert_eq!([20, 23, 24, 30].map(|now| ledger.time_left(at(now))), [4, 1, 0, 0].map(left));
    let _ = ledger.tick(None, &sleep, at(24));
    assert_eq!(ledger.time_left(at(21)), left(0), "also if the clock is set back");
    let _ = ledger.tick(None, online(), at(31));
    assert_eq!(ledger.time_left(at(31)), None, "withdrawn");
}
