//! Performs the decisions of the host state: starts runs, grants permits for workers, lets items with claims begin.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use futures::task::{ArcWake, waker};
use syncmgr_core::cell::ItemCell;
use syncmgr_core::claim::Claim;
use syncmgr_core::decision::hold::Held;
use syncmgr_core::decision::host::{ClaimSet, Grant, HostState, ItemOfRun, RunId, Urgency};
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::sync::Mutex;
use tokio::sync::Notify;

/// A run as seen by admission.
pub(crate) trait Admitted: Send + Sync {
    fn id(&self) -> RunId;
    fn urgency(&self) -> Urgency;
    /// Starts the run.
    fn start(&self);
    /// Grants this many more workers. Returns `false` if the run has no use for them.
    fn grant(&self, workers: usize) -> bool;
    /// Notifies the run that an item has its claims. Returns `false` if the item no longer waits for them.
    fn ready(&self, item: ItemId) -> bool;
}

/// The host state of a manager and its runs.
pub(crate) struct Admission {
    inner: Mutex<Inner>,
    /// `true` while a run waits for a worker; read by every worker after each item.
    contended: AtomicBool,
}

struct Inner {
    host: HostState,
    runs: BTreeMap<RunId, Weak<dyn Admitted>>,
}

impl Admission {
    /// Admits at most `limit` concurrent items, and for each claim at most its capacity.
    pub(crate) fn new(limit: usize, capacities: BTreeMap<Claim, usize>) -> Self {
        let mut host = HostState::new(limit);
        capacities.into_iter().for_each(|(claim, capacity)| host.set_capacity(claim, capacity));
        Self { inner: Mutex::new(Inner { host, runs: BTreeMap::new() }), contended: AtomicBool::new(false) }
    }

    /// Adds a registered handler, which keeps a permit within reach.
    pub(crate) fn add_handler(&self) {
        self.decide(HostState::add_handler);
    }

    /// Removes a handler that was unregistered.
    pub(crate) fn remove_handler(&self) {
        let grants = self.decide(HostState::remove_handler);
        self.perform(grants);
    }

    /// Queues all runs of a session under one lock: sessions that wait for each other's handlers would otherwise deadlock.
    pub(crate) fn request<R: Admitted + 'static>(&self, runs: &[Arc<R>]) {
        let grants = {
            let mut inner = self.inner.lock();
            let mut grants = Vec::new();
            for run in runs {
                let (id, urgency) = (run.id(), run.urgency());
                let run: Weak<dyn Admitted> = Arc::<R>::downgrade(run);
                inner.runs.insert(id, run);
                grants.extend(inner.host.request(id, urgency));
            }
            grants
        };
        self.perform(grants);
    }

    /// Returns `true` if the run may start without waiting.
    pub(crate) fn is_current(&self, run: RunId) -> bool {
        self.inner.lock().host.is_current(run)
    }

    /// Waits until the requested run may start. Cancel safe: a run that no longer waits leaves the queue.
    pub(crate) async fn wait(&self, run: RunId, started: &Notify) {
        let waiting = Waiting { admission: self, run, entered: false };
        // A notification that is stored in `started` may be from an earlier wait of this run.
        while !self.is_current(run) {
            started.notified().await;
        }
        waiting.entered();
    }

    /// Removes a run that has ended or is idle.
    pub(crate) fn leave(&self, run: RunId) {
        let grants = self.decide(|host| host.leave(run));
        self.perform(grants);
        self.inner.lock().runs.remove(&run);
    }

    /// Marks a run of a session that an item started. The run gets at least one worker, whatever other items run.
    pub(crate) fn nest(&self, run: RunId) {
        self.decide(|host| host.nest(run));
    }

    /// Gives a run that has waited for too long a worker beyond the limit; see [`HostState::lend_permit`].
    pub(crate) fn lend_permit(&self, run: RunId) {
        let grant = self.decide(|host| host.lend_permit(run));
        self.perform(grant.into_iter().collect());
    }

    /// Requests workers for a run. Returns the number granted immediately; the others are granted as they become free.
    pub(crate) fn request_permits(&self, run: RunId, workers: usize) -> usize {
        let mut granted = 0;
        let mut grants = self.decide(|host| host.request_permits(run, workers));
        grants.retain(|grant| match grant {
            Grant::Permits(to, workers) if *to == run => {
                granted += workers;
                false
            }
            _ => true,
        });
        self.perform(grants);
        granted
    }

    /// Returns the permits of a run's workers.
    pub(crate) fn return_permits(&self, run: RunId, workers: usize) {
        let grants = self.decide(|host| host.return_permits(run, workers));
        self.perform(grants);
    }

    /// Withdraws the run's request for workers: it has nothing left to begin.
    pub(crate) fn cancel_permit_request(&self, run: RunId) {
        self.decide(|host| host.cancel_permit_request(run));
    }

    /// Returns `true` if a run waits for a worker.
    pub(crate) fn is_contended(&self) -> bool {
        self.contended.load(Ordering::Relaxed)
    }

    /// Returns `true` if the permit of a worker that has just ended an item goes to another run.
    pub(crate) fn yields_permit(&self, run: RunId) -> bool {
        let grant = self.decide(|host| host.yield_permit(run));
        self.perform(grant.into_iter().collect());
        grant.is_some()
    }

    /// Returns `true` if the item has its claims. If not, the item's run is notified when the item gets them.
    pub(crate) fn claim(&self, item: ItemOfRun, claims: ClaimSet) -> bool {
        self.decide(|host| host.claim(item, claims))
    }

    /// Releases the claims of an item that has ended or no longer waits for them. Returns the items of the same run that have their
    /// claims now; the items of other runs begin.
    pub(crate) fn release(&self, item: ItemOfRun) -> Vec<ItemId> {
        let mut granted = Vec::new();
        let mut grants = self.decide(|host| host.release(item));
        grants.retain(|grant| match grant {
            Grant::Begin(next) if next.run == item.run => {
                granted.push(next.item);
                false
            }
            _ => true,
        });
        self.perform(grants);
        granted
    }

    /// Lets an item that has its claims begin. If it no longer waits, its claims go to the next items.
    pub(crate) fn offer(&self, item: ItemOfRun) {
        self.perform(vec![Grant::Begin(item)]);
    }

    /// Returns an item to the queue.
    pub(crate) fn requeue(&self, item: ItemOfRun) {
        let grants = self.decide(|host| host.requeue(item));
        self.perform(grants);
    }

    /// Quarantines an abandoned item: it holds its claims until its work has ended.
    pub(crate) fn quarantine(self: &Arc<Self>, item: ItemOfRun, cell: &Arc<ItemCell>) {
        self.decide(|host| host.quarantine(item));
        let (admission, cell) = (Arc::downgrade(self), cell.clone());
        Arc::new(QuarantineEnd { admission, cell, handler: item.run.handler, item: item.item }).end_when_work_ends();
    }

    /// Returns the abandoned items whose work is still running.
    pub(crate) fn quarantined(&self) -> Vec<(HandlerId, ItemId)> {
        self.inner.lock().host.quarantined()
    }

    /// Returns everything that waits, with the reasons.
    pub(crate) fn held(&self) -> Vec<Held> {
        self.inner.lock().host.held()
    }

    /// Performs grants. A grant that a run has no use for goes to the next run.
    fn perform(&self, grants: Vec<Grant>) {
        let mut grants = VecDeque::from(grants);
        while let Some(grant) = grants.pop_front() {
            match grant {
                Grant::Start(run) => {
                    if let Some(run) = self.run(run) {
                        run.start();
                    }
                }
                Grant::Permits(id, workers) => {
                    if !self.run(id).is_some_and(|run| run.grant(workers)) {
                        grants.extend(self.decide(|host| host.return_permits(id, workers)));
                    }
                }
                Grant::Begin(item) => {
                    if !self.run(item.run).is_some_and(|run| run.ready(item.item)) {
                        grants.extend(self.decide(|host| host.requeue(item)));
                    }
                }
            }
        }
    }

    fn run(&self, run: RunId) -> Option<Arc<dyn Admitted>> {
        self.inner.lock().runs.get(&run)?.upgrade()
    }

    /// Takes a decision of the host state, and updates the flag that workers read.
    fn decide<T>(&self, decide: impl FnOnce(&mut HostState) -> T) -> T {
        let mut inner = self.inner.lock();
        let decided = decide(&mut inner.host);
        self.contended.store(inner.host.is_contended(), Ordering::Relaxed);
        decided
    }
}

/// A run in the queue. Leaves the queue if it is dropped before the run has entered.
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

/// A waker that ends the quarantine of an item. It is woken when the item's work ends.
struct QuarantineEnd {
    admission: Weak<Admission>,
    cell: Arc<ItemCell>,
    handler: HandlerId,
    item: ItemId,
}

impl QuarantineEnd {
    /// Ends the quarantine if the work has ended. Registers before the check, so that no end is missed; the waker may fire
    /// while the work is still running.
    fn end_when_work_ends(self: &Arc<Self>) {
        self.cell.wake_when_work_ends(&waker(self.clone()));
        if !self.cell.is_working() {
            self.end();
        }
    }

    fn end(&self) {
        if let Some(admission) = self.admission.upgrade() {
            let grants = admission.decide(|host| host.end_quarantine(self.handler, self.item));
            admission.perform(grants);
        }
    }
}

impl ArcWake for QuarantineEnd {
    fn wake_by_ref(this: &Arc<Self>) {
        this.end_when_work_ends();
    }
}
