//! The reference: a simple account of what goes on, kept beside the manager, and what must be true of it.

mod attempt;
mod item;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use syncmgr_core::claim::Claim;
use syncmgr_core::context::ItemContext;
use syncmgr_core::decision::retry::Ask;
use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::retry::RetryPolicy;
use syncmgr_core::trigger::RunFlags;

pub(crate) use self::attempt::{Attempt, End};
pub(crate) use self::item::{Item, Wait};
use crate::peer::Key;

/// What is known of everything that goes on, from what people asked for and what handlers did.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) items: BTreeMap<Key, Item>,
    pub(crate) sessions: BTreeMap<SessionId, Asked>,
    pub(crate) attempts: Vec<Attempt>,
    /// Work that goes on although the item's future is gone.
    pub(crate) lingering: Vec<(Key, ItemContext)>,
    /// Who prepares or synchronizes.
    pub(crate) calls: BTreeMap<HandlerId, SessionId>,
    pub(crate) preparing: BTreeSet<HandlerId>,
    /// What was interrupted, and has to go on.
    pub(crate) owed: BTreeSet<Key>,
    /// Handlers that were asked for by hand while they may not run: they start by themselves later.
    pub(crate) lifted: BTreeSet<HandlerId>,
    /// The clock was set back: waits may be shorter.
    pub(crate) loose: bool,
    /// When the clock is looked at again after it was corrected.
    pub(crate) unseen_until: Duration,
    /// Something of the store went wrong in this process: what is recorded is not certain.
    pub(crate) store_trouble: bool,
    /// What the disk says is not so.
    pub(crate) lies: bool,
    pub(crate) attention: usize,
    pub(crate) connections: usize,
    /// The manager of this process.
    pub(crate) manager: Option<uuid::Uuid>,
    /// The sessions whose report has been read.
    pub(crate) heard: BTreeSet<SessionId>,
    pub(crate) step: Option<usize>,
    pub(crate) rules: Rules,
}

/// What the manager was told to keep to.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) items_at_once: usize,
    pub(crate) capacities: BTreeMap<Claim, usize>,
    pub(crate) retry: RetryPolicy,
    pub(crate) handlers: BTreeMap<HandlerId, syncmgr_core::info::HandlerInfo>,
}

/// A session somebody asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) ask: Ask,
    pub(crate) terms: Terms,
    /// How many attempts there had been.
    pub(crate) after: usize,
}

/// Sessions with the same of these stand for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) trigger: u32,
    pub(crate) flags: RunFlags,
    pub(crate) chooses: bool,
}

/// Timers are that late at most, and times are stored in whole milliseconds.
const TICK: Duration = Duration::from_millis(2);

impl Books {
    /// A process begins: of what went on in the one before, nothing does.
    pub(crate) fn begin_process(&mut self) {
        let Self { items, unseen_until, manager, step, rules, .. } = std::mem::take(self);
        *self = Self { items, unseen_until, manager, step, rules, ..Self::default() };
        self.items.values_mut().for_each(Item::begin_process);
    }

    pub(crate) fn item(&mut self, key: Key) -> &mut Item {
        self.items.entry(key).or_default()
    }

    /// How firmly an item is asked for in a session. What was held while somebody wanted it is as good as asked for.
    pub(crate) fn ask(&self, session: SessionId, handler: HandlerId) -> Ask {
        let lifted = self.lifted.contains(&handler).then_some(Ask::Forced);
        self.sessions.get(&session).map(|asked| asked.ask).or(lifted).unwrap_or(Ask::Automatic)
    }

    /// Whether an item runs, or what it started does.
    pub(crate) fn is_running(&self, key: Key) -> bool {
        let runs = self.items.get(&key).is_some_and(|item| item.running.is_some());
        runs || self.lingering.iter().any(|(of, item)| *of == key && item.cell().is_working())
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = (&Key, &Item)> {
        self.items.iter().filter(|(_, item)| item.running.is_some())
    }

    pub(crate) fn running_of(&self, handler: HandlerId) -> usize {
        self.running().filter(|((of, _), _)| *of == handler).count()
    }

    /// Somebody wants these to end: each has its grace from now on.
    pub(crate) fn ask_to_end(&mut self, now: Duration, wanted: impl Fn(&Key, SessionId) -> bool) {
        let handlers = &self.rules.handlers;
        for (key, item) in &mut self.items {
            if !item.running.is_some_and(|session| wanted(key, session)) {
                continue;
            }
            let Some(info) = handlers.get(&key.0) else { continue };
            item.ends_by.get_or_insert((now + info.limits().soft_grace(), now + info.limits().hard_grace()));
        }
    }

    /// Whether an item that ends now should have ended before.
    pub(crate) fn ends_late(&self, key: Key, now: Duration) -> bool {
        let item = self.items.get(&key).filter(|item| !item.was_whole);
        item.and_then(|item| item.ends_by).is_some_and(|(soft, _)| now > soft + TICK)
    }

    /// Items that should have ended.
    pub(crate) fn overdue(&self, now: Duration) -> Vec<Key> {
        let overdue = |item: &Item| {
            item.ends_by.is_some_and(|(soft, hard)| now > TICK + if item.uninterrupted > 0 { hard } else { soft })
        };
        self.running().filter(|(_, item)| overdue(item)).map(|(key, _)| *key).collect()
    }

    /// The network is back: nothing backs off any more.
    pub(crate) fn reconnect(&mut self) {
        for item in self.items.values_mut().filter(|item| matches!(item.wait, Wait::Backoff(_))) {
            (item.wait, item.failures) = (Wait::Nobody, 0);
        }
    }

    /// What was waited for means nothing certain any more.
    pub(crate) fn doubt(&mut self, doubted: impl Fn(&Key) -> bool) {
        self.items.iter_mut().filter(|(key, _)| doubted(key)).for_each(|(_, item)| item.doubt());
    }

    /// The rules an item is retried by.
    pub(crate) fn policy(&self, handler: HandlerId) -> RetryPolicy {
        self.rules.handlers.get(&handler).and_then(|info| info.retry()).unwrap_or(self.rules.retry)
    }

    pub(crate) fn claims(&self, handler: HandlerId, item: &syncmgr_core::item::SyncItem) -> BTreeSet<Claim> {
        let of_handler = self.rules.handlers.get(&handler).map(|info| info.claims()).unwrap_or_default();
        of_handler.iter().chain(item.claims()).cloned().collect()
    }

    /// Who has this claim.
    pub(crate) fn claimed(&self, claim: &Claim) -> usize {
        self.running().filter(|(_, item)| item.claims.contains(claim)).count()
    }
}
