//! A session: one trigger, one or more handler runs.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use futures::FutureExt;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::choice::Offer;
use syncmgr_core::error::{Classify, SyncResult, drop_panic, panic_text};
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::port::Connection;
use syncmgr_core::trigger::Trigger;
use tokio::sync::watch;

use crate::chooser::Chosen;
use crate::clock::Now;
use crate::host::Host;
use crate::run::{Run, Wish};
use crate::tasks::Tasks;

/// What the parts of a session share.
pub(crate) struct SessionShared {
    id: SessionId,
    trigger: Trigger,
    choosing: Choosing,
    began: Now,
    host: Arc<Host>,
    tasks: Tasks,
    /// Changes whenever something may be over.
    changes: watch::Sender<u64>,
    chosen: watch::Sender<Option<Arc<Chosen>>>,
    connections: tokio::sync::Mutex<BTreeMap<Option<String>, Connection>>,
    state: Mutex<SessionState>,
}

#[derive(Default)]
struct SessionState {
    runs: Vec<Arc<Run>>,
    offers: BTreeMap<HandlerId, Offer>,
    stop: Option<CancelReason>,
    /// Nobody holds the session, or somebody has closed it: its runs are let go of when they rest.
    closing: bool,
    lasted: Option<Duration>,
    over: bool,
}

/// How items are chosen.
#[derive(Clone, Debug)]
pub(crate) enum Choosing {
    /// By the chooser.
    Ask,
    /// By preference.
    Unattended,
    /// These.
    Given(Chosen),
}

impl SessionShared {
    pub(crate) fn new(host: Arc<Host>, tasks: Tasks, trigger: Trigger, choosing: Choosing) -> Arc<Self> {
        Arc::new(Self {
            id: host.next_session(),
            trigger,
            choosing,
            began: host.clock.now(),
            host,
            tasks,
            changes: watch::Sender::new(0),
            chosen: watch::Sender::new(None),
            connections: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        })
    }

    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) fn trigger(&self) -> Trigger {
        self.trigger
    }

    pub(crate) fn choosing(&self) -> &Choosing {
        &self.choosing
    }

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    pub(crate) fn runs(&self) -> Vec<Arc<Run>> {
        self.lock().runs.clone()
    }

    pub(crate) fn run(&self, handler: HandlerId) -> Option<Arc<Run>> {
        self.lock().runs.iter().find(|run| run.id().handler == handler).cloned()
    }

    /// Takes the runs and begins. What was stopped meanwhile begins stopped.
    pub(crate) fn begin(self: &Arc<Self>, runs: Vec<Arc<Run>>) {
        tracing::debug!(session = %self.id, trigger = ?self.trigger, runs = runs.len(), "session");
        let stop = {
            let mut state = self.lock();
            state.runs = runs.clone();
            state.stop
        };
        if let Some(reason) = stop {
            runs.iter().for_each(|run| run.stop(reason));
        }
        self.host.gate.request(&runs);
        for run in runs {
            self.tasks.spawn(Box::pin(run.live(self.clone())));
        }
        let session = self.clone();
        self.tasks.spawn(Box::pin(async move { session.live().await }));
    }

    /// The life of a session: collect, choose, wait until every run rests, close.
    async fn live(self: Arc<Self>) {
        self.until(|session| session.is_collected()).await;
        let chosen = self.choose_among_offers().await;
        self.chosen.send_replace(Some(Arc::new(chosen)));
        self.until(|session| session.is_at_rest()).await;
        self.lock().lasted = Some(self.host.clock.now().mono.saturating_sub(self.began.mono));
        self.changed();
        self.until(|session| session.lock().closing && session.is_at_rest()).await;
        for run in self.runs() {
            // A run that is over has nobody to reply.
            let _ = run.ask(Wish::Close).await;
        }
        self.until(|session| session.runs().iter().all(|run| run.is_over())).await;
        let connections = std::mem::take(&mut *self.connections.lock().await);
        for connection in connections.into_values() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(connection))) {
                drop_panic(panic);
            }
        }
        self.host.known().sessions.remove(&self.id);
        self.lock().over = true;
        self.changed();
    }

    /// Every run has made its offer or is over.
    fn is_collected(&self) -> bool {
        let state = self.lock();
        let settled = |run: &&Arc<Run>| run.is_at_rest() || state.offers.contains_key(&run.id().handler);
        state.stop.is_some() || state.runs.iter().filter(|run| !settled(run)).count() == 0
    }

    async fn choose_among_offers(&self) -> Chosen {
        let offers: Vec<Offer> = self.lock().offers.values().cloned().collect();
        let Some(chooser) = self.host.chooser.as_ref().filter(|_| !offers.is_empty()) else { return Chosen::new() };
        let stopped = self.until(|session| session.lock().stop.is_some());
        tokio::select! {
            biased;
            () = stopped => Chosen::new(),
            chosen = AssertUnwindSafe(chooser.choose(&offers)).catch_unwind() => match chosen {
                Ok(chosen) => self.remember(&offers, chosen.unwrap_or_default()),
                Err(panic) => self.chooser_panicked(&panic_text(panic)),
            },
        }
    }

    /// A chooser that panics has chosen nothing, and each handler's log says why.
    fn chooser_panicked(&self, text: &str) -> Chosen {
        for run in self.runs() {
            run.log(LogEntry::new(LogLevel::Error, format!("nothing was chosen: the chooser panicked: {text}")));
        }
        Chosen::new()
    }

    /// What a person chose is what they prefer.
    fn remember(&self, offers: &[Offer], wanted: Chosen) -> Chosen {
        let mut chosen = Chosen::new();
        for offer in offers {
            let of_handler = wanted.get(&offer.handler).cloned().unwrap_or_default();
            self.host.known().preferences.remember(offer, &of_handler);
            let (runs, unknown) = offer.chosen(&of_handler);
            chosen.insert(offer.handler, runs);
            self.report_unknown(offer.handler, &unknown);
        }
        chosen
    }

    /// Ids the chooser named and nobody offered are told, not dropped in silence.
    fn report_unknown(&self, handler: HandlerId, unknown: &[ItemId]) {
        let Some(run) = self.run(handler) else { return };
        for item in unknown {
            let text = format!("item {item} was chosen but was not offered; it was left out");
            run.log(LogEntry::new(LogLevel::Warning, text));
        }
    }

    /// A run offers its items and waits for what is chosen of them.
    pub(crate) async fn choose(&self, run: &Run, offer: Offer) -> BTreeSet<ItemId> {
        self.lock().offers.insert(run.id().handler, offer);
        self.changed();
        let mut chosen = self.chosen.subscribe();
        match chosen.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(chosen)) => chosen.get(&run.id().handler).cloned().unwrap_or_default(),
            _ => BTreeSet::new(),
        }
    }

    pub(crate) fn stop(&self, reason: CancelReason) {
        let runs = {
            let mut state = self.lock();
            state.stop.get_or_insert(reason);
            state.runs.clone()
        };
        runs.iter().for_each(|run| run.stop(reason));
        self.changed();
    }

    /// The results are not needed any more; what runs goes on to its end.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed();
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.runs().iter().all(|run| run.is_at_rest())
    }

    /// How often runs have come to rest.
    pub(crate) fn rests(&self) -> u64 {
        self.runs().iter().map(|run| run.rests()).sum()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// Why the session shuts down, if its host does.
    pub(crate) fn shutting_down(&self) -> Option<CancelReason> {
        self.lock().stop.filter(|reason| *reason == CancelReason::ShuttingDown)
    }

    /// How long the session took until every run rested for the first time.
    pub(crate) fn lasted(&self) -> Option<Duration> {
        self.lock().lasted
    }

    /// Brings a connection up, once per name (R137).
    pub(crate) async fn connect(&self, name: Option<&str>) -> SyncResult {
        let provider = self.host.connections.as_ref();
        let none = || anyhow!("this host has no provider of connections; give the manager one");
        let provider = provider.ok_or_else(none).permanent()?;
        let mut connections = self.connections.lock().await;
        if let Entry::Vacant(place) = connections.entry(name.map(str::to_owned)) {
            place.insert(provider.connect(name).await?);
        }
        Ok(())
    }

    /// Tells everybody who waits that something may be over.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Fires at each such change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until something holds. Cancel safe.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let mut changes = self.changes.subscribe();
        while !holds(self) {
            changes.borrow_and_update();
            if holds(self) || changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
