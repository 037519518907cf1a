//! The items that a run leaves out because an earlier run covers them, or because their earlier work is still running.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::merge::Terms;
use syncmgr_core::decision::protocol::Stage;
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::id::{ItemId, SessionId};
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel};

use super::Run;
use super::events::{NotRun, RunEvent};
use super::state::Earlier;

impl Run {
    /// Adds earlier runs of the same handler. This run leaves out the items that an earlier run begins from now on.
    pub(crate) fn add_earlier_runs(&self, earlier: impl Iterator<Item = Arc<Run>>) {
        for run in earlier {
            if run.generation == self.generation && run.terms().cover(&self.terms()) {
                let (attempt, entry) = run.position();
                self.lock().earlier.push(Earlier { run: run.clone(), attempt, entry });
            }
            run.add_overtaking_run(self.this.upgrade());
        }
    }

    /// Adds a run that was requested after this run but may begin before it.
    fn add_overtaking_run(&self, later: Option<Arc<Run>>) {
        let Some(run) = later.filter(|later| later.generation == self.generation && later.terms().cover(&self.terms()))
        else {
            return;
        };
        if self.lock().protocol.stage() == Stage::Created {
            self.lock().earlier.push(Earlier { run, attempt: 0, entry: 0 });
        }
    }

    /// Returns the position of the run: its attempt, and the length of the journal.
    fn position(&self) -> (u32, usize) {
        let attempt = self.attempt();
        (attempt.number(), attempt.journal_len())
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            cookie: self.run_info.cookie.as_deref(),
            flags: self.run_info.flags,
            priority: self.scope.terms.priority,
        }
    }

    /// Returns the items that this run may run. Adds an event for each item that is left out, with the reason.
    pub(super) fn runnable(&self, items: Arc<[SyncItem]>) -> Arc<[SyncItem]> {
        let (earlier, skipped) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.earlier), std::mem::take(&mut state.skipped))
        };
        let merged = merged(&earlier);
        let quarantined = self.host().admission.quarantined();
        let clean = self.host().ledger().is_clean(self.id.handler);
        let held = self.claims_of_callers();
        if clean && merged.is_empty() && skipped.is_empty() && quarantined.is_empty() && held.is_empty() {
            return items;
        }
        let (mut runs, mut not_run) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items.iter() {
            let id = item.id();
            if skipped.contains(&id) {
                not_run.push(NotRun { item: item.clone(), verdict: Verdict::plain(Outcome::Skipped), hold: None });
            } else if quarantined.contains(&(self.id.handler, id)) {
                not_run.push(self.exclude_quarantined(item));
                self.postpone_quarantined(id);
            } else if let Some(claim) = self.claims_of(item).find(|claim| held.contains(claim)) {
                not_run.push(self.exclude_claiming(item, claim));
            } else if let Some((session, verdict)) = merged.get(&id) {
                let hold = Some(Hold::Merged { session: *session });
                not_run.push(NotRun { item: item.clone(), verdict: *verdict, hold });
            } else if let Some(hold) = self.hold_of(item) {
                not_run.push(NotRun {
                    item: item.clone(),
                    verdict: Verdict::plain(Outcome::Skipped),
                    hold: Some(hold),
                });
            } else {
                runs.push(item.clone());
            }
        }
        not_run.into_iter().for_each(|item| self.add_event(RunEvent::NotRun(Arc::new(item))));
        runs.into()
    }

    /// Leaves an item out that needs a claim of the item that started the session and may wait for it.
    fn exclude_claiming(&self, item: &SyncItem, claim: &Claim) -> NotRun {
        let text = format!("left out: it needs {claim}, which the item that started this session holds");
        self.log(LogEntry::new(LogLevel::Warning, text).with_item(item.id()));
        let hold = Some(Hold::Claimed { claim: claim.clone() });
        NotRun { item: item.clone(), verdict: Verdict::plain(Outcome::Skipped), hold }
    }

    /// Leaves an item out whose earlier work is still running, so that it does not run twice at the same time.
    fn exclude_quarantined(&self, item: &SyncItem) -> NotRun {
        let text = "left out: what it started in an earlier session was abandoned and is still running";
        self.log(LogEntry::new(LogLevel::Warning, text).with_item(item.id()));
        NotRun { item: item.clone(), verdict: Verdict::plain(Outcome::Skipped), hold: Some(Hold::Quarantined) }
    }
}

/// Returns the items covered by earlier runs, each with its last verdict and the session of the earlier run.
fn merged(earlier: &[Earlier]) -> BTreeMap<ItemId, (SessionId, Verdict)> {
    let mut merged = BTreeMap::new();
    for Earlier { run, attempt: first, entry } in earlier {
        for attempt in run.attempts().iter().filter(|attempt| attempt.number() >= *first) {
            let from = if attempt.number() == *first { *entry } else { 0 };
            let covered = attempt.covered(from);
            for (index, outcome) in covered {
                let (item, verdict) = (attempt.selection()[index].id(), attempt.failure(index));
                // An item that was stopped and abandoned in the earlier run does not count as failed for the caller of
                // this run.
                if !attempt.was_abandoned(item) {
                    merged.insert(item, (run.id.session, verdict.unwrap_or(Verdict::plain(outcome))));
                }
            }
        }
    }
    merged
}
