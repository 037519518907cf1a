//! What goes on inside the handlers of a case, counted where it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use syncmgr::classic::SyncCallback;
use syncmgr::{HandlerId, ItemContext, ItemId, PrepareContext, RunContext, SessionId, SynchronizeContext};
use syncmgr_test::ScriptedHandler;

use super::plans::CLAIMS;

/// Shared by everything in a case; says what was broken when everything is over.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Books>>);

#[derive(Default)]
pub(crate) struct Books {
    /// How many items may run at once, over all handlers.
    pub(crate) items_at_once: usize,
    /// How many items may have each claim at once.
    pub(crate) capacities: [usize; CLAIMS.len()],
    /// A foreign host may grant its user's attention as often as it likes.
    on_a_foreign_host: bool,
    visits: BTreeMap<u64, Visit>,
    visited: u64,
    counts: BTreeMap<Thing, usize>,
    calls: BTreeMap<HandlerId, Vec<SessionId>>,
    pub(crate) prepared: BTreeMap<(SessionId, HandlerId), BTreeSet<ItemId>>,
    pub(crate) strays: Vec<Stray>,
    pub(crate) classics: Vec<Arc<ScriptedHandler>>,
    pub(crate) broken: Vec<String>,
}

/// One item being run, and what it has started.
#[derive(Debug)]
struct Visit {
    handler: HandlerId,
    item: ItemId,
    claims: Vec<usize>,
    /// Whether the item itself goes on, not only what it has started.
    itself: bool,
    parts: usize,
}

/// Something that has to be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    Permit,
    Connection,
    Kept,
}

/// A context or callback somebody puts aside.
pub(crate) enum Stray {
    Run(RunContext),
    Prepare(PrepareContext),
    Synchronize(SynchronizeContext),
    Item(ItemContext),
    Callback(Arc<dyn SyncCallback>),
}

impl Ledger {
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn broken(&self, what: impl Into<String>) {
        self.books().broken.push(what.into());
    }

    /// An item begins; it goes on until what is returned is dropped.
    pub(crate) fn visit(&self, of: (HandlerId, usize), item: ItemId, claims: &[usize]) -> Visiting {
        let mut books = self.books();
        let visit = Visit { handler: of.0, item, claims: claims.to_vec(), itself: true, parts: 1 };
        books.visited += 1;
        let id = books.visited;
        if books.visits.values().any(|other| (other.handler, other.item) == (of.0, item)) {
            books.broken.push(format!("item {item} runs twice at once"));
        }
        books.visits.insert(id, visit);
        books.check_limits(of);
        Visiting { ledger: self.clone(), id, itself: true }
    }

    /// A run's method is called; until what is returned is dropped, no other run of the handler may be.
    pub(crate) fn call(&self, handler: HandlerId, session: SessionId) -> Calling {
        let mut books = self.books();
        let calls = books.calls.entry(handler).or_default();
        calls.push(session);
        if calls.iter().any(|other| *other != session) {
            let text = format!("two runs of handler {handler} at once: {calls:?}");
            books.broken.push(text);
        }
        Calling { ledger: self.clone(), handler, session }
    }

    /// There is one more of these until what is returned is dropped.
    pub(crate) fn count(&self, thing: Thing) -> Counted {
        let mut books = self.books();
        let count = books.counts.entry(thing).or_default();
        *count += 1;
        let several = *count > 1;
        if thing == Thing::Permit && several && !books.on_a_foreign_host {
            books.broken.push("the user's attention was granted twice".into());
        }
        Counted(self.clone(), thing)
    }

    pub(crate) fn put_aside(&self, stray: Stray) {
        self.books().strays.push(stray);
    }
}

impl Books {
    /// Claims and attention are the foreign host's; what it is driven for is its own limit of items.
    pub(crate) fn on_a_foreign_host(&mut self, items: usize) {
        (self.items_at_once, self.capacities, self.on_a_foreign_host) = (items, [usize::MAX; CLAIMS.len()], true);
    }

    fn check_limits(&mut self, (handler, most): (HandlerId, usize)) {
        let own = self.visits.values().filter(|visit| visit.itself);
        let (all, of_handler) = (own.clone().count(), own.filter(|visit| visit.handler == handler).count());
        if all > self.items_at_once || of_handler > most {
            self.broken.push(format!("{all} items at once, {of_handler} of one handler"));
        }
        for (claim, capacity) in self.capacities.iter().enumerate() {
            let taken = self.visits.values().filter(|visit| visit.claims.contains(&claim)).count();
            if taken > *capacity {
                self.broken.push(format!("{taken} items have the claim {}", CLAIMS[claim]));
            }
        }
    }

    /// These items were handed to a handler. What a retry asks for may be more than an earlier report knows of.
    pub(crate) fn note_prepared(&mut self, run: &PrepareContext) {
        let items = run.selection().iter().map(|item| item.id());
        self.prepared.entry((run.session(), run.handler())).or_insert_with(|| items.collect());
    }

    /// What was not given back.
    pub(crate) fn left_over(&self) -> Vec<String> {
        let counts = self.counts.iter().filter(|(_, count)| **count > 0).map(|left| format!("{left:?}"));
        let visits = self.visits.values().map(|visit| format!("{visit:?}"));
        let calls = self.calls.iter().filter(|(_, calls)| !calls.is_empty()).map(|left| format!("{left:?}"));
        counts.chain(visits).chain(calls).collect()
    }
}

/// An item that goes on, or a part of its work.
pub(crate) struct Visiting {
    ledger: Ledger,
    id: u64,
    itself: bool,
}

impl Visiting {
    /// A part of the item's work that may go on without it.
    pub(crate) fn part(&self) -> Self {
        self.ledger.books().visits.entry(self.id).and_modify(|visit| visit.parts += 1);
        Self { ledger: self.ledger.clone(), id: self.id, itself: false }
    }
}

impl Drop for Visiting {
    fn drop(&mut self) {
        let mut books = self.ledger.books();
        let visit = books.visits.get_mut(&self.id).expect("a visit stays until its last part ends");
        visit.parts -= 1;
        visit.itself &= !self.itself;
        if visit.parts == 0 {
            books.visits.remove(&self.id);
        }
    }
}

pub(crate) struct Calling {
    ledger: Ledger,
    handler: HandlerId,
    session: SessionId,
}

impl Drop for Calling {
    fn drop(&mut self) {
        let mut books = self.ledger.books();
        let calls = books.calls.entry(self.handler).or_default();
        if let Some(place) = calls.iter().position(|session| *session == self.session) {
            calls.remove(place);
        }
    }
}

pub(crate) struct Counted(Ledger, Thing);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.books().counts.entry(self.1).and_modify(|count| *count -= 1);
    }
}
