//! The store of a process, which also records failed writes in the model.

use std::future::pending;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::error::SyncResult;
use syncmgr_core::store::{Durability, StateChange, StateStore};

use crate::sim::Sim;
use syncmgr_test::FaultyStore;
use syncmgr_test::reads_from;

/// A store that acknowledges writes with a random delay.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) store: FaultyStore,
    pub(crate) sim: Sim,
}

impl StateStore for Disk {
    reads_from!(store);

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let observed = self.sim.try_with(|state| {
            let now = state.moment();
            let findings = state.model.observe_firings(&changes, now);
            findings.into_iter().for_each(|(invariant, details)| state.report_violation(invariant, details));
            for change in &changes {
                state.digest(&format!("{change:?}"));
                state.model.observe_change(change);
            }
        });
        if observed.is_none() {
            // An ended process writes nothing.
            return pending().boxed();
        }
        let (sim, written) = (self.sim.clone(), self.store.write(changes));
        async move {
            let written = written.await;
            if written.is_err() {
                sim.try_with(|state| state.model.store_failed = true);
            }
            sim.yield_or_sleep("write", 0, Duration::from_millis(30)).await;
            written
        }
        .boxed()
    }

    fn durability(&self) -> Durability {
        self.store.durability()
    }
}
