//! The checks with other hosts: slow, failing, cancelling, panicking, and with any cookie.

use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::classic::SyncCallback;
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::ItemId;
use syncmgr_core::item::SyncItem;
use syncmgr_core::trigger::{RunFlags, Trigger};
use syncmgr_runtime::mapping::CallbackAdapter;
use tokio::time::sleep;

use super::super::checker::{Checker, check_no_panic};
use super::super::events::Event;
use super::super::injection::Call;
use super::super::process::{Process, SessionPlan, SessionResult};
use super::super::result::CheckResult;
use super::super::script::CustomScript;
use super::super::services::HostServices;
use super::super::violation::{ScriptResult, Violation};
use crate::ScriptedHost;

/// Configures the foreign host.
type HostSetup = fn(&ScriptedHost);

pub(super) fn hosts(checker: &Checker<'_>) -> CheckResult {
    let foreign =
        |name: &str, set_up: HostSetup| CustomScript::new(name, move |checker| on_foreign_host(checker, set_up));
    checker.play(vec![
        CustomScript::new("every request to the host fails", |checker| with_services(checker, HostServices::Failing)),
        CustomScript::new("every request to the host takes a minute", |checker| {
            with_services(checker, HostServices::Slow)
        }),
        foreign("a foreign host", |_| {}),
        foreign("a foreign host that refuses everything", |host| {
            host.answer_attention(HResult::S_FALSE);
            host.answer_connection(HResult::E_FAIL);
        }),
        foreign("a foreign host that cancels everything", ScriptedHost::cancel_all),
        foreign("a foreign host that panics", ScriptedHost::panic_from_now_on),
    ])
}

const HOST_HELP: &str = "return the refusals of the host with `?`, and do not `unwrap` or `expect` its answers";

fn with_services(checker: &Checker<'_>, services: HostServices) -> ScriptResult {
    let mut fixture = checker.fixture();
    let ran = fixture.run_process_with(services, async |process| process.session(SessionPlan::default()).await);
    check_no_panic(&fixture)?;
    if !matches!(ran, SessionResult::Ended(..)) {
        return Err(Violation::new("the session does not end", HOST_HELP).with_log(&fixture.log));
    }
    let again = fixture.run_process(async |process| process.session(SessionPlan::default()).await);
    checker.compare(&fixture, &again, "a slow or failing host")
}

fn on_foreign_host(checker: &Checker<'_>, set_up: HostSetup) -> ScriptResult {
    let mut fixture = checker.fixture();
    let items: Vec<_> = checker.baseline.items.iter().map(SyncItem::id).collect();
    let calls = fixture.run_process(async |process| {
        let host = ScriptedHost::new();
        set_up(&host);
        drive(process, &host, &items).await;
        host.transcript().lines()
    });
    check_no_panic(&fixture)?;
    for pair in ["PrepareForSyncCompleted", "SynchronizeCompleted"] {
        let completed = calls.iter().filter(|line| line.starts_with(pair)).count();
        let prepared = calls.iter().any(|line| line.starts_with("PrepareForSyncCompleted S_OK"));
        if completed > 1 || completed == 0 && (prepared || pair == "PrepareForSyncCompleted") {
            let headline = format!("{pair} was called {completed} times");
            return Err(Violation::new(headline, HOST_HELP).with_details(calls).with_log(&fixture.log));
        }
    }
    let again = fixture.run_process(async |process| process.session(SessionPlan::default()).await);
    checker.compare(&fixture, &again, "a run on a foreign host")
}

/// Drives the handler with the calls that a Windows host makes.
async fn drive(process: &Process, host: &Arc<ScriptedHost>, items: &[ItemId]) {
    let (user, store) = (Arc::new(process.user.clone()), Arc::new(process.store.clone()));
    let Ok(adapter) = CallbackAdapter::with_store(process.recording_handler.clone(), Some(user), store) else { return };
    process.log.action("a foreign host begins");
    adapter.initialize(Trigger::Manual, RunFlags::MAY_BOTHER_USER, None).await;
    _ = adapter.enum_sync_items().await;
    adapter.set_progress_callback(Some(host.clone() as Arc<dyn SyncCallback>));
    adapter.prepare_for_sync(items);
    wait_for(process, host, "PrepareForSyncCompleted").await;
    if host.transcript().count("PrepareForSyncCompleted S_OK") == 1 {
        adapter.synchronize();
        wait_for(process, host, "SynchronizeCompleted").await;
    }
    adapter.set_progress_callback(None);
    process.log.action("the foreign host ends");
}

/// Waits until the host's callback receives the completion, or the session timeout has passed.
async fn wait_for(process: &Process, host: &ScriptedHost, pair: &str) {
    let (mut waited, mut step) = (Duration::ZERO, Duration::from_millis(20));
    while host.transcript().count(pair) == 0 && waited < process.session_timeout() {
        sleep(step).await;
        waited += step;
        step += step / 4;
    }
}

pub(super) fn cookie(checker: &Checker<'_>) -> CheckResult {
    let cookies: [(&str, Vec<u8>); 4] = [
        ("no bytes", vec![]),
        ("a zero byte", vec![0]),
        ("invalid UTF-8", vec![0xFF; 64]),
        ("long text", b"{\"a\":".repeat(800)),
    ];
    let script = |(name, cookie): (&str, Vec<u8>)| {
        CustomScript::new(format!("invoked with {name}"), move |checker| {
            let mut fixture = checker.fixture();
            let (ran, again) = fixture.run_process(async |process| {
                let plan = SessionPlan { cookie: Some(cookie.clone()), ..SessionPlan::default() };
                (process.session(plan).await, process.session(SessionPlan::default()).await)
            });
            let help = "a cookie may come from anywhere: parse the formats you know, and decline the rest";
            let panicked = fixture.log.find(|event| match event {
                Event::Panicked(
                    call @ (Call::Initialize | Call::Prepare | Call::Synchronize | Call::Item(_)),
                    text,
                ) => Some(format!("{call} panics: {text}")),
                _ => None,
            });
            if let Some(headline) = panicked {
                return Err(Violation::new(headline, help).with_log(&fixture.log));
            }
            if !matches!(ran, SessionResult::Ended(..)) {
                return Err(Violation::new("the invocation does not end", help).with_log(&fixture.log));
            }
            checker.compare(&fixture, &again, "an invocation")
        })
    };
    checker.play(cookies.into_iter().map(script).collect())
}
