//! A folder pair as a handler that a manager hosts for a long time.

use std::path::PathBuf;

use syncmgr::anyhow::{Context, anyhow};
use syncmgr::prelude::*;
use syncmgr::store::SqliteStore;
use tokio::task::spawn_blocking;

use crate::escape::EscapedPath;
use crate::guard::{Deletions, KnownDisks};
use crate::handler::{LatestParts, OfflineFiles, Options, default_jobs, limits, parts_of};
use crate::mirror::{Directory, Kept, OwnFiles};
use crate::part::Part;
use crate::paths::{self, CheckedPaths, PathError};
use crate::record::RecordMode;
use crate::roots::Roots;

/// Mirrors one directory, FROM, into another one, TO. A manager may host several pairs, each under a name of its own.
///
/// Each directory in FROM is an item, and one more item, `.`, has all other entries at its top level. Each run lists FROM anew, so
/// directories may appear and vanish. TO is created if only its parent exists. Between runs, no file of either directory is open.
///
/// A run fails, and changes nothing, if FROM or TO cannot be read, if one contains the other, if another program mirrors to TO, or if TO
/// is on another disk than in the last run: the right one may not be mounted.
///
/// ```
/// # use std::time::Duration;
/// # use offline_files::{Deletions, FolderPair};
/// # use syncmgr::prelude::*;
/// use syncmgr::schedule::Schedule;
/// use syncmgr::store::SqliteStore;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # let base = tempfile::tempdir()?;
/// # let (documents, backup) = (base.path().join("documents"), base.path().join("backup"));
/// # std::fs::create_dir(&documents)?;
/// # std::fs::write(documents.join("letter"), "the letter")?;
/// let store = SqliteStore::open(base.path().join("state.sqlite"))?;
/// let manager = SyncManager::builder().store(store.clone()).build();
/// let often = Schedule::every(Duration::from_secs(900))?;
/// let pair = FolderPair::new("Documents", &documents, &backup)
///     .with_deletions(Deletions::Guarded)
///     .with_store(&store)
///     .with_info(|info| info.with_schedule(often));
/// manager.register(pair)?;
/// let report = manager.session(Trigger::Manual).start()?.finish().await;
/// assert!(report.is_success(), "{report}");
/// assert_eq!(std::fs::read(backup.join("letter"))?, b"the letter");
/// # manager.shutdown().await;
/// # Ok::<(), anyhow::Error>(())
/// # })?;
/// # use syncmgr::anyhow;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "register it with a manager"]
pub struct FolderPair {
    info: HandlerInfo,
    from: PathBuf,
    to: PathBuf,
    deletions: Deletions,
    jobs: usize,
    store: Option<SqliteStore>,
    is_watched: bool,
    kept: Kept,
    /// The parts of the last run, for the program.
    latest: LatestParts,
    /// `false` only in a test whose killed runs keep their files open.
    locks_target: bool,
}

impl FolderPair {
    /// Creates a pair with a name, which is shown and must be unique among the pairs of a manager: the id of the handler derives from
    /// it. Nothing is deleted in TO.
    pub fn new(name: &str, from: impl Into<PathBuf>, to: impl Into<PathBuf>) -> Self {
        Self::with_handler(Self::HANDLER.instance(name).with_name(name), from.into(), to.into())
    }

    /// Creates the pair of the program, which copies the attributes in `kept`.
    pub(crate) fn of_program(from: PathBuf, to: PathBuf, kept: Kept) -> Self {
        Self { kept, ..Self::with_handler(OfflineFiles::HANDLER, from, to) }
    }

    fn with_handler(info: HandlerInfo, from: PathBuf, to: PathBuf) -> Self {
        let kept = Kept { acls: true, ..Kept::default() };
        let (deletions, is_watched, latest, locks_target) = (Deletions::Never, false, LatestParts::default(), true);
        let pair = Self { info, from, to, deletions, jobs: 1, store: None, is_watched, kept, latest, locks_target };
        pair.with_jobs(default_jobs()).with_deletions(Deletions::Never)
    }

    /// The parts of the last run.
    pub(crate) fn latest(&self) -> LatestParts {
        self.latest.clone()
    }

    /// Sets what may be deleted in TO, and the guard policy that goes with it.
    pub fn with_deletions(self, deletions: Deletions) -> Self {
        Self { info: self.info.with_guards(deletions.policy()), deletions, ..self }
    }

    /// Sets the maximum number of threads that read and write files at the same time, and with it the number of items. The default is
    /// two per processor; 0 counts as 1.
    pub fn with_jobs(self, jobs: usize) -> Self {
        let jobs = jobs.max(1);
        Self { info: self.info.with_limits(limits(jobs)), jobs, ..self }
    }

    /// Sets the store, which must be that of the manager. The pair reads the records of earlier runs in it: to recognize the disk of TO,
    /// and to judge the deletions of all items together. Its files are never mirrored or deleted.
    pub fn with_store(self, store: &SqliteStore) -> Self {
        Self { store: Some(store.clone()), ..self }
    }

    /// Declares FROM as the watched paths of the items: with a change source, the manager runs an item after a change in its directory.
    pub fn watched(self) -> Self {
        Self { is_watched: true, ..self }
    }

    /// Changes other settings of the handler, such as its schedule, requirements and importance.
    pub fn with_info(self, change: impl FnOnce(HandlerInfo) -> HandlerInfo) -> Self {
        Self { info: change(self.info), ..self }
    }

    #[cfg(test)]
    pub(crate) fn without_lock(self) -> Self {
        Self { locks_target: false, ..self }
    }

    /// Checks the two paths, and that TO is on the disk of the last run. Changes nothing.
    fn check(&self) -> SyncResult<(CheckedPaths, KnownDisks)> {
        let paths = paths::check(&self.from, &self.to)?;
        let read = |store| KnownDisks::read(store, self.info.id());
        let disks = self.store.as_ref().map_or_else(|| Ok(KnownDisks::default()), read)?;
        disks.refuse_other(&paths.to).map_err(|error| self.explain(error))?;
        Ok((paths, disks))
    }

    /// Says what to do without the options of the program.
    fn explain(&self, error: PathError) -> syncmgr::anyhow::Error {
        match error {
            PathError::OtherDisk(to) => anyhow!(
                "TO is on another disk than in the last run: {}; mount that disk, or forget {} to mirror to this one",
                EscapedPath(to),
                self.info.name()
            ),
            error => error.into(),
        }
    }

    fn own_files(&self, paths: &CheckedPaths) -> OwnFiles {
        OwnFiles::of(self.store.as_ref().map(SqliteStore::path), [&paths.from, &paths.to])
    }

    /// Lists the items, sorted by their paths.
    fn list(&self) -> SyncResult<Items> {
        let (paths, _) = self.check()?;
        let (from, to) = (Directory::open(&paths.from)?, Directory::open(&paths.to).ok());
        let parts = parts_of(&from, to.as_ref(), &self.own_files(&paths)).context("cannot list FROM")?;
        let mut parts: Vec<_> = parts.collect();
        parts.sort_by(|one, other| one.path().cmp(other.path()));
        Ok(parts.iter().map(|part| self.item(part)).collect())
    }

    fn item(&self, part: &Part) -> SyncItem {
        if self.is_watched { part.watched_item([&self.from]) } else { part.item() }
    }

    /// Opens the pair for one run, and locks TO.
    fn open(&self) -> SyncResult<OpenPair> {
        let (paths, disks) = self.check()?;
        let own_files = self.own_files(&paths).into();
        let pair = if self.locks_target { paths.open(self.kept) } else { paths.open_unlocked(self.kept) }?;
        let roots = disks.recognize(Roots::of(&pair, &paths.from, &paths.to));
        let options = Options {
            handler: self.info.id(),
            deletions: self.deletions,
            record_mode: RecordMode::Use,
            store: self.store.clone(),
            jobs: self.jobs,
            own_files,
        };
        let files = OfflineFiles::new(pair, roots, options).context("cannot list FROM")?;
        self.latest.set(files.parts());
        Ok(OpenPair(files))
    }
}

#[sync_handler(id = "c2e7a1d4-58b3-4f6e-9c0d-7a41f3e8b695", name = "Folder pair")]
impl SyncHandler for FolderPair {
    fn info(&self) -> HandlerInfo {
        self.info.clone()
    }

    async fn items(&self) -> SyncResult<Items> {
        let pair = self.clone();
        spawn_blocking(move || pair.list()).await?
    }

    /// The pair is open during this call only: the results of a run may be kept for a long time.
    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let pair = self.clone();
        let open = spawn_blocking(move || pair.open()).await??;
        let (files, losses) = (&open.0, open.0.file_systems());
        run.each(|item| async move { files.synchronize_item(&item).await }).await?;
        if let Some(text) = losses.report() {
            run.warn(text);
        }
        Ok(spawn_blocking(move || drop(open)).await?)
    }
}

/// A pair that is open. Removes its samples when it is dropped.
struct OpenPair(OfflineFiles);

impl Drop for OpenPair {
    fn drop(&mut self) {
        self.0.file_systems().remove_samples();
    }
}
