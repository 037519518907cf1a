//! The manager: what an application holds.

mod builder;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::error::{SyncResult, panic_text};
use syncmgr_core::handler::{ItemObject, SyncHandler};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{HandlerId, Subject};
use syncmgr_core::info::{HandlerFlags, HandlerInfo};
use syncmgr_core::item::{ItemFlags, SyncItem};
use syncmgr_core::register::{Invocation, InvokeFlags, RegisterFlags, Registration, RequestError};
use syncmgr_core::trigger::Trigger;
use uuid::Uuid;

pub use self::builder::SyncManagerBuilder;
use crate::host::Host;
use crate::report::Report;
use crate::run::Wish;
use crate::session::{Session, SessionError, SessionRequest, StartError, look};

/// Hosts handlers and runs sessions over them: the Synchronization Manager.
///
/// There is nothing global: an application may have several. Cloning gives another handle of the same manager. The
/// manager never makes a runtime, installs a subscriber or handles a signal; sessions run on the tokio runtime they are
/// started from.
///
/// Dropping the last handle changes nothing for sessions under way. [`shutdown`](Self::shutdown) is what ends them.
#[derive(Clone)]
pub struct SyncManager {
    host: Arc<Host>,
}

impl Default for SyncManager {
    fn default() -> Self {
        Self::new()
    }
}

impl SyncManager {
    /// A manager with nobody to ask: the defaults of [`builder`](Self::builder).
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A manager to be given what it is to use.
    pub fn builder() -> SyncManagerBuilder {
        SyncManagerBuilder::default()
    }

    /// Registers a handler for sessions that somebody or something asks for: `RegisterSyncMgrHandler` with flags 0 (R1).
    ///
    /// # Errors
    /// When the id is nil or taken, or the handler allows no items at once; nothing is registered then.
    pub fn register(&self, handler: impl SyncHandler) -> Result<HandlerId, RequestError> {
        self.register_for(Arc::new(handler), RegisterFlags::empty())
    }

    /// Registers a handler that also wants to run at these events.
    ///
    /// # Errors
    /// Like [`register`](Self::register), and for flag bits nobody knows (R3).
    pub fn register_for(&self, handler: Arc<dyn SyncHandler>, flags: RegisterFlags) -> Result<HandlerId, RequestError> {
        let info = info_of(&*handler)?;
        let id = info.id();
        if info.limits().items() == 0 {
            return Err(RequestError::NoItemsAllowed { handler: id });
        }
        let mut known = self.host.known();
        if known.handlers.contains_key(&id) {
            return Err(RequestError::AlreadyRegistered { handler: id });
        }
        known.registry.register(id, Registration { description: Some(info.name().to_owned()), flags })?;
        known.handlers.insert(id, (handler, info));
        Ok(id)
    }

    /// No later session has this handler (R5): `UnregisterSyncMgrHandler`. `false` when it was not registered (R6). A run
    /// under way goes on.
    pub fn unregister(&self, handler: HandlerId) -> bool {
        let mut known = self.host.known();
        let removed = known.handlers.remove(&handler);
        let unregistered = known.registry.unregister(handler).is_some();
        drop(known);
        drop(removed);
        unregistered
    }

    /// What is registered of a handler: `GetHandlerRegistrationInfo`. `None` is `S_FALSE` (R8).
    pub fn registration(&self, handler: HandlerId) -> Option<Registration> {
        self.host.known().registry.registration(handler).cloned()
    }

    /// A session about to be started, by default over the handlers this trigger creates (R9 to R12).
    pub fn session(&self, trigger: Trigger) -> SessionRequest {
        SessionRequest::new(self.host.clone(), trigger)
    }

    /// Starts a session for one handler, with a cookie for it: `UpdateItems` (R14 to R24). Returns once it is accepted.
    ///
    /// Without [`InvokeFlags::START_SYNC`] the user may be bothered and chooses first (R18).
    ///
    /// # Errors
    /// See [`StartError`]; nothing has begun then.
    pub fn invoke(&self, invocation: Invocation) -> Result<Session, StartError> {
        self.host.known().registry.accept(&invocation)?;
        let mut request = self.session(Trigger::Invoke).handlers([invocation.handler]);
        if let Some(cookie) = invocation.cookie {
            request = request.cookie(cookie);
        }
        match invocation.flags.contains(InvokeFlags::START_SYNC) {
            true => request.unattended().start(),
            false => request.may_bother_user().start(),
        }
    }

    /// Starts a manual session over every handler: `UpdateAll` (R20). Returns before the work is done.
    ///
    /// # Errors
    /// See [`StartError`]; nothing has begun then.
    pub fn update_all(&self) -> Result<Session, StartError> {
        self.session(Trigger::Manual).may_bother_user().start()
    }

    /// Runs one manual session over a handler alone, which is registered for it: the shortest way from a handler to its
    /// report.
    ///
    /// Not cancel safe: dropped, the session goes on to its end by itself.
    ///
    /// # Errors
    /// When the handler cannot be registered, or there is no tokio runtime here.
    pub async fn run(&self, handler: impl SyncHandler) -> SyncResult<Report> {
        let id = self.register(handler)?;
        let report = self.session(Trigger::Manual).handlers([id]).start()?.finish().await;
        self.unregister(id);
        Ok(report)
    }

    /// Shows the properties of a handler or one of its items, and returns the items as they are afterwards (R65 to R72).
    ///
    /// The handler is created for configuration only: it is neither prepared nor run (R36). Cancel safe; what is shown
    /// stays until it is closed.
    ///
    /// # Errors
    /// When the handler is not registered, has no such item, did not declare `HAS_PROPERTIES` for it, or failed to show
    /// them.
    pub async fn show_properties(
        &self,
        handler: HandlerId,
        subject: Subject,
    ) -> Result<Vec<SyncItem>, PropertiesError> {
        let request = self.session(Trigger::Manual).handlers([handler]).may_bother_user().settings();
        let session = request.start()?;
        session.report().await;
        let run = session.run(handler)?;
        let listing = run.listing();
        let declared = match subject {
            Subject::Handler => run.info().flags().contains(HandlerFlags::HAS_PROPERTIES),
            Subject::Item(item) => {
                let listed = listing.item(item).ok_or(SessionError::UnknownItem { handler, item })?;
                listed.flags().contains(ItemFlags::HAS_PROPERTIES)
            }
        };
        if !declared {
            return Err(SessionError::NoProperties { handler }.into());
        }
        look(&run, Wish::Properties(subject)).await?;
        let (items, not_shown) = (run.listing().items().to_vec(), run.not_shown());
        session.close().await;
        match not_shown {
            Some((code, reason)) => Err(PropertiesError::NotShown { code, reason }),
            None => Ok(items),
        }
    }

    /// An object of a handler or one of its items, for programs that know both sides: `GetItemObject`. `None` is
    /// `E_NOTIMPL`, also for a handler that is not registered.
    pub fn item_object(&self, handler: HandlerId, subject: Subject, interface: Uuid) -> Option<ItemObject> {
        let (handler, _) = self.host.known().handlers.get(&handler).cloned()?;
        catch_unwind(AssertUnwindSafe(|| handler.item_object(subject, interface))).ok().flatten()
    }

    /// The registered handlers, in order of id.
    pub fn handlers(&self) -> Vec<HandlerInfo> {
        self.host.known().handlers.values().map(|(_, info)| info.clone()).collect()
    }

    /// Stops every session and waits until all of them are over. No session can be started afterwards.
    ///
    /// Blocking work that outlived its hard grace cannot be stopped and is not waited for: its item has ended
    /// *abandoned* and its handler is returned. Cancel safe; the sessions stop all the same.
    pub async fn shutdown(&self) -> BTreeSet<HandlerId> {
        let sessions = {
            let known = self.host.known();
            self.host.tracker.close();
            drop(known);
            self.host.sessions()
        };
        for session in &sessions {
            session.stop(CancelReason::ShuttingDown);
            session.close();
        }
        for session in &sessions {
            session.until(|session| session.is_over()).await;
        }
        let abandoned: BTreeSet<_> = self.host.abandoned().into_iter().map(|(handler, _)| handler).collect();
        if abandoned.is_empty() {
            self.host.tracker.wait().await;
        }
        abandoned
    }
}

/// What a handler says of itself.
pub(crate) fn info_of(handler: &dyn SyncHandler) -> Result<HandlerInfo, RequestError> {
    let panicked = |panic| RequestError::InfoPanicked { reason: panic_text(panic) };
    catch_unwind(AssertUnwindSafe(|| handler.info())).map_err(panicked)
}

/// Why properties were not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertiesError {
    /// No session could be started for them.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The session has nothing to show.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The handler failed to show them (R69).
    #[error("the handler could not show its properties ({code}): {reason}")]
    NotShown {
        /// The code of the failure.
        code: HResult,
        /// What the handler said.
        reason: String,
    },
}
