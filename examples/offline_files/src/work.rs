//! The work of an item.

use std::sync::{MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, SystemTime};

use syncmgr::prelude::*;
use syncmgr::progress::ProgressUnit;

use crate::guard::{Deletions, Tally, emptied_message, held_message, host_plan};
use crate::handler::{Options, Parts};
use crate::item_monitor::ItemMonitor;
use crate::mirror::{self, Extent, Monitor, Pair, Plan, Quiet, ScanCache, ScanOptions, Stopped};
use crate::part::{Diagnostic, Kind, Part};
use crate::record::LoadedRecord;
use crate::roots::Roots;

/// The inputs of the work on an item, which blocks its thread, and the monitor that receives the results.
pub(crate) struct Work {
    pub(crate) pair: Pair,
    pub(crate) parts: Parts,
    pub(crate) roots: Roots,
    pub(crate) options: Options,
    pub(crate) monitor: ItemMonitor,
}

impl Work {
    /// Mirrors the item. Returns the directories that are in sync, and the start of the run if it mirrored everything.
    pub(crate) fn mirror(&self, record: &LoadedRecord) -> Result<(ScanCache, Option<SystemTime>), Stopped> {
        let mut plan = self.scan(record)?;
        self.monitor.part.result().counts.unchanged = plan.unchanged;
        self.guard(record, &mut plan)?;
        self.monitor.part.plan(plan.bytes());
        let changing = Progress::new().with_text("changing TO").with_unit(ProgressUnit::Bytes);
        self.monitor.item.report(changing).map_err(|_| Stopped)?;
        plan.deletes_after_errors = self.options.deletions == Deletions::Always;
        let began = plan.began;
        let in_sync = mirror::carry_out(&self.pair, plan, &self.options.own_files, &self.monitor)?;
        // A file that failed may have changed since an earlier run.
        Ok((in_sync, began.filter(|_| self.monitor.part.result().errors.is_empty())))
    }

    fn scan(&self, record: &LoadedRecord) -> Result<Plan, Stopped> {
        // Without a wait for another item that is counting the entries of this one.
        let tally = self.monitor.part.tally.try_lock();
        let options = self.scan_options(&record.cache, record.changed_since(&self.roots.ids));
        let plan = mirror::scan(&self.pair, &self.monitor.part.extent, options, &self.monitor)?;
        if let Ok(mut tally) = tally {
            *tally = Some(Tally::of(&plan));
        }
        Ok(plan)
    }

    /// Proposes the plan to the host and removes the deletions that the host does not allow. The item of a held plan ends as
    /// *needs user* until the user allows the deletions.
    fn guard(&self, record: &LoadedRecord, plan: &mut Plan) -> Result<(), Stopped> {
        let (own, whole) = self.tallies(plan)?;
        let is_emptied = self.is_emptied(record, own, whole);
        let Some(message) = self.objection(plan, own, whole, is_emptied) else { return Ok(()) };
        let largest = plan.deletions.iter().max_by_key(|deletion| deletion.entries);
        let message = match largest.filter(|_| self.monitor.part.extent == Extent::TopLevel) {
            Some(largest) => format!("{message} (among them {})", largest.path.display()),
            None => message,
        };
        let refusal = Diagnostic::new(self.monitor.part.path(), message).with_kind(Kind::Refusal);
        self.monitor.part.result().errors.push(refusal);
        // The next run would take a new copy for an entry that is left, and would delete the others.
        let discard = if is_emptied { Plan::discard_changes } else { Plan::discard_deletions };
        discard(plan);
        Ok(())
    }

    /// The numbers of the plan, and those of the whole run if the plan needs more than a look at its own.
    fn tallies(&self, plan: &Plan) -> Result<(Tally, Tally), Stopped> {
        let own = Tally::of(plan);
        let is_doubtful = self.options.deletions == Deletions::Guarded && own.loses_most();
        Ok((own, if is_doubtful { self.whole_run()? } else { own }))
    }

    /// Returns `true` if nothing that TO has would be left, in this item or in the whole run, and FROM may be unmounted.
    fn is_emptied(&self, record: &LoadedRecord, own: Tally, whole: Tally) -> bool {
        // The entries of the top level are judged with all others: most of what it had may be in items.
        let alone = (self.monitor.part.extent != Extent::TopLevel).then_some(own);
        let is_guarded = self.options.deletions == Deletions::Guarded;
        is_guarded && alone.into_iter().chain([whole]).any(|tally| tally.is_emptied(record.is_known()))
    }

    /// The reason that the deletions of the plan are not allowed.
    fn objection(&self, plan: &Plan, own: Tally, whole: Tally, is_emptied: bool) -> Option<String> {
        let judged = if own.is_large_loss() { own } else { whole };
        match self.monitor.item.propose(&host_plan(plan, judged, &self.roots)) {
            Err(PlanError::Held(violation)) => Some(held_message(own, whole, &violation)),
            Err(error) => Some(error.to_string()),
            // A person who has allowed so many deletions is not asked about them again.
            Ok(()) if is_emptied && !judged.is_large_loss() => emptied_message(&self.monitor.item, own),
            Ok(()) => None,
        }
    }

    /// The numbers of all items together. Scans the items that have not been scanned yet.
    fn whole_run(&self) -> Result<Tally, Stopped> {
        self.parts.values().try_fold(Tally::default(), |sum, part| Ok(sum + self.tally(part)?))
    }

    /// Counts the entries of another part, unless it is scanned already.
    fn tally(&self, part: &Part) -> Result<Tally, Stopped> {
        let mut known = self.lock_tally(part)?;
        if let Some(tally) = *known {
            return Ok(tally);
        }
        let cache = self.options.recorded_cache(part.item().id(), &self.roots.ids).unwrap_or_default();
        let options = ScanOptions { completes_renamings: false, ..self.scan_options(&cache, None) };
        let plan = mirror::scan(&self.pair, &part.extent, options, &Quiet(&self.monitor))?;
        Ok(*known.insert(Tally::of(&plan)))
    }

    /// Locks the numbers of a part once no item is counting them.
    #[expect(
        clippy::disallowed_methods,
        reason = "blocking code may wait, and shows meanwhile that it has not stalled"
    )]
    fn lock_tally<'a>(&self, part: &'a Part) -> Result<MutexGuard<'a, Option<Tally>>, Stopped> {
        const PAUSE: Duration = Duration::from_millis(10);
        loop {
            match part.tally.try_lock() {
                Ok(tally) => return Ok(tally),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            }
            self.monitor.advance(0)?;
        }
    }

    fn scan_options<'a>(&'a self, cache: &'a ScanCache, changed_since: Option<SystemTime>) -> ScanOptions<'a> {
        let extra_entries = self.options.deletions.extra_entries();
        let own_files = &self.options.own_files;
        ScanOptions { extra_entries, cache, changed_since, own_files, completes_renamings: true }
    }
}
