//! A handler that wraps the handler under test and records its calls.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{BoxStream, poll_fn};
use serde_json::Value;
use syncmgr_core::context::{ItemContext, PrepareContext, RunContext, SynchronizeContext};
use syncmgr_core::error::{SyncResult, panic_text};
use syncmgr_core::handler::{ItemObject, Participation, PropertiesOutcome, Resolution, SyncHandler};
use syncmgr_core::id::{ErrorId, ItemId, Subject};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::Items;
use syncmgr_core::local_change::LocalChange;
use syncmgr_core::status::Status;
use uuid::Uuid;

use super::events::Event;
use super::injection::{Call, ItemLabel};
use super::monitor::Monitor;
use super::monitored::{self, wall};
use super::port::RecordingPort;

/// A wrapper that the host calls instead of the handler under test.
pub(super) struct RecordingHandler {
    handler: Arc<dyn SyncHandler>,
    monitor: Arc<Monitor>,
}

impl RecordingHandler {
    pub(super) fn new(handler: Arc<dyn SyncHandler>, monitor: &Arc<Monitor>) -> Self {
        Self { handler, monitor: monitor.clone() }
    }

    fn port(&self, run: &RunContext, call: &Call) -> Arc<RecordingPort> {
        RecordingPort::new(run.host(), &self.monitor, call.clone())
    }

    fn run(&self, run: &RunContext, call: &Call) -> RunContext {
        RunContext::new(self.port(run, call))
    }
}

impl Drop for RecordingHandler {
    fn drop(&mut self) {
        if self.monitor.leaks() {
            std::mem::forget(self.handler.clone());
        }
    }
}

#[async_trait]
impl SyncHandler for RecordingHandler {
    fn info(&self) -> HandlerInfo {
        let began = wall();
        let info = self.handler.info();
        self.monitor.record_poll(&Call::Info, 1, wall().saturating_sub(began));
        info
    }

    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        let run = self.run(run, &Call::Initialize);
        monitored::call(&self.monitor, Call::Initialize, self.handler.initialize(&run)).await
    }

    async fn items(&self) -> SyncResult<Items> {
        monitored::call(&self.monitor, Call::Items, self.handler.items()).await
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let run = PrepareContext::new(self.port(run, &Call::Prepare));
        monitored::call(&self.monitor, Call::Prepare, self.handler.prepare(&run)).await
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let run = SynchronizeContext::new(self.port(run, &Call::Synchronize));
        monitored::call(&self.monitor, Call::Synchronize, self.handler.synchronize(&run)).await
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let call = Call::Item(ItemLabel::from(item.item()));
        let item = self.port(item.run(), &call).item(item);
        monitored::item_call(&self.monitor, call, item.cell(), self.handler.synchronize_item(&item)).await
    }

    fn set_item_status(&self, run: &RunContext, subject: Subject, status: Status) {
        let run = self.run(run, &Call::SetItemStatus);
        let began = wall();
        let result = catch_unwind(AssertUnwindSafe(|| self.handler.set_item_status(&run, subject, status)));
        self.monitor.record_poll(&Call::SetItemStatus, 1, wall().saturating_sub(began));
        if let Err(panic) = result {
            let text = panic_text(panic);
            self.monitor.record(Event::Panicked(Call::SetItemStatus, text.clone()));
            resume_unwind(Box::new(text));
        }
    }

    async fn show_properties(&self, run: &RunContext, subject: Subject) -> SyncResult<PropertiesOutcome> {
        let run = self.run(run, &Call::ShowProperties);
        monitored::call(&self.monitor, Call::ShowProperties, self.handler.show_properties(&run, subject)).await
    }

    async fn show_error(&self, run: &RunContext, error: ErrorId) -> SyncResult<Resolution> {
        let run = self.run(run, &Call::ShowError);
        monitored::call(&self.monitor, Call::ShowError, self.handler.show_error(&run, error)).await
    }

    fn changes(&self) -> Option<BoxStream<'static, LocalChange>> {
        let mut changes = self.handler.changes()?;
        let monitor = self.monitor.clone();
        let recorded = poll_fn(move |cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| changes.poll_next_unpin(cx)));
            if let Ok(Poll::Ready(Some(change))) = polled {
                monitor.record(Event::LocalChange(change));
            }
            polled.unwrap_or_else(|panic| {
                let text = panic_text(panic);
                monitor.record(Event::Panicked(Call::Changes, text.clone()));
                resume_unwind(Box::new(text))
            })
        });
        Some(recorded.boxed())
    }

    fn migrate(&self, item: ItemId, from: u32, state: Value) -> SyncResult<Value> {
        self.handler.migrate(item, from, state)
    }

    fn item_object(&self, subject: Subject, interface: Uuid) -> Option<ItemObject> {
        self.handler.item_object(subject, interface)
    }
}
