//! The checks: their scripts and the conditions that must hold after them.

mod blocking;
mod changes;
mod cleanup;
mod commits;
mod conditions;
mod description;
mod failures;
mod holds;
mod hosts;
mod interruption;
mod local_changes;
mod rerun;
mod selection;
mod upgrade;
mod user;

use super::check::Check;
use super::checker::Checker;
use super::result::CheckResult;

/// Runs a check.
pub(super) fn run(checker: &Checker<'_>) -> CheckResult {
    match checker.check {
        // The other checks only run if this one passes.
        Check::Baseline => description::baseline(checker),
        Check::Description => description::description(checker),
        Check::Listing => description::listing(checker),
        Check::Selection => selection::selection(checker),
        Check::Statuses => selection::statuses(checker),
        Check::Skip => interruption::skip(checker),
        Check::Stop => interruption::stop(checker),
        Check::Resume => interruption::resume(checker),
        Check::Kill => interruption::kill(checker),
        Check::SecondRun => rerun::second_run(checker),
        Check::Idempotent => rerun::idempotent(checker),
        Check::Resumable => rerun::resumable(checker),
        Check::Changes => changes::changes(checker),
        Check::InterruptedChanges => changes::interrupted_changes(checker),
        Check::LostUpdates => changes::lost_updates(checker),
        Check::LocalChanges => local_changes::local_changes(checker),
        Check::Failures => failures::failures(checker),
        Check::Commits => commits::commits(checker),
        Check::Holds => holds::holds(checker),
        Check::Conditions => conditions::conditions(checker),
        Check::Endings => conditions::endings(checker),
        Check::Panics => interruption::panics(checker),
        Check::Unattended => user::unattended(checker),
        Check::Attention => user::attention(checker),
        Check::Release => cleanup::release(checker),
        Check::LateUse => cleanup::late_use(checker),
        Check::Tasks => cleanup::tasks(checker),
        Check::Hosts => hosts::hosts(checker),
        Check::Cookie => hosts::cookie(checker),
        Check::Blocking => blocking::blocking(checker),
        Check::Upgrade => upgrade::upgrade(checker),
    }
}
