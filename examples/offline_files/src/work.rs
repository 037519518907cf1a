//! The blocking work on an item.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr::environment::{Clock, SystemClock};
use syncmgr::prelude::*;

use crate::handler::Terms;
use crate::mirror::{self, Basis, Done, FileError, Memory, Monitor, Pair, Plan, Quiet, Stopped};
use crate::part::{Part, Remark};

/// What a piece of work needs, and where it reports.
pub(crate) struct Work {
    pub(crate) pair: Pair,
    pub(crate) part: Arc<Part>,
    pub(crate) terms: Terms,
    pub(crate) item: ItemContext,
}

impl Work {
    pub(crate) fn scan(&self, known: &Memory) -> Result<Plan, Stopped> {
        let plan = mirror::scan(&self.pair, &self.part.extent, self.basis(known), self)?;
        self.part.tally().counts.unchanged = plan.unchanged;
        Ok(plan)
    }

    /// Compares what was changed, now that it is done. Only what a scan found in order is recorded: whatever else went on
    /// in the meantime, on either side, shows.
    pub(crate) fn scan_again(&self, known: &Memory) -> Result<Memory, Stopped> {
        Ok(mirror::scan(&self.pair, &self.part.extent, self.basis(known), &Quiet(self))?.settled)
    }

    fn basis<'a>(&'a self, known: &'a Memory) -> Basis<'a> {
        Basis { surplus: self.terms.deletions.surplus(), known, aside: self.terms.aside.as_deref() }
    }

    pub(crate) fn prepare(&self, mut plan: Plan) -> Result<Plan, Stopped> {
        mirror::remove_leftovers(&self.pair.to, &plan.leftovers, self)?;
        mirror::make_directories(&self.pair.to, &mut plan, self)?;
        self.part.plan(plan.bytes());
        Ok(plan)
    }

    pub(crate) fn finish(&self, plan: &Plan) -> Result<(), Stopped> {
        mirror::delete_entries(&self.pair.to, &plan.deletions, self)?;
        mirror::settle_directories(&self.pair.to, &plan.directories, self)
    }
}

impl Monitor for Work {
    fn moved(&self, bytes: u64) -> Result<(), Stopped> {
        let (written, planned) = self.part.wrote(bytes);
        self.item.progress(written, planned).map_err(|_| Stopped)
    }

    fn done(&self, done: Done) {
        self.part.tally().counts.add(done);
    }

    fn warn(&self, path: &Path, text: &str) {
        self.part.warn(&self.item, path, text);
    }

    fn fail(&self, error: FileError) {
        let remark = Remark::new(&error.path, error.to_string());
        // An error after a stop says nothing about the file.
        if self.item.tolerate(&remark.path, Err::<(), _>(error)).is_ok() {
            self.part.tally().errors.push(remark);
        }
    }

    fn now(&self) -> SystemTime {
        SystemClock::default().now().wall
    }
}
