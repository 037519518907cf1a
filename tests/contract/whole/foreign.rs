//! A generated handler on a foreign host. For any order of the host's calls, pairs complete once, items end once, and no
//! call arrives after the callback was detached.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use syncmgr::classic::{CallbackAdapter, HResult};
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::request::RunFlags;
use syncmgr::{Subject, Trigger};
use syncmgr_test::{ScriptedHost, ScriptedUser};
use tokio::runtime::{Builder, Handle};
use tokio::time::{Duration, sleep, timeout};

use super::checks;
use super::generated::GeneratedHandler;
use super::model::Model;
use super::planning::plan;
use super::plans::{HandlerPlan, Style, item_id};
use super::setup::handler_id;
use super::steps::wait;

#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    plan: HandlerPlan,
    may_bother: bool,
    calls: Vec<(u16, Call)>,
}

const EARLIER_CONTEXTS_REFUSE: bool = true;

/// A call of the host.
#[derive(Clone, Copy, Debug)]
enum Call {
    Attach,
    Prepare(u8),
    Synchronize,
    Skip(usize),
    Stop,
    /// Cancels this item, starting with its next `Progress` call.
    Cancel(usize),
    RefuseAttention,
    ShowError,
    Detach,
}

pub(crate) fn foreign() -> impl Strategy<Value = Foreign> {
    let call = prop_oneof![
        1 => Just(Call::Attach),
        2 => any::<u8>().prop_map(Call::Prepare),
        3 => Just(Call::Synchronize),
        3 => (0..6_usize).prop_map(Call::Skip),
        1 => Just(Call::Stop),
        2 => (0..6_usize).prop_map(Call::Cancel),
        1 => Just(Call::RefuseAttention),
        3 => Just(Call::ShowError),
        1 => Just(Call::Detach),
    ];
    let begins = (0..20_u16, 0..200_u16, 1..=255_u8).prop_map(|(prepare, synchronize, items)| {
        vec![(0, Call::Attach), (prepare, Call::Prepare(items)), (synchronize, Call::Synchronize)]
    });
    let calls = (begins, vec((0..200_u16, call), 0..12)).prop_map(|(begins, calls)| [begins, calls].concat());
    (plan(), any::<bool>(), calls).prop_map(|(plan, may_bother, calls)| Foreign {
        plan: HandlerPlan { style: Style::Async, ..plan.without_connections() },
        may_bother,
        calls,
    })
}

/// Makes the calls and returns the violations.
pub(crate) fn run(foreign: &Foreign) -> Vec<String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("the runtime is built");
    let model = Model::default();
    model.lock().set_foreign_host(foreign.plan.bounds.items);
    runtime.block_on(perform(foreign, &model));
    if !EARLIER_CONTEXTS_REFUSE {
        model.lock().saved_contexts.clear();
    }
    checks::model_state(&model.lock())
}

async fn perform(foreign: &Foreign, model: &Model) {
    let handler = GeneratedHandler::new(handler_id(0), foreign.plan.clone(), model.clone());
    let adapter = CallbackAdapter::with_interaction(Arc::new(handler), Some(Arc::new(ScriptedUser::new())))
        .expect("inside a runtime");
    let host = ScriptedHost::new();
    let flags = if foreign.may_bother { RunFlags::MAY_BOTHER_USER } else { RunFlags::empty() };
    let listed = timeout(Duration::from_secs(60), async {
        adapter.initialize(Trigger::Manual, flags, None).await;
        adapter.enum_sync_items().await
    });
    // The host ignores a handler that never answers.
    _ = listed.await;
    for (after, call) in &foreign.calls {
        wait(*after).await;
        perform_call(&adapter, &host, *call);
    }
    adapter.set_item_status(Subject::Handler, Status::Stopped);
    sleep(Duration::from_secs(60)).await;
    check_completions(&host, model);
    detach(&adapter, &host);
    sleep(Duration::from_secs(60)).await;
    violations(&host)
        .into_iter()
        .for_each(|violation| model.violation(format!("{violation}: {:?}", host.transcript().lines())));
    let alive = Handle::current().metrics().num_alive_tasks();
    if alive > 0 {
        model.violation(format!("{alive} tasks are still running"));
    }
}

fn perform_call(adapter: &CallbackAdapter, host: &Arc<ScriptedHost>, call: Call) {
    let note = |line: &str, code: HResult| {
        if code.is_ok() {
            host.transcript().note(line);
        }
    };
    match call {
        Call::Attach => _ = adapter.set_progress_callback(Some(host.clone())),
        Call::Prepare(items) => {
            let items: Vec<_> = (0..6).filter(|index| items & (1 << index) != 0).map(item_id).collect();
            // The pair may complete before the call returns, so one note precedes the call and a second note records the result.
            host.transcript().note("prepares");
            let code = adapter.prepare_for_sync(&items);
            host.transcript().note(if code.is_ok() { "prepared" } else { "refused to prepare" });
        }
        Call::Synchronize => note("synchronizes", adapter.synchronize()),
        Call::Skip(item) => _ = adapter.set_item_status(Subject::Item(item_id(item)), Status::Skipped),
        Call::Stop => _ = adapter.set_item_status(Subject::Handler, Status::Stopped),
        Call::Cancel(item) => host.cancel_item(item_id(item)),
        Call::RefuseAttention => host.answer_attention(HResult::S_FALSE),
        Call::ShowError => note("shows", adapter.show_error(ErrorId::from_key("link"))),
        Call::Detach => detach(adapter, host),
    }
}

fn detach(adapter: &CallbackAdapter, host: &ScriptedHost) {
    adapter.set_progress_callback(None);
    host.transcript().note("detached");
}

/// Checks that every pair the host began is complete after the stop, unless the host has detached.
fn check_completions(host: &ScriptedHost, model: &Model) {
    let lines = host.transcript();
    let pairs = [("prepared", "PrepareForSyncCompleted"), ("synchronizes", "SynchronizeCompleted")];
    for (begun, completed) in pairs {
        if lines.count("detached") == 0 && lines.count(begun) != lines.count(completed) {
            model.violation(format!("the pair of `{begun}` did not complete exactly once: {:?}", lines.lines()));
        }
    }
    if lines.count("detached") == 0 && lines.count("EnableModeless TRUE") < lines.count("EnableModeless FALSE") {
        model.violation(format!("attention was released more often than granted: {:?}", lines.lines()));
    }
}

/// Returns the calls that the host must not receive.
fn violations(host: &ScriptedHost) -> Vec<String> {
    let (mut violations, mut detached) = (Vec::new(), false);
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    for line in host.transcript().lines() {
        match line.split(' ').next().unwrap_or_default() {
            "detached" => detached = true,
            "prepares" => ended.clear(),
            "prepared" | "refused" | "synchronizes" | "shows" => {}
            _ if detached => violations.push(format!("called after the detach: {line}")),
            "Progress" if is_end(&line) => {
                let item = line.split(' ').nth(1).unwrap_or_default().to_owned();
                let times = ended.entry(item).or_default();
                *times += 1;
                if *times > 1 {
                    violations.push(format!("an item ends twice: {line}"));
                }
            }
            _ => {}
        }
    }
    violations
}

fn is_end(line: &str) -> bool {
    ["Succeeded", "Failed", "Skipped", "Stopped"].iter().any(|status| line.contains(status))
}
