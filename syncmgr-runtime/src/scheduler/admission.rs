//! Performs what the host state decides: starts runs, lends workers, lets items with claims begin.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use futures::task::{ArcWake, waker};
use syncmgr_core::cell::ItemCell;
use syncmgr_core::claim::Claim;
use syncmgr_core::decision::hold::Held;
use syncmgr_core::decision::host::{ClaimSet, Grant, HostState, ItemOfRun, Priority, RunId};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::sync::Mutex;
use tokio::sync::Notify;

/// A run, as far as the host admits it.
pub(crate) trait Admitted: Send + Sync {
    fn id(&self) -> RunId;
    /// It may start.
    fn start(&self);
    /// It may use this many more workers. `false` when it has no use for them.
    fn lend(&self, workers: usize) -> bool;
    /// An item has its claims. `false` when it no longer waits for them.
    fn ready(&self, item: ItemId) -> bool;
}

/// The host state of a manager, and the runs it knows.
pub(crate) struct Admission {
    inner: Mutex<Inner>,
    /// Whether anybody waits for a worker; read by every worker after each item.
    contended: AtomicBool,
}

struct Inner {
    host: HostState,
    runs: BTreeMap<RunId, Weak<dyn Admitted>>,
}

impl Admission {
    /// Admits at most `limit` items at once, and so many at once with each of these claims.
    pub(crate) fn new(limit: usize, capacities: BTreeMap<Claim, usize>) -> Self {
        let mut host = HostState::new(limit);
        capacities.into_iter().for_each(|(claim, capacity)| host.set_capacity(claim, capacity));
        Self { inner: Mutex::new(Inner { host, runs: BTreeMap::new() }), contended: AtomicBool::new(false) }
    }

    /// Puts the runs of a session into the queue, all at once: sessions that wait for each other's handlers would
    /// otherwise wait for ever. For each run, calls `before` with those of its handler that come first.
    pub(crate) fn request<R: Admitted + 'static>(
        &self,
        runs: &[Arc<R>],
        priority: Priority,
        mut before: impl FnMut(&R, Vec<RunId>),
    ) {
        let grants = {
            let mut inner = self.inner.lock();
            let mut grants = Vec::new();
            for run in runs {
                let id = run.id();
                before(run, inner.host.runs_of(id.handler));
                let run: Weak<dyn Admitted> = Arc::<R>::downgrade(run);
                inner.runs.insert(id, run);
                grants.extend(inner.host.request(id, priority));
            }
            grants
        };
        self.perform(grants);
    }

    /// Whether the run may start, and need not wait.
    pub(crate) fn is_current(&self, run: RunId) -> bool {
        self.inner.lock().host.is_current(run)
    }

    /// Waits until the requested run may start. Cancel safe: a run that no longer waits leaves the queue.
    pub(crate) async fn wait(&self, run: RunId, started: &Notify) {
        let waiting = Waiting { admission: self, run, entered: false };
        // A permit of an earlier turn says nothing about this one.
        while !self.is_current(run) {
            started.notified().await;
        }
        waiting.entered();
    }

    /// The run has ended, or waits for somebody to look at its results.
    pub(crate) fn leave(&self, run: RunId) {
        let grants = self.decide(|host| host.leave(run));
        self.perform(grants);
        self.inner.lock().runs.remove(&run);
    }

    /// The run could use this many workers. Returns how many it may use at once; others are lent as they become free.
    pub(crate) fn want(&self, run: RunId, workers: usize) -> usize {
        let mut lent = 0;
        let mut grants = self.decide(|host| host.want(run, workers));
        grants.retain(|grant| match grant {
            Grant::Lend(to, workers) if *to == run => {
                lent += workers;
                false
            }
            _ => true,
        });
        self.perform(grants);
        lent
    }

    /// Workers of a run have come back.
    pub(crate) fn give_back(&self, run: RunId, workers: usize) {
        let grants = self.decide(|host| host.give_back(run, workers));
        self.perform(grants);
    }

    /// The run has nothing left to begin.
    pub(crate) fn want_no_more(&self, run: RunId) {
        self.decide(|host| host.want_no_more(run));
    }

    /// Whether anybody waits for a worker.
    pub(crate) fn is_contended(&self) -> bool {
        self.contended.load(Ordering::Relaxed)
    }

    /// Whether a worker of the run, which has just ended an item, goes to somebody else.
    pub(crate) fn gives_way(&self, run: RunId) -> bool {
        let grant = self.decide(|host| host.give_way(run));
        self.perform(grant.into_iter().collect());
        grant.is_some()
    }

    /// Whether the item has its claims; if not it is told when it has.
    pub(crate) fn claim(&self, item: ItemOfRun, claims: ClaimSet) -> bool {
        self.decide(|host| host.claim(item, claims))
    }

    /// The item has ended, or no longer waits for its claims.
    pub(crate) fn release(&self, item: ItemOfRun) {
        let grants = self.decide(|host| host.release(item));
        self.perform(grants);
    }

    /// The item waits for its turn again.
    pub(crate) fn put_back(&self, item: ItemOfRun) {
        let grants = self.decide(|host| host.put_back(item));
        self.perform(grants);
    }

    /// The item was abandoned and keeps its claims, until what it reports into says that its work has ended.
    pub(crate) fn quarantine(self: &Arc<Self>, item: ItemOfRun, cell: &Arc<ItemCell>) {
        self.decide(|host| host.quarantine(item));
        let (admission, cell) = (Arc::downgrade(self), cell.clone());
        Arc::new(Lift { admission, cell, handler: item.run.handler, item: item.item }).lift_when_idle();
    }

    /// The abandoned items whose work is still running.
    pub(crate) fn quarantined(&self) -> Vec<(HandlerId, ItemId)> {
        self.inner.lock().host.quarantined()
    }

    /// Everything that waits, and why.
    pub(crate) fn held(&self) -> Vec<Held> {
        self.inner.lock().host.held()
    }

    /// Performs grants. What a run has no use for goes to the next.
    fn perform(&self, grants: Vec<Grant>) {
        let mut grants = VecDeque::from(grants);
        while let Some(grant) = grants.pop_front() {
            match grant {
                Grant::Start(run) => {
                    if let Some(run) = self.run(run) {
                        run.start();
                    }
                }
                Grant::Lend(id, workers) => {
                    if !self.run(id).is_some_and(|run| run.lend(workers)) {
                        grants.extend(self.decide(|host| host.give_back(id, workers)));
                    }
                }
                Grant::Begin(item) => {
                    if !self.run(item.run).is_some_and(|run| run.ready(item.item)) {
                        grants.extend(self.decide(|host| host.put_back(item)));
                    }
                }
            }
        }
    }

    fn run(&self, run: RunId) -> Option<Arc<dyn Admitted>> {
        self.inner.lock().runs.get(&run)?.upgrade()
    }

    /// Asks the host state, and keeps what workers look at up to date.
    fn decide<T>(&self, decide: impl FnOnce(&mut HostState) -> T) -> T {
        let mut inner = self.inner.lock();
        let decided = decide(&mut inner.host);
        self.contended.store(inner.host.is_contended(), Ordering::Relaxed);
        decided
    }
}

/// A run in the queue. Dropped before it has entered, it leaves.
struct Waiting<'a> {
    admission: &'a Admission,
    run: RunId,
    entered: bool,
}

impl Waiting<'_> {
    fn entered(mut self) {
        self.entered = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.entered {
            self.admission.leave(self.run);
        }
    }
}

/// Ends the quarantine of an item. It is woken like a task when the item's work has ended.
struct Lift {
    admission: Weak<Admission>,
    cell: Arc<ItemCell>,
    handler: HandlerId,
    item: ItemId,
}

impl Lift {
    /// Registered before it looks, so that no end is missed; it may be woken while the work goes on.
    fn lift_when_idle(self: &Arc<Self>) {
        self.cell.wake_when_idle(&waker(self.clone()));
        if !self.cell.is_working() {
            self.lift();
        }
    }

    fn lift(&self) {
        if let Some(admission) = self.admission.upgrade() {
            let grants = admission.decide(|host| host.lift(self.handler, self.item));
            admission.perform(grants);
        }
    }
}

impl ArcWake for Lift {
    fn wake_by_ref(lift: &Arc<Self>) {
        lift.lift_when_idle();
    }
}
