//! What other runs spare this one: items an earlier run has covered, and items whose earlier work still goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::merge::Terms;
use syncmgr_core::decision::protocol::Stage;
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::id::{ItemId, SessionId};
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel};

use super::Run;
use super::notes::{Apart, Note};
use super::state::Earlier;

impl Run {
    /// These runs of the same handler come first. What they begin from now on need not run again here.
    pub(crate) fn comes_after(&self, earlier: impl Iterator<Item = Arc<Run>>) {
        for run in earlier {
            if run.terms().cover(&self.terms()) {
                let (attempt, entry) = run.moment();
                self.lock().earlier.push(Earlier { run: run.clone(), attempt, entry });
            }
            run.may_be_overtaken_by(self.this.upgrade());
        }
    }

    /// This run was asked for later, and may begin earlier.
    fn may_be_overtaken_by(&self, later: Option<Arc<Run>>) {
        let Some(run) = later.filter(|later| later.terms().cover(&self.terms())) else { return };
        if self.lock().protocol.stage() == Stage::Created {
            self.lock().earlier.push(Earlier { run, attempt: 0, entry: 0 });
        }
    }

    /// How far the run is: its attempt, and the length of its journal.
    fn moment(&self) -> (u32, usize) {
        let attempt = self.attempt();
        (attempt.number(), attempt.journal_len())
    }

    fn terms(&self) -> Terms<'_> {
        Terms { cookie: self.facts.cookie.as_deref(), flags: self.facts.flags, priority: self.scope.terms.priority }
    }

    /// Leaves out what need not or cannot run here, each item with its reason; the rest is returned.
    pub(super) fn set_apart(&self, wanted: Arc<[SyncItem]>) -> Arc<[SyncItem]> {
        let (earlier, skipped) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.earlier), std::mem::take(&mut state.skipped))
        };
        let merged = merged(&earlier);
        let quarantined = self.host().admission.quarantined();
        let clean = self.host().ledger().is_clean(self.id.handler);
        if clean && merged.is_empty() && skipped.is_empty() && quarantined.is_empty() {
            return wanted;
        }
        let (mut runs, mut apart) = (Vec::with_capacity(wanted.len()), Vec::new());
        for item in wanted.iter() {
            let id = item.id();
            if skipped.contains(&id) {
                apart.push(Apart { item: item.clone(), verdict: Verdict::plain(Outcome::Skipped), hold: None });
            } else if quarantined.contains(&(self.id.handler, id)) {
                apart.push(self.hold_back(item));
                self.try_later(id);
            } else if let Some((session, verdict)) = merged.get(&id) {
                let hold = Some(Hold::Merged { session: *session });
                apart.push(Apart { item: item.clone(), verdict: *verdict, hold });
            } else if let Some(hold) = self.hold_of(item) {
                apart.push(Apart { item: item.clone(), verdict: Verdict::plain(Outcome::Skipped), hold: Some(hold) });
            } else {
                runs.push(item.clone());
            }
        }
        apart.into_iter().for_each(|apart| self.add_note(Note::Apart(Arc::new(apart))));
        runs.into()
    }

    /// No item runs twice at once.
    fn hold_back(&self, item: &SyncItem) -> Apart {
        let text = "left out: what it started in an earlier session was abandoned and is still running";
        self.log(LogEntry::new(LogLevel::Warning, text).with_item(item.id()));
        Apart { item: item.clone(), verdict: Verdict::plain(Outcome::Skipped), hold: Some(Hold::Quarantined) }
    }
}

/// What earlier runs have covered, each item with its last verdict and the session that gave it.
fn merged(earlier: &[Earlier]) -> BTreeMap<ItemId, (SessionId, Verdict)> {
    let mut merged = BTreeMap::new();
    for Earlier { run, attempt: first, entry } in earlier {
        for attempt in run.attempts().iter().filter(|attempt| attempt.number() >= *first) {
            let from = if attempt.number() == *first { *entry } else { 0 };
            let covered = attempt.covered(from);
            for (place, outcome) in covered {
                let (item, verdict) = (attempt.selection()[place].id(), attempt.failure(place));
                // What somebody stopped there, and had to be abandoned, is not this requester's failure.
                if !attempt.was_abandoned(item) {
                    merged.insert(item, (run.id.session, verdict.unwrap_or(Verdict::plain(outcome))));
                }
            }
        }
    }
    merged
}
