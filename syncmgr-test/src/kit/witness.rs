//! Stands between a handler and its host, and writes down what either does.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use syncmgr_core::context::{ItemContext, PrepareContext, RunContext, SynchronizeContext};
use syncmgr_core::error::{SyncResult, panic_text};
use syncmgr_core::handler::{ItemObject, Participation, PropertiesOutcome, Resolution, SyncHandler};
use syncmgr_core::id::{ErrorId, ItemId, Subject};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::Items;
use syncmgr_core::status::Status;
use uuid::Uuid;

use super::account::Event;
use super::place::{Call, Named};
use super::port::WitnessPort;
use super::watch::Watch;
use super::watched::{self, wall};

/// The handler under judgement, as the host sees it.
pub(super) struct Witness {
    handler: Arc<dyn SyncHandler>,
    watch: Arc<Watch>,
}

impl Witness {
    pub(super) fn new(handler: Arc<dyn SyncHandler>, watch: &Arc<Watch>) -> Self {
        Self { handler, watch: watch.clone() }
    }

    fn port(&self, run: &RunContext, call: &Call) -> Arc<WitnessPort> {
        WitnessPort::new(run.host(), &self.watch, call.clone())
    }

    fn run(&self, run: &RunContext, call: &Call) -> RunContext {
        RunContext::new(self.port(run, call))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if self.watch.forgets() {
            std::mem::forget(self.handler.clone());
        }
    }
}

#[async_trait]
impl SyncHandler for Witness {
    fn info(&self) -> HandlerInfo {
        let began = wall();
        let info = self.handler.info();
        self.watch.polled(&Call::Info, 1, wall().saturating_sub(began));
        info
    }

    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        let run = self.run(run, &Call::Initialize);
        watched::call(&self.watch, Call::Initialize, self.handler.initialize(&run)).await
    }

    async fn items(&self) -> SyncResult<Items> {
        watched::call(&self.watch, Call::Items, self.handler.items()).await
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let run = PrepareContext::new(self.port(run, &Call::Prepare));
        watched::call(&self.watch, Call::Prepare, self.handler.prepare(&run)).await
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let run = SynchronizeContext::new(self.port(run, &Call::Synchronize));
        watched::call(&self.watch, Call::Synchronize, self.handler.synchronize(&run)).await
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let call = Call::Item(Named::from(item.item()));
        let item = self.port(item.run(), &call).item(item);
        watched::item_call(&self.watch, call, item.cell(), self.handler.synchronize_item(&item)).await
    }

    fn set_item_status(&self, run: &RunContext, subject: Subject, status: Status) {
        let run = self.run(run, &Call::SetItemStatus);
        let began = wall();
        let told = catch_unwind(AssertUnwindSafe(|| self.handler.set_item_status(&run, subject, status)));
        self.watch.polled(&Call::SetItemStatus, 1, wall().saturating_sub(began));
        if let Err(panic) = told {
            let text = panic_text(panic);
            self.watch.note(Event::Panicked(Call::SetItemStatus, text.clone()));
            resume_unwind(Box::new(text));
        }
    }

    async fn show_properties(&self, run: &RunContext, subject: Subject) -> SyncResult<PropertiesOutcome> {
        let run = self.run(run, &Call::ShowProperties);
        watched::call(&self.watch, Call::ShowProperties, self.handler.show_properties(&run, subject)).await
    }

    async fn show_error(&self, run: &RunContext, error: ErrorId) -> SyncResult<Resolution> {
        let run = self.run(run, &Call::ShowError);
        watched::call(&self.watch, Call::ShowError, self.handler.show_error(&run, error)).await
    }

    fn migrate(&self, item: ItemId, from: u32, state: Value) -> SyncResult<Value> {
        self.handler.migrate(item, from, state)
    }

    fn item_object(&self, subject: Subject, interface: Uuid) -> Option<ItemObject> {
        self.handler.item_object(subject, interface)
    }
}
