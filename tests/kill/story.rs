//! What a child does: everything there is to do, from wherever it stands.

use std::sync::Arc;
use std::time::SystemTime;

use syncmgr::choice::{Chooser, Chosen, Offer};
use syncmgr::log::Action;
use syncmgr::prelude::*;
use syncmgr::request::RegisterFlags;
use syncmgr::retry::Resume;
use syncmgr::store::{SqliteOptions, SqliteStore, StateChange, StateStore};
use syncmgr::{SessionId, async_trait};

use crate::copying::{Copying, GUEST, Guest, HANDLER, id};
use crate::folder::{Folder, NAMES};

/// More sessions than are ever needed.
const MOST_ROUNDS: usize = 12;

/// More than it takes to start what is to go on.
const MOST_YIELDS: usize = 100_000;

/// Chooses everything but one item.
struct ButOne;

#[async_trait]
impl Chooser for ButOne {
    async fn choose(&self, offers: &[Offer]) -> Option<Chosen> {
        let wanted =
            |offer: &Offer| offer.items.iter().map(|item| item.item).filter(|item| *item != id("unwanted")).collect();
        Some(offers.iter().map(|offer| (offer.handler, wanted(offer))).collect())
    }
}

/// A child's part.
pub(crate) struct Story {
    folder: Folder,
    pub(crate) store: SqliteStore,
    pub(crate) manager: SyncManager,
}

impl Story {
    /// Opens the store and takes over what is there.
    pub(crate) fn open(folder: &Folder, options: SqliteOptions, resume: Resume) -> SyncResult<Self> {
        let store = options.open(folder.state())?;
        let builder = SyncManager::builder().store(store.clone()).chooser(ButOne).resume(resume);
        let (folder, manager) = (folder.clone(), builder.build());
        manager.register(Copying { folder: folder.clone(), store: store.clone() })?;
        Ok(Self { folder, store, manager })
    }

    /// Does everything there is to do.
    pub(crate) async fn play(&self, resume: Resume) -> SyncResult {
        if resume == Resume::AtOnce {
            self.go_on().await?;
        }
        self.manager.set_flags(HANDLER, RegisterFlags::CONNECT)?;
        self.entertain().await?;
        for _ in 0..MOST_ROUNDS {
            let done = self.is_done()?;
            self.synchronize().await?;
            self.answer().await?;
            if done && self.is_done()? {
                return Ok(());
            }
        }
        syncmgr::anyhow::bail!("it is never done")
    }

    /// Waits for what goes on by itself, and nothing else.
    async fn go_on(&self) -> SyncResult {
        go_on(&self.manager, &self.store).await?;
        self.folder.note("went on")?;
        Ok(())
    }

    /// A session over everything; the first asks which items are wanted.
    async fn synchronize(&self) -> SyncResult {
        let request = self.manager.session(Trigger::Manual).handlers([HANDLER]);
        let fresh = self.store.choices(HANDLER)?.is_empty();
        let request = if fresh { request.may_bother_user() } else { request };
        request.start()?.finish().await;
        Ok(())
    }

    /// Answers every question of the log with its first answer.
    async fn answer(&self) -> SyncResult {
        for entry in self.manager.log(HANDLER)?.into_iter().map(|record| record.entry) {
            let (Some(error), Some(Action::Decide(_))) = (entry.error, &entry.action) else { continue };
            self.manager.answer(HANDLER, error, 0)?.finish().await;
        }
        Ok(())
    }

    fn is_done(&self) -> SyncResult<bool> {
        for name in NAMES.iter().filter(|name| **name != "unwanted") {
            let record = self.store.record(HANDLER, id(name))?;
            if record.and_then(|record| record.outcome) != Some(Outcome::Succeeded) {
                return Ok(false);
            }
        }
        Ok(self.manager.log(HANDLER)?.iter().all(|record| !record.entry.is_link()))
    }

    /// A handler is there for a while and then forgotten.
    async fn entertain(&self) -> SyncResult {
        self.manager.register(Guest)?;
        self.manager.session(Trigger::Manual).handlers([GUEST]).start()?.finish().await;
        self.manager.forget_item(GUEST, id("hat")).await?;
        self.manager.forget(GUEST).await?;
        Ok(())
    }
}

/// Has the manager start what goes on by itself, and waits for that.
pub(crate) async fn go_on(manager: &SyncManager, store: &SqliteStore) -> SyncResult {
    manager.attend()?;
    for _ in 0..MOST_YIELDS {
        let interrupted = store.interrupted()?;
        let left = interrupted.iter().any(|session| session.runs.iter().any(|run| run.handler == HANDLER));
        if !left || !manager.sessions().is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    for session in manager.sessions() {
        session.finish().await;
    }
    Ok(())
}

/// Fills the log of another handler with more than is kept.
pub(crate) async fn chatter(store: &SqliteStore, entries: usize) -> SyncResult {
    let entry = |number| Arc::new(LogEntry::new(LogLevel::Information, format!("entry {number}")));
    let (manager, time) = (syncmgr::Uuid::from_u128(9), SystemTime::UNIX_EPOCH);
    let entries = (0..entries).map(entry).collect();
    store.write(vec![StateChange::Logged { handler: GUEST, manager, session: SessionId(0), time, entries }]).await
}
