//! The blocking work of an item.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr::environment::{Clock, SystemClock};
use syncmgr::prelude::*;

use crate::guard::Tally;
use crate::handler::Options;
use crate::mirror::{self, Done, FileError, Monitor, Pair, Plan, Quiet, ScanCache, ScanOptions, Stopped};
use crate::part::{Diagnostic, Part};

/// The inputs of a blocking operation, and the part that receives its results.
pub(crate) struct Work {
    pub(crate) pair: Pair,
    pub(crate) part: Arc<Part>,
    pub(crate) options: Options,
    pub(crate) item: ItemContext,
}

impl Work {
    pub(crate) fn scan(&self, cache: &ScanCache, changed_since: Option<SystemTime>) -> Result<Plan, Stopped> {
        let options = self.scan_options(cache, changed_since);
        let plan = mirror::scan(&self.pair, &self.part.extent, options, self)?;
        self.part.result().counts.unchanged = plan.unchanged;
        self.part.tally.get_or_init(|| Tally::of(&plan));
        Ok(plan)
    }

    /// Counts the entries of another part, unless it is scanned already.
    pub(crate) fn tally(&self, part: &Part) -> Result<Tally, Stopped> {
        if let Some(tally) = part.tally.get() {
            return Ok(*tally);
        }
        let (cache, monitor) = (ScanCache::default(), Quiet(self));
        let plan = mirror::scan(&self.pair, &part.extent, self.scan_options(&cache, None), &monitor)?;
        Ok(*part.tally.get_or_init(|| Tally::of(&plan)))
    }

    /// Compares the changed directories again and returns those that are in sync. This finds changes that other programs made in
    /// the meantime.
    pub(crate) fn scan_again(&self, cache: &ScanCache, began: Option<SystemTime>) -> Result<ScanCache, Stopped> {
        // After an error, a file in TO may have attributes that the run could not set.
        let applied_since = began.filter(|_| self.part.result().errors.is_empty());
        let options = ScanOptions { applied_since, ..self.scan_options(cache, began) };
        Ok(mirror::scan(&self.pair, &self.part.extent, options, &Quiet(self))?.in_sync)
    }

    fn scan_options<'a>(&'a self, cache: &'a ScanCache, changed_since: Option<SystemTime>) -> ScanOptions<'a> {
        let extra_entries = self.options.deletions.extra_entries();
        ScanOptions { extra_entries, cache, changed_since, applied_since: None, own_files: &self.options.own_files }
    }

    pub(crate) fn prepare(&self, mut plan: Plan) -> Result<Plan, Stopped> {
        mirror::prepare(&self.pair.to, &mut plan, self)?;
        self.part.plan(plan.bytes());
        Ok(plan)
    }

    pub(crate) fn finish(&self, plan: &Plan) -> Result<(), Stopped> {
        mirror::make_changes(&self.pair, &plan.changes, self)?;
        mirror::delete_entries(&self.pair, &plan.deletions, self)?;
        mirror::finalize_directories(&self.pair, &plan.directories, self)
    }
}

impl Monitor for Work {
    fn advance(&self, bytes: u64) -> Result<(), Stopped> {
        let (written, planned) = self.part.add_written(bytes);
        self.item.progress(written, planned).map_err(|_| Stopped)
    }

    fn done(&self, done: Done) {
        self.part.result().counts.count(done);
    }

    fn warn(&self, path: &Path, text: &str) {
        self.part.warn(&self.item, path, text);
    }

    fn fail(&self, error: FileError) {
        let diagnostic = Diagnostic::new(&error.path, error.to_string());
        // An error that the stop caused is not an error of the file.
        if self.item.tolerate(&diagnostic.path, Err::<(), _>(error)).is_ok() {
            self.part.result().errors.push(diagnostic);
        }
    }

    fn now(&self) -> SystemTime {
        SystemClock::default().now().wall
    }
}
