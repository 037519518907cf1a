//! Test helpers: mirroring of two small trees, and monitors.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use super::trees::Trees;
use super::*;

/// Runs a full scan.
pub(crate) fn scan(
    pair: &Pair,
    extent: &Extent,
    extra_entries: ExtraEntries,
    monitor: &dyn Monitor,
) -> Result<Plan, Stopped> {
    scan_with_cache(pair, extent, extra_entries, &ScanCache::default(), monitor)
}

/// Runs a scan that skips the directories in `cache`.
pub(crate) fn scan_with_cache(
    pair: &Pair,
    extent: &Extent,
    extra_entries: ExtraEntries,
    cache: &ScanCache,
    monitor: &dyn Monitor,
) -> Result<Plan, Stopped> {
    let own_files = &OwnFiles::default();
    let options = ScanOptions { extra_entries, cache, changed_since: None, own_files, completes_renamings: true };
    super::scan(pair, extent, options, monitor)
}

impl Trees {
    pub(crate) fn pair(&self) -> Pair {
        let kept = Kept { acls: true, ..Kept::default() };
        Pair::new(Directory::open(&self.from).unwrap(), Directory::open(&self.to).unwrap(), kept).separate()
    }

    /// Mirrors one extent as the program does.
    pub(crate) fn mirror(&self, extent: &Extent, extra_entries: ExtraEntries) -> Recorder {
        let recorder = Recorder::default();
        self.mirror_with_monitor(&recorder, extent, extra_entries).unwrap();
        recorder
    }

    pub(crate) fn mirror_with_monitor(
        &self,
        monitor: &dyn Monitor,
        extent: &Extent,
        extra_entries: ExtraEntries,
    ) -> Result<(), Stopped> {
        let pair = self.pair();
        let plan = scan(&pair, extent, extra_entries, monitor)?;
        carry_out(&pair, plan, monitor).map(drop)
    }

    /// Mirrors every item.
    pub(crate) fn mirror_all(&self, extra_entries: ExtraEntries) -> Recorder {
        let pair = self.pair();
        let names = directories_of(&pair.from, Some(&pair.to), &OwnFiles::default()).unwrap();
        let extents = names.into_iter().map(Extent::Directory).chain([Extent::TopLevel]);
        let recorder = Recorder::default();
        for extent in extents {
            self.mirror_with_monitor(&recorder, &extent, extra_entries).unwrap();
        }
        recorder
    }
}

/// Carries out `plan`.
pub(crate) fn carry_out(pair: &Pair, plan: Plan, monitor: &dyn Monitor) -> Result<ScanCache, Stopped> {
    super::carry_out(pair, plan, &OwnFiles::default(), monitor)
}

/// A monitor that records its calls.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) done: Mutex<Vec<Done>>,
    pub(crate) errors: Mutex<Vec<String>>,
    pub(crate) warnings: Mutex<Vec<String>>,
}

impl Recorder {
    pub(crate) fn count(&self, done: Done) -> usize {
        self.done.lock().unwrap().iter().filter(|&&other| other == done).count()
    }

    pub(crate) fn errors(&self) -> Vec<String> {
        self.errors.lock().unwrap().clone()
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap().clone()
    }
}

impl Monitor for Recorder {
    fn advance(&self, _: u64) -> Result<(), Stopped> {
        Ok(())
    }

    fn done(&self, done: Done) {
        self.done.lock().unwrap().push(done);
    }

    fn warn(&self, path: &Path, text: &str) {
        self.warnings.lock().unwrap().push(format!("{}: {text}", path.display()));
    }

    fn fail(&self, error: FileError) {
        self.errors.lock().unwrap().push(format!("{}: {error}", error.path.display()));
    }

    /// A time long after every timestamp in a test.
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000_000)
    }
}

/// A monitor that calls a closure after each write; an error from the closure stops the work.
pub(crate) struct Hook<F>(pub(crate) Recorder, pub(crate) F);

impl<F: Fn(u64) -> Result<(), Stopped> + Send + Sync> Monitor for Hook<F> {
    fn advance(&self, bytes: u64) -> Result<(), Stopped> {
        if bytes > 0 { (self.1)(bytes) } else { Ok(()) }
    }

    fn done(&self, done: Done) {
        self.0.done(done);
    }

    fn warn(&self, path: &Path, text: &str) {
        self.0.warn(path, text);
    }

    fn fail(&self, error: FileError) {
        self.0.fail(error);
    }

    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

/// A monitor with a fixed time.
pub(crate) struct At(pub(crate) Recorder, pub(crate) SystemTime);

impl Monitor for At {
    fn advance(&self, bytes: u64) -> Result<(), Stopped> {
        self.0.advance(bytes)
    }

    fn done(&self, done: Done) {
        self.0.done(done);
    }

    fn warn(&self, path: &Path, text: &str) {
        self.0.warn(path, text);
    }

    fn fail(&self, error: FileError) {
        self.0.fail(error);
    }

    fn now(&self) -> SystemTime {
        self.1
    }
}
