//! The reference: a simple account of what goes on, kept beside the manager, and what must be true of it.

mod attempt;
mod item;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use syncmgr_core::claim::Claim;
use syncmgr_core::context::ItemContext;
use syncmgr_core::decision::retry::Ask;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::retry::RetryPolicy;
use syncmgr_core::trigger::RunFlags;

pub(super) use self::attempt::{Attempt, End};
pub(super) use self::item::{Item, Wait};
use super::peer::Key;

/// What is known of everything that goes on, from what people asked for and what handlers did.
#[derive(Default)]
pub(super) struct Books {
    pub(super) items: BTreeMap<Key, Item>,
    pub(super) sessions: BTreeMap<SessionId, Asked>,
    pub(super) attempts: Vec<Attempt>,
    /// Work that goes on although the item's future is gone.
    pub(super) lingering: Vec<(Key, ItemContext)>,
    /// Who prepares or synchronizes.
    pub(super) calls: BTreeMap<HandlerId, SessionId>,
    pub(super) preparing: BTreeSet<HandlerId>,
    /// What was interrupted, and has to go on.
    pub(super) owed: BTreeSet<Key>,
    /// Handlers that were asked for by hand while they may not run: they start by themselves later.
    pub(super) lifted: BTreeSet<HandlerId>,
    /// The clock was set back: waits may be shorter.
    pub(super) loose: bool,
    /// When the clock is looked at again after it was corrected.
    pub(super) unseen_until: Duration,
    /// Something of the store went wrong in this process: what is recorded is not certain.
    pub(super) store_trouble: bool,
    /// What the disk says is not so.
    pub(super) lies: bool,
    pub(super) attention: usize,
    pub(super) connections: usize,
    /// The manager of this process.
    pub(super) manager: Option<uuid::Uuid>,
    /// The sessions whose report has been read.
    pub(super) heard: BTreeSet<SessionId>,
    pub(super) step: Option<usize>,
    pub(super) rules: Rules,
}

/// What the manager was told to keep to.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) items_at_once: usize,
    pub(super) capacities: BTreeMap<Claim, usize>,
    pub(super) retry: RetryPolicy,
    pub(super) handlers: BTreeMap<HandlerId, syncmgr_core::info::HandlerInfo>,
}

/// A session somebody asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) ask: Ask,
    pub(super) terms: Terms,
    /// How many attempts there had been.
    pub(super) after: usize,
}

/// Sessions with the same of these stand for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) trigger: u32,
    pub(super) flags: RunFlags,
    pub(super) chooses: bool,
}

impl Books {
    /// A process begins: of what went on in the one before, nothing does.
    pub(super) fn begin_process(&mut self) {
        self.sessions.clear();
        self.attempts.clear();
        self.heard.clear();
        self.lingering.clear();
        self.calls.clear();
        self.preparing.clear();
        self.owed.clear();
        self.lifted.clear();
        (self.loose, self.store_trouble, self.lies) = (false, false, false);
        (self.attention, self.connections) = (0, 0);
        self.items.values_mut().for_each(Item::begin_process);
    }

    pub(super) fn item(&mut self, key: Key) -> &mut Item {
        self.items.entry(key).or_default()
    }

    /// How firmly an item is asked for in a session. What was held while somebody wanted it is as good as asked for.
    pub(super) fn ask(&self, session: SessionId, handler: HandlerId) -> Ask {
        let lifted = self.lifted.contains(&handler).then_some(Ask::Forced);
        self.sessions.get(&session).map(|asked| asked.ask).or(lifted).unwrap_or(Ask::Automatic)
    }

    /// Whether an item runs, or what it started does.
    pub(super) fn is_running(&self, key: Key) -> bool {
        let runs = self.items.get(&key).is_some_and(|item| item.running.is_some());
        runs || self.lingering.iter().any(|(of, item)| *of == key && item.cell().is_working())
    }

    pub(super) fn running(&self) -> impl Iterator<Item = (&Key, &Item)> {
        self.items.iter().filter(|(_, item)| item.running.is_some())
    }

    pub(super) fn running_of(&self, handler: HandlerId) -> usize {
        self.running().filter(|((of, _), _)| *of == handler).count()
    }

    /// Somebody wants these to end: each has its grace from now on.
    pub(super) fn ask_to_end(&mut self, now: Duration, wanted: impl Fn(&Key, SessionId) -> bool) {
        let handlers = &self.rules.handlers;
        for (key, item) in &mut self.items {
            let Some(session) = item.running.filter(|session| wanted(key, *session)) else { continue };
            let Some(info) = handlers.get(&key.0) else { continue };
            let _ = session;
            item.ends_by.get_or_insert((now + info.limits().soft_grace(), now + info.limits().hard_grace()));
        }
    }

    /// Whether an item that ends now should have ended before.
    pub(super) fn ends_late(&self, key: Key, now: Duration) -> bool {
        const TICK: Duration = Duration::from_millis(2);
        let item = self.items.get(&key).filter(|item| !item.was_whole);
        item.and_then(|item| item.ends_by).is_some_and(|(soft, _)| now > soft + TICK)
    }

    /// Items that should have ended.
    pub(super) fn overdue(&self, now: Duration) -> Vec<Key> {
        /// Timers are that late at most.
        const TICK: Duration = Duration::from_millis(2);
        let overdue = |item: &Item| {
            item.ends_by.is_some_and(|(soft, hard)| now > TICK + if item.uninterrupted > 0 { hard } else { soft })
        };
        self.running().filter(|(_, item)| overdue(item)).map(|(key, _)| *key).collect()
    }

    /// The network is back: nothing backs off any more.
    pub(super) fn reconnect(&mut self) {
        for item in self.items.values_mut().filter(|item| matches!(item.wait, Wait::Backoff(_))) {
            (item.wait, item.failures) = (Wait::Nobody, 0);
        }
    }

    /// What was waited for means nothing certain any more.
    pub(super) fn doubt(&mut self, doubted: impl Fn(&Key) -> bool) {
        self.items.iter_mut().filter(|(key, _)| doubted(key)).for_each(|(_, item)| item.doubt());
    }

    /// The rules an item is retried by.
    pub(super) fn policy(&self, handler: HandlerId) -> RetryPolicy {
        self.rules.handlers.get(&handler).and_then(|info| info.retry()).unwrap_or(self.rules.retry)
    }

    pub(super) fn claims(&self, handler: HandlerId, item: &syncmgr_core::item::SyncItem) -> BTreeSet<Claim> {
        let of_handler = self.rules.handlers.get(&handler).map(|info| info.claims()).unwrap_or_default();
        of_handler.iter().chain(item.claims()).cloned().collect()
    }

    /// Who has this claim.
    pub(super) fn claimed(&self, claim: &Claim) -> usize {
        self.running().filter(|(_, item)| item.claims.contains(claim)).count()
    }

    pub(super) fn key(handler: HandlerId, item: ItemId) -> Key {
        (handler, item)
    }
}
