//! The folder pairs that a host has registered.

use std::collections::BTreeMap;

use offline_files::{FolderPair, TwoWayPair};
use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::request::RequestError;
use syncmgr::store::SqliteStore;

use super::settings::{Direction, Folder};

/// The registered folder pairs, by name.
pub(super) struct Folders {
    manager: SyncManager,
    store: SqliteStore,
    jobs: Option<usize>,
    registered: BTreeMap<String, Registered>,
}

/// A registered folder pair.
struct Registered {
    id: HandlerId,
    folder: Folder,
    has_looked: bool,
}

impl Folders {
    /// Creates a host without folder pairs. `store` is that of the manager.
    pub(super) fn new(manager: SyncManager, store: SqliteStore, jobs: Option<usize>) -> Self {
        Self { manager, store, jobs, registered: BTreeMap::new() }
    }

    /// Hosts these folder pairs. Those that did not change go on untouched, and so do the active runs of others.
    ///
    /// # Errors
    /// Returns the pairs that could not be registered. The others are hosted.
    pub(super) fn apply(&mut self, folders: &[Folder]) -> SyncResult {
        self.unregister_all_but(folders);
        let refused: Vec<_> = folders.iter().filter_map(|folder| self.register(folder).err()).collect();
        if refused.is_empty() { Ok(()) } else { Err(anyhow!(refused.join("; "))) }
    }

    /// Registers a pair, unless it is registered.
    fn register(&mut self, folder: &Folder) -> Result<(), String> {
        if self.registered.contains_key(&folder.name) {
            return Ok(());
        }
        let id = self.host(folder).map_err(|error| format!("{}: {error}", folder.name))?;
        let registered = Registered { id, folder: folder.clone(), has_looked: false };
        self.registered.insert(folder.name.clone(), registered);
        Ok(())
    }

    /// Unregisters the pairs that have changed or are no longer wanted, and forgets those that the user has unregistered.
    fn unregister_all_but(&mut self, folders: &[Folder]) {
        let manager = &self.manager;
        self.registered.retain(|name, known| {
            let wanted = folders.iter().find(|folder| folder.name == *name);
            let stays = wanted == Some(&known.folder) && manager.registration(known.id).is_some();
            if !stays {
                manager.unregister(known.id);
            }
            stays
        });
    }

    /// Registers the handler of a pair.
    fn host(&self, folder: &Folder) -> Result<HandlerId, RequestError> {
        match &folder.direction {
            Direction::To(deletions) => {
                let pair = FolderPair::new(&folder.name, &folder.from, &folder.to).with_deletions(*deletions);
                let pair = self.jobs.into_iter().fold(pair.with_store(&self.store), FolderPair::with_jobs);
                let pair = if folder.is_watched { pair.watched() } else { pair };
                self.manager.register(pair.with_info(|info| folder.describe(info)))
            }
            Direction::Both { conflicts, keep_replaced, ignore_file } => {
                let pair = TwoWayPair::new(&folder.name, &folder.from, &folder.to).with_conflicts(*conflicts);
                let pair = self.jobs.into_iter().fold(pair.with_store(&self.store), TwoWayPair::with_jobs);
                let pair = keep_replaced.iter().fold(pair, |pair, days| pair.keeping_replaced(*days));
                let pair = ignore_file.iter().fold(pair, TwoWayPair::with_ignore_file);
                let pair = if folder.is_watched { pair.watched() } else { pair };
                self.manager.register(pair.with_info(|info| folder.describe(info)))
            }
        }
    }

    /// Runs the watched pairs that are new: the manager watches a pair once it has listed its items.
    pub(super) fn look(&mut self) {
        let new = self.registered.values_mut().filter(|known| known.folder.is_watched && !known.has_looked);
        let handlers: Vec<_> = new.map(|known| (known.has_looked = true, known.id).1).collect();
        if handlers.is_empty() {
            return;
        }
        // The session continues without its handle.
        if let Err(error) = self.manager.session(Trigger::Scheduled).handlers(handlers).start() {
            tracing::error!(%error, "the watched folders do not run");
        }
    }
}

impl Folder {
    /// Adds the settings of a pair to what its handler says about itself.
    fn describe(&self, info: HandlerInfo) -> HandlerInfo {
        let info = info.with_schedule(self.schedule.clone()).with_importance(self.importance);
        let info = self.requires.iter().fold(info, |info, requirement| info.requires(*requirement));
        self.window.iter().fold(info, |info, window| info.within(window.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use syncmgr::handler::Importance;

    use super::*;

    fn folder(name: &str, importance: Importance) -> Folder {
        Folder {
            name: name.to_owned(),
            from: "/from".into(),
            to: "/to".into(),
            direction: Direction::To(offline_files::Deletions::Never),
            schedule: None,
            window: None,
            requires: Vec::new(),
            is_watched: false,
            importance,
        }
    }

    fn host(directory: &Path) -> Folders {
        let store = SqliteStore::open(directory.join("state")).unwrap();
        let manager = SyncManager::builder().store(store.clone()).build();
        Folders::new(manager, store, None)
    }

    fn importances(host: &Folders) -> Vec<(String, Importance)> {
        let known = host.manager.handlers();
        let mut known: Vec<_> = known.iter().map(|info| (info.name().to_owned(), info.importance())).collect();
        known.sort();
        known
    }

    #[tokio::test]
    async fn only_folders_that_have_changed_are_registered_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut host = host(directory.path());
        host.apply(&[folder("a", Importance::Low), folder("b", Importance::Low), folder("c", Importance::Low)])
            .unwrap();
        host.registered.values_mut().for_each(|known| known.has_looked = true);
        host.apply(&[folder("a", Importance::Low), folder("b", Importance::High)]).unwrap();
        assert_eq!(importances(&host), [("a".to_owned(), Importance::Low), ("b".to_owned(), Importance::High)]);
        let untouched: Vec<_> =
            host.registered.iter().filter(|(_, known)| known.has_looked).map(|(name, _)| name).collect();
        assert_eq!(untouched, ["a"]);
    }

    #[tokio::test]
    async fn a_folder_that_the_user_has_forgotten_is_registered_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut host = host(directory.path());
        let folders = [folder("a", Importance::Low)];
        host.apply(&folders).unwrap();
        host.manager.forget(host.registered["a"].id).await.unwrap();
        host.apply(&folders).unwrap();
        assert_eq!(importances(&host).len(), 1);
    }
}
