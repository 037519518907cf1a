//! The scan of both sides by several threads.

mod assemble;
mod version;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use self::assemble::assemble;
pub(crate) use self::version::version;
use super::entry::{Found, Kind, Version};
use super::ignored::Ignored;
use super::side::{Both, Side};
use super::tree::Tree;
use crate::mirror::{Directory, FileError, Jobs, Monitor, OwnFiles, Queue, Stopped, is_displaced, is_leftover, share};

/// The number of directories that one thread scans faster than several.
const FEW: usize = 4;

/// The number of entries of one directory that a thread looks at in one go.
const CHUNK: usize = 1024;

/// What the scan covers and leaves out.
pub(crate) struct Scope<'a> {
    /// The names at the top level that belong to the selected items.
    pub(crate) includes: &'a (dyn Fn(&OsStr) -> bool + Sync),
    pub(crate) own_files: &'a OwnFiles,
    pub(crate) ignored: &'a Ignored,
    /// Names that are left out everywhere: those of the samples.
    pub(crate) hidden: &'a [&'a OsStr],
}

/// What a scan found.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) found: Both<Tree<Found>>,
    /// The temporary files of killed runs.
    pub(crate) leftovers: Both<Vec<PathBuf>>,
    /// Directories that could not be read, with their sides.
    pub(crate) errors: Vec<(Side, FileError)>,
}

/// Scans both sides at the same time.
pub(crate) fn scan(
    roots: &Both<Directory>,
    scope: &Scope<'_>,
    jobs: &Jobs,
    monitor: &dyn Monitor,
) -> Result<Scanned, Stopped> {
    let scan = Scan { roots, scope, monitor, results: Mutex::default() };
    let about = |side: Side| roots[side].about().map(|about| version(&about)).unwrap_or_default();
    let tops = Both::from_fn(about);
    let task = |side: Side| Task::List { side, path: Path::new("").into(), inode: tops[side].inode };
    share(jobs, FEW, Side::BOTH.map(task).to_vec(), |task, queue| scan.run(task, queue))?;
    let results = scan.results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let found = Both { a: assemble(tops.a, &results, Side::A), b: assemble(tops.b, &results, Side::B) };
    let Results { mut leftovers, mut errors, .. } = results;
    Side::BOTH.iter().for_each(|side| leftovers[*side].sort());
    errors.sort_by(|one, other| one.1.path.cmp(&other.1.path));
    Ok(Scanned { found, leftovers, errors })
}

#[derive(Clone)]
enum Task {
    /// Lists a directory.
    List { side: Side, path: Arc<Path>, inode: u64 },
    /// Looks at some of the names in a directory.
    Look { directory: Arc<Listed>, range: Range<usize> },
}

/// A directory whose names are known.
struct Listed {
    side: Side,
    path: Arc<Path>,
    directory: Directory,
    mount: Option<(u64, Option<u64>)>,
    names: Vec<OsString>,
}

/// Some of the entries of a directory.
type Entries = Vec<(OsString, Found)>;

/// What a thread has seen in a directory.
#[derive(Default)]
struct Seen {
    entries: Entries,
    leftovers: Vec<PathBuf>,
    below: Vec<Task>,
    /// `true` if something was ignored.
    hides: bool,
}

#[derive(Default)]
struct Results {
    /// The entries of each directory, in parts.
    entries: Both<BTreeMap<Arc<Path>, Entries>>,
    unreadable: Both<Vec<Arc<Path>>>,
    hiding: Both<Vec<Arc<Path>>>,
    leftovers: Both<Vec<PathBuf>>,
    errors: Vec<(Side, FileError)>,
}

struct Scan<'a> {
    roots: &'a Both<Directory>,
    scope: &'a Scope<'a>,
    monitor: &'a dyn Monitor,
    results: Mutex<Results>,
}

impl Scan<'_> {
    fn run(&self, task: Task, queue: &Queue<'_, Task>) -> Result<(), Stopped> {
        self.monitor.advance(0)?;
        match task {
            Task::List { side, path, inode } => match self.list(side, &path, inode) {
                Ok(listed) => self.divide(listed, queue),
                Err(cause) => {
                    self.fail(side, &path, cause);
                    Ok(())
                }
            },
            Task::Look { directory, range } => self.look(&directory, range, queue),
        }
    }

    fn list(&self, side: Side, path: &Arc<Path>, inode: u64) -> io::Result<Listed> {
        let directory = self.roots[side].descend(path)?;
        let about = directory.about()?;
        if about.inode() != inode {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it was replaced during the scan"));
        }
        let own = self.scope.own_files.names_in(path, &about, Some(&about));
        let is_top = path.as_os_str().is_empty();
        let (names, hidden): (Vec<_>, Vec<_>) = directory.names()?.into_iter().partition(|name| {
            !own.contains(name) && !self.scope.hidden.contains(&&**name) && (!is_top || (self.scope.includes)(name))
        });
        if hidden.iter().any(|name| own.contains(name)) {
            self.lock().hiding[side].push(path.clone());
        }
        let mount = directory.mount_of(OsStr::new(".")).ok();
        Ok(Listed { side, path: path.clone(), directory, mount, names })
    }

    /// Looks at the names of a directory, or leaves them to several threads.
    fn divide(&self, listed: Listed, queue: &Queue<'_, Task>) -> Result<(), Stopped> {
        let count = listed.names.len();
        let directory = Arc::new(listed);
        if count <= CHUNK {
            return self.look(&directory, 0..count, queue);
        }
        let task = |start| Task::Look { directory: directory.clone(), range: start..count.min(start + CHUNK) };
        queue.add((0..count).step_by(CHUNK).map(task));
        Ok(())
    }

    fn look(&self, listed: &Listed, range: Range<usize>, queue: &Queue<'_, Task>) -> Result<(), Stopped> {
        let Listed { side, path, names, .. } = listed;
        let mut seen = Seen::default();
        names[range].iter().for_each(|name| self.look_at(listed, name, &mut seen));
        self.monitor.advance(0)?;
        let mut results = self.lock();
        results.entries[*side].entry(path.clone()).or_default().append(&mut seen.entries);
        results.leftovers[*side].append(&mut seen.leftovers);
        results.hiding[*side].extend(seen.hides.then(|| path.clone()));
        drop(results);
        queue.add(seen.below);
        Ok(())
    }

    fn look_at(&self, listed: &Listed, name: &OsStr, seen: &mut Seen) {
        let Listed { side, path, directory, mount, .. } = listed;
        let path = path.join(name);
        match directory.entry(name) {
            Ok(None) => {}
            Ok(Some(entry)) if !entry.is_directory() && (is_leftover(name) || is_displaced(name)) => {
                seen.leftovers.push(path);
            }
            Ok(Some(entry)) if self.scope.ignored.contains(&path, entry.is_directory()) => seen.hides = true,
            Ok(Some(entry)) => {
                let mut version = version(&entry);
                if entry.is_directory() {
                    version.is_mount = mount.is_some() && directory.mount_of(name).ok() != *mount;
                    seen.below.push(Task::List { side: *side, path: path.into(), inode: entry.inode() });
                }
                seen.entries.push((name.to_owned(), Found::new(version)));
            }
            Err(cause) => {
                self.fail(*side, &path, cause);
                let version = Version { kind: Kind::Directory, ..Version::default() };
                seen.entries.push((name.to_owned(), Found { is_unreadable: true, ..Found::new(version) }));
            }
        }
    }

    fn fail(&self, side: Side, path: &Path, cause: io::Error) {
        let mut results = self.lock();
        results.unreadable[side].push(path.into());
        // A directory that has gone since its parent was listed is looked at in the next run.
        if cause.kind() != io::ErrorKind::NotFound || path.as_os_str().is_empty() {
            let error = FileError::new(path.to_owned(), "cannot be read", cause).at(side.into());
            results.errors.push((side, error));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::mirror::Done;
    use crate::mirror::trees::{Trees, file};

    /// A monitor that lets everything go on.
    struct Blank;

    impl Monitor for Blank {
        fn advance(&self, _: u64) -> Result<(), Stopped> {
            Ok(())
        }

        fn done(&self, _: Done) {}

        fn warn(&self, _: &Path, _: &str) {}

        fn fail(&self, _: FileError) {}

        fn now(&self) -> SystemTime {
            UNIX_EPOCH
        }
    }

    #[test]
    fn a_directory_that_is_replaced_during_the_walk_is_not_read() {
        let trees = Trees::new();
        file(&trees.from.join("docs/a"), "a", 1);
        let open = |path| Directory::open(path).unwrap();
        let roots = &Both { a: open(&trees.from), b: open(&trees.to) };
        let (ignored, own_files) = (Ignored::default(), OwnFiles::default());
        let scope = &Scope { includes: &|_| true, own_files: &own_files, ignored: &ignored, hidden: &[] };
        let scan = Scan { roots, scope, monitor: &Blank, results: Mutex::default() };
        let inode = roots.a.entry(OsStr::new("docs")).unwrap().unwrap().inode();
        let list = |inode| scan.list(Side::A, &Path::new("docs").into(), inode);
        assert_eq!(list(inode).unwrap().names, ["a"]);
        assert!(list(inode + 1).is_err_and(|error| error.to_string().contains("replaced during the scan")));
    }
}
