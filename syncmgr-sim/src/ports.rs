//! What a simulated manager reaches of the world: a person, a network, somebody who chooses.

use std::time::Duration;

use async_trait::async_trait;
use syncmgr_core::decision::choice::Offer;
use syncmgr_core::error::SyncResult;
use syncmgr_core::port::{Confirmation, Connection, ConnectionProvider, Interaction, Secret};
use syncmgr_runtime::chooser::{Chooser, Chosen};

use crate::world::{State, World};

/// Somebody who takes a while to say yes, and is asked one thing at a time.
pub(crate) struct Person(pub(crate) World);

/// Counts something while it lives.
struct Counted {
    world: World,
    of: fn(&mut State) -> &mut usize,
}

impl Counted {
    fn begin(world: &World, of: fn(&mut State) -> &mut usize) -> (Self, usize) {
        let now = world.reach(|state| {
            *of(state) += 1;
            *of(state)
        });
        (Self { world: world.clone(), of }, now.unwrap_or_default())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.world.reach(|state| *(self.of)(state) -= 1);
    }
}

impl Person {
    async fn answer<T>(&self, answer: T) -> SyncResult<T> {
        let (_asked, at_once) = Counted::begin(&self.0, |state| &mut state.books.attention);
        if at_once > 1 {
            self.0.breaks("the user is asked one thing at a time", format!("{at_once} at once"));
        }
        self.0.note("the user is asked");
        self.0.shake("person", 0, Duration::from_secs(20)).await;
        Ok(answer)
    }
}

#[async_trait]
impl Interaction for Person {
    async fn confirm(&self, _: &str) -> SyncResult<Confirmation> {
        self.answer(Confirmation::Confirm).await
    }

    async fn choose(&self, _: &str, _: &[String]) -> SyncResult<Option<usize>> {
        self.answer(Some(0)).await
    }

    async fn secret(&self, _: &str) -> SyncResult<Option<Secret>> {
        self.answer(Some(Secret::new("1234"))).await
    }
}

/// Brings connections up after a while.
pub(crate) struct Link(pub(crate) World);

#[async_trait]
impl ConnectionProvider for Link {
    async fn connect(&self, _: Option<&str>) -> SyncResult<Connection> {
        self.0.shake("connection", 0, Duration::from_millis(400)).await;
        let (connection, _) = Counted::begin(&self.0, |state| &mut state.books.connections);
        Ok(Box::new(connection))
    }
}

/// Somebody who chooses most of what is offered.
pub(crate) struct Taste(pub(crate) World);

#[async_trait]
impl Chooser for Taste {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        self.0.shake("chooser", 0, Duration::from_secs(5)).await;
        let mut rng = self.0.draw("choice", 0).unwrap_or(self.0.dice()).rng();
        let mut liked = |offer: &Offer| {
            let items = offer.items.iter().map(|item| item.item);
            (offer.handler, items.filter(|_| rng.u8(..4) > 0).collect())
        };
        Some(offers.iter().map(&mut liked).collect())
    }
}
