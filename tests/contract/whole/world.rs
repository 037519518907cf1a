//! The manager of a case, and whom and what it reaches.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use syncmgr::choice::{Chooser, Chosen, Offer};
use syncmgr::classic::Hosted;
use syncmgr::environment::{Confirmation, Connection, ConnectionProvider, Secret};
use syncmgr::request::RegisterFlags;
use syncmgr::{HandlerId, Interaction, SyncHandler, SyncManager, SyncResult, anyhow, async_trait};
use syncmgr_test::ManualClock;

use super::classic;
use super::ledger::{Ledger, Thing};
use super::plans::{CLAIMS, Plan, Style};
use super::player::{Player, info};
use super::steps::wait;

const CHOICES_KEEP_THEIR_ORDER: bool = true;

/// A manager as data.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) items_at_once: usize,
    pub(crate) capacities: [usize; CLAIMS.len()],
    /// Which places of a handler's offer are chosen, as bits; `None` without a chooser.
    pub(crate) chooser: Option<Taste>,
    has_person: bool,
    has_network: bool,
}

/// What a chooser likes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Taste {
    These(u8, u16),
    GivesUp,
    Panics,
    Hangs,
}

pub(crate) fn setting() -> impl Strategy<Value = Setting> {
    let these = (any::<u8>(), 0..200_u16).prop_map(|(these, time)| Taste::These(these, time));
    let taste = prop_oneof![6 => these, 1 => Just(Taste::GivesUp), 1 => Just(Taste::Panics), 1 => Just(Taste::Hangs)];
    let capacities = prop::array::uniform3(1..4_usize);
    let chooser = prop::option::weighted(0.4, taste);
    (1..=8_usize, capacities, chooser, prop::bool::weighted(0.8), prop::bool::weighted(0.8)).prop_map(
        |(items_at_once, capacities, chooser, has_person, has_network)| Setting {
            items_at_once,
            capacities,
            chooser,
            has_person,
            has_network,
        },
    )
}

impl Setting {
    pub(crate) fn manager(&self, ledger: &Ledger) -> SyncManager {
        {
            let mut books = ledger.books();
            (books.items_at_once, books.capacities) = (self.items_at_once, self.capacities);
        }
        let mut builder = SyncManager::builder().clock(ManualClock::default()).items_at_once(self.items_at_once);
        for (claim, capacity) in CLAIMS.iter().zip(self.capacities) {
            builder = builder.capacity(*claim, capacity);
        }
        if let Some(taste) = self.chooser {
            builder = builder.chooser(taste);
        }
        if self.has_person {
            builder = builder.interaction(Person);
        }
        if self.has_network {
            builder = builder.connections(Network(ledger.clone()));
        }
        builder.build()
    }

    /// The same, but a chooser who comes to an end.
    pub(crate) fn that_ends(mut self) -> Self {
        self.chooser = self.chooser.filter(|taste| CHOICES_KEEP_THEIR_ORDER && !matches!(taste, Taste::Hangs));
        self
    }

    pub(crate) fn has_person(&self) -> bool {
        self.has_person
    }
}

/// The id of the handler at this place.
pub(crate) fn handler_id(place: usize) -> HandlerId {
    HandlerId::from_u128(0xA0 + place as u128)
}

/// Registers a generated handler. One that is registered already stays.
pub(crate) fn register(manager: &SyncManager, ledger: &Ledger, place: usize, plan: &Plan) {
    let (id, plan, ledger) = (handler_id(place), plan.clone(), ledger.clone());
    let flags = RegisterFlags::from_bits_truncate(plan.events);
    let handler: Arc<dyn SyncHandler> = match plan.style {
        Style::Async => Arc::new(Player::new(id, plan, ledger)),
        Style::Classic { .. } => {
            Arc::new(Hosted::with_info(info(id, &plan), move || classic::instance(id, &plan, &ledger)))
        }
    };
    _ = manager.register_for(handler, flags);
}

#[async_trait]
impl Chooser for Taste {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        match self {
            Self::GivesUp => None,
            Self::Panics => super::steps::panic_quietly(),
            Self::Hangs => std::future::pending().await,
            Self::These(these, time) => {
                wait(*time).await;
                Some(offers.iter().map(|offer| (offer.handler, liked(offer, *these))).collect())
            }
        }
    }
}

fn liked(offer: &Offer, these: u8) -> BTreeSet<syncmgr::ItemId> {
    let items = offer.items.iter().enumerate();
    items.filter(|(place, _)| these & (1 << (place % 8)) != 0).map(|(_, item)| item.item).collect()
}

/// Somebody who takes a moment to say yes.
struct Person;

#[async_trait]
impl Interaction for Person {
    async fn confirm(&self, _: &str) -> SyncResult<Confirmation> {
        wait(10).await;
        Ok(Confirmation::Confirm)
    }

    async fn choose(&self, _: &str, _: &[String]) -> SyncResult<Option<usize>> {
        Ok(None)
    }

    async fn secret(&self, _: &str) -> SyncResult<Option<Secret>> {
        Ok(None)
    }
}

/// Brings connections up after a while; some places cannot be reached.
struct Network(Ledger);

#[async_trait]
impl ConnectionProvider for Network {
    async fn connect(&self, name: Option<&str>) -> SyncResult<Connection> {
        wait(30).await;
        match name {
            Some("nowhere") => Err(anyhow::anyhow!("nobody answers")),
            _ => Ok(Box::new(self.0.count(Thing::Connection))),
        }
    }
}
