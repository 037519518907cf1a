//! The classic adapter: a handler in the classic style, as a [`SyncHandler`].

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use syncmgr_core::classic::ClassicHandler;
use syncmgr_core::context::{PrepareContext, RunContext, SynchronizeContext};
use syncmgr_core::decision::protocol::{Action, Event, ItemSet, Stage, Step};
use syncmgr_core::error::{NeedsUser, SyncResult};
use syncmgr_core::foreign::Foreign;
use syncmgr_core::handler::{ItemObject, Participation, PropertiesOutcome, Resolution, SyncHandler};
use syncmgr_core::hresult::{CodeError, HResult};
use syncmgr_core::id::{ErrorId, ItemId, Subject};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::{Completeness, Items};
use syncmgr_core::status::Status;
use syncmgr_core::sync::Mutex;
use uuid::Uuid;

use super::instance::{DetachOnDrop, Instance};

/// Hosts a handler that is written in the style of `ISyncMgrSynchronize`: its methods return a code immediately and
/// complete through a callback.
///
/// Each run creates its own instance, as COM did. A completion that is repeated, late or unexpected is logged, answered
/// with `E_UNEXPECTED` and otherwise ignored. A method that blocks also blocks its calling thread.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// # #[derive(Default)]
/// # struct OldClock(Mutex<Option<Arc<dyn SyncCallback>>>);
/// # impl OldClock {
/// #     fn callback(&self) -> Arc<dyn SyncCallback> {
/// #         self.0.lock().expect("no panic while the lock is held").clone().expect("the host has set the callback")
/// #     }
/// # }
/// impl ClassicHandler for OldClock {
/// #     fn initialize(&self, _: Trigger, _: RunFlags, _: Option<&[u8]>) -> HResult {
/// #         HResult::S_OK
/// #     }
/// #     fn handler_info(&self) -> Result<HandlerInfo, HResult> {
/// #         Ok(HandlerInfo::new(HandlerId::from_u128(6), "Clock"))
/// #     }
/// #     fn enum_sync_items(&self) -> Result<Items, HResult> {
/// #         Ok([SyncItem::named("time")].into_iter().collect())
/// #     }
/// #     fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> HResult {
/// #         *self.0.lock().expect("no panic while the lock is held") = callback;
/// #         HResult::S_OK
/// #     }
///     fn prepare_for_sync(&self, _: &[ItemId]) -> HResult {
///         self.callback().prepare_for_sync_completed(HResult::S_OK);
///         HResult::S_OK
///     }
///     fn synchronize(&self) -> HResult {
///         let callback = self.callback();
///         let mut report = Progress::new();
///         report.status = Some(Status::Succeeded);
///         callback.progress(ItemId::from_name("time"), Some(&report));
///         callback.synchronize_completed(HResult::S_OK);
///         HResult::S_OK
///     }
/// #     fn set_item_status(&self, _: Subject, _: Status) -> HResult {
/// #         HResult::S_OK
/// #     }
/// }
///
/// let adapter = ClassicAdapter::new(|| Arc::new(OldClock::default())).map_err(CodeError)?;
/// let report = SyncManager::new().run(adapter).await?;
/// assert!(report.is_success(), "{report}");
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct ClassicAdapter {
    info: HandlerInfo,
    create: Box<dyn Fn() -> Arc<dyn ClassicHandler> + Send + Sync>,
    /// The instance of the latest run. `items` takes no context and uses this instance, because a handler has one run
    /// at a time.
    current: Mutex<Weak<Instance>>,
}

impl ClassicAdapter {
    /// Hosts the handlers that `create` returns. Calls `create` once immediately to read the info of an uninitialized
    /// instance. Use [`with_info`](Self::with_info) for a handler that has no info before it is initialized.
    ///
    /// # Errors
    /// Returns the code of `GetHandlerInfo` if it fails.
    pub fn new<C: ClassicHandler>(create: impl Fn() -> Arc<C> + Send + Sync + 'static) -> Result<Self, HResult> {
        Ok(Self::with_info(create().handler_info()?, create))
    }

    /// Hosts the handlers that `create` returns, with this info.
    ///
    /// The soft grace is raised to the hard grace: a stopped classic handler has no future that could be dropped sooner.
    pub fn with_info<C: ClassicHandler>(
        info: HandlerInfo,
        create: impl Fn() -> Arc<C> + Send + Sync + 'static,
    ) -> Self {
        let limits = info.limits();
        let info = info.with_limits(limits.with_soft_grace(limits.hard_grace()));
        Self { info, create: Box::new(move || create()), current: Mutex::default() }
    }

    fn current(&self) -> Option<Arc<Instance>> {
        self.current.lock().upgrade()
    }

    /// Returns the instance of this run and directs the handler's calls to `run`.
    fn instance(run: &RunContext, synchronize: Option<&SynchronizeContext>) -> SyncResult<Arc<Instance>> {
        let instance = run.kept::<DetachOnDrop>()?.0.clone();
        instance.enter(run, synchronize);
        Ok(instance)
    }
}

/// The result of a call whose future was dropped before its completion.
const DROPPED: HResult = HResult::E_FAIL;

#[async_trait]
impl SyncHandler for ClassicAdapter {
    fn info(&self) -> HandlerInfo {
        self.info.clone()
    }

    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        let instance = Instance::new((self.create)(), run);
        let code = instance.classic.initialize(run.trigger(), run.flags(), run.cookie());
        instance.on(Event::Initialized(code));
        match code {
            HResult::S_OK => {
                *self.current.lock() = Arc::downgrade(&instance);
                run.keep(DetachOnDrop(instance));
                Ok(Participation::TakePart)
            }
            HResult::S_FALSE => Ok(Participation::Decline),
            code => Err(CodeError(code).into()),
        }
    }

    async fn items(&self) -> SyncResult<Items> {
        let instance = self.current().ok_or(CodeError(HResult::E_UNEXPECTED))?;
        let listed = instance.classic.enum_sync_items();
        let code = match &listed {
            Ok(items) if items.completeness() == Completeness::MissingItems => HResult::S_SYNCMGR_MISSINGITEMS,
            Ok(_) => HResult::S_OK,
            Err(code) => *code,
        };
        if instance.on(Event::Listed(code)) == Step::Do(Action::Attach) {
            let attached = instance.attach();
            if !attached.is_success() {
                return Err(CodeError(attached).into());
            }
        }
        Ok(listed.map_err(CodeError)?)
    }

    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let instance = Self::instance(run, None)?;
        instance.on(match instance.stage() {
            Stage::Results => Event::Retried,
            _ => Event::Chosen(ItemSet::NonEmpty),
        });
        let items: Vec<ItemId> = run.selection().iter().map(|item| item.id()).collect();
        let code = instance.classic.prepare_for_sync(&items);
        instance
            .wait_for_completion(Event::PrepareReturned(code), Event::PrepareCompleted(DROPPED), |stage| {
                !matches!(stage, Stage::Preparing(_))
            })
            .await;
        match (instance.stage(), instance.result()) {
            (Stage::Prepared, _) => Ok(()),
            (_, HResult::S_FALSE) => Err(NeedsUser::new("the handler cannot prepare without the user").into()),
            (_, code) => Err(CodeError(code).into()),
        }
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let instance = Self::instance(run, Some(run))?;
        instance.on(Event::Admitted);
        let code = instance.classic.synchronize();
        instance
            .wait_for_completion(Event::SynchronizeReturned(code), Event::SynchronizeCompleted(DROPPED), |stage| {
                !matches!(stage, Stage::Synchronizing(_))
            })
            .await;
        match instance.result() {
            HResult::S_OK => Ok(()),
            code => Err(CodeError(code).into()),
        }
    }

    fn set_item_status(&self, run: &RunContext, subject: Subject, status: Status) {
        if let Ok(guard) = run.kept::<DetachOnDrop>() {
            guard.0.push(subject, status);
        }
    }

    async fn show_properties(&self, run: &RunContext, subject: Subject) -> SyncResult<PropertiesOutcome> {
        let instance = Self::instance(run, None)?;
        instance.on(Event::PropertiesOpened);
        let code = instance.classic.show_properties(subject);
        instance.record_return(code);
        let showing = |stage| matches!(stage, Stage::ShowingProperties(_));
        instance
            .wait_for_completion(Event::PropertiesReturned(code), Event::PropertiesCompleted(DROPPED), |stage| {
                !showing(stage)
            })
            .await;
        match instance.last_code().0 {
            HResult::S_SYNCMGR_ENUMITEMS => Ok(PropertiesOutcome::ListAgain),
            HResult::S_SYNCMGR_ITEMDELETED => Ok(PropertiesOutcome::ItemDeleted),
            code if code.is_success() => Ok(PropertiesOutcome::Done),
            code => Err(CodeError(code).into()),
        }
    }

    async fn show_error(&self, run: &RunContext, error: ErrorId) -> SyncResult<Resolution> {
        let instance = Self::instance(run, None)?;
        if instance.stage() == Stage::Prepared {
            // Every item was skipped during `prepare`, so the manager has ended the run.
            instance.on(Event::NoItemsLeft);
            instance.on(Event::Admitted);
        }
        instance.on(Event::ErrorOpened);
        let code = instance.classic.show_error(error);
        instance.record_return(code);
        let showing = |stage| matches!(stage, Stage::ShowingError(_));
        instance
            .wait_for_completion(Event::ErrorReturned(code), Event::ErrorCompleted(DROPPED, ItemSet::Empty), |stage| {
                !showing(stage)
            })
            .await;
        match instance.last_code() {
            (HResult::S_SYNCMGR_RETRYSYNC, items) => Ok(Resolution::Retry(items)),
            (code, _) if code.is_success() => Ok(Resolution::Done),
            (code, _) => Err(CodeError(code).into()),
        }
    }

    fn item_object(&self, subject: Subject, interface: Uuid) -> Option<ItemObject> {
        let classic = self.current().map_or_else(|| Foreign::new((self.create)()), |instance| instance.classic.clone());
        classic.item_object(subject, interface).ok()
    }
}

impl std::fmt::Debug for ClassicAdapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClassicAdapter({})", self.info.name())
    }
}
