//! The checks that the handler asks no questions in unattended sessions, and soon releases the user's attention.

use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_runtime::report::ItemReport;

use super::super::checker::Checker;
use super::super::events::{Event, Granted};
use super::super::injection::{Call, Fault, ItemLabel};
use super::super::process::{Attendance, SessionPlan, SessionResult};
use super::super::result::CheckResult;
use super::super::script::{CustomScript, FaultScript};
use super::super::violation::{ScriptResult, Violation};

/// The maximum number of refused requests per session.
const MAX_REFUSALS: usize = 100;

const UNATTENDED_HELP: &str = "ask through `RunContext::interaction` and return its refusal with `?`; store no permit, and do not reach \
                               the user in any other way";

pub(super) fn unattended(checker: &Checker<'_>) -> CheckResult {
    checker.play(vec![
        CustomScript::new("an unattended session", |checker| check_asks_nothing(checker, &[])),
        CustomScript::new("an attended session, then an unattended one", |checker| {
            check_asks_nothing(checker, &[Attendance::Attended])
        }),
    ])
}

/// Runs these sessions, then an unattended one, in which the handler must ask nothing.
fn check_asks_nothing(checker: &Checker<'_>, before: &[Attendance]) -> ScriptResult {
    let mut fixture = checker.fixture();
    let (ran, earlier) = fixture.run_process(async |process| {
        for attendance in before {
            process.session(SessionPlan { attendance: *attendance, ..SessionPlan::default() }).await;
        }
        let earlier = process.log.events().len();
        (process.session(SessionPlan { attendance: Attendance::Unattended, ..SessionPlan::default() }).await, earlier)
    });
    let violation = |headline: String| Err(Violation::new(headline, UNATTENDED_HELP).with_log(&fixture.log));
    let events = fixture.log.events().split_off(earlier);
    for (_, event) in &events {
        match event {
            Event::Question(call, text) => return violation(format!("{call} asks `{text}` in an unattended session")),
            Event::Attention(Call::Initialize, _) => {
                return violation("initialize requests the user's attention".into());
            }
            _ => {}
        }
    }
    let refused = events.iter().filter(|(_, event)| matches!(event, Event::Attention(_, Granted::No))).count();
    if refused > MAX_REFUSALS {
        return violation(format!(
            "the handler requests the user's attention {refused} times, although every request is refused"
        ));
    }
    let SessionResult::Ended(report, _) = ran else {
        return violation("the unattended session does not end".into());
    };
    let allows = |item, outcome| outcome == Outcome::NeedsUser || checker.baseline.allows(item, Some(outcome));
    if let Some(ended) = report.items().find(|ended| refused > 0 && !allows(ended.item.id(), ended.outcome)) {
        let item = ItemLabel::from(ended.item);
        return violation(format!("{item} needs the user, but ends: {}", ended.outcome));
    }
    let as_usual = |ended: ItemReport<'_>| ended.outcome == checker.baseline.outcome(ended.item.id());
    match refused > 0 && before.is_empty() && report.items().count() > 0 && report.items().all(as_usual) {
        true => {
            checker.compare_data(&fixture, "an unattended session").map_err(|found| found.with_help(UNATTENDED_HELP))
        }
        false => Ok(()),
    }
}

pub(super) fn attention(checker: &Checker<'_>) -> CheckResult {
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| drop(process.session(SessionPlan::default()).await));
    if fixture.log.count(|event| matches!(event, Event::Attention(_, Granted::Yes))) == 0 {
        return CheckResult::Skipped("the handler never requests the user's attention".into());
    }
    let complete = CustomScript::new("run all items", |checker| check_release(checker, SessionPlan::default()));
    let interrupted = FaultScript::all(checker.awaits(|_| true), Fault::Drop, |script, checker| {
        check_release(checker, script.plan())
    });
    checker.play_both(vec![complete], interrupted)
}

/// The maximum time for which a call may hold the user's attention after its last question.
const MAX_HOLD: Duration = Duration::from_secs(30);

/// Checks that every call releases the user's attention soon, and before it returns or the session ends.
fn check_release(checker: &Checker<'_>, plan: SessionPlan) -> ScriptResult {
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| drop(process.session(plan).await));
    let violation = |headline: String| {
        let help = "drop the permit as soon as the user has answered; while you hold it, no other handler may ask";
        Err(Violation::new(headline, help).with_log(&fixture.log))
    };
    let (mut holders, mut answered): (Vec<Call>, Duration) = (Vec::new(), Duration::ZERO);
    for (time, event) in fixture.log.events() {
        match event {
            Event::Attention(call, Granted::Yes) => {
                holders.push(call);
                answered = time;
            }
            Event::Question(..) => answered = time,
            Event::Released(call) if time.saturating_sub(answered) > MAX_HOLD => {
                let seconds = time.saturating_sub(answered).as_secs();
                return violation(format!("{call} holds the user's attention for {seconds} s after its last question"));
            }
            Event::Released(call) => holders.retain(|holder| *holder != call),
            Event::Returned(call, _) if holders.contains(&call) => {
                return violation(format!("{call} returns without releasing the user's attention"));
            }
            Event::Closed => {
                if let Some(call) = holders.first() {
                    return violation(format!("{call} still holds the user's attention after the session"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
