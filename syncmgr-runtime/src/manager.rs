//! The manager: what an application holds.

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
use syncmgr_core::error::SyncResult;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::id::HandlerId;
use syncmgr_core::register::{Invocation, InvokeFlags};
use syncmgr_core::request::RunRequest;
use syncmgr_core::store::{Course, SessionEnd, SessionRecord};
use syncmgr_core::trigger::Trigger;
use uuid::Uuid;

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
    /// # Errors
    /// When another program has the file open, and otherwise what stands in the way. Nothing that was stored is lost by it.
    #[cfg(feature = "sqlite")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, crate::sqlite::StoreError> {
        Ok(Self::builder().store(crate::sqlite::SqliteStore::open(path)?).build())
    }

    /// A manager to be given what it is to use.
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
    /// The handler is unregistered at the end. Not cancel safe: dropped, the session goes on to its end by itself.
    ///
    /// # Errors
    /// When the handler cannot be registered, or there is no tokio runtime here.
    pub async fn run(&self, handler: impl SyncHandler) -> SyncResult<Report> {
        let id = self.register(handler)?;
        let _guest = Guest { manager: self, handler: id };
        Ok(self.session(Trigger::Manual).handlers([id]).start()?.finish().await)
    }

    /// From now on, on the tokio runtime this is called on, the manager starts by itself what is due: retries, runs that were
    /// interrupted ([`Resume::AtOnce`](syncmgr_core::decision::ledger::Resume)), runs that were held until the world changed.
    ///
    /// Call it when the handlers are registered. A manager that has started a session attends already, as soon as anything
    /// is due.
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
    pub fn sessions(&self) -> Vec<Session> {
        let sessions = self.open_sessions().into_iter();
        sessions.map(|session| Session::new(session, self.owner.clone())).collect()
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
        self.open_sessions().iter().for_each(|session| session.apply_pause());
    }

    /// Everything that does not run although it could, each with its reason.
    pub fn held(&self) -> Vec<Held> {
        let paused = |session: &Arc<SessionShared>| {
            let waiting = session.runs().into_iter().filter(|run| run.attempt().is_paused());
            waiting
                .map(|run| Held::new(run.id().handler, Hold::Paused).in_session(run.id().session))
                .collect::<Vec<_>>()
        };
        let mut held: Vec<_> = self.open_sessions().iter().flat_map(paused).collect();
        held.extend(self.host().admission.held());
        held
    }

    /// How long running items took to end once somebody had asked for it: from each skip, stop or shutdown to the end of
    /// the item, over all sessions so far.
    pub fn stop_latencies(&self) -> Latencies {
        self.host().stopping.snapshot()
    }

    /// How long sessions took until everything rested, over all sessions so far. With a store that outlives the manager,
    /// like [`stop_latencies`](Self::stop_latencies), over those of managers before, too.
    pub fn session_durations(&self) -> Latencies {
        self.host().lasting.snapshot()
    }

    /// The sessions that are remembered, oldest first: only where the manager was given a store. One without an end goes on;
    /// one whose process is gone was interrupted, at a time nobody knows: that of its beginning is given.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn history(&self) -> SyncResult<Vec<SessionRecord>> {
        let mut sessions = self.host().ports.store.sessions()?;
        let goes_on: BTreeSet<_> = self.open_sessions().iter().map(|session| session.id).collect();
        let is_ours = |record: &SessionRecord| record.manager == self.id() && goes_on.contains(&record.session);
        for record in sessions.iter_mut().filter(|record| record.end.is_none() && !is_ours(record)) {
            let (time, outcomes) = (record.began, BTreeMap::new());
            record.end = Some(SessionEnd { time, course: Course::Interrupted, outcomes });
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
