//! The check that each class of failure leads to the promised retry.

mod retry;

use std::fmt;
use std::mem::discriminant;
use std::time::Duration;

use syncmgr_core::error::{FailureClass, RetryAt};
use syncmgr_core::item::SyncItem;

use super::super::checker::{Checker, Script};
use super::super::events::{Event, EventLog};
use super::super::fixture::Fixture;
use super::super::injection::{Call, ItemLabel};
use super::super::process::{SessionPlan, SessionResult};
use super::super::result::CheckResult;
use super::super::violation::{ScriptResult, Violation};
use super::interruption::check_others;

/// The delay that the peer requests before the next attempt.
const RETRY_AFTER: Duration = Duration::from_secs(10 * 60);

/// The maximum additional duration of a failing item. A longer delay means that the handler waits or retries by itself.
const MAX_DELAY: Duration = Duration::from_secs(5);

const CLASSES: [FailureClass; 4] = [
    FailureClass::Transient,
    FailureClass::NotBefore(RetryAt::After(RETRY_AFTER)),
    FailureClass::Permanent,
    FailureClass::Gone,
];

/// A failure of the peer in one access to an item.
struct PeerFailure {
    item: SyncItem,
    access: Access,
    class: FailureClass,
}

/// The access that fails.
#[derive(Clone, Copy)]
enum Access {
    /// The next one, which the provider makes fail.
    Next,
    /// The one with this number in [`Accesses`](crate::Accesses).
    Number(u32),
}

pub(super) fn failures(checker: &Checker<'_>) -> CheckResult {
    let scripts = match checker.fixture().provider().accesses() {
        Some(_) => failures_of_each_access(checker),
        None => failures_of_next_access(checker),
    };
    match scripts.is_empty() {
        true => CheckResult::Skipped(NO_FAILURES.into()),
        false => checker.play(scripts),
    }
}

const NO_FAILURES: &str =
    "the provider cannot inject failures; see `Provider::accesses` and `Provider::inject_failure`";

fn failures_of_next_access(checker: &Checker<'_>) -> Vec<PeerFailure> {
    let items = checker.sample_items();
    let of_items =
        |class| items.iter().map(move |item| PeerFailure { item: SyncItem::clone(item), access: Access::Next, class });
    let failures = CLASSES.into_iter().flat_map(of_items);
    failures.filter(|failure| failure.inject(&checker.fixture())).collect()
}

/// Returns a failure of each access and class, for accesses that a run without faults makes.
fn failures_of_each_access(checker: &Checker<'_>) -> Vec<PeerFailure> {
    let mut fixture = checker.fixture();
    fixture.run_process(async |process| drop(process.session(SessionPlan::default()).await));
    let count = |item: &SyncItem| fixture.provider().accesses().map_or(0, |accesses| accesses.count(item.name()));
    let of_item = |item: &SyncItem| {
        let item = item.clone();
        (1..=count(&item)).flat_map(move |number| {
            let item = item.clone();
            CLASSES.map(move |class| PeerFailure { item: item.clone(), access: Access::Number(number), class })
        })
    };
    checker.sample_items().into_iter().flat_map(of_item).collect()
}

impl fmt::Display for PeerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.access {
            Access::Next => write!(f, "the peer fails one access to {}: {}", self.name(), self.class),
            Access::Number(number) => write!(f, "the peer fails access {number} to {}: {}", self.name(), self.class),
        }
    }
}

/// A headline and its help.
type Problem = (String, &'static str);

const RETURN_HELP: &str = "return the error immediately and do not retry; the host schedules the retry";

const CLASS_HELP: &str = "mark the error with the class: `.permanent()`, `.gone()`, `.retry_after(..)`; an error built from the text \
                          of another loses the class, `.context(..)` preserves it";

impl Script for PeerFailure {
    fn play(&self, checker: &Checker<'_>) -> ScriptResult {
        let mut fixture = checker.fixture();
        self.inject(&fixture);
        let ran = fixture.run_process(async |process| process.session(SessionPlan::default()).await);
        if matches!(self.access, Access::Number(_)) && !fixture.log.was_injected() {
            checker.count_if_unreached();
            return Ok(());
        }
        let returned = self.returned_class(checker, &fixture.log, &ran);
        let class = returned.map_err(|(headline, help)| {
            Violation::new(headline, help).with_log(&fixture.log).with_item(&self.name())
        })?;
        if class.is_some() {
            check_others(checker, &fixture, &ran, &self.name(), "failed")?;
        }
        self.check_retry(checker, class)
    }
}

impl PeerFailure {
    /// Makes the peer fail the access. Returns `false` if the provider cannot.
    fn inject(&self, fixture: &Fixture) -> bool {
        fixture.log.action(self.to_string());
        match (self.access, fixture.provider().accesses()) {
            (Access::Number(number), Some(accesses)) => {
                accesses.fail(self.item.name(), number, self.class);
                true
            }
            _ => fixture.provider().inject_failure(&self.item, self.class),
        }
    }

    fn name(&self) -> ItemLabel {
        ItemLabel::from(&self.item)
    }

    /// Returns the class of the item's failure; `None` if the handler as a whole has failed.
    fn returned_class(
        &self,
        checker: &Checker<'_>,
        log: &EventLog,
        ran: &SessionResult,
    ) -> Result<Option<FailureClass>, Problem> {
        let SessionResult::Ended(report, _) = ran else { return Err(("the session does not end".into(), RETURN_HELP)) };
        let Some(ended) = report.items().find(|ended| ended.item.id() == self.item.id()) else { return Ok(None) };
        let Some(class) = ended.class else {
            return Err((
                format!("the peer failed an access to {}, but the item ends: {}", self.name(), ended.outcome),
                RETURN_HELP,
            ));
        };
        let took = self.duration(log).saturating_sub(checker.baseline.duration(self.item.id()));
        if took > MAX_DELAY {
            let seconds = took.as_secs();
            return Err((
                format!(
                    "the peer failed an access to {}, and the handler returns the error only after {seconds} s",
                    self.name()
                ),
                RETURN_HELP,
            ));
        }
        // A failure in `prepare` or `synchronize` has no class per item.
        let not_called = log.count(|event| self.is_call(event)) == 0;
        match discriminant(&class) == discriminant(&self.class) || not_called {
            true => Ok(Some(class).filter(|_| !not_called)),
            false => Err((
                format!(
                    "the peer failed an access to {} ({}), but the handler returns: {class}",
                    self.name(),
                    self.class
                ),
                CLASS_HELP,
            )),
        }
    }

    fn is_call(&self, event: &Event) -> bool {
        matches!(event, Event::Called(Call::Item(item)) if item.id == self.item.id())
    }

    /// Returns the duration of the item's call.
    fn duration(&self, log: &EventLog) -> Duration {
        let returned =
            |event: &Event| matches!(event, Event::Returned(Call::Item(item), _) if item.id == self.item.id());
        let (began, ended) = (log.time_of(|event| self.is_call(event)), log.time_of(returned));
        ended.zip(began).map_or(Duration::ZERO, |(ended, began)| ended.saturating_sub(began))
    }
}
