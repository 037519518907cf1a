//! The manager: what an application holds.

mod builder;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::hold::{Held, Hold};
use syncmgr_core::decision::run::Pause;
use syncmgr_core::error::{SyncResult, one_line, panic_text};
use syncmgr_core::handler::{ItemObject, SyncHandler};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorId, ErrorScope, HandlerId, ItemId, Subject};
use syncmgr_core::info::{HandlerFlags, HandlerInfo};
use syncmgr_core::item::{ItemFlags, SyncItem};
use syncmgr_core::log::{Action, LogEntry};
use syncmgr_core::register::{Invocation, InvokeFlags, RegisterFlags, Registration, RequestError};
use syncmgr_core::request::RunRequest;
use syncmgr_core::store::{LogRecord, StateChange};
use syncmgr_core::text::Escaped;
use syncmgr_core::trigger::Trigger;
use uuid::Uuid;

pub use self::builder::SyncManagerBuilder;
use crate::host::Host;
use crate::latency::Latencies;
use crate::report::Report;
use crate::run::Wish;
use crate::session::{Session, SessionError, SessionRequest, SessionShared, StartError, look, question_of};

/// Hosts handlers and runs sessions over them: the Synchronization Manager.
///
/// There is nothing global: an application may have several. Cloning gives another handle of the same manager. The
/// manager never makes a runtime, installs a subscriber or handles a signal; sessions run on the tokio runtime they are
/// started from.
///
/// [`shutdown`](Self::shutdown) ends its sessions in order and waits. Without it, dropping the last handle of the manager
/// and of its sessions tells every session to stop and drops our tasks where they stand: items end *stopped*, and nothing
/// is waited for.
#[derive(Clone)]
pub struct SyncManager {
    owner: Arc<Owner>,
}

/// What all handles of a manager and its sessions share; dropped with the last of them.
pub(crate) struct Owner {
    host: Arc<Host>,
}

impl Owner {
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.host.wind_up().iter().for_each(|session| session.abort());
    }
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

    pub(crate) fn over(host: Host) -> Self {
        Self { owner: Arc::new(Owner { host: Arc::new(host) }) }
    }

    fn host(&self) -> &Arc<Host> {
        &self.owner.host
    }

    /// Names the manager where a program has several: in spans and events, as the field `manager`.
    pub fn id(&self) -> Uuid {
        self.host().id
    }

    /// Registers a handler for sessions that somebody or something asks for: `RegisterSyncMgrHandler` with flags 0 (R1).
    ///
    /// # Errors
    /// When the id is nil or taken, the handler allows no items at once or no time for a call, or the store cannot be
    /// read; nothing is registered then.
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
        if info.limits().any_is_zero() {
            return Err(RequestError::NoTimeAllowed { handler: id });
        }
        let registration = Registration { description: Some(info.name().to_owned()), flags };
        let set =
            self.host().ports.store.handlers().map(|mut stored| stored.remove(&id).and_then(|record| record.flags));
        let set = set.map_err(|error| RequestError::Store { reason: one_line(&error) })?;
        {
            let mut known = self.host().known();
            if known.handlers.contains_key(&id) {
                return Err(RequestError::AlreadyRegistered { handler: id });
            }
            known.registry.register(id, registration.clone())?;
            let effective = Registration { flags: set.unwrap_or(flags), ..registration.clone() };
            known.registry.register(id, effective)?;
            known.handlers.insert(id, (handler, info));
        }
        self.host().store(StateChange::Registered { handler: id, registration });
        Ok(id)
    }

    /// Sets the events a registered handler is created for. This is stored, and wins over the flags it is registered with
    /// the next time.
    ///
    /// # Errors
    /// When the handler is not registered, and for flag bits nobody knows (R3).
    pub fn set_flags(&self, handler: HandlerId, flags: RegisterFlags) -> Result<(), RequestError> {
        {
            let mut known = self.host().known();
            let registered = known.registry.registration(handler).cloned();
            let registered = registered.ok_or(RequestError::NotRegistered { handler })?;
            known.registry.register(handler, Registration { flags, ..registered })?;
        }
        self.host().store(StateChange::Flags { handler, flags });
        Ok(())
    }

    /// No later session has this handler (R5): `UnregisterSyncMgrHandler`. `false` when it was not registered (R6). A run
    /// under way goes on, and what is stored of the handler stays; see [`forget`](Self::forget).
    pub fn unregister(&self, handler: HandlerId) -> bool {
        let mut known = self.host().known();
        let removed = known.handlers.remove(&handler);
        let unregistered = known.registry.unregister(handler).is_some();
        drop(known);
        drop(removed);
        unregistered
    }

    /// Unregisters a handler, stops its runs, waits until they are over, and deletes everything stored of it: choices,
    /// settings, answers, log. Cancel safe; without the wait nothing is deleted.
    pub async fn forget(&self, handler: HandlerId) {
        self.unregister(handler);
        let runs: Vec<_> = self.host().sessions().iter().filter_map(|session| session.run(handler)).collect();
        for run in &runs {
            run.stop(CancelReason::HandlerStopped);
        }
        for session in self.host().sessions() {
            session.until(|session| session.run(handler).is_none_or(|run| run.is_at_rest())).await;
        }
        self.host().forget_answers(handler);
        self.host().store(StateChange::Forget { handler });
    }

    /// What is registered of a handler: `GetHandlerRegistrationInfo`. `None` is `S_FALSE` (R8).
    pub fn registration(&self, handler: HandlerId) -> Option<Registration> {
        self.host().known().registry.registration(handler).cloned()
    }

    /// A session about to be started, by default over the handlers this trigger creates (R9 to R12).
    pub fn session(&self, trigger: Trigger) -> SessionRequest {
        SessionRequest::new(self.owner.clone(), trigger)
    }

    /// Starts a session for one handler, with a cookie for it: `UpdateItems` (R14 to R24). Returns once it is accepted.
    ///
    /// Without [`InvokeFlags::START_SYNC`] the user may be bothered and chooses first (R18).
    ///
    /// # Errors
    /// See [`StartError`]; nothing has begun then.
    pub fn invoke(&self, invocation: Invocation) -> Result<Session, StartError> {
        self.host().known().registry.accept(&invocation)?;
        let mut request = self.session(Trigger::Invoke).handlers([invocation.handler]);
        if let Some(cookie) = invocation.cookie {
            request = request.cookie(cookie);
        }
        match invocation.flags.contains(InvokeFlags::START_SYNC) {
            true => request.unattended().start(),
            false => request.may_bother_user().start(),
        }
    }

    /// Starts a session for a run that was described as data, here or elsewhere.
    ///
    /// # Errors
    /// See [`StartError`]; nothing has begun then.
    pub fn start(&self, described: RunRequest) -> Result<Session, StartError> {
        described.check()?;
        SessionRequest::of(self.owner.clone(), described).start()
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

    /// No new item begins, in any session; what runs goes on. Not stored.
    ///
    /// Handlers that do all items in one piece of work of their own are not paused.
    pub fn pause(&self) {
        self.set_pause(Pause::Paused);
    }

    /// Items begin again, apart from those of sessions that are paused themselves.
    pub fn resume(&self) {
        self.set_pause(Pause::Going);
    }

    fn set_pause(&self, pause: Pause) {
        self.host().known().pause = pause;
        self.host().sessions().iter().for_each(|session| session.apply_pause());
    }

    /// Everything that does not run although it could, each with its reason.
    pub fn held(&self) -> Vec<Held> {
        let paused = |session: &Arc<SessionShared>| {
            let waiting = session.runs().into_iter().filter(|run| run.attempt().is_paused());
            waiting
                .map(|run| Held::new(run.id().handler, Hold::Paused).in_session(run.id().session))
                .collect::<Vec<_>>()
        };
        let mut held: Vec<_> = self.host().sessions().iter().flat_map(paused).collect();
        held.extend(self.host().gate.held());
        held
    }

    /// How long running items took to end once somebody had asked for it: from each skip, stop or shutdown to the end of
    /// the item, over all sessions so far.
    pub fn stop_latencies(&self) -> Latencies {
        self.host().stopping.snapshot()
    }

    /// The stored log of a handler, of this and earlier sessions, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        self.host().ports.store.log(handler)
    }

    /// Opens an entry of the stored log, in a run of its own: the handler explains it and may run items again (R144 to
    /// R150). Waits until the session is over. Cancel safe; what was opened goes on.
    ///
    /// While the session of the entry is still open, use [`Session::show_error`] instead.
    ///
    /// # Errors
    /// When there is no such entry, it is no link, it asks a question ([`answer`](Self::answer) it), the store cannot be
    /// read, or no session can be started.
    pub async fn show_error(&self, handler: HandlerId, error: ErrorId) -> Result<Report, LogError> {
        match self.stored(handler, error)?.action {
            Some(Action::ShowError) => {}
            Some(Action::Decide(_)) => return Err(SessionError::Question { error }.into()),
            _ => return Err(SessionError::NotALink { error }.into()),
        }
        let request = self.session(Trigger::Manual).handlers([handler]).may_bother_user().explaining();
        let session = request.start()?;
        session.report().await;
        look(&*session.run(handler)?, Wish::Open(error)).await?;
        Ok(session.finish().await)
    }

    /// Answers a question of the stored log, by the place of the choice, and starts a session in which the item runs again
    /// with the answer.
    ///
    /// While the session of the entry is still open, use [`Session::answer`] instead.
    ///
    /// # Errors
    /// When there is no such question or choice, the store cannot be read, or no session can be started; in the last case
    /// the answer is kept.
    pub fn answer(&self, handler: HandlerId, error: ErrorId, choice: usize) -> Result<Session, LogError> {
        let entry = self.stored(handler, error)?;
        let (item, question) = question_of(&entry, error, choice)?;
        self.host().answer(handler, item, question, choice);
        self.host().store(StateChange::LogDeleted { handler, scope: ErrorScope::One(error) });
        Ok(self.session(Trigger::Manual).items(handler, [item]).may_bother_user().start()?)
    }

    /// The latest entry with this id in the stored log.
    fn stored(&self, handler: HandlerId, error: ErrorId) -> Result<Arc<LogEntry>, LogError> {
        let log = self.log(handler).map_err(|error| LogError::Store { reason: one_line(&error) })?;
        let entry = log.into_iter().rev().map(|record| record.entry).find(|entry| entry.error == Some(error));
        entry.ok_or(SessionError::UnknownError { error }.into())
    }

    /// An object of a handler or one of its items, for programs that know both sides: `GetItemObject`. `None` is
    /// `E_NOTIMPL`, also for a handler that is not registered.
    pub fn item_object(&self, handler: HandlerId, subject: Subject, interface: Uuid) -> Option<ItemObject> {
        let (handler, _) = self.host().known().handlers.get(&handler).cloned()?;
        catch_unwind(AssertUnwindSafe(|| handler.item_object(subject, interface))).ok().flatten()
    }

    /// The registered handlers, in order of id.
    pub fn handlers(&self) -> Vec<HandlerInfo> {
        self.host().known().handlers.values().map(|(_, info)| info.clone()).collect()
    }

    /// Stops every session and waits until all of them are over. No session can be started afterwards.
    ///
    /// What cannot be stopped is returned, handler by handler: blocking work that outlived its hard grace, and handlers
    /// that block their thread. It is not waited for longer than the hard grace of its handler, and a little. Cancel safe;
    /// the sessions stop all the same.
    pub async fn shutdown(&self) -> Vec<Unstopped> {
        let sessions = self.host().wind_up();
        let over = async {
            for session in &sessions {
                session.until(|session| session.is_over()).await;
            }
        };
        let late = tokio::time::timeout(patience(&sessions), over).await.is_err();
        let unstopped = self.unstopped(&sessions);
        if late {
            sessions.iter().for_each(|session| session.abort());
        } else if unstopped.is_empty() {
            self.host().tracker.wait().await;
        }
        if let Some(watchdog) = &self.host().ports.watchdog {
            watchdog.stop();
        }
        unstopped
    }

    /// What goes on although everything was stopped.
    fn unstopped(&self, sessions: &[Arc<SessionShared>]) -> Vec<Unstopped> {
        let mut unstopped: BTreeMap<HandlerId, BTreeSet<ItemId>> = BTreeMap::new();
        for (handler, item) in self.host().gate.quarantined() {
            unstopped.entry(handler).or_default().insert(item);
        }
        for run in sessions.iter().flat_map(|session| session.runs()).filter(|run| !run.is_over()) {
            unstopped.entry(run.id().handler).or_default();
        }
        let name = |handler| self.host().known().handlers.get(&handler).map(|(_, info)| info.name().to_owned());
        let named = |(handler, items)| Unstopped { handler, name: name(handler).unwrap_or_default(), items };
        unstopped.into_iter().map(named).collect()
    }
}

/// How long a shutdown waits: a little longer than the handlers may take.
fn patience(sessions: &[Arc<SessionShared>]) -> Duration {
    let runs = sessions.iter().flat_map(|session| session.runs());
    let limits = runs.map(|run| run.info().limits());
    let graces = limits.map(|limits| limits.hard_grace().saturating_add(limits.soft_grace().saturating_mul(4)));
    graces.max().unwrap_or_default().saturating_add(Duration::from_secs(1))
}

/// A handler of which something goes on although everything was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unstopped {
    /// The handler.
    pub handler: HandlerId,
    /// Its name; empty when it was unregistered meanwhile.
    pub name: String,
    /// The items whose work goes on; empty where the handler blocks its thread outside of any item.
    pub items: BTreeSet<ItemId>,
}

impl fmt::Display for Unstopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could not be stopped", Escaped(&self.name))?;
        match self.items.len() {
            0 => Ok(()),
            items => write!(f, ": {items} abandoned"),
        }
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

/// Why an entry of the stored log was not opened or answered. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// No session could be started for it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no such entry, or it is of another kind.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The store cannot be read.
    #[error("the store cannot be read: {reason}")]
    Store {
        /// What the store said.
        reason: String,
    },
}

impl std::fmt::Debug for SyncManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SyncManager({})", self.id())
    }
}
