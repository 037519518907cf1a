//! Which runs may start, how many items they may run at once, and who has which claim.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::claims::Claims;
pub use super::claims::{ClaimSet, ItemOfRun};
use super::hold::{Held, Hold};
use super::line::Line;
pub use super::line::Priority;
use crate::claim::Claim;
use crate::id::{HandlerId, ItemId, SessionId};

/// One run: a handler in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The session.
    pub session: SessionId,
    /// The handler.
    pub handler: HandlerId,
}

/// What a host admits: one run per handler at a time, so many items over all runs, and each claim as often as it allows.
///
/// Locked when a run starts or ends and when workers come and go; for an item only if it has a claim.
///
/// ```
/// # use syncmgr_core::decision::host::{Grant, HostState, Priority, RunId};
/// # use syncmgr_core::id::{HandlerId, SessionId};
/// let run = |session| RunId { session: SessionId(session), handler: HandlerId::from_u128(7) };
/// let mut host = HostState::new(64);
/// assert_eq!(host.request(run(1), Priority::Background), [Grant::Start(run(1))]);
/// assert_eq!(host.request(run(2), Priority::Background), []); // waits behind the run of its handler
/// assert_eq!(host.leave(run(1)), [Grant::Start(run(2))]);
/// ```
#[derive(Clone, Debug)]
pub struct HostState {
    free: usize,
    lent: BTreeMap<RunId, usize>,
    priorities: BTreeMap<RunId, Urgency>,
    current: BTreeMap<HandlerId, RunId>,
    starts: Line<RunId>,
    wants: Line<Want>,
    claims: Claims,
}

/// A run that could use more workers.
#[derive(Clone, Copy, Debug)]
struct Want {
    run: RunId,
    workers: usize,
    /// How many items more urgent work has begun meanwhile, with no worker here.
    passed_over: u8,
}

/// How many items of more urgent work a run without a worker waits for.
const MOST_PASSED_OVER: u8 = 8;

/// How urgent a run is: as it was asked for, and as what waits behind it makes it.
#[derive(Clone, Copy, Debug)]
struct Urgency {
    own: Priority,
    now: Priority,
}

/// Something the host grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The run may start.
    Start(RunId),
    /// The run may use this many more workers.
    Lend(RunId, usize),
    /// The item has its claims and may begin.
    Begin(ItemOfRun),
}

impl HostState {
    /// A host that runs at most `limit` items at once; 0 counts as 1.
    pub fn new(limit: usize) -> Self {
        Self {
            free: limit.max(1),
            lent: BTreeMap::new(),
            priorities: BTreeMap::new(),
            current: BTreeMap::new(),
            starts: Line::default(),
            wants: Line::default(),
            claims: Claims::default(),
        }
    }

    /// So many items may have this claim at once; 1 unless said otherwise, 0 counts as 1.
    pub fn set_capacity(&mut self, claim: Claim, capacity: usize) {
        self.claims.set_capacity(claim, capacity);
    }

    /// A run asks to start. It waits while another run of its handler is going on, which is hurried if this one is urgent.
    #[must_use = "perform the grants"]
    pub fn request(&mut self, run: RunId, priority: Priority) -> Vec<Grant> {
        self.priorities.insert(run, Urgency { own: priority, now: priority });
        self.starts.push(run, priority);
        let mut grants = self.hurry(run.handler);
        grants.extend(self.start_waiting());
        grants
    }

    /// A run has ended, or no longer wants to start. What it claimed is released; the workers it has come back one by one.
    #[must_use = "perform the grants"]
    pub fn leave(&mut self, run: RunId) -> Vec<Grant> {
        self.starts.retain(|waiting| *waiting != run);
        self.want_no_more(run);
        self.priorities.remove(&run);
        if self.is_current(run) {
            self.current.remove(&run.handler);
        }
        let mut grants = begin(self.claims.release_run(run));
        grants.extend(self.start_waiting());
        grants.extend(self.hurry(run.handler));
        grants
    }

    /// Whether this run is the one of its handler that may go on.
    pub fn is_current(&self, run: RunId) -> bool {
        self.current.get(&run.handler) == Some(&run)
    }

    /// The runs of this handler that go on or wait to, the one that goes on first.
    pub fn runs_of(&self, handler: HandlerId) -> Vec<RunId> {
        let waiting = self.starts.iter().map(|(run, _)| *run).filter(|run| run.handler == handler);
        self.current.get(&handler).copied().into_iter().chain(waiting).collect()
    }

    /// A run could use this many workers, whatever it wanted before. They are lent as they become free, one each in turn.
    #[must_use = "perform the grants"]
    pub fn want(&mut self, run: RunId, workers: usize) -> Vec<Grant> {
        self.wants.iter_mut().filter(|want| want.run == run).for_each(|want| want.workers = 0);
        self.add_want(run, workers);
        self.wants.retain(|want| want.workers > 0);
        self.lend()
    }

    /// Workers of a run have come back.
    #[must_use = "perform the grants"]
    pub fn give_back(&mut self, run: RunId, workers: usize) -> Vec<Grant> {
        self.take_back(run, workers);
        self.lend()
    }

    /// A run has nothing left to begin: workers it still waits for are not lent.
    pub fn want_no_more(&mut self, run: RunId) {
        self.wants.retain(|want| want.run != run);
    }

    /// Whether anybody waits for a worker.
    pub fn is_contended(&self) -> bool {
        !self.wants.is_empty()
    }

    /// A worker of `run` has ended an item: who is lent it, if not `run` again, which then waits for another.
    ///
    /// Urgent work takes workers from other work, and the last one too if it has none. Equals share, and take turns where
    /// there are too few. Less urgent work is left one worker, or a turn now and then.
    #[must_use = "perform the grant"]
    pub fn give_way(&mut self, run: RunId) -> Option<Grant> {
        let (other, urgency) = self.wants.iter().find(|(want, _)| want.run != run).map(|(want, of)| (want.run, of))?;
        let (mine, theirs) = (self.lent_to(run), self.lent_to(other));
        let gives = match urgency.cmp(&self.priority(run)) {
            Ordering::Greater => theirs == 0 || mine > 1,
            Ordering::Equal => theirs == 0 || mine > theirs + 1,
            Ordering::Less => theirs == 0 && (mine > 1 || self.has_waited_enough(other)),
        };
        gives.then(|| {
            self.take_back(run, 1);
            self.free -= 1;
            *self.lent.entry(other).or_default() += 1;
            self.wants.iter_mut().filter(|want| want.run == other).for_each(|want| want.workers -= 1);
            self.wants.retain(|want| want.workers > 0);
            self.add_want(run, 1);
            Grant::Lend(other, 1)
        })
    }

    /// Whether an item may begin now. If not it waits for its claims, and is granted them later.
    pub fn claim(&mut self, item: ItemOfRun, claims: ClaimSet) -> bool {
        self.claims.claim(item, claims, self.priority(item.run))
    }

    /// An item with claims has ended, or no longer waits for them.
    #[must_use = "perform the grants"]
    pub fn release(&mut self, item: ItemOfRun) -> Vec<Grant> {
        begin(self.claims.release(item))
    }

    /// An item that had its claims has not begun after all, and waits for its turn again.
    #[must_use = "perform the grants"]
    pub fn put_back(&mut self, item: ItemOfRun) -> Vec<Grant> {
        begin(self.claims.put_back(item))
    }

    /// An item was abandoned: it keeps its claims, and does not run again, until what it started has ended.
    pub fn quarantine(&mut self, item: ItemOfRun) {
        self.claims.quarantine(item);
    }

    /// What an abandoned item had started has ended.
    #[must_use = "perform the grants"]
    pub fn lift(&mut self, handler: HandlerId, item: ItemId) -> Vec<Grant> {
        begin(self.claims.lift(handler, item))
    }

    /// The abandoned items whose work is still running.
    pub fn quarantined(&self) -> Vec<(HandlerId, ItemId)> {
        self.claims.quarantined().collect()
    }

    /// Everything that waits, and why.
    pub fn held(&self) -> Vec<Held> {
        let behind = self.starts.iter().filter_map(|(run, _)| {
            let hold = Hold::Behind { session: self.current.get(&run.handler)?.session };
            Some(Held::new(run.handler, hold).with_session(run.session))
        });
        let no_worker = self
            .wants
            .iter()
            .map(|(want, _)| Held::new(want.run.handler, Hold::NoFreeWorker).with_session(want.run.session));
        let claimed = self.claims.waiting().map(|(waiting, claim)| {
            let ItemOfRun { run, item } = waiting;
            Held::new(run.handler, Hold::Claimed { claim }).with_session(run.session).with_item(item)
        });
        let quarantined = self.claims.quarantined();
        let quarantined = quarantined.map(|(handler, item)| Held::new(handler, Hold::Quarantined).with_item(item));
        behind.chain(no_worker).chain(claimed).chain(quarantined).collect()
    }

    fn start_waiting(&mut self) -> Vec<Grant> {
        let mut started = Vec::new();
        let mut passed_over = BTreeSet::new();
        let current = &self.current;
        self.starts.retain(|run| {
            let waits = current.contains_key(&run.handler) || !passed_over.insert(run.handler);
            if !waits {
                started.push(*run);
            }
            waits
        });
        for run in &started {
            self.current.insert(run.handler, *run);
        }
        started.into_iter().map(Grant::Start).collect()
    }

    /// What goes on for a handler is as urgent as whoever waits for it, while they do.
    fn hurry(&mut self, handler: HandlerId) -> Vec<Grant> {
        let Some(current) = self.current.get(&handler).copied() else { return Vec::new() };
        let waiting = self.starts.iter().filter(|(run, _)| run.handler == handler).map(|(_, priority)| priority).max();
        let Some(urgency) = self.priorities.get_mut(&current) else { return Vec::new() };
        let now = waiting.map_or(urgency.own, |waiting| waiting.max(urgency.own));
        if std::mem::replace(&mut urgency.now, now) == now {
            return Vec::new();
        }
        self.wants.reassign(now, |want| want.run == current);
        begin(self.claims.reassign(now, current))
    }

    /// Less urgent work has been passed over for another item. After some it has its turn.
    fn has_waited_enough(&mut self, run: RunId) -> bool {
        let Some(want) = self.wants.iter_mut().find(|want| want.run == run) else { return false };
        want.passed_over += 1;
        want.passed_over > MOST_PASSED_OVER
    }

    fn priority(&self, run: RunId) -> Priority {
        self.priorities.get(&run).map_or(Priority::Background, |urgency| urgency.now)
    }

    fn lent_to(&self, run: RunId) -> usize {
        self.lent.get(&run).copied().unwrap_or(0)
    }

    fn add_want(&mut self, run: RunId, workers: usize) {
        if let Some(want) = self.wants.iter_mut().find(|want| want.run == run) {
            want.workers += workers;
        } else if workers > 0 {
            self.wants.push(Want { run, workers, passed_over: 0 }, self.priority(run));
        }
    }

    fn take_back(&mut self, run: RunId, workers: usize) {
        self.free += workers;
        let left = self.lent_to(run).saturating_sub(workers);
        match left {
            0 => self.lent.remove(&run),
            left => self.lent.insert(run, left),
        };
    }

    fn lend(&mut self) -> Vec<Grant> {
        let mut lent: BTreeMap<RunId, usize> = BTreeMap::new();
        while self.free > 0
            && let Some((want, priority)) = self.wants.pop()
        {
            let Want { run, workers, .. } = want;
            self.free -= 1;
            *self.lent.entry(run).or_default() += 1;
            *lent.entry(run).or_default() += 1;
            if workers > 1 {
                self.wants.push(Want { run, workers: workers - 1, passed_over: 0 }, priority);
            }
        }
        lent.into_iter().map(|(run, workers)| Grant::Lend(run, workers)).collect()
    }
}

fn begin(items: Vec<ItemOfRun>) -> Vec<Grant> {
    items.into_iter().map(Grant::Begin).collect()
}

#[cfg(test)]
mod tests;
