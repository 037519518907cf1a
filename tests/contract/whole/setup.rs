//! The manager of a case, with its chooser, user and network.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use syncmgr::choice::{Chooser, Chosen, Offer};
use syncmgr::classic::ClassicAdapter;
use syncmgr::environment::{Asker, Confirmation, Connection, ConnectionProvider, Secret};
use syncmgr::request::RegisterFlags;
use syncmgr::{HandlerId, Interaction, SyncHandler, SyncManager, SyncResult, anyhow, async_trait};
use syncmgr_test::ManualClock;

use super::classic;
use super::generated::{GeneratedHandler, info};
use super::model::{Model, Resource};
use super::plans::{CLAIMS, HandlerPlan, Style};
use super::steps::wait;

const CHOICES_KEEP_THEIR_ORDER: bool = true;

/// The configuration of a manager.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) max_concurrent_items: usize,
    pub(crate) capacities: [usize; CLAIMS.len()],
    /// `None` for a manager without a chooser.
    pub(crate) chooser: Option<ChooserScript>,
    has_user: bool,
    has_network: bool,
}

/// The behaviour of a chooser.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChooserScript {
    /// Chooses the items of a bit mask after this many milliseconds.
    These(u8, u16),
    GivesUp,
    Panics,
    Hangs,
}

pub(crate) fn setting() -> impl Strategy<Value = Setting> {
    let these = (any::<u8>(), 0..200_u16).prop_map(|(these, time)| ChooserScript::These(these, time));
    let script = prop_oneof![
        6 => these,
        1 => Just(ChooserScript::GivesUp),
        1 => Just(ChooserScript::Panics),
        1 => Just(ChooserScript::Hangs)
    ];
    let capacities = prop::array::uniform3(1..4_usize);
    let chooser = prop::option::weighted(0.4, script);
    (1..=8_usize, capacities, chooser, prop::bool::weighted(0.8), prop::bool::weighted(0.8)).prop_map(
        |(max_concurrent_items, capacities, chooser, has_user, has_network)| Setting {
            max_concurrent_items,
            capacities,
            chooser,
            has_user,
            has_network,
        },
    )
}

impl Setting {
    pub(crate) fn manager(&self, model: &Model) -> SyncManager {
        {
            let mut state = model.lock();
            (state.max_concurrent_items, state.capacities) = (self.max_concurrent_items, self.capacities);
        }
        let mut builder =
            SyncManager::builder().clock(ManualClock::default()).max_concurrent_items(self.max_concurrent_items);
        for (claim, capacity) in CLAIMS.iter().zip(self.capacities) {
            builder = builder.capacity(*claim, capacity);
        }
        if let Some(script) = self.chooser {
            builder = builder.chooser(script);
        }
        if self.has_user {
            builder = builder.interaction(SlowUser);
        }
        if self.has_network {
            builder = builder.connections(Network(model.clone()));
        }
        builder.build()
    }

    /// Returns the setting without a chooser that never answers.
    pub(crate) fn into_terminating(mut self) -> Self {
        self.chooser =
            self.chooser.filter(|script| CHOICES_KEEP_THEIR_ORDER && !matches!(script, ChooserScript::Hangs));
        self
    }

    pub(crate) fn has_user(&self) -> bool {
        self.has_user
    }
}

/// The id of the handler with this index.
pub(crate) fn handler_id(index: usize) -> HandlerId {
    HandlerId::from_u128(0xA0 + index as u128)
}

/// Registers a generated handler unless it is already registered.
pub(crate) fn register(manager: &SyncManager, model: &Model, index: usize, plan: &HandlerPlan) {
    let (id, plan, model) = (handler_id(index), plan.clone(), model.clone());
    let flags = RegisterFlags::from_bits_truncate(plan.events);
    let handler: Arc<dyn SyncHandler> = match plan.style {
        Style::Async => Arc::new(GeneratedHandler::new(id, plan, model)),
        Style::Classic { .. } => {
            Arc::new(ClassicAdapter::with_info(info(id, &plan), move || classic::instance(id, &plan, &model)))
        }
    };
    _ = manager.register_for(handler, flags);
}

#[async_trait]
impl Chooser for ChooserScript {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        match self {
            Self::GivesUp => None,
            Self::Panics => super::steps::panic_quietly(),
            Self::Hangs => std::future::pending().await,
            Self::These(these, time) => {
                wait(*time).await;
                Some(offers.iter().map(|offer| (offer.handler, chosen_items(offer, *these))).collect())
            }
        }
    }
}

fn chosen_items(offer: &Offer, these: u8) -> BTreeSet<syncmgr::ItemId> {
    let items = offer.items.iter().enumerate();
    items.filter(|(index, _)| these & (1 << (index % 8)) != 0).map(|(_, item)| item.item).collect()
}

/// A user who confirms after 10 milliseconds.
struct SlowUser;

#[async_trait]
impl Interaction for SlowUser {
    async fn confirm(&self, _: &Asker, _: &str) -> SyncResult<Confirmation> {
        wait(10).await;
        Ok(Confirmation::Confirm)
    }

    async fn choose(&self, _: &Asker, _: &str, _: &[String]) -> SyncResult<Option<usize>> {
        Ok(None)
    }

    async fn secret(&self, _: &Asker, _: &str) -> SyncResult<Option<Secret>> {
        Ok(None)
    }
}

/// A network that connects after 30 milliseconds, except to `nowhere`.
struct Network(Model);

#[async_trait]
impl ConnectionProvider for Network {
    async fn connect(&self, name: Option<&str>) -> SyncResult<Connection> {
        wait(30).await;
        match name {
            Some("nowhere") => Err(anyhow::anyhow!("the host does not answer")),
            _ => Ok(Box::new(self.0.count(Resource::Connection))),
        }
    }
}
