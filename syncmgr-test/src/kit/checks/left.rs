//! What is left when everything is over.

use std::time::Duration;

use tokio::time::sleep;

use super::super::account::{Account, Event};
use super::super::bench::Bench;
use super::super::breach::{Breach, Played};
use super::super::place::How;
use super::super::process::{Process, SessionPlan};
use super::super::rig::Time;
use super::super::ruling::Ruling;
use super::super::script::{CutScript, Story};

/// As long as something may go on that nobody waits for.
const AN_HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) fn release(bench: &Bench<'_>) -> Ruling {
    let whole = Story::new("run everything", |bench| released(bench, SessionPlan::default()));
    let cuts = CutScript::all(bench.waits(|_| true), How::Drop, |script, bench| released(bench, script.plan()));
    bench.play_both(vec![whole], cuts)
}

/// Whether everything that was taken is back when the session is over.
fn released(bench: &Bench<'_>, plan: SessionPlan) -> Played {
    let mut rig = bench.rig();
    let provider = rig.provider().clone();
    let before = provider.taken();
    let taken = rig.program(async |process| {
        process.session(plan).await;
        provider.taken()
    });
    let breach = |headline: String, help: &str| Err(Breach::new(headline, help).with_account(&rig.account));
    let outlives = rig.account.find(|event| match event {
        Event::Outlives(count) => Some(*count),
        _ => None,
    });
    if let Some(count) = outlives {
        let values = if count == 1 { "a value" } else { "values" };
        let help = "take what `prepared` returns anew in every call, and keep no clone of it in the handler";
        return breach(format!("{values} the run has kept outlives it, held by the handler"), help);
    }
    match taken > before {
        true => breach(
            format!(
                "{} of what the handler takes from its own pool are not back when the session is over",
                taken - before
            ),
            "give it back where it is dropped, in a guard, and not at the end of the call: a call may be dropped at any await",
        ),
        false => Ok(()),
    }
}

pub(super) fn late(bench: &Bench<'_>) -> Ruling {
    let whole = Story::new("run everything, and wait", |bench| nothing_late(bench, SessionPlan::default()));
    let cuts = CutScript::all(bench.waits(|_| true), How::Stop, |script, bench| nothing_late(bench, script.plan()));
    bench.play_both(vec![whole], cuts)
}

fn nothing_late(bench: &Bench<'_>, plan: SessionPlan) -> Played {
    let mut rig = bench.rig();
    rig.program(async |process| {
        process.session(plan).await;
        match process.time {
            Time::Virtual => sleep(AN_HOUR).await,
            Time::Real => sleep(Duration::from_millis(50)).await,
        }
    });
    let late = rig.account.find(|event| match event {
        Event::Late(text) => Some(text.clone()),
        _ => None,
    });
    late.map_or(Ok(()), |text| {
        let help = "await whatever has a context before the call returns: `ItemContext::spawn`, `blocking` and `concurrently` do";
        Err(Breach::new(text, help).with_account(&rig.account))
    })
}

pub(super) fn tasks(bench: &Bench<'_>) -> Ruling {
    let whole = Story::new("run everything, and shut down", |bench| no_tasks(bench, SessionPlan::default()));
    let cuts = CutScript::all(bench.waits(|_| true), How::Stop, |script, bench| no_tasks(bench, script.plan()));
    bench.play_both(vec![whole], cuts)
}

fn no_tasks(bench: &Bench<'_>, plan: SessionPlan) -> Played {
    let mut rig = bench.rig();
    let left = rig.program(async |process| tasks_after(process, plan).await);
    if left == 0 {
        return Ok(());
    }
    let account: &Account = &rig.account;
    account.note(Event::TasksGoOn(left));
    let help = "start work with `ItemContext::spawn`, which the item waits for, instead of `tokio::spawn`";
    let tasks = if left == 1 { "a task goes on" } else { "tasks go on" };
    Err(Breach::new(format!("{tasks} when everything was shut down"), help).with_account(account))
}

/// How many tasks go on when the session is over and everything was shut down. In real time, how many more than before: a
/// library may have tasks of its own there, which do not become more with every session.
async fn tasks_after(process: &Process, plan: SessionPlan) -> usize {
    let before = match process.time {
        Time::Virtual => 0,
        Time::Real => {
            process.session(SessionPlan::default()).await;
            process.tasks().await
        }
    };
    process.session(plan).await;
    let after = match process.time {
        Time::Virtual => process.shut_down().await.1,
        Time::Real => process.tasks().await,
    };
    after.saturating_sub(before)
}
