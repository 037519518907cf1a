//! A pair of folders that is synchronized in both directions, as a handler that a manager hosts for a long time.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use syncmgr::anyhow::{Context, anyhow};
use syncmgr::environment::{Clock, SystemClock};
use syncmgr::prelude::*;
use syncmgr::store::SqliteStore;
use tokio::task::spawn_blocking;

use super::conflict::Conflicts;
use super::disks::Disks;
use super::handler::{Options, TwoWay};
use super::ignored::{self, Ignored};
use super::kept::{Keeper, remove_old};
use super::names::name_sides;
use super::prepare::directories;
use super::reconcile::Rules;
use super::recorded::Recorded;
use super::remedy::Remedies;
use super::side::Both;
use crate::escape::EscapedPath;
use crate::guard::Deletions;
use crate::handler::{LatestParts, default_jobs, limits};
use crate::mirror::{Directory, Extent, Kept, OwnFiles};
use crate::part::Part;
use crate::paths::{self, CheckedPaths, PathError};

/// Synchronizes two directories, A and B, in both directions. A manager may host several pairs, each under a name of its own.
///
/// Each directory at the top level of either side is an item, and one more item, `.`, has all other entries there. The checkpoints of
/// the items have what both sides agreed on. What has changed on one side since then is copied, moved or deleted on the other side. B is
/// created if only its parent exists. Between runs, no file of either side is open.
///
/// An entry that both sides have changed is in conflict: nothing is overwritten, and the item has a question, unless
/// [`with_conflicts`](Self::with_conflicts) decides. The item goes on with its other entries meanwhile. Deletions that look like a mistake
/// are a question too.
///
/// A run fails, and changes nothing, if a side cannot be read, is missing, or is another directory than in the last run, if one side
/// contains the other, or if another program synchronizes one of them.
///
/// ```
/// # use offline_files::{Conflicts, TwoWayPair};
/// # use syncmgr::prelude::*;
/// use syncmgr::store::SqliteStore;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # let base = tempfile::tempdir()?;
/// # let (laptop, disk) = (base.path().join("laptop"), base.path().join("disk"));
/// # std::fs::create_dir(&laptop)?;
/// # std::fs::write(laptop.join("letter"), "the letter")?;
/// let store = SqliteStore::open(base.path().join("state.sqlite"))?;
/// let manager = SyncManager::builder().store(store.clone()).build();
/// let pair = TwoWayPair::new("Documents", &laptop, &disk).with_conflicts(Conflicts::KeepBoth).with_store(&store);
/// manager.register(pair)?;
/// assert!(manager.session(Trigger::Manual).start()?.finish().await.is_success());
/// std::fs::write(disk.join("letter"), "the letter, edited on the disk")?;
/// assert!(manager.session(Trigger::Manual).start()?.finish().await.is_success());
/// assert_eq!(std::fs::read(laptop.join("letter"))?, b"the letter, edited on the disk");
/// # manager.shutdown().await;
/// # Ok::<(), anyhow::Error>(())
/// # })?;
/// # use syncmgr::anyhow;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "register it with a manager"]
pub struct TwoWayPair {
    info: HandlerInfo,
    a: PathBuf,
    b: PathBuf,
    store: Option<SqliteStore>,
    jobs: usize,
    is_watched: bool,
    keep_replaced: Option<u32>,
    ignore_file: Option<PathBuf>,
    pub(super) kept: Kept,
    pub(super) rules: Rules,
    /// `true` if deletions that look like a mistake are made, and other roots than those of the last run are taken.
    pub(super) is_unguarded: bool,
    pub(super) remedies: Remedies,
    /// The parts of the last run, for the program.
    latest: LatestParts,
}

impl TwoWayPair {
    /// Creates a pair with a name, which is shown and must be unique among the pairs of a manager: the id of the handler derives from
    /// it. The order of the sides matters: if it changes, the runs fail until the pair is forgotten.
    pub fn new(name: &str, a: impl Into<PathBuf>, b: impl Into<PathBuf>) -> Self {
        let kept = Kept { acls: true, ..Kept::default() };
        let info = Self::HANDLER.instance(name).with_name(name);
        Self { kept, remedies: Remedies::OF_HOST, ..Self::with_handler(info, a.into(), b.into()) }
    }

    /// Creates the pair of a run of the program.
    pub(super) fn of_program(a: PathBuf, b: PathBuf) -> Self {
        Self::with_handler(TwoWay::HANDLER, a, b)
    }

    fn with_handler(info: HandlerInfo, a: PathBuf, b: PathBuf) -> Self {
        let pair = Self {
            info: info.with_guards(Deletions::Guarded.policy()),
            a,
            b,
            store: None,
            jobs: 1,
            is_watched: false,
            keep_replaced: None,
            ignore_file: None,
            kept: Kept::default(),
            rules: Rules::default(),
            is_unguarded: false,
            remedies: Remedies::OF_PROGRAM,
            latest: LatestParts::default(),
        };
        pair.with_jobs(default_jobs())
    }

    /// The parts of the last run.
    pub(crate) fn latest(&self) -> LatestParts {
        self.latest.clone()
    }

    /// Sets how entries that both sides have changed are decided. The default is [`Conflicts::Ask`].
    pub fn with_conflicts(mut self, conflicts: Conflicts) -> Self {
        self.rules.policy = conflicts;
        self
    }

    /// Keeps what is replaced or deleted for this number of days, in the directory `.offline_files-kept` of its side. By default,
    /// nothing is kept.
    pub fn keeping_replaced(self, days: u32) -> Self {
        Self { keep_replaced: Some(days), ..self }
    }

    /// Leaves out what the rules in a file match, in the syntax of gitignore. Each run reads the file anew, and fails if it cannot. The
    /// rules in the files `.offline_files-ignore` at the top of both sides apply too.
    pub fn with_ignore_file(self, file: impl Into<PathBuf>) -> Self {
        Self { ignore_file: Some(file.into()), ..self }
    }

    /// Sets the maximum number of threads that read and write files at the same time, and with it the number of items. The default is
    /// two per processor; 0 counts as 1.
    pub fn with_jobs(self, jobs: usize) -> Self {
        let jobs = jobs.max(1);
        Self { info: self.info.with_limits(limits(jobs)), jobs, ..self }
    }

    /// Sets the store, which must be that of the manager, to recognize a B that is missing. Its files are never synchronized.
    pub fn with_store(self, store: &SqliteStore) -> Self {
        Self { store: Some(store.clone()), ..self }
    }

    /// Declares both sides as the watched paths of the items: with a change source, the manager runs an item after a change in its
    /// directory on either side.
    pub fn watched(self) -> Self {
        Self { is_watched: true, ..self }
    }

    /// Changes other settings of the handler, such as its schedule, requirements and importance.
    pub fn with_info(self, change: impl FnOnce(HandlerInfo) -> HandlerInfo) -> Self {
        Self { info: change(self.info), ..self }
    }

    /// Checks the two paths, and that B is not missing. Changes nothing.
    fn check(&self) -> SyncResult<CheckedPaths> {
        let paths = paths::check(&self.a, &self.b).map_err(name_sides)?;
        let is_missing = matches!(paths.to.metadata(), Err(error) if error.kind() == ErrorKind::NotFound);
        if is_missing && !self.is_unguarded && self.recorded().has_run()? {
            let (path, remedy) = (EscapedPath(&paths.to), self.remedies.missing);
            // A new one would look as if everything in it had been deleted.
            return Err(anyhow!("nothing was done: B is missing: {path}; {remedy}"));
        }
        Ok(paths)
    }

    /// What earlier runs have stored.
    fn recorded(&self) -> Recorded<'_> {
        Recorded { store: self.store.as_ref(), handler: self.info.id() }
    }

    fn own_files(&self, paths: &CheckedPaths) -> OwnFiles {
        OwnFiles::of(self.store.as_ref().map(SqliteStore::path), [&paths.from, &paths.to])
    }

    fn ignored(&self, paths: &CheckedPaths) -> SyncResult<Ignored> {
        let roots = Both { a: &*paths.from, b: &*paths.to };
        Ignored::read(roots, self.recorded().agreed(Path::new(ignored::NAME)), self.ignore_file.as_deref())
    }

    /// Lists the items, sorted by their paths.
    fn list(&self) -> SyncResult<Items> {
        let paths = self.check()?;
        let roots = [&paths.from, &paths.to].map(|root| Directory::open(root).ok());
        let roots: Vec<_> = roots.into_iter().flatten().collect();
        let names = directories(&roots, &self.own_files(&paths), &self.ignored(&paths)?);
        let mut names = names.context("cannot list A and B")?;
        names.extend(self.recorded().vanished(&names)?);
        let parts = std::iter::once(Extent::TopLevel).chain(names.into_iter().map(Extent::Directory)).map(Part::new);
        Ok(parts.map(|part| self.item(&part)).collect())
    }

    fn item(&self, part: &Part) -> SyncItem {
        if !self.is_watched {
            return part.item();
        }
        // Other rules concern all items.
        let rules = [&self.a, &self.b].map(|root| root.join(ignored::NAME));
        rules.iter().fold(part.watched_item([&self.a, &self.b]), SyncItem::with_watch)
    }

    /// Opens the pair for one run, and locks both sides.
    pub(super) fn open(&self) -> SyncResult<OpenPair> {
        let paths = self.check()?;
        let (own_files, ignored) = (self.own_files(&paths), self.ignored(&paths)?);
        let pair = paths.open(self.kept).map_err(name_sides)?;
        if !pair.from.try_lock() {
            return Err(name_sides(PathError::Locked(paths.from)));
        }
        let keeper = self.keep_replaced.map_or(Keeper::None, |_| Keeper::at(SystemClock::default().now().wall));
        let (rules, jobs, is_unguarded, remedies) = (self.rules.clone(), self.jobs, self.is_unguarded, self.remedies);
        let options = Options { rules, own_files, ignored, jobs, keeper, is_unguarded, remedies };
        let disks = Disks::new(Both { a: pair.from, b: pair.to }, self.kept, jobs);
        let mut names = directories([&disks.roots.a, &disks.roots.b], &options.own_files, &options.ignored)
            .context("cannot list A and B")?;
        names.extend(self.recorded().vanished(&names)?);
        let handler = TwoWay::new(disks, options, names);
        self.latest.set(handler.parts());
        Ok(OpenPair { handler, roots: [paths.from, paths.to], keep_replaced: self.keep_replaced })
    }
}

#[sync_handler(id = "6e0f52c9-3b7d-4d18-a5c1-94e2b80d7f36", name = "Two-way folder pair")]
impl SyncHandler for TwoWayPair {
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
        let done = open.handler.synchronize(run).await;
        spawn_blocking(move || open.close()).await?.map_or_else(|error| run.warn(format!("{error:#}")), |()| {});
        done
    }
}

/// A pair that is open. Removes its samples when it is dropped.
pub(super) struct OpenPair {
    pub(super) handler: TwoWay,
    roots: [PathBuf; 2],
    keep_replaced: Option<u32>,
}

impl OpenPair {
    /// Removes what was kept for long enough.
    pub(super) fn close(self) -> SyncResult {
        let Some(days) = self.keep_replaced else { return Ok(()) };
        let now = SystemClock::default().now().wall;
        self.roots.iter().try_for_each(|root| {
            let kept = EscapedPath(root.join(super::kept::NAME));
            remove_old(root, days, now).with_context(|| format!("cannot remove old files from {kept}"))
        })
    }
}

impl Drop for OpenPair {
    fn drop(&mut self) {
        self.handler.disks().remove_samples();
    }
}
