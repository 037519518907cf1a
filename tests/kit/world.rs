//! Pages at a peer, and the shelf they are copied to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncmgr::prelude::*;
use syncmgr::retry::RetryAt;
use syncmgr::{FailureClass, anyhow};
use syncmgr_test::{Breach, Check, Kit, Provider, Ruling};

/// The pages, and how many leaves each has.
const PAGES: [(&str, u32); 3] = [("atlas", 2), ("bestiary", 3), ("cookbook", 1)];

/// The peer and the shelf. What is here outlives the programs.
#[derive(Default)]
pub(crate) struct World {
    shelf: Mutex<BTreeMap<String, String>>,
    faults: Mutex<BTreeMap<String, FailureClass>>,
    pub(crate) connections: AtomicUsize,
}

impl World {
    pub(crate) fn items(&self) -> Items {
        PAGES.iter().map(|(name, _)| SyncItem::named(*name)).collect()
    }

    pub(crate) fn leaves(&self, name: &str) -> u32 {
        PAGES.iter().find(|(page, _)| *page == name).map_or(0, |(_, leaves)| *leaves)
    }

    /// Fetches a leaf, which takes a moment.
    pub(crate) async fn fetch(&self, name: &str, leaf: u32) -> SyncResult<String> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let fault = self.faults.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let failed = || Err(anyhow::anyhow!("the peer has an answer of its own"));
        match fault {
            None => Ok(format!("leaf {leaf} of {name}")),
            Some(FailureClass::Permanent) => failed().permanent(),
            Some(FailureClass::Gone) => failed().gone(),
            Some(FailureClass::NotBefore(RetryAt::After(delay))) => failed().retry_after(delay),
            Some(_) => failed(),
        }
    }

    /// Puts a leaf on the shelf, in its place.
    pub(crate) fn put(&self, name: &str, leaf: u32, text: String) {
        self.shelf().insert(format!("{name}/{leaf}"), text);
    }

    pub(crate) fn shelf(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handler over a world, made anew by every program.
struct Place<H> {
    world: Arc<World>,
    make: fn(Arc<World>) -> H,
}

impl<H: SyncHandler> Provider for Place<H> {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        Arc::new((self.make)(self.world.clone()))
    }

    fn data(&self) -> BTreeMap<String, String> {
        self.world.shelf().clone()
    }

    fn taken(&self) -> usize {
        self.world.connections.load(Ordering::Relaxed)
    }

    fn fail(&self, item: &SyncItem, class: FailureClass) -> bool {
        self.world.faults.lock().unwrap_or_else(PoisonError::into_inner).insert(item.name().into(), class);
        true
    }
}

/// A kit for a handler over such a world.
pub(crate) fn kit<H: SyncHandler>(make: fn(Arc<World>) -> H) -> Kit {
    Kit::new(move || Place { world: Arc::default(), make })
}

/// What a check finds of a handler that is wrong.
#[track_caller]
pub(crate) fn breach(kit: &Kit, check: Check) -> Breach {
    match kit.check(check) {
        Ruling::Broken(breach) => breach,
        ruling => panic!("the check `{check}` has found nothing: {ruling:?}"),
    }
}

/// The check meant for a mistake finds it, and says this of it.
#[track_caller]
pub(crate) fn caught<H: SyncHandler>(make: fn(Arc<World>) -> H, check: Check, says: &str) {
    let breach = breach(&kit(make), check);
    assert!(breach.headline().contains(says), "`{check}` says something else: {}", breach.headline());
}
