//! Hosts that are slow, that refuse, that panic, and that hand over anything.

use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::classic::SyncCallback;
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::ItemId;
use syncmgr_core::item::SyncItem;
use syncmgr_core::trigger::{RunFlags, Trigger};
use syncmgr_runtime::mapping::Driven;
use tokio::time::sleep;

use super::super::account::Event;
use super::super::bench::{Bench, no_panic};
use super::super::breach::{Breach, Played};
use super::super::place::Call;
use super::super::process::{Process, Ran, SessionPlan};
use super::super::ruling::Ruling;
use super::super::script::Story;
use super::super::stage::Weather;
use crate::ScriptedHost;

/// How a foreign host behaves.
type Manners = fn(&ScriptedHost);

pub(super) fn hosts(bench: &Bench<'_>) -> Ruling {
    let foreign = |name: &str, manners: Manners| Story::new(name, move |bench| driven(bench, manners));
    bench.play(vec![
        Story::new("whatever is asked of the host fails", |bench| weathered(bench, Weather::Foul)),
        Story::new("whatever is asked of the host takes a minute", |bench| weathered(bench, Weather::Slow)),
        foreign("a foreign host", |_| {}),
        foreign("a foreign host that refuses everything", |host| {
            host.answer_attention(HResult::S_FALSE);
            host.answer_connection(HResult::E_FAIL);
        }),
        foreign("a foreign host that cancels everything", ScriptedHost::cancel_all),
        foreign("a foreign host that panics", ScriptedHost::panic_from_now_on),
    ])
}

const ANY_ANSWER: &str = "pass what the host refuses on with `?`, and let no `unwrap` or `expect` rely on its answers";

fn weathered(bench: &Bench<'_>, weather: Weather) -> Played {
    let mut rig = bench.rig();
    let ran = rig.program_in(weather, async |process| process.session(SessionPlan::default()).await);
    no_panic(&rig)?;
    if !matches!(ran, Ran::Rested(..)) {
        return Err(Breach::new("the session does not come to an end", ANY_ANSWER).with_account(&rig.account));
    }
    let again = rig.program(async |process| process.session(SessionPlan::default()).await);
    bench.compare(&rig, &again, "a bad host")
}

fn driven(bench: &Bench<'_>, manners: Manners) -> Played {
    let mut rig = bench.rig();
    let items: Vec<_> = bench.baseline.items.iter().map(SyncItem::id).collect();
    let told = rig.program(async |process| {
        let host = ScriptedHost::new();
        manners(&host);
        drive(process, &host, &items).await;
        host.transcript().lines()
    });
    no_panic(&rig)?;
    for pair in ["PrepareForSyncCompleted", "SynchronizeCompleted"] {
        let completed = told.iter().filter(|line| line.starts_with(pair)).count();
        let prepared = told.iter().any(|line| line.starts_with("PrepareForSyncCompleted S_OK"));
        if completed > 1 || completed == 0 && (prepared || pair == "PrepareForSyncCompleted") {
            let headline = format!("{pair} was called {completed} times");
            return Err(Breach::new(headline, ANY_ANSWER).with_details(told).with_account(&rig.account));
        }
    }
    let again = rig.program(async |process| process.session(SessionPlan::default()).await);
    bench.compare(&rig, &again, "a run on a foreign host")
}

/// Runs the handler as a host of the Windows contract does.
async fn drive(process: &Process, host: &Arc<ScriptedHost>, items: &[ItemId]) {
    let (user, store) = (Arc::new(Weather::Fair), Arc::new(process.store.clone()));
    let Ok(driven) = Driven::with_store(process.witness.clone(), Some(user), store) else { return };
    process.account.act("a foreign host begins");
    driven.initialize(Trigger::Manual, RunFlags::MAY_BOTHER_USER, None).await;
    _ = driven.enum_sync_items().await;
    driven.set_progress_callback(Some(host.clone() as Arc<dyn SyncCallback>));
    driven.prepare_for_sync(items);
    completes(process, host, "PrepareForSyncCompleted").await;
    if host.transcript().count("PrepareForSyncCompleted S_OK") == 1 {
        driven.synchronize();
        completes(process, host, "SynchronizeCompleted").await;
    }
    driven.set_progress_callback(None);
    process.account.act("the foreign host has gone");
}

/// Waits until a call is completed, or nobody would any more.
async fn completes(process: &Process, host: &ScriptedHost, pair: &str) {
    let (mut waited, mut step) = (Duration::ZERO, Duration::from_millis(20));
    while host.transcript().count(pair) == 0 && waited < process.patience() {
        sleep(step).await;
        waited += step;
        step += step / 4;
    }
}

pub(super) fn cookie(bench: &Bench<'_>) -> Ruling {
    let cookies: [(&str, Vec<u8>); 4] = [
        ("no bytes", vec![]),
        ("a zero", vec![0]),
        ("no UTF-8", vec![0xFF; 64]),
        ("much text", b"{\"a\":".repeat(800)),
    ];
    let story = |(name, cookie): (&str, Vec<u8>)| {
        Story::new(format!("invoked with {name}"), move |bench| {
            let mut rig = bench.rig();
            let (ran, again) = rig.program(async |process| {
                let plan = SessionPlan { cookie: Some(cookie.clone()), ..SessionPlan::default() };
                (process.session(plan).await, process.session(SessionPlan::default()).await)
            });
            let help = "a cookie may come from anywhere: take apart what you know, and decline the rest";
            let panicked = rig.account.find(|event| match event {
                Event::Panicked(
                    call @ (Call::Initialize | Call::Prepare | Call::Synchronize | Call::Item(_)),
                    text,
                ) => Some(format!("{call} panics: {text}")),
                _ => None,
            });
            if let Some(headline) = panicked {
                return Err(Breach::new(headline, help).with_account(&rig.account));
            }
            if !matches!(ran, Ran::Rested(..)) {
                return Err(Breach::new("the invocation does not come to an end", help).with_account(&rig.account));
            }
            bench.compare(&rig, &again, "an invocation")
        })
    };
    bench.play(cookies.into_iter().map(story).collect())
}
