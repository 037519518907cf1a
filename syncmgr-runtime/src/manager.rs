//! The manager: what an application holds.

mod access;
mod builder;
mod explain;
mod forget;
mod handlers;
mod log;
mod properties;
mod shutdown;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syncmgr_core::decision::hold::{Held, Hold};
use syncmgr_core::decision::run::Pause;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::HandlerId;
use syncmgr_core::register::{Invocation, InvokeFlags};
use syncmgr_core::request::RunRequest;
use syncmgr_core::store::{Course, SessionEnd, SessionRecord};
use syncmgr_core::trigger::Trigger;
use uuid::Uuid;

pub use self::access::StoreAccessError;
pub use self::builder::SyncManagerBuilder;
pub(crate) use self::handlers::info_of;
pub use self::log::LogError;
pub use self::properties::PropertiesError;
pub use self::shutdown::Unstopped;
use crate::host::Host;
use crate::latency::Latencies;
use crate::owner::Owner;
use crate::report::Report;
use crate::session::life::SessionShared;
use crate::session::{Session, SessionRequest, StartError};

/// Hosts handlers and runs sessions over them: the Synchronization Manager.
///
/// There is nothing global: an application may have several. Cloning gives another handle of the same manager. The
/// manager never makes a runtime, installs a subscriber or handles a signal; sessions run on the tokio runtime they are
/// started from.
///
/// [`shutdown`](Self::shutdown) ends its sessions in order and waits. Without it, dropping the last handle of the manager
/// and of its sessions tells every session to stop and drops our tasks where they stand: items end *stopped*, and nothing
/// is waited for.
///
/// ```
/// # use syncmgr_setting::*;
/// # run(async {
/// let manager = SyncManager::new();
/// let mail = manager.register(Mail)?;
/// let report = manager.update_all()?.finish().await;
/// assert!(report.is_success(), "{report}");
/// assert_eq!(report.run(mail).map(|run| run.items().count()), Some(2));
/// assert!(manager.shutdown().await.is_empty()); // nothing that could not be stopped
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
    /// A manager with nobody to ask: the defaults of [`builder`](Self::builder).
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A manager that remembers in the file `path`, which is made if there is none; see
    /// [`SqliteStore`](crate::sqlite::SqliteStore). Nothing has to be started for it.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// # let directory = std::env::temp_dir().join(format!("syncmgr-open-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("state");
    /// let report = SyncManager::open(&path)?.run(Mail).await?;
    /// assert!(report.is_success());
    /// let later = SyncManager::open(&path)?; // the program was started again
    /// assert_eq!(later.history()?.len(), 1);
    /// # drop(later);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// When another program has the file open, and otherwise what stands in the way. Nothing that was stored is lost by it.
    #[cfg(feature = "sqlite")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, crate::sqlite::StoreError> {
        Ok(Self::builder().store(crate::sqlite::SqliteStore::open(path)?).build())
    }

    /// A manager to be given what it is to use.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::builder().items_at_once(8).store(MemoryStore::new()).build();
    /// assert!(manager.run(Mail).await?.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn builder() -> SyncManagerBuilder {
        SyncManagerBuilder::default()
    }

    pub(crate) fn over(host: Arc<Host>) -> Self {
        let owner = Arc::new(Owner::new(host));
        owner.host.set_launcher(Arc::<Owner>::downgrade(&owner));
        Self { owner }
    }

    /// The sessions that are not over.
    fn open_sessions(&self) -> Vec<Arc<SessionShared>> {
        self.owner.sessions.all()
    }

    fn host(&self) -> &Arc<Host> {
        &self.owner.host
    }

    /// Names the manager where a program has several: in spans and events, as the field `manager`.
    pub fn id(&self) -> Uuid {
        self.host().id
    }

    /// A session about to be started, by default over the handlers that are registered for this trigger (R9 to R12).
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let (mail, _calendar) = (manager.register(Mail)?, manager.register(Calendar)?);
    /// let session = manager.session(Trigger::Manual).items(mail, [ItemId::from_name("Inbox")]).start()?;
    /// assert_eq!(session.finish().await.items().count(), 1);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn session(&self, trigger: Trigger) -> SessionRequest {
        SessionRequest::new(self.owner.clone(), trigger)
    }

    /// Starts a session for one handler, with bytes that its `initialize` reads: `UpdateItems` (R14 to R24). Returns once it is
    /// accepted.
    ///
    /// Without [`InvokeFlags::START_SYNC`] the user may be bothered and chooses first (R18).
    ///
    /// ```
    /// # use syncmgr_setting::*;
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
    /// ```
    /// # use syncmgr_setting::*;
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
    /// See [`StartError`]; nothing has begun then.
    pub fn start(&self, described: RunRequest) -> Result<Session, StartError> {
        described.check()?;
        SessionRequest::of(self.owner.clone(), described).start()
    }

    /// Starts a manual session over every handler: `UpdateAll` (R20). Returns before the work is done.
    ///
    /// The user may be bothered: the chooser is asked which items to run, and handlers may ask questions. With
    /// `session(Trigger::Manual)` nobody is asked.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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
    /// # Errors
    /// See [`StartError`]; nothing has begun then.
    pub fn update_all(&self) -> Result<Session, StartError> {
        self.session(Trigger::Manual).may_bother_user().start()
    }

    /// Runs one manual session over a handler alone, which is registered for it: the shortest way from a handler to its
    /// report.
    ///
    /// The handler is unregistered at the end, so nothing of it is retried; [`register`](Self::register) one that is to stay.
    /// Not cancel safe: dropped, the session goes on to its end by itself.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let report = SyncManager::new().run(Mail).await?;
    /// assert_eq!(report.to_string(), "Mail: 2 succeeded\n  succeeded   Inbox\n  succeeded   Sent");
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the handler cannot be registered, or there is no tokio runtime here.
    pub async fn run(&self, handler: impl SyncHandler) -> Result<Report, StartError> {
        let id = self.register(handler)?;
        let _guest = Guest { manager: self, handler: id };
        Ok(self.session(Trigger::Manual).handlers([id]).start()?.finish().await)
    }

    /// From now on, on the tokio runtime this is called on, the manager starts by itself what is due: retries, runs that were
    /// interrupted ([`Resume::AtOnce`](syncmgr_core::decision::ledger::Resume)), runs that were held until the network or the power
    /// changed, as far as [`facts`](SyncManagerBuilder::facts) tell.
    ///
    /// Call it once the handlers are registered. It is needed only before the first session: later sessions do the same.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).resume(Resume::AtOnce).build();
    /// manager.register(Calendar)?;
    /// manager.attend()?; // from now on what failed runs again at its time
    /// # manager.shutdown().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no tokio runtime here, or the manager was shut down.
    pub fn attend(&self) -> Result<(), StartError> {
        tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        if self.host().tracker.is_closed() {
            return Err(StartError::ShutDown);
        }
        self.host().run_scheduler();
        Ok(())
    }

    /// The sessions that are not over, in order of their numbers: also those whose handles were dropped.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Feed)?;
    /// drop(manager.update_all()?); // goes on by itself
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

    /// No new item begins, in any session; what runs goes on. Not stored.
    ///
    /// Handlers that do all items in one piece of work of their own are not paused.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// manager.pause();
    /// let session = manager.update_all()?; // nothing begins
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

    /// Items begin again, apart from those of sessions that are paused themselves.
    pub fn resume(&self) {
        self.set_pause(Pause::Going);
    }

    fn set_pause(&self, pause: Pause) {
        self.host().known().pause = pause;
        self.open_sessions().iter().for_each(|session| session.apply_pause());
    }

    /// Everything that does not run although it could, each with its reason.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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
            let waiting = session.runs().into_iter().filter(|run| run.attempt().is_paused());
            waiting
                .map(|run| Held::new(run.id().handler, Hold::Paused).with_session(run.id().session))
                .collect::<Vec<_>>()
        };
        let mut held: Vec<_> = self.open_sessions().iter().flat_map(paused).collect();
        held.extend(self.host().admission.held());
        held
    }

    /// How long running items took to end once somebody had asked for it: from each skip, stop or shutdown to the end of
    /// the item, over all sessions so far.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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
        self.host().stopping.snapshot()
    }

    /// How long sessions took until all their runs rested. With a store that outlives the manager, the sessions of earlier
    /// managers count too, as they do in [`stop_latencies`](Self::stop_latencies).
    pub fn session_durations(&self) -> Latencies {
        self.host().lasting.snapshot()
    }

    /// The sessions that are remembered, oldest first: only where the manager was given a store. One that still goes on has no
    /// end. One whose process is gone ends *interrupted*, with the time it began, as nobody knows when it ended.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// manager.run(Calendar).await?;
    /// let end = manager.history()?[0].end.clone().expect("it is over");
    /// assert_eq!((end.course, end.outcomes[&Outcome::Failed]), (Course::Eventful, 1));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn history(&self) -> Result<Vec<SessionRecord>, StoreAccessError> {
        let mut sessions = self.host().ports.store.sessions().map_err(StoreAccessError::Unreadable)?;
        let goes_on: BTreeSet<_> = self.open_sessions().iter().map(|session| session.id).collect();
        let is_ours = |record: &SessionRecord| record.manager == self.id() && goes_on.contains(&record.session);
        for record in sessions.iter_mut().filter(|record| record.end.is_none() && !is_ours(record)) {
            let (time, outcomes) = (record.began, BTreeMap::new());
            record.end = Some(SessionEnd::new(time, Course::Interrupted, outcomes));
        }
        Ok(sessions)
    }
}

impl std::fmt::Debug for SyncManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SyncManager({})", self.id())
    }
}

/// A handler that is registered for as long as this lives.
struct Guest<'a> {
    manager: &'a SyncManager,
    handler: HandlerId,
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.manager.unregister(self.handler);
    }
}
