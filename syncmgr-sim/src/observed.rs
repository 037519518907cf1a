//! A handler, and the books that are kept of what is asked of it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use syncmgr_core::capabilities::Capabilities;
use syncmgr_core::context::{ItemContext, PrepareContext, RunContext, SynchronizeContext};
use syncmgr_core::decision::retry::Ask;
use syncmgr_core::error::{FailureClass, NeedsUser, SyncResult};
use syncmgr_core::facts::Network;
use syncmgr_core::handler::{ItemObject, Participation, PropertiesOutcome, Resolution, SyncHandler};
use syncmgr_core::id::{ErrorId, HandlerId, ItemId, SessionId, Subject};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::Items;
use syncmgr_core::status::Status;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::books::End;
use crate::world::{State, World};

/// Any handler, watched.
pub(crate) struct Observed {
    pub(crate) inner: Arc<dyn SyncHandler>,
    pub(crate) world: World,
    /// Who is told of sessions.
    pub(crate) sessions: UnboundedSender<SessionId>,
}

impl Observed {
    /// A run begins: the world has to let it.
    fn begins(&self, run: &RunContext) {
        let (handler, session, info) = (run.handler(), run.session(), self.inner.info());
        self.world.reach(|state| {
            let ask = state.books.ask(session, handler);
            state.note(&format!("{} begins in session {session} ({ask:?})", info.name()));
            let needs = info.capabilities().contains(Capabilities::NEEDS_NETWORK);
            let frugal = info.capabilities().contains(Capabilities::FRUGAL);
            match state.facts.network {
                Network::Offline if needs && ask != Ask::Forced => {
                    state.breaks("what needs a network waits for it", format!("{} begins offline", info.name()));
                }
                Network::Metered if needs && !frugal && ask == Ask::Automatic => {
                    state.breaks("nothing runs by itself on a metered link", format!("{} does", info.name()));
                }
                _ => {}
            }
        });
        // Nobody listens once the process ends.
        let _ = self.sessions.send(session);
    }

    /// Prepares or synchronizes from now on, and nobody else of this handler does.
    fn call(&self, run: &RunContext) -> Call {
        let (handler, session) = (run.handler(), run.session());
        self.world.reach(|state| {
            if let Some(other) = state.books.calls.insert(handler, session) {
                let how = format!("{handler} runs in session {session} and in {other}");
                state.breaks("one run of a handler at a time", how);
            }
        });
        Call { world: self.world.clone(), handler }
    }
}

struct Call {
    world: World,
    handler: HandlerId,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.world.reach(|state| {
            state.books.calls.remove(&self.handler);
            state.books.preparing.remove(&self.handler);
        });
    }
}

/// An attempt at an item that goes on.
struct Visit {
    world: World,
    item: ItemContext,
    ended: bool,
}

impl Visit {
    fn begin(world: &World, item: &ItemContext) -> Self {
        world.reach(|state| {
            let (key, session) = ((item.run().handler(), item.id()), item.run().session());
            let claims = state.books.claims(key.0, item.item());
            let now = state.elapsed();
            state.note(&format!("{} begins in session {session}", item.name()));
            let faults = state.books.begin(key, session, claims, now);
            faults.into_iter().for_each(|(promise, how)| state.breaks(promise, how));
        });
        Self { world: world.clone(), item: item.clone(), ended: false }
    }

    fn returned(mut self, result: &SyncResult) {
        self.ended = true;
        let (traces, cancelled) = (self.item.cell().traces(), self.item.cell().cancel().reason());
        self.end(match (result, cancelled) {
            _ if self.item.cell().is_working() => End::Unclear,
            (Ok(()), _) => match traces.tolerated {
                Some(class) => End::Failed(class),
                None if traces.undecided => End::NeedsUser,
                None => End::Succeeded,
            },
            (Err(_), Some(reason)) => End::Cancelled(reason),
            (Err(error), None) if NeedsUser::is_in(error) => End::NeedsUser,
            (Err(error), None) => End::Failed(FailureClass::of(error)),
        });
    }

    fn end(&self, end: End) {
        let key = (self.item.run().handler(), self.item.id());
        self.world.reach(|state: &mut State| {
            let now = state.elapsed();
            state.note(&format!("{} ends: {end:?}", self.item.name()));
            if state.books.ends_late(key, now) {
                state.breaks("a cancelled item ends within its grace", format!("{key:?} ends now"));
            }
            state.books.end(key, end, now);
            if self.item.cell().is_working() {
                state.books.lingering.push((key, self.item.clone()));
            }
        });
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let cancelled = self.item.cell().cancel().reason();
        self.end(match cancelled {
            _ if std::thread::panicking() => End::Broke,
            Some(reason) => End::Cancelled(reason),
            None => End::Unclear,
        });
    }
}

#[async_trait]
impl SyncHandler for Observed {
    fn info(&self) -> HandlerInfo {
        self.inner.info()
    }

    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        self.begins(run);
        self.inner.initialize(run).await
    }

    async fn items(&self) -> SyncResult<Items> {
        self.inner.items().await
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let _call = self.call(run);
        self.world.reach(|state| state.books.preparing.insert(run.handler()));
        self.inner.prepare(run).await
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let _call = self.call(run);
        self.inner.synchronize(run).await
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let visit = Visit::begin(&self.world, item);
        let result = self.inner.synchronize_item(item).await;
        visit.returned(&result);
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

    fn migrate(&self, item: ItemId, from: u32, state: Value) -> SyncResult<Value> {
        self.inner.migrate(item, from, state)
    }

    fn item_object(&self, subject: Subject, interface: Uuid) -> Option<ItemObject> {
        self.inner.item_object(subject, interface)
    }
}
