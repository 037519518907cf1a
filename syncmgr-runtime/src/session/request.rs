//! Requests for a session.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::host::Priority;
use syncmgr_core::decision::ledger::StartReason;
use syncmgr_core::decision::retry::RequestedBy;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::port::RunInfo;
use syncmgr_core::register::{Generation, RequestError, check_cookie};
use syncmgr_core::request::{RunRequest, RunRequestError};
use syncmgr_core::store::{StateChange, StoreInUse};
use syncmgr_core::trigger::{RunFlags, Trigger};
use tokio::runtime::Handle;

use super::Session;
use super::lifecycle::SessionShared;
use super::scope::{Choosing, FiredSchedules, RequestedItems, SessionTerms};
use crate::host::{Host, Records, Registered};
use crate::nesting::Call;
use crate::owner::Owner;
use crate::run::Run;
use crate::tasks::Tasks;

/// A builder for a session: its handlers, its items and its terms.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// let manager = SyncManager::new();
/// manager.register(Mail)?;
/// let session = manager
///     .session(Trigger::Manual)
///     .may_bother_user()
///     .priority(Priority::Foreground)
///     .deadline(SystemTime::now() + Duration::from_secs(3600))
///     .start()?;
/// assert!(session.finish().await.is_success());
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[must_use = "a request does nothing until it is started"]
pub struct SessionRequest {
    manager: Arc<Owner>,
    trigger: Trigger,
    flags: RunFlags,
    cookie: Option<Arc<[u8]>>,
    handlers: Option<BTreeSet<HandlerId>>,
    items: RequestedItems,
    schedules: FiredSchedules,
    choosing: Choosing,
    priority: Option<Priority>,
    deadline: Option<SystemTime>,
    reason: StartReason,
    requested_by: Option<RequestedBy>,
    changes: Vec<StateChange>,
    with_start: Vec<StateChange>,
    /// The latest registration for which the scheduler started the session.
    latest: Option<Generation>,
}

impl SessionRequest {
    pub(crate) fn new(manager: Arc<Owner>, trigger: Trigger) -> Self {
        let flags = RunFlags::empty();
        Self {
            manager,
            trigger,
            flags,
            cookie: None,
            handlers: None,
            items: BTreeMap::new(),
            schedules: BTreeMap::new(),
            choosing: Choosing::ByChooser,
            priority: None,
            deadline: None,
            reason: StartReason::Requested,
            requested_by: None,
            changes: Vec::new(),
            with_start: Vec::new(),
            latest: None,
        }
    }

    /// Sets the handlers, in place of those that are registered for the trigger.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let (mail, _calendar) = (manager.register(Mail)?, manager.register(Calendar)?);
    /// let session = manager.session(Trigger::Manual).handlers([mail]).start()?;
    /// assert_eq!(session.finish().await.runs.len(), 1);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn handlers(mut self, handlers: impl IntoIterator<Item = HandlerId>) -> Self {
        self.handlers = Some(handlers.into_iter().collect());
        self
    }

    /// Sets the items of a handler, regardless of preferences. Handlers not named by this method run no items. Ids that the
    /// handler does not list are reported in its log.
    pub fn items(mut self, handler: HandlerId, items: impl IntoIterator<Item = ItemId>) -> Self {
        Arc::make_mut(self.items.entry(handler).or_default()).extend(items);
        self
    }

    /// Sets the items of a handler that has none yet.
    pub(crate) fn shared_items(mut self, handler: HandlerId, items: Arc<BTreeSet<ItemId>>) -> Self {
        self.items.insert(handler, items);
        self
    }

    /// Sets the handlers, and the schedules of theirs that have fired.
    pub(crate) fn schedules(mut self, schedules: FiredSchedules) -> Self {
        self.schedules = schedules;
        self
    }

    /// Allows the session to bother the user: the chooser runs, and handlers may ask questions (`MAYBOTHERUSER`).
    ///
    /// See also: R37.
    pub fn may_bother_user(mut self) -> Self {
        self.flags |= RunFlags::MAY_BOTHER_USER;
        self
    }

    /// Sets the priority, instead of the trigger's default. Foreground work overtakes background work. A session with a
    /// chooser always has [`Priority::Foreground`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Forces the run: the session ignores backoffs, a time set by a peer, and a missing network.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let environment = ManualEnvironment::new(Environment::UNKNOWN.with_network(Network::Offline));
    /// let manager = SyncManager::builder().environment(environment).build();
    /// manager.register(Feed)?;
    /// let session = manager.session(Trigger::Manual).force().start()?; // although no network is reported
    /// session.stop();
    /// assert_ne!(session.finish().await.runs[0].ending, Some(RunEnding::Held));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn force(mut self) -> Self {
        self.requested_by = Some(RequestedBy::UserForced);
        self
    }

    /// Sets the deadline: the session is stopped at this time, and does not start if the time has passed.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// let passed = manager.session(Trigger::Scheduled).deadline(SystemTime::UNIX_EPOCH).start();
    /// assert!(matches!(passed, Err(StartError::TooLate { .. })));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn deadline(mut self, deadline: SystemTime) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Creates a request from its description.
    pub(crate) fn of(manager: Arc<Owner>, described: RunRequest) -> Self {
        let RunRequest { handler, items, schedules, trigger, flags, cookie, deadline, .. } = described;
        let request = Self { flags, cookie, deadline, ..Self::new(manager, trigger) };
        match (items, schedules) {
            (Some(items), _) => request.shared_items(handler, items),
            (None, Some(schedules)) => request.schedules(BTreeMap::from([(handler, schedules)])),
            (None, None) => request.handlers([handler]),
        }
    }

    /// Returns the requested runs as data that can be stored or sent: one for each handler, in order of id.
    /// [`SyncManager::start`](crate::manager::SyncManager::start) starts them.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// let described = manager.session(Trigger::Scheduled).describe()?;
    /// assert_eq!(described[0].trigger, Trigger::Scheduled); // one run per handler
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if a handler is not registered.
    pub fn describe(&self) -> Result<Vec<RunRequest>, RequestError> {
        Ok(self.describe_runs(&self.find_handlers()?))
    }

    fn describe_runs(&self, handlers: &[Registered]) -> Vec<RunRequest> {
        let describe = |Registered { info, .. }: &Registered| {
            let mut described = RunRequest::new(info.id()).with_trigger(self.trigger).with_flags(self.flags);
            described.items = self.items.get(&info.id()).cloned();
            described.schedules = self.schedules.get(&info.id()).cloned();
            (described.cookie, described.deadline) = (self.cookie.clone(), self.deadline);
            described
        };
        handlers.iter().map(describe).collect()
    }

    /// Sets the bytes to pass to the handlers. Handlers receive them only with [`Trigger::Invoke`].
    ///
    /// See also: R16.
    pub fn cookie(mut self, cookie: impl Into<Arc<[u8]>>) -> Self {
        self.cookie = Some(cookie.into());
        self
    }

    /// Marks the session as started by the scheduler: unattended, in the background. Handlers that are no longer registered, or
    /// were registered after `latest`, are left out.
    pub(crate) fn scheduled(self, reason: StartReason, requested_by: RequestedBy, latest: Generation) -> Self {
        let (requested_by, latest) = (Some(requested_by), Some(latest));
        Self { reason, requested_by, latest, ..self.unattended().priority(Priority::Background) }
    }

    /// Requests configuration only: `prepare` and `synchronize` are not called.
    pub(crate) fn settings(mut self) -> Self {
        // R36.
        self.flags |= RunFlags::SETTINGS;
        self
    }

    /// Requests the explanation of a log entry of an earlier session.
    pub(crate) fn explain_only(mut self) -> Self {
        self.choosing = Choosing::Explain;
        self
    }

    /// Selects the items by preference, without a chooser.
    pub(crate) fn unattended(mut self) -> Self {
        // R17.
        self.choosing = Choosing::Unattended;
        self
    }

    /// Stores these changes atomically with the start of the session, or alone if the session cannot be started.
    pub(crate) fn storing(mut self, changes: Vec<StateChange>) -> Self {
        self.changes = changes;
        self
    }

    /// Stores these changes atomically with the start of the session, and not at all if the session cannot be started.
    pub(crate) fn storing_with_start(mut self, changes: Vec<StateChange>) -> Self {
        self.with_start = changes;
        self
    }

    /// Starts the session on the current tokio runtime, which needs its time driver enabled. Returns immediately.
    ///
    /// A handler may start a session inside one of its calls and wait for it, but not one that needs its own handler or a
    /// claim of its item: that session could only begin after the call. This also applies if the handler was itself called
    /// for such a session, or if another call awaits a session that needs this call's handler. Items that need a claim of the
    /// calling item are left out. While the call has the user's attention, the session cannot ask for it. Tasks that the
    /// application spawns by itself are not part of the call.
    ///
    /// # Errors
    /// Returns a [`StartError`]. In that case, no handler was called.
    pub fn start(mut self) -> Result<Session, StartError> {
        let (host, mut changes) = (self.host().clone(), std::mem::take(&mut self.changes));
        let with_start = std::mem::take(&mut self.with_start);
        match self.open() {
            Ok(opened) => {
                changes.extend(with_start);
                Ok(opened.begin(changes))
            }
            Err(error) => {
                host.store_all(changes);
                Err(error)
            }
        }
    }

    /// Opens the session, and creates its runs.
    fn open(self) -> Result<Opened, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        self.host().check_store()?;
        check_cookie(self.cookie.as_deref())?;
        if let Some(deadline) = self.deadline.filter(|deadline| *deadline <= self.host().now().wall) {
            return Err(StartError::TooLate { deadline });
        }
        let handlers = self.find_handlers()?;
        if self.parent().is_some() {
            self.manager.check_nesting(handlers.iter().map(|registered| &registered.info))?;
        }
        let to_record = self.to_record(&handlers);
        let tasks = Tasks::new(runtime, self.host().tracker.clone());
        let (host, open) = (self.host().clone(), self.manager.sessions.clone());
        let session = SessionShared::open(host, open, tasks, self.terms()).ok_or(StartError::ShutDown)?;
        self.manager.watch();
        self.host().allow_scheduler();
        let runs = handlers.into_iter().map(|registered| {
            let run_info = RunInfo::new(registered.info.id(), session.id, self.trigger, self.flags);
            Run::new(session.scope(), registered, run_info.with_cookie(self.cookie.clone()))
        });
        Ok(Opened { runs: runs.collect(), to_record, session, manager: self.manager })
    }

    /// Returns the runs to record. A run without items leaves nothing unfinished and is left out.
    fn to_record(&self, handlers: &[Registered]) -> Vec<RunRequest> {
        // A resumed session finishes only the interrupted session, which is already recorded.
        if self.host().records == Records::Exceptions || self.reason == StartReason::Resumed {
            return Vec::new();
        }
        let mut described = self.describe_runs(handlers);
        described.retain(|run| run.check().is_ok());
        described
    }

    fn terms(&self) -> SessionTerms {
        let choosing = self.choosing();
        // A session with a chooser waits for all of its handlers. If two such sessions overtook each other at different
        // handlers, they would deadlock.
        let chosen_by_user = matches!(choosing, Choosing::ByChooser).then_some(Priority::Foreground);
        let priority = chosen_by_user.or(self.priority).unwrap_or(Priority::of(self.trigger));
        let manual = matches!(self.trigger, Trigger::Manual | Trigger::Invoke);
        let requested_by = self.requested_by.unwrap_or(if manual { RequestedBy::User } else { RequestedBy::Automatic });
        let SessionRequest { trigger, deadline, reason, .. } = *self;
        SessionTerms { trigger, priority, choosing, deadline, reason, requested_by, parent: self.parent() }
    }

    /// Returns the call of a handler that starts the session. The scheduler's sessions have none.
    fn parent(&self) -> Option<Call> {
        let requested = self.reason == StartReason::Requested;
        Call::current().filter(|call| requested && call.manager == self.host().id)
    }

    fn host(&self) -> &Arc<Host> {
        &self.manager.host
    }

    fn choosing(&self) -> Choosing {
        if !self.items.is_empty() {
            return Choosing::Requested(self.items.clone());
        }
        if !self.schedules.is_empty() {
            return Choosing::Scheduled(self.schedules.clone());
        }
        let may_choose = self.flags.contains(RunFlags::MAY_BOTHER_USER) && self.host().ports.chooser.is_some();
        match self.choosing {
            Choosing::ByChooser if !may_choose => Choosing::Unattended,
            _ => self.choosing.clone(),
        }
    }

    fn find_handlers(&self) -> Result<Vec<Registered>, RequestError> {
        let state = self.host().manager_state();
        let wanted = match &self.handlers {
            Some(handlers) => handlers.clone(),
            None if !self.items.is_empty() || !self.schedules.is_empty() => BTreeSet::new(),
            None => state.registry.created_by(self.trigger).into_iter().collect(),
        };
        let find = |handler| {
            let found = state
                .handlers
                .get(&handler)
                .filter(|found| self.latest.is_none_or(|latest| found.generation <= latest));
            found.cloned().ok_or(RequestError::NotRegistered { handler })
        };
        let named = self.items.keys().chain(self.schedules.keys()).copied().collect();
        let found: Vec<_> = wanted.union(&named).copied().map(find).collect();
        match self.latest {
            // The other handlers run nevertheless.
            Some(_) if found.iter().any(Result::is_ok) => Ok(found.into_iter().flatten().collect()),
            _ => found.into_iter().collect(),
        }
    }
}

/// A session that has not begun.
struct Opened {
    manager: Arc<Owner>,
    session: Arc<SessionShared>,
    runs: Vec<Arc<Run>>,
    to_record: Vec<RunRequest>,
}

impl Opened {
    fn begin(self, changes: Vec<StateChange>) -> Session {
        self.session.begin(self.runs, self.to_record, changes);
        Session::new(self.session, self.manager)
    }
}

/// An error from starting a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The request was refused.
    #[error(transparent)]
    Refused(#[from] RequestError),
    /// A described run is malformed or impossible.
    #[error(transparent)]
    Described(#[from] RunRequestError),
    /// The deadline has passed.
    #[error("the session was not started: its deadline has passed")]
    TooLate {
        /// The deadline.
        deadline: SystemTime,
    },
    /// There is no current tokio runtime.
    #[error("a session runs on a tokio runtime; start the session inside one")]
    NoRuntime,
    /// Another manager had the store when this manager was created.
    #[error("the session was not started: {0}")]
    StoreInUse(#[from] StoreInUse),
    /// The session was started inside a call of this handler, so a caller that waits for it would wait for itself.
    #[error(
        "handler {handler} cannot start a session of itself inside its own call; start it after the call has ended"
    )]
    Nested {
        /// The handler.
        handler: HandlerId,
    },
    /// The session was started by an item that holds a claim of this handler, so a caller that waits for it would wait for
    /// itself.
    #[error(
        "handler {handler} needs {claim}, which the item that starts the session holds; start it after the item has ended"
    )]
    NestedClaim {
        /// The handler that needs the claim.
        handler: HandlerId,
        /// The claim.
        claim: Claim,
    },
    /// The manager is shut down.
    #[error("the manager was shut down; create a new one")]
    ShutDown,
}

impl std::fmt::Debug for SessionRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionRequest({:?}, {:?})", self.trigger, self.flags)
    }
}
