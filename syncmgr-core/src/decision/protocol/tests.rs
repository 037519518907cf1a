use std::fmt::Write;

use super::*;

const OK: HResult = HResult::S_OK;
const FALSE: HResult = HResult::S_FALSE;
const FAIL: HResult = HResult::E_FAIL;

/// Every stage with every state of its call.
fn stages() -> Vec<Stage> {
    let calls = [Call::Running, Call::Early(OK), Call::Early(FAIL), Call::Window];
    let with_calls = |stage: fn(Call) -> Stage| calls.map(stage);
    let mut stages = vec![Stage::Created, Stage::Initialized, Stage::Listed, Stage::Ready];
    stages.extend(with_calls(Stage::ShowingProperties));
    stages.extend(with_calls(Stage::Preparing));
    stages.push(Stage::Prepared);
    stages.extend(with_calls(Stage::Synchronizing));
    stages.push(Stage::Results);
    stages.extend(with_calls(Stage::ShowingError));
    stages.extend([Stage::Detaching, Stage::Released]);
    stages
}

/// Every event with each code that has a different effect.
fn events() -> Vec<Event> {
    let codes = [OK, FALSE, FAIL];
    let mut events = Vec::new();
    events.extend(codes.map(Event::Initialized));
    events.extend([OK, HResult::S_SYNCMGR_MISSINGITEMS, FAIL].map(Event::Listed));
    events.extend([Event::Attached, Event::PropertiesOpened]);
    events.extend(codes.map(Event::PropertiesReturned));
    events.extend(
        [OK, HResult::S_SYNCMGR_ENUMITEMS, HResult::S_SYNCMGR_ITEMDELETED, FAIL].map(Event::PropertiesCompleted),
    );
    events.extend([ItemSet::NonEmpty, ItemSet::Empty].map(Event::Chosen));
    events.extend(codes.map(Event::PrepareReturned));
    events.extend(codes.map(Event::PrepareCompleted));
    events.push(Event::Admitted);
    events.extend(codes.map(Event::SynchronizeReturned));
    events.extend([OK, FALSE, FAIL, HResult::S_SYNCMGR_RETRYSYNC].map(Event::SynchronizeCompleted));
    events.extend([Event::SkipRequested, Event::StopRequested, Event::NoItemsLeft, Event::ErrorOpened]);
    events.extend(codes.map(Event::ErrorReturned));
    events.extend([
        Event::ErrorCompleted(OK, ItemSet::NonEmpty),
        Event::ErrorCompleted(HResult::S_SYNCMGR_RETRYSYNC, ItemSet::NonEmpty),
        Event::ErrorCompleted(HResult::S_SYNCMGR_RETRYSYNC, ItemSet::Empty),
    ]);
    events.extend([Event::Retried, Event::Closed, Event::Detached, Event::HandlerLost]);
    events
}

fn at(stage: Stage) -> Protocol {
    let attached = !matches!(stage, Stage::Created | Stage::Initialized | Stage::Listed | Stage::Released);
    Protocol { stage, attached, ..Protocol::new(Purpose::Synchronize) }
}

#[test]
fn every_event_in_every_stage_has_a_known_step() {
    let mut matrix = String::new();
    for stage in stages() {
        writeln!(matrix, "{stage:?}").expect("writing to a string never fails");
        let requests = [HostRequest::Progress, HostRequest::Log, HostRequest::Attention, HostRequest::Connection];
        let answers = requests.map(|request| format!("{request:?} {}", at(stage).answer(request)));
        writeln!(matrix, "    asks: {}", answers.join(", ")).expect("writing to a string never fails");
        for event in events() {
            let mut protocol = at(stage);
            let step = protocol.on(event);
            let moved = if protocol.stage == stage { "stays".to_string() } else { format!("{:?}", protocol.stage) };
            writeln!(matrix, "    {event:?}: {step:?}, {moved}").expect("writing to a string never fails");
        }
    }
    insta::assert_snapshot!(matrix);
}

#[test]
fn a_run_that_opens_an_error_prepares_only_for_a_retry() {
    let mut run = Protocol::new(Purpose::Explain);
    let steps = [Event::Initialized(OK), Event::Listed(OK), Event::Attached].map(|event| run.on(event));
    assert_eq!(steps, [Step::Do(Action::List), Step::Do(Action::Attach), Step::Wait]);
    assert_eq!(run.on(Event::ErrorOpened), Step::Do(Action::ShowError));
    let retry = Event::ErrorCompleted(HResult::S_SYNCMGR_RETRYSYNC, ItemSet::NonEmpty);
    assert_eq!([run.on(Event::ErrorReturned(OK)), run.on(retry)], [Step::Wait, Step::Do(Action::Prepare)]);
}

#[test]
fn a_misused_event_never_changes_the_stage() {
    for stage in stages() {
        for event in events() {
            let mut protocol = at(stage);
            if let Step::Misused(_) = protocol.on(event) {
                assert_eq!(protocol.stage, stage, "{event:?}");
            }
        }
    }
}

#[test]
fn every_attached_run_is_detached_before_its_release() {
    for stage in stages() {
        for event in events() {
            let mut protocol = at(stage);
            protocol.on(event);
            let released = protocol.stage == Stage::Released && stage != Stage::Released;
            let never_attached = matches!(stage, Stage::Created | Stage::Initialized | Stage::Listed);
            assert!(!released || never_attached || stage == Stage::Detaching, "{stage:?} {event:?}");
        }
    }
}

#[test]
fn a_skip_before_the_window_is_delivered_when_it_opens() {
    let mut protocol = at(Stage::Preparing(Call::Running));
    assert_eq!(protocol.on(Event::SkipRequested), Step::Do(Action::Store));
    assert_eq!(protocol.on(Event::PrepareReturned(OK)), Step::Do(Action::Deliver));
    assert_eq!(protocol.on(Event::SkipRequested), Step::Do(Action::Deliver));
}

#[test]
fn a_skip_that_prepare_did_not_deliver_is_delivered_in_synchronize() {
    let mut protocol = at(Stage::Preparing(Call::Running));
    protocol.on(Event::SkipRequested);
    protocol.on(Event::PrepareCompleted(OK));
    assert_eq!(protocol.on(Event::PrepareReturned(OK)), Step::Do(Action::Admit));
    protocol.on(Event::Admitted);
    assert_eq!(protocol.on(Event::SynchronizeReturned(OK)), Step::Do(Action::Deliver));
}

#[test]
fn a_stop_while_preparing_prevents_synchronize() {
    let mut protocol = at(Stage::Preparing(Call::Window));
    protocol.on(Event::StopRequested);
    protocol.on(Event::PrepareCompleted(OK));
    assert_eq!(protocol.on(Event::Admitted), Step::Do(Action::Detach));
}

#[test]
fn a_run_with_all_items_skipped_succeeds_without_synchronize() {
    let mut protocol = at(Stage::Preparing(Call::Window));
    protocol.on(Event::NoItemsLeft);
    protocol.on(Event::PrepareCompleted(OK));
    assert_eq!(protocol.on(Event::Admitted), Step::Do(Action::ShowResults));
    assert_eq!(protocol.result(), Some(OK));
}

#[test]
fn a_stop_of_an_earlier_attempt_does_not_affect_a_retry() {
    let mut protocol = at(Stage::Synchronizing(Call::Window));
    protocol.on(Event::StopRequested);
    protocol.on(Event::SynchronizeCompleted(OK));
    protocol.on(Event::ErrorOpened);
    protocol.on(Event::ErrorReturned(OK));
    let retry = Event::ErrorCompleted(HResult::S_SYNCMGR_RETRYSYNC, ItemSet::NonEmpty);
    assert_eq!(protocol.on(retry), Step::Do(Action::Prepare));
    protocol.on(Event::PrepareCompleted(OK));
    protocol.on(Event::PrepareReturned(OK));
    assert_eq!(protocol.on(Event::Admitted), Step::Do(Action::Synchronize));
}

#[test]
fn a_run_for_settings_is_never_prepared() {
    let mut protocol = Protocol::new(Purpose::Settings);
    protocol.on(Event::Initialized(OK));
    protocol.on(Event::Listed(OK));
    assert_eq!(protocol.on(Event::Attached), Step::Wait);
    assert_eq!(protocol.on(Event::Chosen(ItemSet::NonEmpty)), Step::Do(Action::Detach));
}

#[test]
fn a_retry_requested_before_show_error_returns_starts() {
    let mut protocol = at(Stage::Results);
    protocol.on(Event::ErrorOpened);
    assert_eq!(protocol.on(Event::ErrorCompleted(HResult::S_SYNCMGR_RETRYSYNC, ItemSet::NonEmpty)), Step::Wait);
    assert_eq!(protocol.on(Event::ErrorReturned(OK)), Step::Do(Action::Prepare));
}

#[test]
fn a_stop_before_the_choice_prevents_prepare() {
    let mut protocol = at(Stage::Ready);
    assert_eq!(protocol.on(Event::StopRequested), Step::Do(Action::Store));
    assert_eq!(protocol.on(Event::Chosen(ItemSet::NonEmpty)), Step::Do(Action::Detach));
}

#[test]
fn a_callback_set_before_the_listing_is_kept_and_removed_on_failure() {
    let attached = || {
        let mut run = Protocol::new(Purpose::Synchronize);
        assert_eq!(run.on(Event::Initialized(OK)), Step::Do(Action::List));
        assert_eq!(run.on(Event::Attached), Step::Wait);
        run
    };
    assert_eq!(attached().on(Event::Listed(OK)), Step::Do(Action::Choose));
    let mut failed = attached();
    assert_eq!(failed.on(Event::Listed(FAIL)), Step::Do(Action::Detach));
    assert_eq!((failed.stage(), failed.result()), (Stage::Detaching, Some(FAIL)));
}

#[test]
fn a_callback_set_at_the_wrong_time_leaves_the_run_attached() {
    let mut protocol = at(Stage::Preparing(Call::Window));
    assert_eq!(protocol.on(Event::Attached), Step::Misused(Misuse::Stale));
    assert_eq!(protocol.answer(HostRequest::Log), OK);
}

#[test]
fn a_stop_while_an_error_is_shown_prevents_the_retry() {
    let mut protocol = at(Stage::ShowingError(Call::Window));
    assert_eq!(protocol.on(Event::StopRequested), Step::Do(Action::Store));
    let retry = Event::ErrorCompleted(HResult::S_SYNCMGR_RETRYSYNC, ItemSet::NonEmpty);
    assert_eq!(protocol.on(retry), Step::Do(Action::ShowResults));
}
