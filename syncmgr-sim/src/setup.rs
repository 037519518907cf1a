//! What a process begins with: the manager and its handlers.

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
use crate::ports::{Link, Person, Taste};
use crate::provider::{Copier, claim};
use crate::script::{Rule, Script};
use crate::world::{World, WorldClock};
use crate::{Extras, Surroundings};
use syncmgr_test::{ManualFacts, SeededRandomness};

/// The manager a script asks for.
pub(crate) fn manager(world: &World, script: &Script, disk: &Disk, facts: &ManualFacts) -> SyncManager {
    let mut builder = SyncManager::builder()
        .clock(WorldClock(world.clone()))
        .randomness(SeededRandomness::new(world.dice().of("manager").nth(world.process()).rng().u64(..)))
        .store(disk.clone())
        .facts(facts.clone())
        .interaction(Person(world.clone()))
        .connections(Link(world.clone()));
    let (mut at_once, mut capacities, mut retry) = (64, BTreeMap::new(), RetryPolicy::DEFAULT);
    for rule in script.rules() {
        match rule {
            Rule::ItemsAtOnce(items) => at_once = *items,
            Rule::Capacity(number, items) => {
                capacities.insert(Claim::new(claim(*number)), *items);
            }
            Rule::ResumeAtOnce => builder = builder.resume(Resume::AtOnce),
            Rule::Retry(initial, cap, budget) => {
                let [initial, cap] = [initial, cap].map(|seconds| Duration::from_secs(*seconds));
                retry = retry.with_initial(initial).with_cap(cap).with_budget(*budget, 50);
            }
            Rule::Chooser => builder = builder.chooser(Taste(world.clone())),
            Rule::Shaken => drop(world.reach(|state| state.shaken = true)),
        }
    }
    for (claim, items) in &capacities {
        builder = builder.capacity(claim.clone(), *items);
    }
    world.reach(|state| {
        let rules = &mut state.books.rules;
        (rules.items_at_once, rules.capacities, rules.retry) = (at_once, capacities, retry);
    });
    builder.items_at_once(at_once).retry(retry).build()
}

pub(crate) type Made = Vec<(HandlerId, Arc<dyn SyncHandler>)>;

/// Its handlers, those of users first, each watched.
pub(crate) fn handlers(world: &World, script: &Script, extras: &Extras, sessions: &UnboundedSender<SessionId>) -> Made {
    let users = extras.handlers.iter().enumerate().map(|(place, make)| {
        let dice = world.dice().of("handler").nth(place).nth(world.process());
        make(&Surroundings { world: world.clone(), dice })
    });
    let providers = script.providers().map(|plan| -> Arc<dyn SyncHandler> {
        Arc::new(Copier::new(plan, script.items_of(plan.place).cloned().collect(), world.clone()))
    });
    let watch = |inner: Arc<dyn SyncHandler>| {
        let info = inner.info();
        world.reach(|state| state.books.rules.handlers.insert(info.id(), info.clone()));
        let watched = Observed { inner, world: world.clone(), sessions: sessions.clone() };
        (info.id(), Arc::new(watched) as Arc<dyn SyncHandler>)
    };
    users.chain(providers).map(watch).collect()
}
