//! The scan of both sides by several threads.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::entry::{Found, Kind, Time, Version};
use super::ignored::Ignored;
use super::side::{Both, Side};
use super::tree::Tree;
use crate::mirror::{
    self, Directory, Entry, FileContext, FileError, Jobs, Monitor, OwnFiles, Queue, Stopped, is_leftover, share,
};

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

/// The version of an entry on a disk.
pub(crate) fn version(entry: &Entry) -> Version {
    let time =
        |time: rustix::fs::Timespec| Time { seconds: time.tv_sec, nanos: u32::try_from(time.tv_nsec).unwrap_or(0) };
    let kind = match entry.kind {
        mirror::Kind::Directory => Kind::Directory,
        mirror::Kind::File => Kind::File,
        mirror::Kind::Link => Kind::Link,
        mirror::Kind::Special(_) => Kind::Special,
    };
    let mode = u16::try_from(entry.mode.as_raw_mode() & 0o1777).expect("these bits fit");
    Version {
        kind,
        inode: entry.inode(),
        size: if kind == Kind::Directory { 0 } else { entry.size },
        modified: time(entry.modified),
        changed: time(entry.changed),
        // The permissions of links have no meaning, and cannot be set.
        mode: if kind == Kind::Link { 0o777 } else { mode },
        is_mount: false,
    }
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
            return Err(io::Error::other("it was replaced during the scan"));
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
        let Listed { side, path, directory, mount, names } = listed;
        let (mut entries, mut leftovers, mut below) = (Vec::with_capacity(range.len()), Vec::new(), Vec::new());
        let mut hides = false;
        for name in &names[range] {
            let entry = match directory.entry(name) {
                Ok(Some(entry)) => entry,
                Ok(None) => continue,
                Err(cause) => {
                    self.fail(*side, &path.join(name), cause);
                    let version = Version { kind: Kind::Directory, ..Version::default() };
                    entries.push((name.clone(), Found { is_unreadable: true, ..Found::new(version) }));
                    continue;
                }
            };
            if self.scope.ignored.contains(&path.join(name), entry.is_directory()) {
                hides = true;
                continue;
            }
            if !entry.is_directory() && is_leftover(name) {
                leftovers.push(path.join(name));
                continue;
            }
            let mut version = version(&entry);
            if entry.is_directory() {
                version.is_mount = mount.is_some() && directory.mount_of(name).ok() != *mount;
                below.push(Task::List { side: *side, path: path.join(name).into(), inode: entry.inode() });
            }
            entries.push((name.clone(), Found::new(version)));
        }
        self.monitor.advance(0)?;
        let mut results = self.lock();
        results.entries[*side].entry(path.clone()).or_default().append(&mut entries);
        results.leftovers[*side].append(&mut leftovers);
        results.hiding[*side].extend(hides.then(|| path.clone()));
        drop(results);
        queue.add(below);
        Ok(())
    }

    fn fail(&self, side: Side, path: &Path, cause: io::Error) {
        let action = match side {
            Side::A => "cannot be read in A",
            Side::B => "cannot be read in B",
        };
        // A directory that has gone since its parent was listed is looked at in the next run.
        let error = Err::<(), _>(cause).file_context(action, path).expect_err("it is an error");
        let mut results = self.lock();
        results.unreadable[side].push(path.into());
        results.errors.push((side, error));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a tree from the entries of each directory.
fn assemble(top: Version, results: &Results, side: Side) -> Tree<Found> {
    let mut tree = Tree::new(Found::new(top));
    let mut ids = HashMap::from([(PathBuf::new(), Tree::<Found>::ROOT)]);
    for (path, entries) in &results.entries[side] {
        let Some(parent) = ids.get(&**path).copied() else { continue };
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        for (name, found) in entries {
            let id = tree.add(parent, name.clone(), *found);
            if found.version.is_directory() {
                ids.insert(path.join(name), id);
            }
        }
    }
    for path in &results.unreadable[side] {
        ids.get(&**path).into_iter().for_each(|id| tree.entry_mut(*id).is_unreadable = true);
    }
    for path in &results.hiding[side] {
        ids.get(&**path).into_iter().for_each(|id| tree.entry_mut(*id).hides = true);
    }
    tree
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
