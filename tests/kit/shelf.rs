//! A fake peer with books that change, and the local copies of the books.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use syncmgr::prelude::*;
use syncmgr_test::{Accesses, Change, Check, Expected, Kit, Provider};

use super::peer::violation;

/// Both sides, by book. They outlive every process that the kit runs.
pub(crate) struct Shelf {
    peer: Mutex<BTreeMap<String, String>>,
    local: Mutex<BTreeMap<String, String>>,
    accesses: Accesses,
    observers: Mutex<Vec<UnboundedSender<Write>>>,
}

/// A write to the local copies.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) name: String,
    pub(crate) by: Writer,
    pub(crate) is_deletion: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    Handler,
    User,
}

impl Default for Shelf {
    fn default() -> Self {
        let books = ["atlas", "bestiary"].map(|name| (name.to_owned(), format!("{name}, first edition")));
        Self {
            peer: Mutex::new(books.into()),
            local: Mutex::default(),
            accesses: Accesses::default(),
            observers: Mutex::default(),
        }
    }
}

impl Shelf {
    pub(crate) fn peer(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn local(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists the books on both sides. Conflict copies are no books.
    pub(crate) fn items(&self) -> Items {
        let names: BTreeSet<String> = self.peer().keys().chain(self.local().keys()).cloned().collect();
        names.into_iter().filter(|name| !name.ends_with(CONFLICT)).map(SyncItem::named).collect()
    }

    /// Fetches a book in 10 ms. `None` if the peer has no such book.
    pub(crate) async fn fetch(&self, name: &str) -> SyncResult<Option<String>> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.fetch_at_once(name)
    }

    pub(crate) fn fetch_at_once(&self, name: &str) -> SyncResult<Option<String>> {
        self.accesses.register(name)?;
        Ok(self.peer().get(name).cloned())
    }

    /// Replaces the peer's text in 10 ms, unless it differs from `known`.
    pub(crate) async fn send(&self, name: &str, text: Option<String>, known: Option<&String>) -> SyncResult {
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.accesses.register(name)?;
        let mut peer = self.peer();
        if peer.get(name) != known {
            return Err(syncmgr::anyhow::anyhow!("the peer has changed `{name}` meanwhile"));
        }
        set(&mut peer, name, text);
        Ok(())
    }

    /// Replaces the local copy.
    pub(crate) fn put(&self, name: &str, text: Option<String>) {
        self.put_by(Writer::Handler, name, text);
    }

    fn put_by(&self, by: Writer, name: &str, text: Option<String>) {
        let write = Write { name: name.to_owned(), by, is_deletion: text.is_none() };
        set(&mut self.local(), name, text);
        let mut observers = self.observers.lock().unwrap_or_else(PoisonError::into_inner);
        observers.retain(|observer| observer.unbounded_send(write.clone()).is_ok());
    }

    /// Returns the writes to the local copies from now on.
    pub(crate) fn writes(&self) -> UnboundedReceiver<Write> {
        let (sender, receiver) = unbounded();
        self.observers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Returns the data of both sides if both agree on the peer's books.
    fn agreed(&self) -> BTreeMap<String, String> {
        let peer = self.peer();
        both_sides(&peer, &peer)
    }
}

/// The end of the name of a copy that keeps the user's version of a book.
pub(crate) const CONFLICT: &str = " (conflict)";

fn set(side: &mut BTreeMap<String, String>, name: &str, text: Option<String>) {
    match text {
        Some(text) => drop(side.insert(name.to_owned(), text)),
        None => drop(side.remove(name)),
    }
}

fn both_sides(peer: &BTreeMap<String, String>, local: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let named = |side: &'static str| move |(name, text): (&String, &String)| (format!("{side}/{name}"), text.clone());
    peer.iter().map(named("peer")).chain(local.iter().map(named("local"))).collect()
}

/// A provider that creates a new handler for every process. Both sides must agree; in a conflict the peer's version wins, and the
/// user's version is kept beside it.
struct TwoSides<H> {
    shelf: Arc<Shelf>,
    make: fn(Arc<Shelf>) -> H,
}

impl<H: SyncHandler> Provider for TwoSides<H> {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        Arc::new((self.make)(self.shelf.clone()))
    }

    fn data(&self) -> BTreeMap<String, String> {
        both_sides(&self.shelf.peer(), &self.shelf.local())
    }

    fn accesses(&self) -> Option<&Accesses> {
        Some(&self.shelf.accesses)
    }

    fn change(&self, item: &SyncItem, change: Change) -> Option<Expected> {
        let (name, shelf) = (item.name(), &self.shelf);
        let second = || format!("{name}, second edition");
        let user = || format!("{name}, with notes");
        let mut expected = match change {
            Change::Create => return self.create(format!("{name} II")),
            Change::Update | Change::Conflict => {
                set(&mut shelf.peer(), name, Some(second()));
                shelf.agreed()
            }
            Change::Delete => {
                set(&mut shelf.peer(), name, None);
                shelf.agreed()
            }
            _ => shelf.agreed(),
        };
        match change {
            Change::LocalUpdate => {
                shelf.put_by(Writer::User, name, Some(user()));
                expected.extend([format!("local/{name}"), format!("peer/{name}")].map(|side| (side, user())));
            }
            Change::LocalDelete => {
                shelf.put_by(Writer::User, name, None);
                expected.retain(|side, _| !side.ends_with(&format!("/{name}")));
            }
            Change::Conflict => {
                shelf.put_by(Writer::User, name, Some(user()));
                expected.insert(format!("local/{name}{CONFLICT}"), user());
            }
            _ => {}
        }
        Some(Expected::data(expected))
    }
}

impl<H> TwoSides<H> {
    fn create(&self, name: String) -> Option<Expected> {
        set(&mut self.shelf.peer(), &name, Some("first edition".into()));
        Some(Expected::data(self.shelf.agreed()))
    }
}

/// Returns a kit for the handler that `make` creates for a shelf.
pub(crate) fn shelf_kit<H: SyncHandler>(make: fn(Arc<Shelf>) -> H) -> Kit {
    Kit::new(move || TwoSides { shelf: Arc::default(), make })
}

/// Asserts that the check finds a violation with this text in its headline.
#[track_caller]
pub(crate) fn assert_caught<H: SyncHandler>(make: fn(Arc<Shelf>) -> H, check: Check, expected: &str) {
    let violation = violation(&shelf_kit(make), check);
    assert!(violation.headline().contains(expected), "unexpected headline of `{check}`: {}", violation.headline());
}
