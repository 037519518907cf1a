use super::*;
use crate::explain::Next;

const FIRST: SessionId = SessionId(7);
const SECOND: SessionId = SessionId(8);

fn record(session: SessionId, runs: Vec<RunRequest>) -> SessionRecord {
    SessionRecord::new(session, Uuid::from_u128(3), Trigger::Manual, at(0), runs)
}

fn ended(session: SessionId) -> Effect {
    let end = SessionEnd::new(at(50), SessionOutcome::Interrupted, BTreeMap::new());
    Effect::Write(StateChange::SessionEnded { session, manager: Uuid::from_u128(3), end })
}

fn interrupted(resume: Resume, sessions: Vec<SessionRecord>) -> RetryLedger {
    let mut ledger = RetryLedger::new(resume);
    assert_eq!(ledger.restore(BTreeMap::new(), sessions, at(50)), []);
    let _ = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::new(), at(50));
    ledger
}

fn unfinished(session: SessionId, items: Option<&[ItemId]>) -> InterruptedRun {
    InterruptedRun { session, items: items.map(|items| Arc::new(items.iter().copied().collect())), schedules: None }
}

#[test]
fn an_interrupted_session_without_runs_ends_immediately() {
    let mut ledger = RetryLedger::new(Resume::AtNextTrigger);
    let sessions = vec![record(FIRST, Vec::new()), record(SECOND, vec![request(MAIL)])];
    assert_eq!(ledger.restore(BTreeMap::new(), sessions, at(50)), [ended(FIRST)]);
    assert_eq!(ledger.interrupted(MAIL), [unfinished(SECOND, None)]);
    assert_eq!(ledger.interrupted(PAGES), []);
}

#[test]
fn interrupted_runs_start_once_if_the_policy_is_to_resume_them() {
    let sessions = || vec![record(FIRST, vec![request(MAIL), request(PAGES)])];
    let mut ledger = interrupted(Resume::Immediately, sessions());
    assert!(ledger.has_pending());
    let resumed = start(StartReason::Resumed, handlers(&[MAIL]));
    assert_eq!(ledger.tick(None, online(), at(50)), [resumed], "the other handler is not registered yet");
    assert_eq!(ledger.tick(None, online(), at(50)), []);
    assert_eq!(
        ledger.register(PAGES, Generation::FIRST, Capabilities::default(), BTreeMap::new(), at(50)),
        [Effect::Wake]
    );
    assert_eq!(ledger.tick(None, online(), at(50)), [start(StartReason::Resumed, handlers(&[PAGES]))]);
    let mut ledger = interrupted(Resume::AtNextTrigger, sessions());
    assert!(!ledger.has_pending());
    assert_eq!(ledger.tick(None, online(), at(50)), []);
}

#[test]
fn a_handler_that_is_registered_again_is_resumed_again() {
    let mut ledger = interrupted(Resume::Immediately, vec![record(FIRST, vec![request(MAIL)])]);
    let resumed = start(StartReason::Resumed, handlers(&[MAIL]));
    assert_eq!(ledger.tick(None, online(), at(50)), std::slice::from_ref(&resumed));
    let _ = ledger.automatic_run_ended(MAIL);
    ledger.unregister(MAIL);
    let _ = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::new(), at(50));
    assert_eq!(ledger.tick(None, online(), at(50)), [resumed]);
}

#[test]
fn a_retired_handler_is_not_resumed() {
    let mut ledger = interrupted(Resume::Immediately, vec![record(FIRST, vec![request(MAIL)])]);
    ledger.retire(MAIL);
    assert_eq!(ledger.tick(None, online(), at(50)), []);
}

#[test]
fn an_interrupted_session_ends_when_all_its_runs_are_finished() {
    let sessions = vec![record(FIRST, vec![request(MAIL), request(PAGES)]), record(SECOND, vec![request(MAIL)])];
    let mut ledger = interrupted(Resume::AtNextTrigger, sessions);
    assert_eq!(ledger.interrupted(MAIL), [unfinished(FIRST, None), unfinished(SECOND, None)]);
    assert_eq!(ledger.finished(MAIL, &[FIRST], &BTreeSet::new(), at(50)), []);
    assert_eq!(ledger.interrupted(MAIL), [unfinished(SECOND, None)]);
    assert_eq!(ledger.finished(PAGES, &[FIRST], &BTreeSet::new(), at(50)), [ended(FIRST)]);
    assert_eq!(ledger.finished(MAIL, &[SECOND], &BTreeSet::new(), at(50)), [ended(SECOND)]);
}

#[test]
fn a_handler_that_can_begin_again_resumes_its_interrupted_run() {
    let mut ledger = interrupted(Resume::Immediately, vec![record(FIRST, vec![request(MAIL)])]);
    let _ = ledger.tick(None, online(), at(50));
    let fails = |ledger: &mut RetryLedger| drop(ledger.began(&attempted(INBOX, failed(), 50), &request(MAIL)));
    let begins = |ledger: &mut RetryLedger, request| {
        ledger.began(&attempted(INBOX, plain(Outcome::Succeeded), 60), &request).map(|(_, effects)| effects)
    };
    fails(&mut ledger);
    let _ = ledger.automatic_run_ended(MAIL);
    assert_eq!(ledger.tick(None, online(), at(50)), [], "another failure does not resume the run");
    assert_eq!(begins(&mut ledger, request(MAIL)), Some(vec![]), "this run resumes the interrupted one");
    fails(&mut ledger);
    assert_eq!(begins(&mut ledger, request(MAIL).with_items([INBOX])), Some(vec![Effect::Wake]));
    assert_eq!(started(&ledger.tick(None, online(), at(60)))[0].reason, StartReason::Resumed);
}

#[test]
fn a_handler_can_be_resumed_again_after_a_run_has_finished() {
    let sessions = vec![record(FIRST, vec![request(MAIL)]), record(SECOND, vec![request(MAIL)])];
    let mut ledger = interrupted(Resume::Immediately, sessions);
    assert_eq!(started(&ledger.tick(None, online(), at(50))).len(), 1);
    let _ = ledger.finished(MAIL, &[FIRST], &BTreeSet::new(), at(50));
    assert_eq!(ledger.tick(None, online(), at(50)), [], "its run is active");
    assert_eq!(ledger.automatic_run_ended(MAIL), [Effect::Wake]);
    assert_eq!(started(&ledger.tick(None, online(), at(50))).len(), 1);
}

#[test]
fn the_agenda_changes_once_an_interrupted_run_is_enabled_or_finished() {
    let record = SessionRecord::new(SessionId(7), Uuid::nil(), Trigger::Manual, at(0), vec![request(MAIL)]);
    let mut ledger = RetryLedger::new(Resume::Immediately);
    let _ = ledger.restore(BTreeMap::new(), vec![record], at(50));
    let _ = ledger.register(MAIL, Generation::FIRST, NEEDS_NETWORK, BTreeMap::new(), at(50));
    let mut versions = vec![ledger.agenda_version()];
    let _ = ledger.disable(MAIL, Subject::Handler, Arc::from("travelling"));
    versions.push(ledger.agenda_version());
    let _ = ledger.enable(MAIL, Subject::Handler, at(50));
    versions.push(ledger.agenda_version());
    let _ = ledger.finished(MAIL, &[SessionId(7)], &BTreeSet::new(), at(50));
    versions.push(ledger.agenda_version());
    assert!(versions.is_sorted_by(|before, after| before < after), "{versions:?}");
}

#[test]
fn the_agenda_says_that_an_interrupted_run_waits_for_its_disabled_items() {
    let mut ledger = interrupted(Resume::Immediately, vec![record(FIRST, vec![request(MAIL).with_items([INBOX])])]);
    let shown = |ledger: &RetryLedger| {
        let entry = ledger.agenda(online(), at(50)).remove(0);
        (entry.next, entry.hold)
    };
    assert_eq!(shown(&ledger), (Next::Now, None));
    let _ = ledger.disable(MAIL, Subject::Item(INBOX), "full".into());
    assert_eq!(shown(&ledger), (Next::WhenEnabled, Some(Hold::Disabled { reason: "full".into() })));
    assert_eq!(ledger.tick(None, online(), at(50)), []);
}
