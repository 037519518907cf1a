//! Asking for a session.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr_core::decision::host::Priority;
use syncmgr_core::decision::ledger::StartReason;
use syncmgr_core::decision::retry::Ask;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::port::RunFacts;
use syncmgr_core::register::{RequestError, check_cookie};
use syncmgr_core::request::{RunRequest, RunRequestError};
use syncmgr_core::trigger::{RunFlags, Trigger};
use tokio::runtime::Handle;

use super::Session;
use super::life::SessionShared;
use super::scope::{Choosing, SessionTerms};
use crate::host::{Host, Records, Registered};
use crate::owner::Owner;
use crate::run::Run;
use crate::tasks::Tasks;

/// A session about to be started: which handlers, under which conditions.
///
/// ```
/// # use syncmgr_setting::*;
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
    items: BTreeMap<HandlerId, BTreeSet<ItemId>>,
    choosing: Choosing,
    priority: Option<Priority>,
    deadline: Option<SystemTime>,
    reason: StartReason,
    ask: Option<Ask>,
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
            choosing: Choosing::Ask,
            priority: None,
            deadline: None,
            reason: StartReason::Asked,
            ask: None,
        }
    }

    /// Over these handlers, instead of those the trigger creates.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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

    /// Over these items of a handler, whatever is preferred; of no other handler, unless it is named too. Ids the handler does not list are reported in its log.
    pub fn items(mut self, handler: HandlerId, items: impl IntoIterator<Item = ItemId>) -> Self {
        self.items.entry(handler).or_default().extend(items);
        self
    }

    /// The user may be bothered: the chooser is asked, and handlers may ask questions (`MAYBOTHERUSER`, R37).
    pub fn may_bother_user(mut self) -> Self {
        self.flags |= RunFlags::MAY_BOTHER_USER;
        self
    }

    /// As urgent as this, instead of what the trigger means: urgent work overtakes background work. A session in which
    /// somebody chooses is always urgent.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Whatever failures have left behind: also before the time a peer gave, and where there is no network.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let facts = ManualFacts::new(Facts::UNKNOWN.with_network(Network::Offline));
    /// let manager = SyncManager::builder().facts(facts).build();
    /// manager.register(Feed)?;
    /// let session = manager.session(Trigger::Manual).force().start()?; // "there is a network, I see it"
    /// session.stop();
    /// assert_ne!(session.finish().await.runs[0].ending, Some(RunEnding::Held));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn force(mut self) -> Self {
        self.ask = Some(Ask::Forced);
        self
    }

    /// Stopped at this time of day if it has not ended; not started at all when the time has passed.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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

    /// What `described` describes.
    pub(crate) fn of(manager: Arc<Owner>, described: RunRequest) -> Self {
        let RunRequest { handler, items, trigger, flags, cookie, deadline, .. } = described;
        let request = Self { flags, cookie, deadline, ..Self::new(manager, trigger) };
        match items {
            Some(items) => request.items(handler, items),
            None => request.handlers([handler]),
        }
    }

    /// The runs this asks for, as data that can be stored or sent: one for each handler, in order of id.
    /// [`SyncManager::start`](crate::manager::SyncManager::start) takes them up again.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// let described = manager.session(Trigger::Scheduled).describe()?;
    /// assert_eq!(described[0].trigger, Trigger::Scheduled); // one run a handler, to be stored or sent
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a handler is not registered.
    pub fn describe(&self) -> Result<Vec<RunRequest>, RequestError> {
        let describe = |(_, info): Registered| {
            let mut described = RunRequest::new(info.id()).with_trigger(self.trigger).with_flags(self.flags);
            described.items = self.items.get(&info.id()).cloned();
            (described.cookie, described.deadline) = (self.cookie.clone(), self.deadline);
            described
        };
        Ok(self.find_handlers()?.into_iter().map(describe).collect())
    }

    /// With bytes for the handlers; they reach them only with [`Trigger::Invoke`] (R16).
    pub fn cookie(mut self, cookie: impl Into<Arc<[u8]>>) -> Self {
        self.cookie = Some(cookie.into());
        self
    }

    /// Started by the scheduler. What starts by itself asks for no more than what is due.
    pub(crate) fn because(self, reason: StartReason, ask: Ask) -> Self {
        Self { reason, ask: Some(ask), ..self.unattended().priority(Priority::Background) }
    }

    /// For configuration only: neither prepare nor synchronize follows (R36).
    pub(crate) fn settings(mut self) -> Self {
        self.flags |= RunFlags::SETTINGS;
        self
    }

    /// To explain what an earlier session left in the log.
    pub(crate) fn explaining(mut self) -> Self {
        self.choosing = Choosing::Explain;
        self
    }

    /// Without a choice, by preference (R17).
    pub(crate) fn unattended(mut self) -> Self {
        self.choosing = Choosing::Unattended;
        self
    }

    /// Starts the session on the current tokio runtime, which needs its time enabled. Returns at once.
    ///
    /// # Errors
    /// See [`StartError`]; nothing has begun then.
    pub fn start(self) -> Result<Session, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        check_cookie(self.cookie.as_deref())?;
        if let Some(deadline) = self.deadline.filter(|deadline| *deadline <= self.host().now().wall) {
            return Err(StartError::TooLate { deadline });
        }
        let handlers = self.find_handlers()?;
        let asked = self.to_remember()?;
        let tasks = Tasks::new(runtime, self.host().tracker.clone());
        let (host, open) = (self.host().clone(), self.manager.sessions.clone());
        let session = SessionShared::open(host, open, tasks, self.terms()).ok_or(StartError::ShutDown)?;
        self.manager.watch();
        let runs = handlers.into_iter().map(|(handler, info)| {
            let facts = RunFacts::new(info.id(), session.id, self.trigger, self.flags);
            Run::new(session.scope(), handler, info, facts.with_cookie(self.cookie.clone()))
        });
        session.begin(runs.collect(), asked);
        Ok(Session::new(session, self.manager))
    }

    /// What a store is to remember of this. A run that was asked for nothing leaves nothing unfinished.
    fn to_remember(&self) -> Result<Vec<RunRequest>, RequestError> {
        // What takes up an interrupted session has nothing to finish but that.
        if self.host().records == Records::Exceptions || self.reason == StartReason::Resumed {
            return Ok(Vec::new());
        }
        let mut asked = self.describe()?;
        asked.retain(|run| run.check().is_ok());
        Ok(asked)
    }

    fn terms(&self) -> SessionTerms {
        let choosing = self.choosing();
        // Sessions that wait for a choice wait for each of their handlers: were one to overtake another at one handler and
        // not at the next, each would wait for the other.
        let asked = matches!(choosing, Choosing::Ask).then_some(Priority::Foreground);
        let priority = asked.or(self.priority).unwrap_or(Priority::of(self.trigger));
        let by_hand = matches!(self.trigger, Trigger::Manual | Trigger::Invoke);
        let ask = self.ask.unwrap_or(if by_hand { Ask::ByHand } else { Ask::Automatic });
        let SessionRequest { trigger, deadline, reason, .. } = *self;
        SessionTerms { trigger, priority, choosing, deadline, reason, ask }
    }

    fn host(&self) -> &Arc<Host> {
        &self.manager.host
    }

    fn choosing(&self) -> Choosing {
        if !self.items.is_empty() {
            return Choosing::Given(self.items.clone());
        }
        let may_ask = self.flags.contains(RunFlags::MAY_BOTHER_USER) && self.host().ports.chooser.is_some();
        match self.choosing {
            Choosing::Ask if !may_ask => Choosing::Unattended,
            _ => self.choosing.clone(),
        }
    }

    fn find_handlers(&self) -> Result<Vec<Registered>, RequestError> {
        let known = self.host().known();
        let wanted = match &self.handlers {
            Some(handlers) => handlers.clone(),
            None if !self.items.is_empty() => BTreeSet::new(),
            None => known.registry.created_by(self.trigger).into_iter().collect(),
        };
        let find = |handler| known.handlers.get(&handler).cloned().ok_or(RequestError::NotRegistered { handler });
        wanted.union(&self.items.keys().copied().collect()).copied().map(find).collect()
    }
}

/// Why a session was not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The request was refused.
    #[error(transparent)]
    Refused(#[from] RequestError),
    /// A described run cannot be understood or asks for what cannot be.
    #[error(transparent)]
    Described(#[from] RunRequestError),
    /// The deadline has passed.
    #[error("nobody wants this any more: its deadline has passed")]
    TooLate {
        /// The deadline.
        deadline: SystemTime,
    },
    /// There is no tokio runtime here: call from inside one.
    #[error("a session needs a tokio runtime to run on; start it from inside one")]
    NoRuntime,
    /// The manager was shut down.
    #[error("the manager was shut down; make a new one")]
    ShutDown,
}

impl std::fmt::Debug for SessionRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionRequest({:?}, {:?})", self.trigger, self.flags)
    }
}
