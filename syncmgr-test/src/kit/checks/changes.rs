//! The checks of items that change: between runs, while a run processes a change, and during a run.

use std::fmt;

use syncmgr_core::item::SyncItem;

use super::super::change::{Change, Expected, ItemChange};
use super::super::checker::{Checker, Script, check_no_panic};
use super::super::end::EndState;
use super::super::fixture::Fixture;
use super::super::injection::{CallCounts, Fault, Injection, InjectionPoint, ItemLabel};
use super::super::process::{SessionPlan, SessionResult};
use super::super::result::CheckResult;
use super::super::violation::{ScriptResult, Violation};

const NO_CHANGES: &str = "the provider cannot change items; see `Provider::change`";

/// A change, and the moment at which it happens.
struct ChangeScript {
    change: ItemChange,
    moment: Moment,
}

/// The moment of a change.
enum Moment {
    /// Between two sessions of one process, whose memory of the first one may be out of date.
    BetweenSessions,
    /// Between two processes. Only the store and the data survive.
    BetweenProcesses,
    /// Between two processes. A fault then interrupts the run that processes the change.
    BeforeInterruption(Injection),
    /// During the first run, which copies everything.
    FirstRun(InjectionPoint),
    /// During the second run, which has nothing to do.
    SecondRun(InjectionPoint),
}

pub(super) fn changes(checker: &Checker<'_>) -> CheckResult {
    let changes = measure_changes(checker);
    let moments = |(change, _)| {
        [Moment::BetweenSessions, Moment::BetweenProcesses].map(|moment| ChangeScript::new(&change, moment))
    };
    play(checker, changes.into_iter().flat_map(moments).collect())
}

pub(super) fn interrupted_changes(checker: &Checker<'_>) -> CheckResult {
    let interruptions = |(change, counts): (ItemChange, CallCounts)| {
        let injections = checker
            .injection_points_of(&counts)
            .into_iter()
            .flat_map(|point| [Fault::Stop, Fault::Kill].map(|fault| Injection { point: point.clone(), fault }));
        let scripts = injections.map(|injection| ChangeScript::new(&change, Moment::BeforeInterruption(injection)));
        scripts.collect::<Vec<_>>()
    };
    play(checker, measure_changes(checker).into_iter().flat_map(interruptions).collect())
}

pub(super) fn lost_updates(checker: &Checker<'_>) -> CheckResult {
    let idle = measure_second_run(checker);
    let arrivals = |(change, _): (ItemChange, CallCounts)| {
        let first = checker.injection_points().into_iter().filter(|_| change.change.is_remote()).map(Moment::FirstRun);
        let second = checker.injection_points_of(&idle).into_iter().map(Moment::SecondRun);
        first.chain(second).map(|moment| ChangeScript::new(&change, moment)).collect::<Vec<_>>()
    };
    play(checker, measure_changes(checker).into_iter().flat_map(arrivals).collect())
}

fn play(checker: &Checker<'_>, scripts: Vec<ChangeScript>) -> CheckResult {
    match scripts.is_empty() {
        true => CheckResult::Skipped(NO_CHANGES.into()),
        false => checker.play(scripts),
    }
}

/// Returns the changes that the provider can make, each with the calls of the run that processes it.
fn measure_changes(checker: &Checker<'_>) -> Vec<(ItemChange, CallCounts)> {
    let sample = checker.sample_items();
    let on_each = |change: Change| sample.iter().map(move |item| ItemChange { item: SyncItem::clone(item), change });
    Change::ALL.into_iter().flat_map(on_each).filter_map(|change| measure_change(checker, change)).collect()
}

fn measure_change(checker: &Checker<'_>, change: ItemChange) -> Option<(ItemChange, CallCounts)> {
    let mut fixture = checker.fixture();
    run_all(&mut fixture);
    fixture.change(&change)?;
    let counts = fixture.run_process(async |process| {
        process.session(SessionPlan::default()).await;
        process.monitor.counts()
    });
    Some((change, counts))
}

/// Returns the calls of a run that finds nothing to do.
fn measure_second_run(checker: &Checker<'_>) -> CallCounts {
    checker.fixture().run_process(async |process| {
        process.session(SessionPlan::default()).await;
        process.session(SessionPlan::default()).await;
        process.monitor.counts()
    })
}

fn run_all(fixture: &mut Fixture) -> SessionResult {
    fixture.run_process(async |process| process.session(SessionPlan::default()).await)
}

/// Runs all items with a stop or a kill, and again: after a stop in the same process, after a kill in a new one.
fn run_interrupted(fixture: &mut Fixture, injection: &Injection) -> SessionResult {
    let again = fixture.run_process(async |process| {
        let interrupted = SessionPlan { injection: Some(injection.clone()), ..SessionPlan::default() };
        match process.session(interrupted).await {
            SessionResult::Killed => None,
            _ => {
                process.pause().await;
                Some(process.session(SessionPlan::default()).await)
            }
        }
    });
    again.unwrap_or_else(|| run_all(fixture))
}

impl Script for ChangeScript {
    fn play(&self, checker: &Checker<'_>) -> ScriptResult {
        let mut fixture = checker.fixture();
        let changed = self.change_and_run(&mut fixture);
        if self.moment.injects() {
            checker.count_if_unreached();
        }
        let Some((expected, ran)) = changed else { return Ok(()) };
        self.verify(checker, &fixture, &ran, &expected, "the next run")?;
        let again = run_all(&mut fixture);
        self.verify(checker, &fixture, &again, &expected, "another run")
    }
}

impl ChangeScript {
    fn new(change: &ItemChange, moment: Moment) -> Self {
        Self { change: change.clone(), moment }
    }

    /// Plays the script up to the end of the run that must have processed the change. Returns the state that is then right, and
    /// the result of that run; `None` if the provider could not make the change.
    fn change_and_run(&self, fixture: &mut Fixture) -> Option<(Expected, SessionResult)> {
        match &self.moment {
            Moment::BetweenSessions => self.change_between_sessions(fixture),
            Moment::BetweenProcesses => {
                run_all(fixture);
                Some((fixture.change(&self.change)?, run_all(fixture)))
            }
            Moment::BeforeInterruption(injection) => {
                run_all(fixture);
                let expected = fixture.change(&self.change)?;
                Some((expected, run_interrupted(fixture, injection)))
            }
            Moment::FirstRun(point) => self.change_during(fixture, &[self.arrival(point)]),
            Moment::SecondRun(point) => self.change_during(fixture, &[SessionPlan::default(), self.arrival(point)]),
        }
    }

    fn change_between_sessions(&self, fixture: &mut Fixture) -> Option<(Expected, SessionResult)> {
        let (provider, log) = (fixture.provider().clone(), fixture.log.clone());
        fixture.run_process(async |process| {
            process.session(SessionPlan::default()).await;
            log.action(self.change.to_string());
            let expected = provider.change(&self.change.item, self.change.change)?;
            Some((expected, process.session(SessionPlan::default()).await))
        })
    }

    /// Runs these sessions, and another one that must process what they have missed.
    fn change_during(&self, fixture: &mut Fixture, plans: &[SessionPlan]) -> Option<(Expected, SessionResult)> {
        fixture.run_process(async |process| {
            for plan in plans {
                process.session(plan.clone()).await;
                process.pause().await;
            }
            let expected = process.monitor.take_expected()?;
            Some((expected, process.session(SessionPlan::default()).await))
        })
    }

    /// Returns a session in which the change arrives at this point.
    fn arrival(&self, point: &InjectionPoint) -> SessionPlan {
        let injection = Injection { point: point.clone(), fault: Fault::Change(self.change.clone()) };
        SessionPlan { injection: Some(injection), ..SessionPlan::default() }
    }

    /// Compares a run after the change with what the provider expects.
    fn verify(
        &self,
        checker: &Checker<'_>,
        fixture: &Fixture,
        ran: &SessionResult,
        expected: &Expected,
        run: &str,
    ) -> ScriptResult {
        check_no_panic(fixture)?;
        let violation = |found: String| {
            let headline = format!("{}, and after {run} {found}", self.change);
            Violation::new(headline, self.change.change.help()).with_log(&fixture.log)
        };
        let SessionResult::Ended(report, outcomes) = ran else {
            return Err(violation("the session has not ended".into()));
        };
        let as_expected = |item: &SyncItem, ended| match item.id() == self.change.item.id() {
            true => ended == expected.outcome,
            false => checker.baseline.allows_of(item, ended),
        };
        if let Some(wrong) = report.items().find(|ended| !as_expected(ended.item, ended.outcome)) {
            let item = ItemLabel::from(wrong.item);
            return Err(violation(format!("{item} has ended: {}", wrong.outcome)).with_item(&item));
        }
        let may_be_missing = |item: &SyncItem| item.id() == self.change.item.id() && self.change.change.is_deletion();
        let missing = |item: &&SyncItem| !outcomes.contains_key(&item.id()) && !may_be_missing(item);
        if let Some(item) = checker.baseline.items.iter().find(missing) {
            return Err(violation(format!("{} is missing from the report", ItemLabel::from(item))));
        }
        let differences = EndState(fixture.provider().data()).differences(&EndState(expected.data.clone()));
        match differences.is_empty() {
            true => Ok(()),
            false => {
                Err(violation("the data are not those that the provider expects".into()).with_details(differences))
            }
        }
    }
}

impl Moment {
    /// Returns `true` if the script injects something at an injection point.
    fn injects(&self) -> bool {
        !matches!(self, Self::BetweenSessions | Self::BetweenProcesses)
    }
}

impl fmt::Display for ChangeScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = &self.change;
        match &self.moment {
            Moment::BetweenSessions => write!(f, "{change} between two sessions"),
            Moment::BetweenProcesses => write!(f, "{change} between two processes"),
            Moment::BeforeInterruption(injection) => write!(f, "{change}, then {injection}"),
            Moment::FirstRun(point) => write!(f, "{change} at {point}"),
            Moment::SecondRun(point) => write!(f, "{change} in the second run at {point}"),
        }
    }
}
