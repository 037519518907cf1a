//! The state shared by a session and its runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, OnceLock};
use std::time::SystemTime;

use syncmgr_core::decision::attempt::Pause;
use syncmgr_core::decision::choice::Offer;
use syncmgr_core::decision::host::Priority;
use syncmgr_core::decision::ledger::StartReason;
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, ItemId, SessionId};
use syncmgr_core::schedule::Schedule;
use syncmgr_core::sync::Mutex;
use syncmgr_core::trigger::Trigger;

use super::connections::Connections;
use crate::changes::{Changes, NextChange};
use crate::chooser::Chosen;
use crate::clock::Now;
use crate::host::Host;
use crate::nesting::Call;
use crate::tasks::Tasks;
use crate::trace;

/// The terms of a session.
pub(crate) struct SessionTerms {
    pub(crate) trigger: Trigger,
    pub(crate) priority: Priority,
    pub(crate) choosing: Choosing,
    /// The time at which the session is stopped.
    pub(crate) deadline: Option<SystemTime>,
    pub(crate) reason: StartReason,
    /// The origin of the request.
    pub(crate) requested_by: RequestedBy,
    /// The call of a handler that started the session, if one did.
    pub(crate) parent: Option<Call>,
}

/// The requested items of each handler.
pub(crate) type RequestedItems = BTreeMap<HandlerId, Arc<BTreeSet<ItemId>>>;

/// The schedules of each handler that have fired.
pub(crate) type FiredSchedules = BTreeMap<HandlerId, Arc<BTreeSet<Schedule>>>;

/// The way items are chosen.
#[derive(Clone, Debug)]
pub(crate) enum Choosing {
    /// By the chooser.
    ByChooser,
    /// By preference.
    Unattended,
    /// The requested items.
    Requested(RequestedItems),
    /// By preference, among the items with these schedules.
    Scheduled(FiredSchedules),
    /// No items: the session explains a log entry of an earlier session.
    Explain,
}

/// The part of a session that its runs use.
pub(crate) struct SessionScope {
    pub(crate) id: SessionId,
    pub(crate) terms: SessionTerms,
    pub(crate) host: Arc<Host>,
    pub(crate) tasks: Tasks,
    pub(crate) span: tracing::Span,
    pub(crate) began: Now,
    /// Notified on every change that can end a wait.
    changes: Changes,
    /// The handlers whose turns in this session have ended, in order.
    ended_turns: Mutex<Vec<HandlerId>>,
    /// Notified when a turn has ended.
    turns: Changes,
    pub(super) connections: Connections,
    offers: Mutex<BTreeMap<HandlerId, Offer>>,
    chosen: OnceLock<Chosen>,
    pause: Mutex<Pause>,
}

impl SessionScope {
    pub(super) fn new(host: Arc<Host>, tasks: Tasks, terms: SessionTerms) -> Self {
        let id = host.next_session();
        Self {
            id,
            span: trace::session(host.id, id, terms.trigger),
            terms,
            began: host.now(),
            host,
            tasks,
            changes: Changes::default(),
            ended_turns: Mutex::default(),
            turns: Changes::default(),
            connections: Connections::default(),
            offers: Mutex::default(),
            chosen: OnceLock::new(),
            pause: Mutex::default(),
        }
    }

    /// Establishes a connection.
    pub(crate) async fn connect(&self, name: Option<&str>) -> SyncResult {
        self.connections.connect(self.host.ports.connections.as_deref(), name).await
    }

    /// Offers a run's items and waits for the choice.
    pub(crate) async fn choose(&self, handler: HandlerId, offer: Offer) -> BTreeSet<ItemId> {
        self.offers().insert(handler, offer);
        self.changed();
        self.until(|| self.chosen.get().is_some()).await;
        self.chosen.get().and_then(|chosen| chosen.get(&handler)).cloned().unwrap_or_default()
    }

    pub(super) fn offers(&self) -> MutexGuard<'_, BTreeMap<HandlerId, Offer>> {
        self.offers.lock()
    }

    /// Sets the choice. Only the first call has an effect.
    pub(super) fn set_chosen(&self, chosen: Chosen) {
        let _ = self.chosen.set(chosen);
        self.changed();
    }

    /// Returns `Paused` if the session or the manager is paused.
    pub(crate) fn pause(&self) -> Pause {
        let of_manager = self.host.manager_state().pause;
        if *self.own_pause() == Pause::Paused { Pause::Paused } else { of_manager }
    }

    pub(super) fn own_pause(&self) -> MutexGuard<'_, Pause> {
        self.pause.lock()
    }

    /// Notes that the turn of a handler ends. Called before the next run of the handler may begin.
    pub(crate) fn turn_ends(&self, handler: HandlerId) {
        self.ended_turns.lock().push(handler);
        self.turns.notify();
    }

    /// Returns the handlers whose turns have ended, without the first ones.
    pub(super) fn ended_turns(&self, without: usize) -> Vec<HandlerId> {
        self.ended_turns.lock()[without..].to_vec()
    }

    /// Resolves when the next turn ends.
    pub(super) fn next_turn(&self) -> NextChange {
        self.turns.next()
    }

    /// Wakes everything that waits for a change.
    pub(crate) fn changed(&self) {
        self.changes.notify();
    }

    /// Resolves at the next change after this call.
    pub(crate) fn next_change(&self) -> NextChange {
        self.changes.next()
    }

    /// Waits until `condition` returns `true`. Cancel safe.
    pub(crate) async fn until(&self, condition: impl Fn() -> bool) {
        loop {
            // Created before the check, so that no change is missed.
            let changed = self.changes.next();
            if condition() {
                return;
            }
            changed.await;
        }
    }
}
