//! The work of a child: it continues from any state until all items are done.

use std::sync::Arc;
use std::time::SystemTime;

use syncmgr::choice::{Chooser, Chosen, Offer};
use syncmgr::environment::{Environment, ManualEnvironment, Power};
use syncmgr::log::Action;
use syncmgr::prelude::*;
use syncmgr::request::RegisterFlags;
use syncmgr::retry::Resume;
use syncmgr::schedule::{Override, OverrideKind, Schedule};
use syncmgr::store::{SqliteOptions, SqliteStore, StateChange, StateStore};
use syncmgr::{SessionId, Subject, async_trait};

use crate::copying::{Copying, HANDLER, TEMPORARY, Temporary, id};
use crate::folder::{Folder, NAMES};

/// The maximum number of sessions.
const MAX_ROUNDS: usize = 12;

/// The line of the folder's notes that says that a value of a person is stored.
pub(crate) const SET: &str = "set";

/// The maximum number of yields until interrupted runs have started.
const MAX_YIELDS: usize = 100_000;

/// Selects all items but one.
struct AllButOne;

#[async_trait]
impl Chooser for AllButOne {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        let wanted =
            |offer: &Offer| offer.items.iter().map(|item| item.item).filter(|item| *item != id("unwanted")).collect();
        Some(offers.iter().map(|offer| (offer.handler, wanted(offer))).collect())
    }
}

/// The state of a child.
pub(crate) struct Scenario {
    folder: Folder,
    pub(crate) store: SqliteStore,
    pub(crate) manager: SyncManager,
}

impl Scenario {
    /// Opens the store and creates the manager.
    pub(crate) fn open(folder: &Folder, options: SqliteOptions, resume: Resume) -> SyncResult<Self> {
        let store = options.open(folder.state())?;
        let builder = SyncManager::builder().store(store.clone()).chooser(AllButOne).resume(resume);
        let builder = builder.environment(ManualEnvironment::new(Environment::UNKNOWN.with_power(Power::Battery)));
        let (folder, manager) = (folder.clone(), builder.build());
        manager.register(Copying { folder: folder.clone(), store: store.clone() })?;
        Ok(Self { folder, store, manager })
    }

    /// Runs the whole scenario.
    pub(crate) async fn run(&self, resume: Resume) -> SyncResult {
        if resume == Resume::Immediately {
            self.resume_interrupted().await?;
        }
        self.manager.set_flags(HANDLER, RegisterFlags::CONNECT)?;
        self.manager.set_override(HANDLER, Subject::Handler, Override::Window(None)).await?;
        self.folder.note(SET)?;
        self.run_temporary_handler().await?;
        for _ in 0..MAX_ROUNDS {
            let done = self.is_done().await?;
            self.synchronize().await?;
            self.answer().await?;
            if done && self.is_done().await? {
                return Ok(());
            }
        }
        syncmgr::anyhow::bail!("the scenario does not finish")
    }

    /// Waits for the automatically resumed runs, and then adds the line `resumed` to the folder's notes.
    async fn resume_interrupted(&self) -> SyncResult {
        resume_interrupted(&self.manager, &self.store).await?;
        self.folder.note("resumed")?;
        Ok(())
    }

    /// Runs a session of all items. In the first session, the chooser selects the items.
    async fn synchronize(&self) -> SyncResult {
        let request = self.manager.session(Trigger::Manual).handlers([HANDLER]);
        let is_first = self.store.choices(HANDLER)?.is_empty();
        let request = if is_first { request.may_bother_user() } else { request };
        request.start()?.finish().await;
        Ok(())
    }

    /// Answers every question of the log with the first choice.
    async fn answer(&self) -> SyncResult {
        for entry in self.manager.log(HANDLER).await?.into_iter().map(|record| record.entry) {
            let (Some(error), Some(Action::Decide(_))) = (entry.id, &entry.action) else { continue };
            self.manager.answer(HANDLER, error, 0)?.finish().await;
        }
        Ok(())
    }

    async fn is_done(&self) -> SyncResult<bool> {
        for name in NAMES.iter().filter(|name| **name != "unwanted") {
            let record = self.store.record(HANDLER, id(name))?;
            if record.and_then(|record| record.outcome) != Some(Outcome::Succeeded) {
                return Ok(false);
            }
        }
        Ok(self.manager.log(HANDLER).await?.iter().all(|record| !record.entry.is_link()))
    }

    /// Registers, runs and forgets a handler.
    async fn run_temporary_handler(&self) -> SyncResult {
        self.manager.register(Temporary)?;
        self.manager.session(Trigger::Manual).handlers([TEMPORARY]).start()?.finish().await;
        // On battery power, one of the items waits.
        self.manager.session(Trigger::Scheduled).handlers([TEMPORARY]).start()?.finish().await;
        self.manager.disable(TEMPORARY, Subject::Item(id("hat")), "not now").await?;
        let hat = Subject::Item(id("hat"));
        self.manager.set_override(TEMPORARY, hat, Override::Schedule(Schedule::NEVER)).await?;
        self.manager.reset_override(TEMPORARY, hat, OverrideKind::Schedule).await?;
        self.manager.forget_item(TEMPORARY, id("hat")).await?;
        self.manager.forget(TEMPORARY).await?;
        Ok(())
    }
}

/// Starts the scheduler and waits for the resumed runs.
pub(crate) async fn resume_interrupted(manager: &SyncManager, store: &SqliteStore) -> SyncResult {
    manager.start_scheduler()?;
    for _ in 0..MAX_YIELDS {
        let interrupted = store.interrupted()?;
        if !interrupted.iter().any(|session| session.runs.iter().any(|run| run.handler == HANDLER)) {
            break;
        }
        // A retry may run before the interrupted runs, because a handler has one automatic run at a time.
        match manager.sessions().into_iter().next() {
            Some(session) => drop(session.finish().await),
            None => tokio::task::yield_now().await,
        }
    }
    Ok(())
}

/// Adds entries to the log of the temporary handler.
pub(crate) async fn write_long_log(store: &SqliteStore, entries: usize) -> SyncResult {
    let entry = |number| Arc::new(LogEntry::new(LogLevel::Information, format!("entry {number}")));
    let (manager, time) = (syncmgr::Uuid::from_u128(9), SystemTime::UNIX_EPOCH);
    let entries = (0..entries).map(entry).collect();
    store.write(vec![StateChange::Logged { handler: TEMPORARY, manager, session: SessionId(0), time, entries }]).await
}
