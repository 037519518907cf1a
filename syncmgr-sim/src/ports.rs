//! The ports of the simulated manager: the user, connections and a chooser.

use std::time::Duration;

use async_trait::async_trait;
use syncmgr_core::decision::choice::Offer;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Asker, Confirmation, Connection, ConnectionProvider, Interaction, Secret};
use syncmgr_runtime::chooser::{Chooser, Chosen};
use tokio::time::sleep;

use crate::sim::{Sim, State};

/// A user who confirms everything after a delay. At most one question may be open.
pub(crate) struct SimulatedUser(pub(crate) Sim);

/// Increments a counter of the state, and decrements it on drop.
struct CountGuard {
    sim: Sim,
    counter: fn(&mut State) -> &mut usize,
}

impl CountGuard {
    fn begin(sim: &Sim, counter: fn(&mut State) -> &mut usize) -> (Self, usize) {
        let count = sim.try_with(|state| {
            *counter(state) += 1;
            *counter(state)
        });
        (Self { sim: sim.clone(), counter }, count.unwrap_or_default())
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.sim.try_with(|state| *(self.counter)(state) -= 1);
    }
}

impl SimulatedUser {
    async fn answer<T>(&self, answer: T) -> SyncResult<T> {
        let (_guard, open) = CountGuard::begin(&self.0, |state| &mut state.model.open_prompts);
        if open > 1 {
            self.0.report_violation("at most one question to the user is open", format!("{open} are open"));
        }
        self.0.note("the user is asked");
        self.0.yield_or_sleep("person", 0, Duration::from_secs(20)).await;
        Ok(answer)
    }
}

#[async_trait]
impl Interaction for SimulatedUser {
    async fn confirm(&self, _: &Asker, _: &str) -> SyncResult<Confirmation> {
        self.answer(Confirmation::Confirm).await
    }

    async fn choose(&self, _: &Asker, _: &str, _: &[String]) -> SyncResult<Option<usize>> {
        self.answer(Some(0)).await
    }

    async fn secret(&self, _: &Asker, _: &str) -> SyncResult<Option<Secret>> {
        self.answer(Some(Secret::new("1234"))).await
    }
}

/// Establishes connections after a delay.
pub(crate) struct SimulatedConnections(pub(crate) Sim);

#[async_trait]
impl ConnectionProvider for SimulatedConnections {
    async fn connect(&self, _: Option<&str>) -> SyncResult<Connection> {
        self.0.yield_or_sleep("connection", 0, Duration::from_millis(400)).await;
        let (connection, _) = CountGuard::begin(&self.0, |state| &mut state.model.open_connections);
        Ok(Box::new(connection))
    }
}

/// The time after which the manager stops waiting for the chooser.
pub(crate) const CHOOSING_DEADLINE: Duration = Duration::from_secs(5 * 60);

/// A chooser that picks most items at random, and sometimes does not answer.
pub(crate) struct RandomChooser(pub(crate) Sim);

impl RandomChooser {
    /// Waits until the manager drops the call.
    async fn stay_silent(&self) {
        sleep(CHOOSING_DEADLINE + Duration::from_secs(1)).await;
        self.0.report_violation(
            "a choice has a deadline",
            format!("the chooser is called for over {CHOOSING_DEADLINE:?}"),
        );
    }
}

#[async_trait]
impl Chooser for RandomChooser {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        self.0.yield_or_sleep("chooser", 0, Duration::from_secs(5)).await;
        let mut rng = self.0.next_rng("choice", 0).unwrap_or(self.0.rng_source()).rng();
        if self.0.next_rng("silence", 0).is_some_and(|rng_source| rng_source.rng().u8(..4) == 0) {
            self.stay_silent().await;
        }
        let mut pick = |offer: &Offer| {
            let items = offer.items.iter().map(|item| item.item);
            (offer.handler, items.filter(|_| rng.u8(..4) > 0).collect())
        };
        Some(offers.iter().map(&mut pick).collect())
    }
}
