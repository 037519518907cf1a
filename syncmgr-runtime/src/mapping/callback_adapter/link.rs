//! Forwards the requests of an attempt to a foreign host.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use anyhow::anyhow;
use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::cancel::{CancelReason, Cancelled};
use syncmgr_core::cell::ItemCell;
use syncmgr_core::classic::Attention;
use syncmgr_core::decision::guard::GuardPolicy;
use syncmgr_core::decision::protocol::HostRequest;
use syncmgr_core::error::{Classify, NeedsUser, SyncResult};
use syncmgr_core::hresult::{CodeError, HResult};
use syncmgr_core::id::{ErrorId, ErrorScope, ItemId};
use syncmgr_core::info::HandlerFlags;
use syncmgr_core::log::{LogEntry, LogLevel, Question};
use syncmgr_core::port::{Asker, InteractionPermit, MemorySecrets, SecretStore, user_unavailable};
use syncmgr_core::record::ItemRecord;
use syncmgr_core::store::{Durability, StateChange, StateStore};

use super::instance::AdapterInstance;
use crate::attempt::{Attempt, HostLink};
use crate::clock::{Clock, SystemClock};
use crate::mapping::reporter::{CallbackSlot, report_begin};
use crate::tasks::Tasks;

/// Connects an attempt to a foreign callback.
pub(super) struct CallbackLink {
    instance: Weak<AdapterInstance>,
    callback: Arc<CallbackSlot>,
    tasks: Tasks,
    store: Arc<dyn StateStore>,
    secrets: MemorySecrets,
}

impl CallbackLink {
    pub(super) fn new(instance: &Arc<AdapterInstance>) -> Self {
        Self {
            instance: Arc::downgrade(instance),
            callback: instance.callback().clone(),
            tasks: instance.tasks().clone(),
            store: instance.store().clone(),
            secrets: instance.secrets().clone(),
        }
    }

    /// Returns the instance if the protocol allows this request now.
    fn instance(&self, request: HostRequest) -> Option<Arc<AdapterInstance>> {
        self.instance.upgrade().filter(|instance| instance.allows(request))
    }
}

/// Releases the user's attention when dropped.
struct AttentionGuard(Arc<CallbackSlot>);

impl Drop for AttentionGuard {
    fn drop(&mut self) {
        self.0.call(|callback| callback.enable_modeless(Attention::Release));
    }
}

impl HostLink for CallbackLink {
    fn log(&self, entry: LogEntry) {
        self.callback.log(&entry);
    }

    fn delete_log(&self, scope: ErrorScope) {
        self.callback.call(|callback| callback.delete_log_error(scope));
    }

    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>> {
        async {
            let instance = self
                .instance
                .upgrade()
                .filter(|instance| instance.allows(HostRequest::Attention) || instance.is_showing());
            let instance = instance.ok_or_else(user_unavailable)?;
            let interaction = instance.interaction().ok_or_else(user_unavailable)?;
            let asker = Asker::new(instance.info().id(), instance.info().name());
            if instance.is_showing_properties() {
                return Ok(InteractionPermit::new(interaction, asker, ()));
            }
            match self.callback.call(|callback| callback.enable_modeless(Attention::Ask)) {
                HResult::S_OK => Ok(InteractionPermit::new(interaction, asker, AttentionGuard(self.callback.clone()))),
                _ => Err(NeedsUser::new("the host refused the user's attention").into()),
            }
        }
        .boxed()
    }

    fn secrets(&self) -> Result<Arc<dyn SecretStore>, Cancelled> {
        let ended = || Cancelled::new(CancelReason::Ended);
        self.instance.upgrade().ok_or_else(ended)?;
        Ok(Arc::new(self.secrets.clone()))
    }

    fn connect<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, SyncResult> {
        async move {
            let instance = self.instance(HostRequest::Connection).ok_or(CodeError(HResult::E_UNEXPECTED))?;
            if !instance.info().flags().contains(HandlerFlags::MAY_ESTABLISH_CONNECTION) {
                return Err(anyhow!("the handler did not declare that it may establish connections")).permanent();
            }
            let (callback, name) = (self.callback.clone(), name.map(str::to_owned));
            let (sender, receiver) = futures::channel::oneshot::channel();
            // The host may block until the connection is established.
            self.tasks.blocking(Box::new(move || {
                let _ = sender.send(callback.call(|callback| callback.establish_connection(name.as_deref())));
            }));
            match receiver.await? {
                code if code.is_ok() => Ok(()),
                code => Err(CodeError(code).into()),
            }
        }
        .boxed()
    }

    fn decide(&self, item: ItemId, question: &Question) -> Option<usize> {
        let instance = self.instance.upgrade()?;
        let id = ErrorId::of_question(item, &question.key);
        if let Some(answer) = instance.questions().answer(id, question) {
            return Some(answer);
        }
        instance.questions().add(id, item, question.clone());
        let entry = LogEntry::new(LogLevel::Warning, &question.text).with_item(item);
        self.log(entry.with_question(id, question.clone()));
        None
    }

    fn record(&self, item: ItemId) -> SyncResult<Option<ItemRecord>> {
        let handler = self.instance.upgrade().map(|instance| instance.info().id());
        handler.map_or(Ok(None), |handler| self.store.record(handler, item))
    }

    fn write(&self, change: StateChange) -> BoxFuture<'static, SyncResult> {
        self.store.write(vec![change])
    }

    fn durability(&self) -> Durability {
        self.store.durability()
    }

    fn guards(&self) -> GuardPolicy {
        GuardPolicy::DEFAULT
    }

    fn now(&self) -> SystemTime {
        SystemClock::default().now().wall
    }

    fn item_begins(&self, attempt: &Attempt, item: ItemId) {
        report_begin(attempt, &self.callback, item);
    }

    fn item_ends(&self, item: ItemId, cell: &ItemCell) {
        self.callback.store_last(item, cell.state());
    }

    fn no_items_left(&self) {
        if let Some(instance) = self.instance.upgrade() {
            instance.no_items_left();
        }
    }

    fn request_workers(&self, count: usize) -> usize {
        count
    }

    fn return_workers(&self, _: usize) {}

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        // Tasks end by themselves or with their item.
        _ = self.tasks.spawn(task);
    }

    fn blocking(&self, job: Box<dyn FnOnce() + Send>) {
        self.tasks.blocking(job);
    }
}
