//! The manager: the entry point of an application.

mod access;
mod agenda;
mod builder;
mod disable;
mod events;
mod explain;
mod facts;
mod flush;
mod forget;
mod handlers;
mod history;
mod items;
mod log;
mod nested;
mod properties;
mod settings;
mod shutdown;

use std::sync::Arc;

use syncmgr_core::decision::attempt::Pause;
use syncmgr_core::decision::hold::{Held, Hold};
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::HandlerId;
use syncmgr_core::register::{Invocation, InvokeFlags};
use syncmgr_core::request::RunRequest;
use syncmgr_core::trigger::Trigger;
use uuid::Uuid;

pub use self::access::StoreAccessError;
pub use self::agenda::AgendaChanges;
pub use self::builder::SyncManagerBuilder;
pub(crate) use self::handlers::call_info;
pub use self::items::ItemStatus;
pub use self::log::LogAccessError;
pub(crate) use self::nested::Caller;
pub use self::properties::PropertiesError;
pub use self::settings::SettingsError;
pub use self::shutdown::StillRunning;
use crate::host::Host;
use crate::latency::Latencies;
use crate::owner::Owner;
use crate::report::Report;
use crate::session::lifecycle::SessionShared;
use crate::session::{Session, SessionRequest, StartError};

/// Hosts handlers and runs their sessions: the Synchronization Manager.
///
/// There is no global state: an application may have several managers. Clones share the same manager. A manager never
/// creates a runtime, installs a subscriber or handles signals. Each session runs on the tokio runtime on which it is
/// started.
///
/// [`shutdown`](Self::shutdown) stops all sessions and waits until they have ended. Dropping the last handle of a manager
/// and its sessions stops every session without waiting: tasks are dropped at their current await, and items end
/// *stopped*.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// let manager = SyncManager::new();
/// let mail = manager.register(Mail)?;
/// let report = manager.update_all()?.finish().await;
/// assert!(report.is_success(), "{report}");
/// assert_eq!(report.run(mail).map(|run| run.items().count()), Some(2));
/// assert!(manager.shutdown().await.is_empty()); // nothing is still running
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct SyncManager {
    owner: Arc<Owner>,
}

impl Default for SyncManager {
    fn default() -> Self {
        Self::new()
    }
}

impl SyncManager {
    /// Creates a manager with the defaults of [`builder`](Self::builder): it stores its state in memory and never asks
    /// the user.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Creates a manager that stores its state in the file `path`, which is created if it does not exist; see
    /// [`SqliteStore`](crate::sqlite::SqliteStore).
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// # let directory = std::env::temp_dir().join(format!("syncmgr-open-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("state");
    /// let report = SyncManager::open(&path)?.run(Mail).await?;
    /// assert!(report.is_success());
    /// let later = SyncManager::open(&path)?; // after a restart of the program
    /// assert_eq!(later.history().await?.len(), 1);
    /// # drop(later);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::InUse`](crate::sqlite::StoreError::InUse) if the file is already open for writing, and another
    /// [`StoreError`](crate::sqlite::StoreError) if it cannot be opened. Stored data is not lost on error.
    #[cfg(feature = "sqlite")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, crate::sqlite::StoreError> {
        Ok(Self::builder().store(crate::sqlite::SqliteStore::open(path)?).build())
    }

    /// Returns a builder for a manager with other settings.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().max_concurrent_items(8).store(MemoryStore::new()).build();
    /// assert!(manager.run(Mail).await?.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn builder() -> SyncManagerBuilder {
        SyncManagerBuilder::default()
    }

    pub(crate) fn from_host(host: Arc<Host>) -> Self {
        let owner = Arc::new(Owner::new(host));
        owner.host.set_launcher(Arc::<Owner>::downgrade(&owner));
        Self { owner }
    }

    fn open_sessions(&self) -> Vec<Arc<SessionShared>> {
        self.owner.sessions.all()
    }

    fn host(&self) -> &Arc<Host> {
        &self.owner.host
    }

    /// Returns the id of the manager. Spans and events carry it in the field `manager`.
    pub fn id(&self) -> Uuid {
        self.host().id
    }

    /// Returns a request for a session. By default, the session runs the handlers that are registered for this trigger:
    /// every handler for [`Trigger::Manual`], [`Trigger::Invoke`] and [`Trigger::Scheduled`]. The session asks the user only
    /// after [`may_bother_user`](SessionRequest::may_bother_user).
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let (mail, _calendar) = (manager.register(Mail)?, manager.register(Calendar)?);
    /// let session = manager.session(Trigger::Manual).items(mail, [ItemId::from_name("Inbox")]).start()?;
    /// assert_eq!(session.finish().await.items().count(), 1);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// See also: R9 to R12.
    pub fn session(&self, trigger: Trigger) -> SessionRequest {
        SessionRequest::new(self.owner.clone(), trigger)
    }

    /// Starts a session for one handler: `UpdateItems`. The handler's `initialize` can read the cookie of the
    /// invocation. Returns once the session is accepted.
    ///
    /// Without [`InvokeFlags::START_SYNC`], the session may ask the user, who first chooses the items.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// let cookie = Arc::<[u8]>::from(&b"folder=Inbox"[..]); // the handler reads it in `initialize`
    /// let session = manager.invoke(Invocation::new(mail).with_flags(InvokeFlags::START_SYNC).with_cookie(cookie))?;
    /// assert!(session.finish().await.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// See also: R14 to R24.
    ///
    /// # Errors
    /// Returns a [`StartError`], and starts nothing, if the session cannot be started.
    pub fn invoke(&self, invocation: Invocation) -> Result<Session, StartError> {
        self.host().manager_state().registry.accept(&invocation)?;
        let mut request = self.session(Trigger::Invoke).handlers([invocation.handler]);
        if let Some(cookie) = invocation.cookie {
            request = request.cookie(cookie);
        }
        match invocation.flags.contains(InvokeFlags::START_SYNC) {
            true => request.unattended().start(),
            false => request.may_bother_user().start(),
        }
    }

    /// Starts a session from a serializable description of a run.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let mail = manager.register(Mail)?;
    /// let queued = serde_json::to_string(&RunRequest::new(mail))?;
    /// let session = manager.start(serde_json::from_str(&queued)?)?;
    /// assert!(session.finish().await.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`StartError`], and starts nothing, if the session cannot be started.
    pub fn start(&self, described: RunRequest) -> Result<Session, StartError> {
        described.check()?;
        SessionRequest::of(self.owner.clone(), described).start()
    }

    /// Starts a manual session of all handlers: `UpdateAll`. Returns before the work is done.
    ///
    /// The session may ask the user: the chooser selects the items to run, and handlers may ask questions. A session
    /// from [`session(Trigger::Manual)`](Self::session) does not ask the user.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let calendar = manager.register(Calendar)?;
    /// let report = manager.update_all()?.finish().await;
    /// let why = report.run(calendar).and_then(|run| run.why(ItemId::from_name("Work")));
    /// assert_eq!(why.map(|entry| &*entry.text), Some("the server is busy"));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// See also: R20.
    ///
    /// # Errors
    /// Returns a [`StartError`], and starts nothing, if the session cannot be started.
    pub fn update_all(&self) -> Result<Session, StartError> {
        self.session(Trigger::Manual).may_bother_user().start()
    }

    /// Runs one manual session with a single handler and returns the report.
    ///
    /// The handler is registered for this session only, so its failed items are not retried; use
    /// [`register`](Self::register) to host a handler permanently. Not cancel safe: the session continues if the future
    /// is dropped.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let report = SyncManager::new().run(Mail).await?;
    /// assert_eq!(report.to_string(), "Mail: 2 succeeded\n  succeeded   Inbox\n  succeeded   Sent");
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the handler cannot be registered, or outside a tokio runtime.
    pub async fn run(&self, handler: impl SyncHandler) -> Result<Report, StartError> {
        let id = self.register(handler)?;
        let _temporary = Temporary { manager: self, handler: id };
        Ok(self.session(Trigger::Manual).handlers([id]).start()?.finish().await)
    }

    /// Starts the scheduler on the current tokio runtime. The scheduler starts sessions for due work: retries,
    /// interrupted runs (with [`Resume::Immediately`](syncmgr_core::decision::ledger::Resume)), and held runs, once the
    /// [`environment`](SyncManagerBuilder::environment) reports the network or power source that they wait for.
    ///
    /// Call this method once, after registering the handlers. Every session starts the scheduler too, so the call is only
    /// needed for work that is due before the first session. A manager that has started neither calls no handler: a program
    /// can register its handlers, read [`items`](Self::items) or change a choice, and exit.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).resume(Resume::Immediately).build();
    /// manager.register(Calendar)?;
    /// manager.start_scheduler()?; // failed items are now retried when they are due
    /// # manager.shutdown().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] outside a tokio runtime, [`StartError::ShutDown`] after a shutdown, and
    /// [`StartError::StoreInUse`] if another manager had the store when this manager was created.
    pub fn start_scheduler(&self) -> Result<(), StartError> {
        tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        if self.host().tracker.is_closed() {
            return Err(StartError::ShutDown);
        }
        self.host().check_store()?;
        self.host().start_scheduler();
        Ok(())
    }

    /// Returns the open sessions in the order of their ids, including sessions whose handles were dropped.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Feed)?;
    /// drop(manager.update_all()?); // the session continues
    /// let sessions = manager.sessions();
    /// assert_eq!(sessions.len(), 1);
    /// sessions[0].stop();
    /// # sessions[0].close().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn sessions(&self) -> Vec<Session> {
        let sessions = self.open_sessions().into_iter();
        sessions.map(|session| Session::new(session, self.owner.clone())).collect()
    }

    /// Pauses all sessions: no new item starts, running items continue. The pause is not stored.
    ///
    /// A handler that synchronizes all of its items in a single call is not paused.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// manager.pause();
    /// let session = manager.update_all()?; // no item starts
    /// # let mut events = session.events();
    /// # while !matches!(events.next().await, Some(SessionEvent::Run { change: RunChange::Synchronizing, .. })) {}
    /// assert_eq!(manager.held()[0].hold, Hold::Paused);
    /// manager.resume();
    /// assert!(session.finish().await.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn pause(&self) {
        self.set_pause(Pause::Paused);
    }

    /// Ends the pause: items start again, except in sessions that are paused themselves.
    pub fn resume(&self) {
        self.set_pause(Pause::Running);
    }

    /// Returns `true` between [`pause`](Self::pause) and [`resume`](Self::resume).
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// let manager = SyncManager::new();
    /// manager.pause();
    /// assert!(manager.is_paused());
    /// ```
    pub fn is_paused(&self) -> bool {
        self.host().manager_state().pause == Pause::Paused
    }

    fn set_pause(&self, pause: Pause) {
        self.host().manager_state().pause = pause;
        self.open_sessions().iter().for_each(|session| session.apply_pause());
    }

    /// Returns the runs and items that are ready but held, and the handlers and items that are
    /// [disabled](Self::disable), each with its reason.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Feed)?;
    /// let (first, second) = (manager.update_all()?, manager.update_all()?); // one run of a handler at a time
    /// # let mut events = first.events();
    /// # while !matches!(events.next().await, Some(SessionEvent::Began { .. })) {}
    /// let held = manager.held();
    /// assert_eq!(held[0].session, Some(second.id()));
    /// assert_eq!(held[0].hold, Hold::Behind { session: first.id() });
    /// # manager.shutdown().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn held(&self) -> Vec<Held> {
        let paused = |session: &Arc<SessionShared>| {
            let paused_runs = session.runs().iter().filter(|run| run.attempt().is_paused());
            paused_runs
                .map(|run| Held::new(run.id().handler, Hold::Paused).with_session(run.id().session))
                .collect::<Vec<_>>()
        };
        let mut held: Vec<_> = self.open_sessions().iter().flat_map(paused).collect();
        held.extend(self.host().admission.held());
        held.extend(self.host().ledger().disabled());
        held
    }

    /// Returns a histogram of the time that running items took to end after a skip, stop or shutdown was requested,
    /// over all sessions so far. If the store outlives the manager, the sessions of earlier managers are included.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Feed)?;
    /// let session = manager.update_all()?;
    /// # let mut events = session.events();
    /// # while !matches!(events.next().await, Some(SessionEvent::Began { .. })) {}
    /// session.stop();
    /// session.finish().await;
    /// let latencies = manager.stop_latencies();
    /// assert_eq!(latencies.count(), 1);
    /// assert!(latencies.quantile(0.99) <= latencies.max());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn stop_latencies(&self) -> Latencies {
        self.host().stop_latencies.snapshot()
    }

    /// Returns a histogram of the time until all items of a session had ended, over all sessions so far. If the store
    /// outlives the manager, the sessions of earlier managers are included.
    pub fn session_durations(&self) -> Latencies {
        self.host().session_durations.snapshot()
    }
}

impl std::fmt::Debug for SyncManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SyncManager({})", self.id())
    }
}

/// Unregisters a handler when dropped.
struct Temporary<'a> {
    manager: &'a SyncManager,
    handler: HandlerId,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        self.manager.unregister(self.handler);
    }
}
