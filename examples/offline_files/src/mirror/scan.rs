//! Comparison of the two sides of an item.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustix::io::Errno;

use super::attributes::Attributes;
use super::compare::{Found, collides};
use super::entry::{Entry, Kind};
use super::extent::Extent;
use super::failures::Failures;
use super::links::Links;
use super::listing::Listing;
use super::monitor::{Failure, FileContext, FileError, Location, Monitor, Stopped, tolerate};
use super::narrow::Unreadable;
use super::own_files::OwnFiles;
use super::pair::Pair;
use super::plan::{Expected, Plan, PlannedDirectory, Respelling};
use super::queue::{Queue, share};
use super::scan_cache::{Both, Place, ScanCache, SourceDigest, place_of};
use super::sides::Sides;
use super::visit::{Difference, Pending, TargetEntry, Visit};

/// The number of directories that one thread scans faster than several.
const FEW_DIRECTORIES: usize = 16;

/// The number of entries of one directory that a thread compares at a time.
const CHUNK: usize = 1024;

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
    /// The directories that need no comparison, and the known places.
    pub(crate) cache: &'a ScanCache,
    /// Files that may have changed since this time are compared by their contents if sizes and times are equal.
    pub(crate) changed_since: Option<SystemTime>,
    /// The files to leave alone on both sides.
    pub(crate) own_files: &'a OwnFiles,
    /// Completes the renamings of a killed run. Only the item that carries out the plan may do so: any other scan would break a
    /// renaming that this item has begun.
    pub(crate) completes_renamings: bool,
}

/// Compares the two sides of `extent`. An entry that cannot be read is reported and not changed in TO. For a cached directory,
/// only the entries in FROM are read.
pub(crate) fn scan(
    root: &Pair,
    extent: &Extent,
    options: ScanOptions<'_>,
    monitor: &dyn Monitor,
) -> Result<Plan, Stopped> {
    let (plan, links, began) = (Mutex::default(), Links::default(), monitor.now());
    let monitor = &Failures::new(monitor);
    let scan = Scan { root, options, monitor, began, plan, links };
    let start = root.tolerate(monitor, scan.start(extent))?.flatten();
    let few = if root.asked.hard_links { usize::MAX } else { FEW_DIRECTORIES };
    share(&root.jobs, few, start.into_iter().collect(), |directory, queue| {
        let unreadable = Unreadable::of(&directory);
        let visited = scan.visit(directory, queue);
        let is_denied = matches!(&visited, Err(Failure::File(error)) if error.is_denied_in_source());
        let is_reported = root.tolerate(monitor, visited)?.is_none();
        scan.lock().unreadable.extend((is_denied && is_reported).then_some(unreadable));
        Ok(())
    })?;
    let mut plan = scan.plan.into_inner().unwrap_or_else(PoisonError::into_inner);
    plan.began = Some(began);
    plan.has_failed = monitor.has_failed();
    plan.sort();
    scan.links.protect_others(&mut plan);
    Ok(plan)
}

/// A running scan. Each thread has one directory open on each side.
pub(super) struct Scan<'a> {
    pub(super) root: &'a Pair,
    pub(super) options: ScanOptions<'a>,
    pub(super) monitor: &'a Failures<'a>,
    pub(super) began: SystemTime,
    plan: Mutex<Plan>,
    pub(super) links: Links,
}

/// The entries of a directory in FROM, in parts of equal size; `None` if one cannot be read.
#[derive(Default)]
struct Facts(Vec<Vec<Option<Entry>>>);

impl Facts {
    fn get(&self, index: usize) -> Option<Entry> {
        let size = self.0[0].len();
        self.0[index / size][index % size]
    }

    /// The entries that could be read, with their names.
    fn named<'a>(&'a self, names: &'a Listing) -> impl Iterator<Item = (&'a OsStr, Entry)> {
        names.names().zip(self.0.iter().flatten()).filter_map(|(name, entry)| Some((name, (*entry)?)))
    }
}

impl Scan<'_> {
    /// The directory that `extent` begins with; `None` if it is TO itself.
    fn start(&self, extent: &Extent) -> Result<Option<Pending>, Failure> {
        let top = Visit::top(self.root)?;
        let Extent::Directory(name) = extent else { return Ok(Some(top.about)) };
        let from = top.find_from(name)?.filter(|from| from.kind == Kind::Directory);
        let from = from.ok_or(Errno::NOTDIR).file_context("cannot be opened", Location::From, Path::new(name))?;
        let mut found = Found::default();
        let target = self.find_item(&top, &mut found, name)?;
        self.directory(&top, &mut found, &target, from);
        self.lock().merge(found.plan);
        Ok(found.directories.pop())
    }

    /// Looks up the directory of an item in TO, which gets the name in FROM. Fails if TO has the same directory for another item.
    fn find_item<'n>(&self, top: &Visit, found: &mut Found, name: &'n OsStr) -> Result<TargetEntry<'n>, FileError> {
        let claims = &self.root.claims;
        let _looking_up = claims.look_up();
        let mut target = top.find(name)?;
        if target.to.is_none() && self.options.completes_renamings {
            top.complete_respell(name);
            target = top.find(name)?;
        }
        if target.to.is_none() || claims.lists(&self.root.to, name) {
            return Ok(target);
        }
        let Some(spelling) = top.spelling(name)? else { return Ok(target) };
        if top.list_source(&[])?.contains(&spelling) || self.hidden(top).contains(&&*spelling) {
            return Err(collides(top, &target, &spelling));
        }
        claims.claim(&spelling, name).map_err(|other| collides(top, &target, &other))?;
        found.plan.respellings.push(Respelling::of(&top.path, &spelling, name));
        Ok(target)
    }

    /// Scans a directory, and adds it to the plan if it changes. Its entries in TO are read only if it is not in the cache.
    fn visit(&self, directory: Pending, queue: &Queue<Pending>) -> Result<(), Failure> {
        let visit = Visit::open(self.root, directory)?;
        let hidden = self.hidden(&visit);
        self.refuse_own_names(&visit)?;
        let names = visit.list_source(&hidden)?;
        let facts = if self.options.cache.is_empty() { None } else { Some(self.read_source(&visit, &names)?) };
        let cached = facts.as_ref().map(|facts| self.cached(&visit, &names, facts)).transpose()?.flatten();
        let mut found = match (facts, cached) {
            (Some((digest, facts)), Some(has_extra)) => self.use_cache(&visit, &names, digest, &facts, has_extra)?,
            (facts, _) => self.compare_all(&visit, &names, facts.map(|(_, facts)| facts), &hidden)?,
        };
        let has_attributes = visit.is_top() || cached.is_some() && !found.touched;
        // If they cannot be read, nothing below the directory is scanned.
        let attributes = (!has_attributes).then(|| visit.compare_attributes()).transpose()?;
        queue.add(found.directories.drain(..));
        self.add_to_plan(visit, names, found, attributes);
        Ok(())
    }

    /// The names that are left alone on both sides of a directory.
    fn hidden(&self, visit: &Visit) -> Vec<&OsStr> {
        let own_names = self.options.own_files.names_in(&visit.path, &visit.about.from, visit.about.to.as_ref());
        own_names.iter().map(OsString::as_os_str).chain([self.root.file_systems.sample_name()]).collect()
    }

    /// Reports the entries of FROM whose names are those of own files in TO.
    fn refuse_own_names(&self, visit: &Visit) -> Result<(), Stopped> {
        for name in self.options.own_files.names_in_target(&visit.path, visit.about.to.as_ref()) {
            let refused = match visit.find_from(name) {
                Ok(Some(_)) => Err(FileError::new(visit.path.join(name), "is not copied", taken())),
                found => found.map(drop),
            };
            tolerate(self.monitor, refused)?;
        }
        Ok(())
    }

    /// Adds a directory to the plan, with the attributes of its copy, and how it differs from them.
    fn add_to_plan(&self, visit: Visit, names: Listing, found: Found, attributes: Option<(Attributes, Difference)>) {
        let Found { mut plan, changes, source, checksum, touched, failed, is_uncertain, has_extra, .. } = found;
        let difference = attributes.as_ref().map_or(Difference::None, |(_, difference)| *difference);
        let source = if failed { SourceDigest::UNKNOWN } else { source };
        let place = (!is_uncertain).then(|| self.place(&visit.path, &visit.about.from));
        if touched || difference != Difference::None {
            let Pending { path, from, to, file_system, .. } = visit.about;
            let attributes = attributes.map(|(attributes, _)| attributes);
            let outcome = Expected::new(source, has_extra, checksum, place);
            let is_adjusted = difference == Difference::Attributes;
            let planned =
                PlannedDirectory { path, from, to, file_system, attributes, is_adjusted, names, changes, outcome };
            plan.updates += u64::from(planned.exists() && planned.attributes.is_some());
            plan.directories.push(planned);
        } else {
            plan.in_sync.extend(self.digest(&visit, source, has_extra));
            place.into_iter().for_each(|place| plan.in_sync.add_place(place));
        }
        self.lock().merge(plan);
    }

    fn digest(&self, visit: &Visit, source: SourceDigest, has_extra: bool) -> Option<u64> {
        let Pending { path, from, to, file_system, .. } = &visit.about;
        Both { path, from, to: to.as_ref()?, file_system }.digest(source, has_extra, self.began)
    }

    pub(super) fn place(&self, path: &Path, from: &Entry) -> Place {
        place_of(path, from, self.root.device_of_from())
    }

    /// Returns whether a cached directory has extra entries; `None` if it is not cached, or if a file in it needs another link.
    fn cached(
        &self,
        visit: &Visit,
        names: &Listing,
        (source, facts): &(SourceDigest, Facts),
    ) -> Result<Option<bool>, FileError> {
        let is_cached = |has_extra| {
            self.digest(visit, *source, has_extra).is_some_and(|digest| self.options.cache.contains(digest))
        };
        let has_extra = match self.options.extra_entries {
            _ if is_cached(false) => false,
            ExtraEntries::Keep if is_cached(true) => true,
            _ => return Ok(None),
        };
        Ok(self.add_links(visit, names, facts)?.then_some(has_extra))
    }

    /// Reads all entries in FROM.
    fn read_source(&self, visit: &Visit, names: &Listing) -> Result<(SourceDigest, Facts), Failure> {
        let parts = self.in_chunks(names.len(), |range| {
            let (mut digest, mut entries) = (SourceDigest::default(), Vec::with_capacity(range.len()));
            for name in range.map(|index| names.name(index)) {
                entries.push(self.read_entry(visit, name, &mut digest)?);
            }
            Ok((digest, entries))
        })?;
        let (mut digest, mut facts) = (SourceDigest::default(), Facts::default());
        for (part, entries) in parts {
            digest.merge(part);
            facts.0.push(entries);
        }
        Ok((digest, facts))
    }

    /// Reads an entry in FROM; `None` if it has vanished or if it cannot be read, which is reported.
    fn read_entry(&self, visit: &Visit, name: &OsStr, digest: &mut SourceDigest) -> Result<Option<Entry>, Stopped> {
        self.monitor.advance(0)?;
        let entry = tolerate(self.monitor, visit.find_from(name))?.flatten();
        digest.add(name, entry.as_ref(), self.began);
        Ok(entry)
    }

    /// Adds the files with several names in a cached directory. Returns `false`, and adds none, if one of them needs another link.
    fn add_links(&self, visit: &Visit, names: &Listing, facts: &Facts) -> Result<bool, FileError> {
        let device = visit.about.file_system.device;
        let mut added = Vec::new();
        for (name, from) in facts.named(names).filter(|(_, from)| self.has_links(from)) {
            let target = visit.find(name)?;
            if self.links.find(&from, device).is_some_and(|first| first.link_for(&target).is_some()) {
                return Ok(false);
            }
            added.push((from, target));
        }
        added.into_iter().for_each(|(from, TargetEntry { name, to })| {
            self.links.add((&from, device), visit.path.join(name), to, None);
        });
        Ok(true)
    }

    /// Uses the cached result of a directory. The subdirectories are scanned separately.
    fn use_cache(
        &self,
        visit: &Visit,
        names: &Listing,
        source: SourceDigest,
        facts: &Facts,
        has_extra: bool,
    ) -> Result<Found, Failure> {
        let mut found = Found { source, has_extra, ..Found::default() };
        for (name, from) in facts.named(names) {
            found.count_source(&from);
            match from.kind {
                Kind::Directory if visit.is_top() => continue,
                Kind::Directory => self.directory(visit, &mut found, &visit.find(name)?, from),
                Kind::File | Kind::Link => found.plan.unchanged += 1,
                Kind::Special(what) => {
                    self.skip_special(visit, name, what);
                    continue;
                }
            }
            found.plan.existing += 1;
        }
        Ok(found)
    }

    fn compare_all(
        &self,
        visit: &Visit,
        names: &Listing,
        facts: Option<Facts>,
        hidden: &[&OsStr],
    ) -> Result<Found, Failure> {
        let listed = visit.list_target(hidden)?;
        let sides = Sides::new(visit, names, &listed, hidden);
        let parts = self.in_chunks(names.len(), |range| {
            let mut found = Found::default();
            for index in range {
                self.compare_index(&sides, &mut found, index, facts.as_ref())?;
            }
            Ok(found)
        })?;
        let mut found = parts.into_iter().fold(Found::with_checksum(sides.listed.checksum), Found::merge);
        self.compare_extra(&sides, &mut found)?;
        Ok(found)
    }

    /// Compares the names that only TO has, unless one of them may be a name of FROM in another spelling. An error here is none of an
    /// entry of FROM.
    fn compare_extra(&self, sides: &Sides<'_>, found: &mut Found) -> Result<(), Stopped> {
        if let Some(error) = sides.failed() {
            if self.options.extra_entries == ExtraEntries::Delete && sides.only_in_target().next().is_some() {
                let path = if sides.visit.is_top() { Path::new(".") } else { &sides.visit.path };
                self.monitor.warn(path, &format!("no extra entries are deleted, because TO cannot look up {error}"));
            }
            return Ok(());
        }
        // An item may have renamed its directory since it was listed, and for a moment no name in FROM found it.
        let is_of_item = |name: &&OsStr| sides.visit.is_top() && self.root.claims.has(name);
        for name in sides.only_in_target().filter(|name| !is_of_item(name)) {
            self.monitor.advance(0)?;
            let compared = self.only_in_target(sides, found, name);
            found.failed |= tolerate(self.monitor.monitor, compared)?.is_none();
        }
        Ok(())
    }

    fn compare_index(
        &self,
        sides: &Sides<'_>,
        found: &mut Found,
        index: usize,
        facts: Option<&Facts>,
    ) -> Result<(), Stopped> {
        let Some(from) = self.source_entry(sides, found, index, facts)? else {
            // That it cannot be read is reported already, and its copy is no extra entry.
            let _ = sides.find(sides.names.name(index));
            (found.failed, found.is_uncertain) = (true, true);
            return Ok(());
        };
        found.count_source(&from);
        let compared = self.compare(sides, found, index, from);
        found.failed |= self.root.tolerate(self.monitor, compared)?.is_none();
        Ok(())
    }

    /// The entry in FROM at `index`, which is read unless `facts` are given; `None` if it cannot be read.
    fn source_entry(
        &self,
        sides: &Sides<'_>,
        found: &mut Found,
        index: usize,
        facts: Option<&Facts>,
    ) -> Result<Option<Entry>, Stopped> {
        let name = sides.names.name(index);
        let Some(facts) = facts else { return self.read_entry(sides.visit, name, &mut found.source) };
        let from = facts.get(index);
        found.source.add(name, from.as_ref(), self.began);
        Ok(from)
    }

    /// Calls `work` with the indexes below `count` in parts, which several threads share. Returns the results in order.
    fn in_chunks<R: Send>(
        &self,
        count: usize,
        work: impl Fn(Range<usize>) -> Result<R, Stopped> + Sync,
    ) -> Result<Vec<R>, Stopped> {
        if count <= CHUNK || self.root.asked.hard_links {
            return Ok(vec![work(0..count)?]);
        }
        let results = Mutex::new(BTreeMap::new());
        let ranges = (0..count).step_by(CHUNK).map(|start| start..count.min(start + CHUNK)).collect();
        share(&self.root.jobs, 0, ranges, |range: Range<usize>, _| {
            let (start, result) = (range.start, work(range)?);
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(start, result);
            Ok(())
        })?;
        Ok(results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error for a name that an own file has in TO.
fn taken() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "the state of this program has this name in TO")
}
