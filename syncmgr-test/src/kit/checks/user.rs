//! The checks that the handler asks no questions in unattended sessions, and soon releases the user's attention.

use std::collections::BTreeMap;
use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_runtime::report::ItemReport;

use super::super::checker::Checker;
use super::super::events::{Event, Granted};
use super::super::fixture::Time;
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

const RELEASE_HELP: &str = "drop the permit as soon as the user has answered, before the answer is used for a log-in; to ask again, \
                            request another permit. While you hold it, no other handler may ask";

/// Checks that every call releases the user's attention as soon as the user has answered, and before the call returns.
fn check_release(checker: &Checker<'_>, plan: SessionPlan) -> ScriptResult {
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| drop(process.session(plan).await));
    let mut holders = Holders { time: checker.baseline.time, held: BTreeMap::new() };
    let found = fixture.log.events().into_iter().find_map(|(time, event)| holders.advance(time, event));
    found.map_or(Ok(()), |headline| Err(Violation::new(headline, RELEASE_HELP).with_log(&fixture.log)))
}

/// The calls that hold the user's attention.
struct Holders {
    time: Time,
    held: BTreeMap<Call, Hold>,
}

/// The attention that a call holds.
struct Hold {
    /// The time of the permit or the last question.
    since: Duration,
    is_answered: bool,
    /// The first work during the hold.
    worked: Option<String>,
}

impl Holders {
    /// Applies an event. Returns a violation, if there is one.
    fn advance(&mut self, time: Duration, event: Event) -> Option<String> {
        match event {
            Event::Attention(call, Granted::Yes) => {
                self.held.insert(call, Hold { since: time, is_answered: false, worked: None });
            }
            Event::Question(call, _) => self.update(&call, |hold| (hold.since, hold.is_answered) = (time, false)),
            Event::Answered(call) => self.update(&call, |hold| hold.is_answered = true),
            Event::HeldDuringWork(call) => self.update(&call, |hold| hold.work("it waits for something else")),
            // In real time the access may belong to another call.
            Event::Accessed { item, .. } if self.time == Time::Virtual => {
                self.held.values_mut().for_each(|hold| hold.work(&format!("the peer receives an access to `{item}`")));
            }
            Event::Connected(call, _) => self.update(&call, |hold| hold.work("it establishes a connection")),
            Event::Released(call) => {
                let held = self.held.remove(&call)?;
                return held.violation(&call, time.saturating_sub(held.since));
            }
            Event::Returned(call, _) if self.held.contains_key(&call) => {
                return Some(format!("{call} returns without releasing the user's attention"));
            }
            Event::Closed => {
                let (call, _) = self.held.first_key_value()?;
                return Some(format!("{call} still holds the user's attention after the session"));
            }
            _ => {}
        }
        None
    }

    fn update(&mut self, call: &Call, change: impl FnMut(&mut Hold)) {
        self.held.get_mut(call).into_iter().for_each(change);
    }
}

impl Hold {
    /// Records work, unless the user has yet to answer.
    fn work(&mut self, work: &str) {
        if self.is_answered {
            self.worked.get_or_insert_with(|| work.to_owned());
        }
    }

    fn violation(&self, call: &Call, held: Duration) -> Option<String> {
        if held > MAX_HOLD {
            let seconds = held.as_secs();
            return Some(format!("{call} holds the user's attention for {seconds} s after its last question"));
        }
        let work = self.worked.as_ref()?;
        Some(format!("{call} still holds the user's attention while {work}, although the user has answered"))
    }
}
