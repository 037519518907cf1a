//! What is left when everything is over.

use std::time::Duration;

use tokio::time::sleep;

use super::super::account::{Account, Event};
use super::super::bench::Bench;
use super::super::place::How;
use super::super::process::{Plan, Process};
use super::super::rig::Time;
use super::super::ruling::{Breach, Played, Ruling};
use super::super::script::{CutScript, Story};

/// As long as something may go on that nobody waits for.
const AN_HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) fn release(bench: &Bench<'_>) -> Ruling {
    let keeps = bench.rig().program(async |process| {
        process.session(Plan::default()).await;
        process.watch.has_kept()
    });
    if !keeps {
        return Ruling::Skipped("the handler keeps nothing for its runs".into());
    }
    bench.play(vec![Story::new("run everything", |bench| {
        let mut rig = bench.rig();
        rig.program(async |process| drop(process.session(Plan::default()).await));
        let outlives = |event: &Event| match event {
            Event::Outlives(count) => Some(*count),
            _ => None,
        };
        match rig.account.find(outlives) {
            None => Ok(()),
            Some(count) => {
                let values = if count == 1 { "a value" } else { "values" };
                let help = "take what `prepared` returns anew in every call, and keep no clone of it in the handler";
                Err(Breach::new(format!("{values} the run has kept outlives it, held by the handler"), help)
                    .with_account(&rig.account))
            }
        }
    })])
}

pub(super) fn late(bench: &Bench<'_>) -> Ruling {
    let whole = Story::new("run everything, and wait", |bench| {
        let mut rig = bench.rig();
        rig.program(async |process| {
            process.session(Plan::default()).await;
            wait(process).await;
        });
        nothing_late(&rig.account)
    });
    both(
        bench,
        whole,
        CutScript::all(bench.waits(|_| true), How::Stop, |script, bench| {
            let mut rig = bench.rig();
            rig.program(async |process| {
                process.session(script.plan()).await;
                wait(process).await;
            });
            nothing_late(&rig.account)
        }),
    )
}

/// Plays a story, and if it is well the scripts.
fn both(bench: &Bench<'_>, story: Story, scripts: Vec<CutScript>) -> Ruling {
    match bench.play(vec![story]) {
        Ruling::Broken(breach) => Ruling::Broken(breach),
        Ruling::Kept { .. } if scripts.is_empty() => Ruling::Kept { scripts: 1, left_out: 0 },
        whole => match (whole, bench.play(scripts)) {
            (Ruling::Kept { .. }, Ruling::Kept { scripts, left_out }) => {
                Ruling::Kept { scripts: scripts + 1, left_out }
            }
            (whole, Ruling::Skipped(_)) => whole,
            (_, ruling) => ruling,
        },
    }
}

async fn wait(process: &Process) {
    match process.time {
        Time::Virtual => sleep(AN_HOUR).await,
        Time::Real => sleep(Duration::from_millis(50)).await,
    }
}

fn nothing_late(account: &Account) -> Played {
    let late = account.find(|event| match event {
        Event::Late(text) => Some(text.clone()),
        _ => None,
    });
    late.map_or(Ok(()), |text| {
        let help = "await whatever has a context before the call returns: `ItemContext::spawn`, `blocking` and `concurrently` do";
        Err(Breach::new(text, help).with_account(account))
    })
}

pub(super) fn tasks(bench: &Bench<'_>) -> Ruling {
    let whole = Story::new("run everything, and shut down", |bench| {
        let mut rig = bench.rig();
        let left = rig.program(async |process| tasks_after(process, Plan::default()).await);
        no_tasks(left, &rig.account)
    });
    both(
        bench,
        whole,
        CutScript::all(bench.waits(|_| true), How::Stop, |script, bench| {
            let mut rig = bench.rig();
            let left = rig.program(async |process| tasks_after(process, script.plan()).await);
            no_tasks(left, &rig.account)
        }),
    )
}

/// How many tasks go on when the session is over and everything was shut down. In real time, how many more than before: a
/// library may have tasks of its own there, which do not become more with every session.
async fn tasks_after(process: &Process, plan: Plan) -> usize {
    let before = match process.time {
        Time::Virtual => 0,
        Time::Real => {
            process.session(Plan::default()).await;
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

fn no_tasks(left: usize, account: &Account) -> Played {
    if left == 0 {
        return Ok(());
    }
    account.note(Event::TasksGoOn(left));
    let help = "start work with `ItemContext::spawn`, which the item waits for, instead of `tokio::spawn`";
    let tasks = if left == 1 { "a task goes on" } else { "tasks go on" };
    Err(Breach::new(format!("{tasks} when everything was shut down"), help).with_account(account))
}
