//! The thread that lists directories and watches each of them.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use notify::{Config, ErrorKind, INotifyWatcher, RecursiveMode, Watcher};
use syncmgr_core::foreign;
use syncmgr_runtime::change_source::WatchProblem;

use super::events::Events;
use super::shared::{Search, Shared};

/// The coarseness of the change times of files, with a margin. Some file systems count in steps of 2 s.
const COARSENESS: Duration = Duration::from_secs(2);

/// Starts the thread of a watch. Files that changed at `since` or later count as changed.
pub(super) fn start(shared: &Arc<Shared>, since: SystemTime) {
    let for_thread = shared.clone();
    let run = move || {
        let shared = for_thread.clone();
        if let Err(panic) = foreign::call(|| run(&shared, since)) {
            for_thread.fail(WatchProblem::new(format!("files are no longer watched: {panic}")));
        }
    };
    if let Err(error) = thread::Builder::new().name("syncmgr-files".into()).spawn(run) {
        shared.fail(WatchProblem::new(format!("files are not watched: no thread can be started: {error}")));
    }
}

fn run(shared: &Arc<Shared>, since: SystemTime) {
    if let Err(error) = search(shared, since) {
        let advice = "raise fs.inotify.max_user_instances if that limit is reached";
        shared.fail(WatchProblem::new(format!("files are not watched: {error}; {advice}")));
    }
}

/// Searches until the watch is closed.
fn search(shared: &Arc<Shared>, since: SystemTime) -> notify::Result<()> {
    let mut searcher = Searcher { shared: shared.clone(), watcher: watcher(shared)?, limit: Limit::NotReached };
    searcher.search_everything(Some(since.checked_sub(COARSENESS).unwrap_or(UNIX_EPOCH)));
    while let Some(search) = shared.next_search() {
        match search {
            Search::Everything => searcher.start_again()?,
            Search::Paths(paths) => paths.iter().for_each(|path| searcher.search_again(path)),
        }
    }
    Ok(())
}

fn watcher(shared: &Arc<Shared>) -> notify::Result<INotifyWatcher> {
    INotifyWatcher::new(Events::new(shared.clone()), Config::default())
}

struct Searcher {
    shared: Arc<Shared>,
    watcher: INotifyWatcher,
    limit: Limit,
}

/// The limit of watches of the user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limit {
    NotReached,
    Reached,
}

impl Searcher {
    /// Searches everything after lost events, with a new watcher: the old one does not know which of its watches still exist. It
    /// goes on until the new one has replaced it.
    fn start_again(&mut self) -> notify::Result<()> {
        let _earlier = std::mem::replace(&mut self.watcher, watcher(&self.shared)?);
        self.search_everything(None);
        // Changes before a directory was watched raised no event.
        self.shared.changed(0..self.shared.roots.len());
        Ok(())
    }

    /// Watches the roots, everything below them, and the directories above them, in which a root may appear again. Files that
    /// changed after `since` mark their items.
    fn search_everything(&mut self, since: Option<SystemTime>) {
        let shared = self.shared.clone();
        for path in shared.roots.above() {
            // A directory that may not be read hides only a new root.
            let _ = self.watcher.watch(path, RecursiveMode::NonRecursive);
        }
        shared.roots.all().for_each(|root| self.search_root(root, since));
    }

    /// Searches a path at which something has appeared, and then marks its items: what happened before it was watched raised no
    /// event.
    fn search_again(&mut self, path: &Path) {
        let shared = self.shared.clone();
        for (root, items) in shared.roots.below(path) {
            let above = root.ancestors().skip(1).take_while(|above| above.starts_with(path));
            for above in above.collect::<Vec<_>>().into_iter().rev() {
                let _ = self.watcher.watch(above, RecursiveMode::NonRecursive);
            }
            self.search_root(root, None);
            shared.changed(items.iter().copied());
        }
        let items = shared.roots.items_at(path);
        if !items.is_empty() {
            self.search(path, None);
            shared.changed(items);
        }
    }

    /// Searches a root, which may be a file or a link, or be missing.
    fn search_root(&mut self, root: &Path, since: Option<SystemTime>) {
        let (found, parent) = (root.metadata(), root.parent().and_then(|parent| parent.metadata().ok()));
        let is_changed = match &found {
            Ok(metadata) => changed_after(metadata, since),
            // It may have been removed since.
            Err(_) => parent.is_some_and(|parent| changed_after(&parent, since)),
        };
        match found {
            Ok(metadata) if metadata.is_dir() => self.search(root, since),
            Err(error) if !is_gone(&error) => self.cannot_watch(root, &error.to_string()),
            _ => {}
        }
        if is_changed {
            self.shared.changed(self.shared.roots.items_at(root));
        }
    }

    /// Watches and lists a directory and all directories below it. Each is watched before it is listed, so that no entry is missed.
    fn search(&mut self, directory: &Path, since: Option<SystemTime>) {
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            if self.shared.is_closed() {
                return;
            }
            self.watch(&directory);
            match self.entries(&directory, since) {
                Ok(inside) => directories.extend(inside),
                Err(error) if is_gone(&error) => {}
                Err(error) => self.cannot_watch(&directory, &error.to_string()),
            }
        }
    }

    fn watch(&mut self, directory: &Path) {
        match self.watcher.watch(directory, RecursiveMode::NonRecursive) {
            Ok(()) => self.shared.is_readable(directory),
            Err(error) => match error.kind {
                ErrorKind::PathNotFound => {}
                ErrorKind::MaxFilesWatch => self.limit_reached(directory),
                ErrorKind::Io(error) if is_gone(&error) => {}
                ErrorKind::Io(error) => self.cannot_watch(directory, &error.to_string()),
                other => self.cannot_watch(directory, &notify::Error::new(other).to_string()),
            },
        }
    }

    /// Lists a directory. Returns the directories in it. Links are not followed.
    fn entries(&self, directory: &Path, since: Option<SystemTime>) -> io::Result<Vec<PathBuf>> {
        let mut directories = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let is_changed = since.is_some() && entry.metadata().is_ok_and(|metadata| changed_after(&metadata, since));
            if is_changed {
                self.shared.changed(self.shared.roots.items_at(&entry.path()));
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(entry.path());
            }
        }
        Ok(directories)
    }

    /// Reports a directory that cannot be read, once, and marks its items.
    fn cannot_watch(&self, path: &Path, reason: &str) {
        if self.shared.is_unreadable(path) {
            let text = format!("cannot be watched: {reason}; changes in it are not noticed");
            self.shared.problem(WatchProblem::new(text).with_path(path));
            self.shared.changed(self.shared.roots.items_at(path));
        }
    }

    /// Reports the limit of watches, once, and marks the items of the directory.
    fn limit_reached(&mut self, directory: &Path) {
        if std::mem::replace(&mut self.limit, Limit::Reached) == Limit::NotReached {
            let text = "the limit of watches is reached; changes in this and other directories are not noticed; raise \
                        fs.inotify.max_user_watches";
            self.shared.problem(WatchProblem::new(text).with_path(directory));
        }
        self.shared.changed(self.shared.roots.items_at(directory));
    }
}

/// Returns `true` if the path was removed or replaced by a file meanwhile.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Returns `true` if a file or directory changed after this time, by its change time, which programs cannot set.
fn changed_after(metadata: &Metadata, since: Option<SystemTime>) -> bool {
    let seconds = Duration::from_secs(u64::try_from(metadata.ctime()).unwrap_or(0));
    let nanos = Duration::from_nanos(u64::try_from(metadata.ctime_nsec()).unwrap_or(0));
    since.is_some_and(|since| UNIX_EPOCH.checked_add(seconds + nanos).is_none_or(|changed| since <= changed))
}

#[cfg(test)]
mod tests;
