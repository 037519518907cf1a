//! A wrapper that records the calls to a handler in the model.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde_json::Value;
use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::context::{ItemContext, PrepareContext, RunContext, SynchronizeContext};
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::environment::Network;
use syncmgr_core::error::{FailureClass, NeedsUser, SyncResult};
use syncmgr_core::handler::{ItemObject, Participation, PropertiesOutcome, Resolution, SyncHandler};
use syncmgr_core::id::{ErrorId, HandlerId, ItemId, SessionId, Subject};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::Items;
use syncmgr_core::local_change::LocalChange;
use syncmgr_core::status::Status;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::error::PanicsOnDrop;
use crate::model::AttemptEnd;
use crate::sim::{Sim, State};

/// A handler whose calls are checked against the model.
pub(crate) struct Observed {
    pub(crate) inner: Arc<dyn SyncHandler>,
    pub(crate) sim: Sim,
    /// Receives the session of every run that starts.
    pub(crate) sessions: UnboundedSender<SessionId>,
}

impl Observed {
    /// Checks that the network allows the run to start.
    fn check_run_start(&self, run: &RunContext) {
        let (handler, session, info) = (run.handler(), run.session(), self.inner.info());
        self.sim.try_with(|state| {
            let requested_by = state.model.requested_by(session, handler);
            state.model.to_connect.remove(&handler);
            state.model.to_end.remove(&handler);
            let (now, trigger) = (state.moment(), run.trigger());
            state.model.run_starts.insert((session, handler), (now.elapsed, trigger));
            if state.model.agenda.as_mut().is_some_and(|agenda| agenda.insert(handler)) {
                state.model.unannounced.insert(session, handler);
            }
            let is_automatic = requested_by == RequestedBy::Automatic && !state.model.sessions.contains_key(&session);
            let unmet = state.model.check_run_conditions((handler, trigger), &state.environment, now);
            unmet
                .into_iter()
                .filter(|_| is_automatic)
                .for_each(|(invariant, details)| state.report_violation(invariant, details));
            state.note(&format!("{} starts in session {session} ({requested_by:?})", info.name()));
            let needs_network = info.capabilities().contains(Capabilities::NEEDS_NETWORK);
            let low_data = info.capabilities().contains(Capabilities::LOW_DATA);
            match state.environment.network {
                Network::Offline if needs_network && requested_by != RequestedBy::UserForced => {
                    state.report_violation(
                        "a handler that needs a network waits for it",
                        format!("{} starts offline", info.name()),
                    );
                }
                Network::Metered if needs_network && !low_data && requested_by == RequestedBy::Automatic => {
                    state.report_violation(
                        "no automatic run uses a metered network",
                        format!("{} starts on a metered network", info.name()),
                    );
                }
                _ => {}
            }
        });
        // The receiver is closed once the process ends.
        let _ = self.sessions.send(session);
    }

    /// Records the start of a `prepare` or `synchronize` call. A handler must not be in two such calls at the same time.
    fn begin_call(&self, run: &RunContext) -> CallGuard {
        let (handler, session) = (run.handler(), run.session());
        self.sim.try_with(|state| {
            if let Some(other) = state.model.active_calls.insert(handler, session) {
                let details = format!("{handler} runs in sessions {session} and {other}");
                state.report_violation("one run of a handler at a time", details);
            }
        });
        CallGuard { sim: self.sim.clone(), handler }
    }
}

struct CallGuard {
    sim: Sim,
    handler: HandlerId,
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        self.sim.try_with(|state| {
            state.model.active_calls.remove(&self.handler);
            state.model.preparing.remove(&self.handler);
        });
    }
}

/// A running attempt at an item.
struct AttemptGuard {
    sim: Sim,
    item: ItemContext,
    ended: bool,
}

impl AttemptGuard {
    fn begin(sim: &Sim, item: &ItemContext) -> Self {
        sim.try_with(|state| {
            let (key, session) = ((item.run().handler(), item.id()), item.run().session());
            let claims = state.model.claims(key.0, item.item());
            let now = state.elapsed();
            state.note(&format!("{} starts in session {session}", item.name()));
            let was_suspect = state.model.suspects.contains(&key);
            let unmet = state.model.check_item_conditions(key, session, &state.environment, state.moment());
            let findings = state.model.begin(key, session, claims, now);
            unmet.into_iter().for_each(|(invariant, details)| state.report_violation(invariant, details));
            state.model.agenda.as_mut().map(|agenda| agenda.insert(key.0));
            // A suspect began for the manager before the write that precedes this call, so possibly before it was disabled.
            if state.model.is_disabled(key, now) && !was_suspect {
                state.report_violation(
                    "a disabled item runs in no session",
                    format!("{key:?} runs in session {session}"),
                );
            }
            findings.into_iter().for_each(|(invariant, details)| state.report_violation(invariant, details));
        });
        Self { sim: sim.clone(), item: item.clone(), ended: false }
    }

    fn finish(mut self, result: &SyncResult) {
        self.ended = true;
        let (signals, cancelled) = (self.item.cell().signals(), self.item.cell().cancel().reason());
        self.end(match (result, cancelled) {
            _ if self.item.cell().is_working() => AttemptEnd::Unknown,
            _ if PanicsOnDrop::is_in(result) => AttemptEnd::PanickedOrHung,
            (Ok(()), _) => match signals.tolerated {
                Some(class) => AttemptEnd::Failed(class),
                None if signals.undecided => AttemptEnd::NeedsUser,
                None => AttemptEnd::Succeeded,
            },
            (Err(_), Some(reason)) => AttemptEnd::Cancelled(reason),
            (Err(error), None) if NeedsUser::is_in(error) => AttemptEnd::NeedsUser,
            (Err(error), None) => AttemptEnd::Failed(FailureClass::of(error)),
        });
    }

    fn end(&self, end: AttemptEnd) {
        let key = (self.item.run().handler(), self.item.id());
        self.sim.try_with(|state: &mut State| {
            let now = state.elapsed();
            state.note(&format!("{} ends: {end:?}", self.item.name()));
            if state.model.is_late(key, now) {
                state.report_violation("a cancelled item ends within its grace", format!("{key:?} ends too late"));
            }
            state.model.end(key, end, now);
            state.model.agenda.as_mut().map(|agenda| agenda.insert(key.0));
            if self.item.cell().is_working() {
                state.model.lingering.push((key, self.item.clone()));
            }
        });
    }
}

impl Drop for AttemptGuard {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let cancelled = self.item.cell().cancel().reason();
        self.end(match cancelled {
            _ if std::thread::panicking() => AttemptEnd::PanickedOrHung,
            Some(reason) => AttemptEnd::Cancelled(reason),
            None => AttemptEnd::Unknown,
        });
    }
}

#[async_trait]
impl SyncHandler for Observed {
    fn info(&self) -> HandlerInfo {
        self.inner.info()
    }

    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        self.check_run_start(run);
        self.inner.initialize(run).await
    }

    async fn items(&self) -> SyncResult<Items> {
        self.inner.items().await
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let _call = self.begin_call(run);
        self.sim.try_with(|state| state.model.preparing.insert(run.handler()));
        let prepared = self.inner.prepare(run).await;
        if prepared.is_err() {
            // The items end without an attempt; in a forced session this ends the wait that the peer asked for.
            self.sim.try_with(|state| {
                if state.model.requested_by(run.session(), run.handler()) == RequestedBy::UserForced {
                    state.model.mark_unknown(|key| key.0 == run.handler());
                }
            });
        }
        prepared
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let _call = self.begin_call(run);
        self.inner.synchronize(run).await
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let attempt = AttemptGuard::begin(&self.sim, item);
        let result = self.inner.synchronize_item(item).await;
        attempt.finish(&result);
        result
    }

    fn set_item_status(&self, run: &RunContext, subject: Subject, status: Status) {
        self.inner.set_item_status(run, subject, status);
    }

    async fn show_properties(&self, run: &RunContext, subject: Subject) -> SyncResult<PropertiesOutcome> {
        self.inner.show_properties(run, subject).await
    }

    async fn show_error(&self, run: &RunContext, error: ErrorId) -> SyncResult<Resolution> {
        self.inner.show_error(run, error).await
    }

    fn changes(&self) -> Option<BoxStream<'static, LocalChange>> {
        self.inner.changes()
    }

    fn migrate(&self, item: ItemId, from: u32, state: Value) -> SyncResult<Value> {
        self.inner.migrate(item, from, state)
    }

    fn item_object(&self, subject: Subject, interface: Uuid) -> Option<ItemObject> {
        self.inner.item_object(subject, interface)
    }
}
