//! Comparison of the two sides of an item.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::io::Errno;

use super::directory::Pair;
use super::entry::{FileId, Kind};
use super::extent::Extent;
use super::monitor::{Failure, FileContext, Monitor, Stopped, tolerate};
use super::own_files::OwnFiles;
use super::plan::{Plan, PlannedDirectory};
use super::scan_cache::{CachedDirectory, ScanCache, SourceEntries, digest};
use super::spelling::swap_case;
use super::visit::Visit;

/// The handling of entries that only TO has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtraEntries {
    Keep,
    Delete,
}

/// The options of a scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanOptions<'a> {
    pub(crate) extra_entries: ExtraEntries,
    /// The directories that need no comparison.
    pub(crate) cache: &'a ScanCache,
    /// Files that may have changed since this time are compared by their contents if sizes and times are equal.
    pub(crate) changed_since: Option<SystemTime>,
    /// Files that have not changed since this time have their attributes in TO if owners and permission bits are equal.
    pub(crate) applied_since: Option<SystemTime>,
    /// The files to leave alone on both sides.
    pub(crate) own_files: &'a OwnFiles,
}

/// Compares the two sides of `extent`. An entry that cannot be read is reported and not changed in TO. For a cached directory,
/// only the entries in FROM are read.
pub(crate) fn scan(
    root: &Pair,
    extent: &Extent,
    options: ScanOptions<'_>,
    monitor: &dyn Monitor,
) -> Result<Plan, Stopped> {
    let (pending, began) = (VecDeque::new(), monitor.now());
    let plan = Plan { began: Some(began), ..Plan::default() };
    let mut scan = Scan { root, options, monitor, began, plan, pending, linked: HashMap::new() };
    root.tolerate(monitor, scan.start(extent))?;
    while let Some(directory) = scan.pending.pop_front() {
        root.tolerate(monitor, scan.visit(directory))?;
    }
    if let Some(text) = root.sample.report() {
        monitor.warn(Path::new("."), text);
    }
    Ok(scan.plan)
}

/// A running scan. It is breadth-first and has one directory open on each side.
pub(super) struct Scan<'a> {
    pub(super) root: &'a Pair,
    pub(super) options: ScanOptions<'a>,
    pub(super) monitor: &'a dyn Monitor,
    began: SystemTime,
    pub(super) plan: Plan,
    pub(super) pending: VecDeque<PlannedDirectory>,
    /// The files in FROM with several names.
    pub(super) linked: HashMap<FileId, Linked>,
}

/// A file with several names.
pub(super) struct Linked {
    /// The path with the first of its names.
    pub(super) path: PathBuf,
    /// The file in TO, if it needs no copy.
    pub(super) to: Option<FileId>,
}

impl Scan<'_> {
    fn start(&mut self, extent: &Extent) -> Result<(), Failure> {
        let mut top = Visit::top(self.root);
        match extent {
            Extent::TopLevel => self.scan_directory(&mut top),
            Extent::Directory(name) => {
                let from = top.find_from(name)?.filter(|from| from.kind == Kind::Directory);
                let from = from.ok_or(Errno::NOTDIR).file_context("cannot be opened in FROM", Path::new(name))?;
                let target = top.find(name)?;
                if swap_case(name).is_some_and(|swapped| top.find(&swapped).is_ok_and(|target| target.to.is_some())) {
                    self.refuse_collision(&top, &target)?;
                }
                self.directory(&mut top, &target, from);
                Ok(())
            }
        }
    }

    /// Scans a directory, and adds the directory itself to the plan if it changes.
    fn visit(&mut self, mut directory: PlannedDirectory) -> Result<(), Failure> {
        let mut visit = Visit::open(self.root, &directory)?;
        let has_same_attributes = visit.compare_attributes(&mut directory, self.root)?;
        let has_same_time = directory.to.is_some_and(|to| self.root.sample.same_time(&directory.from, &to));
        self.scan_directory(&mut visit)?;
        if visit.touched || !has_same_time || !has_same_attributes {
            self.plan.updates += u64::from(directory.exists());
            self.plan.directories.push(directory);
        }
        Ok(())
    }

    /// Scans the entries of a directory. Reads them in TO only if the directory is not in the cache.
    fn scan_directory(&mut self, visit: &mut Visit) -> Result<(), Failure> {
        let mut source = visit.source(self.monitor)?;
        for own in self.options.own_files.names_in(&visit.path) {
            source.remove(own);
        }
        self.plan.entries += source.len() as u64;
        self.plan.files += source.values().flatten().filter(|entry| !entry.is_directory()).count() as u64;
        let existing = self.plan.existing;
        let digest = digest(&visit.path, &source, visit.stamp, self.began);
        let cached = digest.and_then(|digest| self.options.cache.get(digest));
        match cached.filter(|cached| self.options.extra_entries == ExtraEntries::Keep || cached.extra_count == 0) {
            Some(cached) => self.use_cache(visit, &source, cached)?,
            None => self.compare_all(visit, &source)?,
        }
        if let Some(digest) = digest.filter(|_| visit.is_in_sync()) {
            let cached = CachedDirectory { existing: self.plan.existing - existing, extra_count: visit.extra_count };
            self.plan.in_sync.insert(digest, cached);
        }
        Ok(())
    }

    /// Uses the cached result of a directory. The subdirectories are scanned separately.
    fn use_cache(&mut self, visit: &mut Visit, source: &SourceEntries, cached: CachedDirectory) -> Result<(), Failure> {
        for (name, from) in source {
            self.monitor.advance(0)?;
            match from.map(|from| (from.kind, from)) {
                Some((Kind::Directory, from)) if !visit.is_top() => {
                    let target = visit.find(name)?;
                    self.directory(visit, &target, from);
                }
                Some((Kind::File | Kind::Link, _)) => self.count_unchanged(),
                Some((Kind::Special(what), _)) => self.skip_special(visit, name, what),
                _ => {}
            }
        }
        visit.extra_count = cached.extra_count;
        self.plan.existing += cached.existing;
        Ok(())
    }

    fn compare_all(&mut self, visit: &mut Visit, source: &SourceEntries) -> Result<(), Failure> {
        let mut listed = visit.names(self.options.own_files, &self.root.sample)?;
        for (name, from) in source {
            self.monitor.advance(0)?;
            let Some(from) = *from else { continue };
            let compared = self.compare(visit, name, from, source, &mut listed);
            visit.failed |= self.root.tolerate(self.monitor, compared)?.is_none();
        }
        for name in listed.iter().filter(|name| !source.contains_key(*name)) {
            self.monitor.advance(0)?;
            let compared = self.only_in_target(visit, name);
            visit.failed |= tolerate(self.monitor, compared)?.is_none();
        }
        Ok(())
    }
}
