//! Setup of a process: the manager and its handlers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::ledger::Resume;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::retry::RetryPolicy;
use syncmgr_runtime::manager::SyncManager;
use tokio::sync::mpsc::UnboundedSender;

use crate::disk::Disk;
use crate::observed::Observed;
use crate::ports::{CHOOSING_DEADLINE, RandomChooser, SimulatedConnections, SimulatedUser};
use crate::provider::{Copier, claim, handler_id};
use crate::script::{Script, Setting};
use crate::sim::{Sim, SimClock};
use crate::{Extensions, SimContext};
use syncmgr_test::{ManualEnvironment, SeededRandomness};

/// Builds the manager of a script.
pub(crate) fn manager(sim: &Sim, script: &Script, disk: &Disk, environment: &ManualEnvironment) -> SyncManager {
    let mut builder = SyncManager::builder()
        .clock(SimClock(sim.clone()))
        .randomness(SeededRandomness::new(sim.rng_source().named("manager").nth(sim.process()).rng().u64(..)))
        .store(disk.clone())
        .environment(environment.clone())
        .interaction(SimulatedUser(sim.clone()))
        .connections(SimulatedConnections(sim.clone()))
        .choosing_deadline(CHOOSING_DEADLINE);
    let (mut max_concurrent, mut capacities, mut retry) = (64, BTreeMap::new(), RetryPolicy::DEFAULT);
    for setting in script.settings() {
        match setting {
            Setting::MaxConcurrentItems(items) => max_concurrent = *items,
            Setting::Capacity(number, items) => {
                capacities.insert(Claim::new(claim(*number)), *items);
            }
            Setting::ResumeImmediately => builder = builder.resume(Resume::Immediately),
            Setting::Retry(initial, cap, budget) => {
                let [initial, cap] = [initial, cap].map(|seconds| Duration::from_secs(*seconds));
                retry = retry.with_initial(initial).with_cap(cap).with_budget(*budget, 50);
            }
            Setting::Chooser => builder = builder.chooser(RandomChooser(sim.clone())),
            Setting::RandomDelays => drop(sim.try_with(|state| state.random_delays = true)),
        }
    }
    for (claim, items) in &capacities {
        builder = builder.capacity(claim.clone(), *items);
    }
    sim.try_with(|state| {
        let settings = &mut state.model.settings;
        (settings.max_concurrent_items, settings.capacities, settings.retry) = (max_concurrent, capacities, retry);
    });
    builder.max_concurrent_items(max_concurrent).retry(retry).build()
}

pub(crate) type Handlers = Vec<(HandlerId, Arc<dyn SyncHandler>)>;

/// Creates the handlers, added handlers first, each wrapped in [`Observed`].
pub(crate) fn handlers(
    sim: &Sim,
    script: &Script,
    extensions: &Extensions,
    sessions: &UnboundedSender<SessionId>,
) -> Handlers {
    let connect = script.providers().filter(|plan| plan.runs_at_connect).map(|plan| handler_id(plan.index)).collect();
    sim.try_with(|state| state.model.settings.connect = connect);
    let users = extensions.handlers.iter().enumerate().map(|(index, make)| {
        let rng_source = sim.rng_source().named("handler").nth(index).nth(sim.process());
        make(&SimContext { sim: sim.clone(), rng_source })
    });
    let providers = script.providers().map(|plan| -> Arc<dyn SyncHandler> {
        Arc::new(Copier::new(plan, script.items_of(plan.index).cloned().collect(), sim.clone()))
    });
    let observe = |inner: Arc<dyn SyncHandler>| {
        let info = inner.info();
        sim.try_with(|state| state.model.settings.handlers.insert(info.id(), info.clone()));
        let observed = Observed { inner, sim: sim.clone(), sessions: sessions.clone() };
        (info.id(), Arc::new(observed) as Arc<dyn SyncHandler>)
    };
    users.chain(providers).map(observe).collect()
}
