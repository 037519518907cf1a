//! The checks, each a few scripts and what must hold after them.

mod again;
mod blocking;
mod chosen;
mod commits;
mod cut;
mod failures;
mod hosts;
mod left;
mod said;
mod upgrade;
mod user;

use super::bench::Bench;
use super::check::Check;
use super::ruling::Ruling;

/// Makes a check.
pub(super) fn make(bench: &Bench<'_>) -> Ruling {
    match bench.check {
        // Without it no other check is made.
        Check::Undisturbed => said::undisturbed(bench),
        Check::Description => said::description(bench),
        Check::Listing => said::listing(bench),
        Check::Choice => chosen::choice(bench),
        Check::Statuses => chosen::statuses(bench),
        Check::Skip => cut::skip(bench),
        Check::Stop => cut::stop(bench),
        Check::Resume => cut::resume(bench),
        Check::Kill => cut::kill(bench),
        Check::Again => again::again(bench),
        Check::Repeat => again::repeat(bench),
        Check::Resumable => again::resumable(bench),
        Check::Failures => failures::failures(bench),
        Check::Commits => commits::commits(bench),
        Check::Panics => cut::panics(bench),
        Check::Silence => user::silence(bench),
        Check::Attention => user::attention(bench),
        Check::Release => left::release(bench),
        Check::Late => left::late(bench),
        Check::Tasks => left::tasks(bench),
        Check::Hosts => hosts::hosts(bench),
        Check::Cookie => hosts::cookie(bench),
        Check::Blocking => blocking::blocking(bench),
        Check::Upgrade => upgrade::upgrade(bench),
    }
}
