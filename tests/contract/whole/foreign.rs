//! A generated handler on a foreign host: whatever the host calls in whatever order, pairs complete once, items end once,
//! and nothing comes after the callback was taken away.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use syncmgr::classic::{Driven, HResult};
use syncmgr::log::ErrorId;
use syncmgr::progress::Status;
use syncmgr::request::RunFlags;
use syncmgr::{Subject, Trigger};
use syncmgr_test::{ScriptedHost, ScriptedUser};
use tokio::runtime::{Builder, Handle};
use tokio::time::{Duration, sleep, timeout};

use super::checks;
use super::ledger::Ledger;
use super::planning::plan;
use super::plans::{Plan, Style, item_id};
use super::player::Player;
use super::steps::wait;
use super::world::handler_id;

#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    plan: Plan,
    may_bother: bool,
    calls: Vec<(u16, Call)>,
}

const EARLIER_CONTEXTS_REFUSE: bool = true;

/// Something the host does.
#[derive(Clone, Copy, Debug)]
enum Call {
    Attach,
    Prepare(u8),
    Synchronize,
    Skip(usize),
    Stop,
    /// From now on `Progress` is answered with a cancel.
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
        plan: Plan { style: Style::Async, ..plan.without_connections() },
        may_bother,
        calls,
    })
}

/// Plays the calls, and says what was broken.
pub(crate) fn play(foreign: &Foreign) -> Vec<String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let ledger = Ledger::default();
    ledger.books().on_a_foreign_host(foreign.plan.bounds.items);
    runtime.block_on(perform(foreign, &ledger));
    if !EARLIER_CONTEXTS_REFUSE {
        ledger.books().strays.clear();
    }
    checks::books(&ledger.books())
}

async fn perform(foreign: &Foreign, ledger: &Ledger) {
    let player = Player::new(handler_id(0), foreign.plan.clone(), ledger.clone());
    let driven = Driven::with_interaction(Arc::new(player), Some(Arc::new(ScriptedUser::new()))).expect("a runtime");
    let host = ScriptedHost::new();
    let flags = if foreign.may_bother { RunFlags::MAY_BOTHER_USER } else { RunFlags::empty() };
    let listed = timeout(Duration::from_secs(60), async {
        driven.initialize(Trigger::Manual, flags, None).await;
        driven.enum_sync_items().await
    });
    // A handler that never answers is the host's to leave alone.
    _ = listed.await;
    for (after, call) in &foreign.calls {
        wait(*after).await;
        perform_call(&driven, &host, *call);
    }
    driven.set_item_status(Subject::Handler, Status::Stopped);
    sleep(Duration::from_secs(60)).await;
    completed(&host, ledger);
    detach(&driven, &host);
    sleep(Duration::from_secs(60)).await;
    faults(&host).into_iter().for_each(|fault| ledger.broken(format!("{fault}: {:?}", host.transcript().lines())));
    let alive = Handle::current().metrics().num_alive_tasks();
    if alive > 0 {
        ledger.broken(format!("{alive} tasks go on"));
    }
}

fn perform_call(driven: &Driven, host: &Arc<ScriptedHost>, call: Call) {
    let note = |line: &str, code: HResult| {
        if code.is_ok() {
            host.transcript().note(line);
        }
    };
    match call {
        Call::Attach => _ = driven.set_progress_callback(Some(host.clone())),
        Call::Prepare(items) => {
            let items: Vec<_> = (0..6).filter(|place| items & (1 << place) != 0).map(item_id).collect();
            // The pair may complete before the call returns: the note comes first, and is taken back by another.
            host.transcript().note("prepares");
            let code = driven.prepare_for_sync(&items);
            host.transcript().note(if code.is_ok() { "prepared" } else { "refused to prepare" });
        }
        Call::Synchronize => note("synchronizes", driven.synchronize()),
        Call::Skip(item) => _ = driven.set_item_status(Subject::Item(item_id(item)), Status::Skipped),
        Call::Stop => _ = driven.set_item_status(Subject::Handler, Status::Stopped),
        Call::Cancel(item) => host.cancel_item(item_id(item)),
        Call::RefuseAttention => host.answer_attention(HResult::S_FALSE),
        Call::ShowError => note("shows", driven.show_error(ErrorId::from_key("look"))),
        Call::Detach => detach(driven, host),
    }
}

fn detach(driven: &Driven, host: &ScriptedHost) {
    driven.set_progress_callback(None);
    host.transcript().note("detached");
}

/// Once everything was stopped, every pair the host has begun is complete, if the host was still there.
fn completed(host: &ScriptedHost, ledger: &Ledger) {
    let lines = host.transcript();
    let pairs = [("prepared", "PrepareForSyncCompleted"), ("synchronizes", "SynchronizeCompleted")];
    for (begun, completed) in pairs {
        if lines.count("detached") == 0 && lines.count(begun) != lines.count(completed) {
            ledger.broken(format!("{begun} is not completed once: {:?}", lines.lines()));
        }
    }
    if lines.count("detached") == 0 && lines.count("EnableModeless TRUE") < lines.count("EnableModeless FALSE") {
        ledger.broken(format!("attention is given back more often than it was granted: {:?}", lines.lines()));
    }
}

/// What the host was told that it should not have been.
fn faults(host: &ScriptedHost) -> Vec<String> {
    let (mut faults, mut detached) = (Vec::new(), false);
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    for line in host.transcript().lines() {
        match line.split(' ').next().unwrap_or_default() {
            "detached" => detached = true,
            "prepares" => ended.clear(),
            "prepared" | "refused" | "synchronizes" | "shows" => {}
            _ if detached => faults.push(format!("called after it has detached: {line}")),
            "Progress" if is_end(&line) => {
                let item = line.split(' ').nth(1).unwrap_or_default().to_owned();
                let times = ended.entry(item).or_default();
                *times += 1;
                if *times > 1 {
                    faults.push(format!("an item ends twice: {line}"));
                }
            }
            _ => {}
        }
    }
    faults
}

fn is_end(line: &str) -> bool {
    ["Succeeded", "Failed", "Skipped", "Stopped"].iter().any(|status| line.contains(status))
}
