//! Setup of a process: the manager and its handlers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::ledger::Resume;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::requirements::Requirement;
use syncmgr_core::retry::RetryPolicy;
use syncmgr_runtime::change_source::ManualChanges;
use syncmgr_runtime::manager::SyncManager;
use tokio::sync::mpsc::UnboundedSender;

use crate::disk::Disk;
use crate::endings::SimulatedSystem;
use crate::model::ScheduleKey;
use crate::observed::Observed;
use crate::ports::{CHOOSING_DEADLINE, RandomChooser, SimulatedConnections, SimulatedUser};
use crate::provider::{Copier, claim, handler_id, item_id};
use crate::rule::{Plan, Rule};
use crate::script::{Script, Setting};
use crate::sim::{Sim, SimClock};
use crate::{Extensions, SimContext};
use syncmgr_test::{ManualEnvironment, SeededRandomness};

/// Builds the manager of a script.
pub(crate) fn manager(
    sim: &Sim,
    script: &Script,
    disk: &Disk,
    environment: &ManualEnvironment,
    changes: &ManualChanges,
) -> SyncManager {
    let mut builder = SyncManager::builder()
        .clock(SimClock(sim.clone()))
        .randomness(SeededRandomness::new(sim.rng_source().named("manager").nth(sim.process()).rng().u64(..)))
        .store(disk.clone())
        .environment(SimulatedSystem { values: environment.clone(), sim: sim.clone() })
        .change_source(changes.clone())
        .interaction(SimulatedUser(sim.clone()))
        .connections(SimulatedConnections(sim.clone()))
        .choosing_deadline(CHOOSING_DEADLINE);
    let (mut max_concurrent, mut capacities, mut retry) = (64, BTreeMap::new(), RetryPolicy::DEFAULT);
    let [mut idle_after, mut connect_delay] = [Duration::ZERO; 2];
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
            Setting::IdleAfter(seconds) => idle_after = Duration::from_secs(*seconds),
            Setting::ConnectDelay(seconds) => connect_delay = Duration::from_secs(*seconds),
            Setting::RandomDelays => drop(sim.try_with(|state| state.random_delays = true)),
        }
    }
    for (claim, items) in &capacities {
        builder = builder.capacity(claim.clone(), *items);
    }
    sim.try_with(|state| {
        let settings = &mut state.model.settings;
        (settings.max_concurrent_items, settings.capacities, settings.retry) = (max_concurrent, capacities, retry);
        (settings.idle_after, settings.connect_delay) = (idle_after, connect_delay);
    });
    let builder = builder.idle_after(idle_after).connect_delay(connect_delay);
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
    let before_end = script.rules().filter_map(|rule| match rule {
        Rule::RunsBeforeEnd(provider) => Some(handler_id(*provider)),
        _ => None,
    });
    sim.try_with(|state| {
        let settings = &mut state.model.settings;
        (settings.connect, settings.plans, settings.requirements) = (connect, plans(script), requirements(script));
        settings.before_end = before_end.collect();
    });
    let users = extensions.handlers.iter().enumerate().map(|(index, make)| {
        let rng_source = sim.rng_source().named("handler").nth(index).nth(sim.process());
        make(&SimContext { sim: sim.clone(), rng_source })
    });
    let providers = script.providers().map(|plan| -> Arc<dyn SyncHandler> {
        let rules = script.rules().filter(|rule| rule.provider() == plan.index).cloned().collect();
        Arc::new(Copier::new(plan, script.items_of(plan.index).cloned().collect(), rules, sim.clone()))
    });
    let observe = |inner: Arc<dyn SyncHandler>| {
        let info = inner.info();
        sim.try_with(|state| state.model.settings.handlers.insert(info.id(), info.clone()));
        let observed = Observed { inner, sim: sim.clone(), sessions: sessions.clone() };
        (info.id(), Arc::new(observed) as Arc<dyn SyncHandler>)
    };
    users.chain(providers).map(observe).collect()
}

fn plans(script: &Script) -> BTreeMap<ScheduleKey, Plan> {
    let plans = script.rules().filter_map(|rule| match rule {
        Rule::Schedule(provider, _, plan) => Some(((handler_id(*provider), plan.schedule()), *plan)),
        _ => None,
    });
    plans.collect()
}

fn requirements(script: &Script) -> BTreeMap<(HandlerId, Option<ItemId>), Vec<Requirement>> {
    let mut requirements = BTreeMap::<_, Vec<_>>::new();
    for rule in script.rules() {
        if let Rule::Requires(provider, item, requirement) = rule {
            let item = item.map(|item| item_id(*provider, item));
            requirements.entry((handler_id(*provider), item)).or_default().push(*requirement);
        }
    }
    requirements
}
