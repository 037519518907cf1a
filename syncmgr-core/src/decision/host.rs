//! Admission: the order of runs, the permits of workers, and the claims of items.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::claims::Claims;
pub use super::claims::{ClaimSet, ItemOfRun};
use super::fair_queue::FairQueue;
pub use super::fair_queue::{Priority, Urgency};
use super::hold::{Held, Hold};
use super::permit_queue::{PermitQueue, PermitRequest};
use crate::claim::Claim;
use crate::id::{HandlerId, ItemId, SessionId};

/// Identifies a run: a handler in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The session.
    pub session: SessionId,
    /// The handler.
    pub handler: HandlerId,
}

/// The admission state of a host: one run per handler at a time, a limit on running items, and a capacity per claim.
///
/// The host locks this state when a run starts or ends, when permits move between runs, and for each item that has a claim.
///
/// ```
/// # use syncmgr_core::decision::host::{Grant, HostState, Priority, RunId};
/// # use syncmgr_core::id::{HandlerId, SessionId};
/// let run = |session| RunId { session: SessionId(session), handler: HandlerId::from_u128(7) };
/// let mut host = HostState::new(64);
/// assert_eq!(host.request(run(1), Priority::Background), [Grant::Start(run(1))]);
/// assert_eq!(host.request(run(2), Priority::Background), []); // waits for the other run of its handler
/// assert_eq!(host.leave(run(1)), [Grant::Start(run(2))]);
/// ```
#[derive(Clone, Debug)]
pub struct HostState {
    limit: usize,
    free: usize,
    /// The number of registered handlers.
    handlers: usize,
    permits: BTreeMap<RunId, usize>,
    urgencies: BTreeMap<RunId, RunUrgency>,
    current: BTreeMap<HandlerId, RunId>,
    /// The runs of each handler that wait for its active run.
    starts: BTreeMap<HandlerId, FairQueue<RunId>>,
    permit_requests: PermitQueue,
    /// The runs of sessions that an item started and may wait for.
    nested: BTreeSet<RunId>,
    /// The runs with a permit beyond the limit.
    lent: BTreeSet<RunId>,
    claims: Claims,
}

/// The number of more urgent items that may begin before a run without a permit gets one.
const MAX_PASSED_OVER: u8 = 8;

/// The urgency of a run: its own, and the effective one, which also counts the runs that wait for it.
#[derive(Clone, Copy, Debug)]
struct RunUrgency {
    own: Urgency,
    effective: Urgency,
}

/// A permission for a run or an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The run may start.
    Start(RunId),
    /// The run may use this many additional workers.
    Permits(RunId, usize),
    /// The item has its claims and may begin.
    Begin(ItemOfRun),
}

impl HostState {
    /// Creates a host that runs at most `limit` items at the same time; 0 counts as 1.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            free: limit.max(1),
            handlers: 0,
            permits: BTreeMap::new(),
            urgencies: BTreeMap::new(),
            current: BTreeMap::new(),
            starts: BTreeMap::new(),
            permit_requests: PermitQueue::default(),
            nested: BTreeSet::new(),
            lent: BTreeSet::new(),
            claims: Claims::default(),
        }
    }

    /// Sets the number of items that may hold a claim at the same time. The default is 1; 0 counts as 1.
    pub fn set_capacity(&mut self, claim: Claim, capacity: usize) {
        self.claims.set_capacity(claim, capacity);
    }

    /// Marks a run as nested: an item started its session and may wait for it. The run always gets one permit, if necessary beyond
    /// the limit, because the waiting item keeps its own.
    pub fn nest(&mut self, run: RunId) {
        self.nested.insert(run);
    }

    /// Adds a registered handler.
    ///
    /// A run with a permit leaves one permit free for each handler that has none, but at most a quarter of all permits, and at
    /// least one if there are several. A handler whose items hang therefore does not stop the others.
    pub fn add_handler(&mut self) {
        self.handlers += 1;
    }

    /// Removes a handler that is no longer registered.
    #[must_use = "perform the grants"]
    pub fn remove_handler(&mut self) -> Vec<Grant> {
        self.handlers = self.handlers.saturating_sub(1);
        self.grant_permits()
    }

    /// Requests the start of a run. While another run of its handler is active, the new run waits, and the active run inherits the
    /// urgency of the new run if that urgency is higher.
    #[must_use = "perform the grants"]
    pub fn request(&mut self, run: RunId, urgency: impl Into<Urgency>) -> Vec<Grant> {
        let urgency = urgency.into();
        self.urgencies.insert(run, RunUrgency { own: urgency, effective: urgency });
        self.starts.entry(run.handler).or_default().push(run, urgency);
        match self.start_next(run.handler) {
            Some(start) => vec![start],
            None => self.raise_urgency(run.handler, urgency),
        }
    }

    /// Removes a run that has ended or has given up waiting. Releases the claims of the run; its permits are returned separately.
    #[must_use = "perform the grants"]
    pub fn leave(&mut self, run: RunId) -> Vec<Grant> {
        self.cancel_permit_request(run);
        self.urgencies.remove(&run);
        self.nested.remove(&run);
        if self.is_current(run) {
            self.current.remove(&run.handler);
        } else if let Some(waiting) = self.starts.get_mut(&run.handler) {
            waiting.pop_first(|waiting| *waiting == run);
        }
        let mut grants = begin(self.claims.release_run(run));
        grants.extend(self.start_next(run.handler));
        grants.extend(self.inherit_urgency(run.handler));
        grants
    }

    /// Returns `true` if this is the active run of its handler.
    pub fn is_current(&self, run: RunId) -> bool {
        self.current.get(&run.handler) == Some(&run)
    }

    /// Requests permits for this many workers and replaces an earlier request. Waiting runs receive free permits in rotation, one
    /// each. A run with a permit gets none of the permits that are [reserved](Self::add_handler) for other handlers.
    #[must_use = "perform the grants"]
    pub fn request_permits(&mut self, run: RunId, workers: usize) -> Vec<Grant> {
        self.permit_requests.set(run, workers, self.urgency(run));
        self.grant_permits()
    }

    /// Gives a run that has waited for too long a permit beyond the limit, if the run waits for one and no run of its session has
    /// one. The items that hold the other permits may hang. There are never more permits beyond the limit than the limit itself.
    #[must_use = "perform the grant"]
    pub fn lend_permit(&mut self, run: RunId) -> Option<Grant> {
        let waits = self.permit_requests.contains(run);
        let has_permit = self.permits.keys().any(|of| of.session == run.session);
        (waits && !has_permit && self.lent.len() < self.limit).then(|| self.lend(run))
    }

    /// Takes back permits that a run no longer needs.
    #[must_use = "perform the grants"]
    pub fn return_permits(&mut self, run: RunId, workers: usize) -> Vec<Grant> {
        self.reclaim_permits(run, workers);
        self.grant_permits()
    }

    /// Cancels the permit request of a run that has no item left to begin.
    pub fn cancel_permit_request(&mut self, run: RunId) {
        self.permit_requests.remove(run);
    }

    /// Returns `true` if a run waits for a permit.
    pub fn is_contended(&self) -> bool {
        !self.permit_requests.is_empty()
    }

    /// Decides which run gets the permit of a worker that has ended an item of `run`. If another run gets it, returns the grant and
    /// requests a new permit for `run`.
    ///
    /// A more urgent run gets permits until `run` has only one left. The more urgent run gets that last permit too if it has no permit
    /// itself. Runs of equal urgency share the permits, and take turns if there are too few. A less urgent run without a permit gets
    /// one if `run` has several, or after several items of `run`.
    #[must_use = "perform the grant"]
    pub fn yield_permit(&mut self, run: RunId) -> Option<Grant> {
        let (other, urgency) = self
            .permit_requests
            .iter()
            .find(|(request, _)| request.run != run)
            .map(|(request, urgency)| (request.run, urgency))?;
        let (mine, theirs) = (self.permits_of(run), self.permits_of(other));
        let is_lent = mine == 1 && self.lent.contains(&run);
        let gives = match urgency.cmp(&self.urgency(run)) {
            Ordering::Greater => theirs == 0 || mine > 1,
            Ordering::Equal => theirs == 0 || mine > theirs + 1,
            Ordering::Less => theirs == 0 && (mine > 1 || self.has_waited_enough(other)),
        };
        (gives && !is_lent).then(|| {
            self.reclaim_permits(run, 1);
            self.free -= 1;
            self.serve_request(other);
            self.add_permit_request(run, 1);
            Grant::Permits(other, 1)
        })
    }

    /// Returns `true` if an item may begin now. Otherwise it waits for its claims and receives a grant later.
    pub fn claim(&mut self, item: ItemOfRun, claims: ClaimSet) -> bool {
        self.claims.claim(item, claims, self.urgency(item.run))
    }

    /// Releases the claims of an item that has ended, or cancels its wait.
    #[must_use = "perform the grants"]
    pub fn release(&mut self, item: ItemOfRun) -> Vec<Grant> {
        begin(self.claims.release(item))
    }

    /// Releases the claims of an item that had them but did not begin. The item has to claim again.
    #[must_use = "perform the grants"]
    pub fn requeue(&mut self, item: ItemOfRun) -> Vec<Grant> {
        begin(self.claims.requeue(item))
    }

    /// Puts an abandoned item in quarantine: it holds its claims and does not run again until its work has ended.
    pub fn quarantine(&mut self, item: ItemOfRun) {
        self.claims.quarantine(item);
    }

    /// Ends the quarantine of an item whose abandoned work has ended.
    #[must_use = "perform the grants"]
    pub fn end_quarantine(&mut self, handler: HandlerId, item: ItemId) -> Vec<Grant> {
        begin(self.claims.end_quarantine(handler, item))
    }

    /// Returns the items in quarantine.
    pub fn quarantined(&self) -> Vec<(HandlerId, ItemId)> {
        self.claims.quarantined().collect()
    }

    /// Returns all runs and items that wait or are in quarantine, with the reason.
    pub fn held(&self) -> Vec<Held> {
        let waiting = self.starts.values().flat_map(FairQueue::iter);
        let behind = waiting.filter_map(|(run, _)| {
            let hold = Hold::Behind { session: self.current.get(&run.handler)?.session };
            Some(Held::new(run.handler, hold).with_session(run.session))
        });
        let no_worker = self
            .permit_requests
            .iter()
            .map(|(request, _)| Held::new(request.run.handler, Hold::NoFreeWorker).with_session(request.run.session));
        let claimed = self.claims.waiting().map(|(waiting, claim)| {
            let ItemOfRun { run, item } = waiting;
            Held::new(run.handler, Hold::Claimed { claim }).with_session(run.session).with_item(item)
        });
        let quarantined = self.claims.quarantined();
        let quarantined = quarantined.map(|(handler, item)| Held::new(handler, Hold::Quarantined).with_item(item));
        behind.chain(no_worker).chain(claimed).chain(quarantined).collect()
    }

    /// Starts the next run of a handler, unless one is active.
    fn start_next(&mut self, handler: HandlerId) -> Option<Grant> {
        if self.current.contains_key(&handler) {
            return None;
        }
        let next = self.starts.get_mut(&handler).and_then(|waiting| waiting.pop_first(|_| true));
        let Some((run, _)) = next else {
            self.starts.remove(&handler);
            return None;
        };
        self.current.insert(handler, run);
        Some(Grant::Start(run))
    }

    /// Raises the effective urgency of a handler's active run to that of a run that waits for it.
    fn raise_urgency(&mut self, handler: HandlerId, waiting: Urgency) -> Vec<Grant> {
        let Some(current) = self.current.get(&handler).copied() else { return Vec::new() };
        let effective = self.urgency(current).max(waiting);
        self.set_effective(current, effective)
    }

    /// Sets the effective urgency of a handler's active run: the highest of its own and those of the runs that wait for it.
    fn inherit_urgency(&mut self, handler: HandlerId) -> Vec<Grant> {
        let Some(current) = self.current.get(&handler).copied() else { return Vec::new() };
        let waiting = self.starts.get(&handler).and_then(FairQueue::highest_urgency);
        let Some(RunUrgency { own, .. }) = self.urgencies.get(&current).copied() else { return Vec::new() };
        self.set_effective(current, waiting.map_or(own, |waiting| waiting.max(own)))
    }

    fn set_effective(&mut self, current: RunId, effective: Urgency) -> Vec<Grant> {
        let Some(urgency) = self.urgencies.get_mut(&current) else { return Vec::new() };
        if std::mem::replace(&mut urgency.effective, effective) == effective {
            return Vec::new();
        }
        self.permit_requests.reassign(effective, current);
        begin(self.claims.reassign(effective, current))
    }

    /// Counts an item that begins while this less urgent run waits. Returns `true` once the run may take its turn.
    fn has_waited_enough(&mut self, run: RunId) -> bool {
        let Some(request) = self.permit_requests.get_mut(run) else { return false };
        request.passed_over = request.passed_over.saturating_add(1);
        request.passed_over > MAX_PASSED_OVER
    }

    fn urgency(&self, run: RunId) -> Urgency {
        self.urgencies.get(&run).map_or(Priority::Background.into(), |urgency| urgency.effective)
    }

    fn permits_of(&self, run: RunId) -> usize {
        self.permits.get(&run).copied().unwrap_or(0)
    }

    fn add_permit_request(&mut self, run: RunId, workers: usize) {
        let before = self.permit_requests.get_mut(run).map_or(0, |request| request.workers);
        self.permit_requests.set(run, before + workers, self.urgency(run));
    }

    /// Gives a waiting run one permit.
    fn serve_request(&mut self, run: RunId) {
        *self.permits.entry(run).or_default() += 1;
        self.permit_requests.serve(run);
    }

    fn reclaim_permits(&mut self, run: RunId, workers: usize) {
        let left = self.permits_of(run).saturating_sub(workers);
        let lent = usize::from(left == 0 && self.lent.remove(&run));
        self.free += workers - lent;
        match left {
            0 => self.permits.remove(&run),
            left => self.permits.insert(run, left),
        };
    }

    /// Removes and returns the first request that a free permit may serve.
    fn next_permit_request(&mut self) -> Option<(PermitRequest, Urgency)> {
        if self.free == 0 {
            return None;
        }
        let (free, reserved, permits) = (self.free, self.reserved(), &self.permits);
        self.permit_requests.pop_first(|request| free > if permits.contains_key(&request.run) { reserved } else { 0 })
    }

    /// Returns the number of permits that are reserved for handlers without a permit.
    fn reserved(&self) -> usize {
        let most = (self.limit / 4).max(usize::from(self.limit > 1));
        self.handlers.saturating_sub(self.permits.len()).min(most)
    }

    fn grant_permits(&mut self) -> Vec<Grant> {
        if self.permit_requests.is_empty() {
            return Vec::new();
        }
        let mut granted: BTreeMap<RunId, usize> = BTreeMap::new();
        while let Some((request, urgency)) = self.next_permit_request() {
            let PermitRequest { run, workers, .. } = request;
            self.free -= 1;
            *self.permits.entry(run).or_default() += 1;
            *granted.entry(run).or_default() += 1;
            self.permit_requests.set(run, workers - 1, urgency);
        }
        for run in self.starving_nested() {
            self.lend(run);
            *granted.entry(run).or_default() += 1;
        }
        granted.into_iter().map(|(run, workers)| Grant::Permits(run, workers)).collect()
    }

    /// Gives a waiting run a permit beyond the limit.
    fn lend(&mut self, run: RunId) -> Grant {
        self.lent.insert(run);
        self.serve_request(run);
        Grant::Permits(run, 1)
    }

    /// Returns the nested runs that wait for a permit and have none.
    fn starving_nested(&self) -> Vec<RunId> {
        let starves = |run: &RunId| self.permit_requests.contains(*run) && self.permits_of(*run) == 0;
        self.nested.iter().copied().filter(starves).collect()
    }
}

fn begin(items: Vec<ItemOfRun>) -> Vec<Grant> {
    items.into_iter().map(Grant::Begin).collect()
}

#[cfg(test)]
mod tests;
