//! Results of checks and the report on a handler.

use std::fmt;

use syncmgr_core::text::Escaped;

use super::check::Check;
use super::fixture::Time;
use super::violation::{Diagnostic, Violation};

/// The results of all checks of one handler. `Display` prints violations in the style of compiler errors.
#[derive(Debug)]
#[must_use = "a report has no effect unless it is evaluated"]
pub struct Report {
    pub(super) handler: String,
    pub(super) time: Time,
    pub(super) results: Vec<(Check, CheckResult)>,
}

/// The result of one check.
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckResult {
    /// No script has shown a violation.
    Passed(Passed),
    /// A script has shown a violation.
    Failed(Violation),
    /// The check does not apply, for this reason.
    Skipped(String),
}

/// The extent of a check that has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Passed {
    /// The number of scripts that were played.
    pub scripts: usize,
    /// The number of scripts beyond the maximum, which were not played.
    pub omitted: usize,
    /// The number of played scripts that did not reach their injection point.
    pub unreached: usize,
    /// A limitation of the comparison, if any.
    pub remark: Option<&'static str>,
}

impl Passed {
    /// Adds the scripts of another result.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            scripts: self.scripts + other.scripts,
            omitted: self.omitted + other.omitted,
            unreached: self.unreached + other.unreached,
            remark: self.remark.or(other.remark),
        }
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} played", self.scripts)?;
        if self.omitted > 0 {
            write!(f, ", {} omitted", self.omitted)?;
        }
        if self.unreached > 0 {
            write!(f, ", {} did not reach their injection point", self.unreached)?;
        }
        self.remark.map_or(Ok(()), |remark| write!(f, ", {remark}"))
    }
}

impl Report {
    /// Returns `true` if no check has failed.
    pub fn is_passed(&self) -> bool {
        self.violations().next().is_none()
    }

    /// Returns the checks with their results, in the order of [`Check::ALL`].
    pub fn results(&self) -> impl Iterator<Item = (Check, &CheckResult)> {
        self.results.iter().map(|(check, result)| (*check, result))
    }

    /// Returns the violations of the failed checks.
    pub fn violations(&self) -> impl Iterator<Item = (Check, &Violation)> {
        self.results.iter().filter_map(|(check, result)| match result {
            CheckResult::Failed(violation) => Some((*check, violation)),
            _ => None,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |wanted: fn(&CheckResult) -> bool| self.results.iter().filter(|(_, result)| wanted(result)).count();
        let passed = count(|result| matches!(result, CheckResult::Passed(_)));
        let skipped = count(|result| matches!(result, CheckResult::Skipped(_)));
        let failed = self.violations().count();
        let time = if self.time == Time::Real { ", in real time" } else { "" };
        writeln!(f, "{}{time}: {passed} passed, {failed} failed, {skipped} skipped", Escaped(&self.handler))?;
        self.results.iter().try_for_each(|(check, result)| writeln!(f, "{}", ResultLine(*check, result)))?;
        self.violations().try_for_each(|(check, violation)| write!(f, "\n{}", Diagnostic(check, violation)))
    }
}

/// A check and its result, on one line.
pub(super) struct ResultLine<'a>(pub(super) Check, pub(super) &'a CheckResult);

impl fmt::Display for ResultLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(check, result) = self;
        match result {
            CheckResult::Passed(passed) => write!(f, "   passed {check} ({passed})"),
            CheckResult::Skipped(reason) => write!(f, "  skipped {check}: {reason}"),
            CheckResult::Failed(violation) => write!(f, "   FAILED {check}: {}", violation.headline()),
        }
    }
}
