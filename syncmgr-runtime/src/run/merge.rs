//! The items that a run leaves out because an earlier run covers them, or because their earlier work is still running.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syncmgr_core::claim::Claim;
use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::host::RunId;
use syncmgr_core::decision::merge::Terms;
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::id::{ItemId, SessionId};
use syncmgr_core::item::SyncItem;
use syncmgr_core::log::{LogEntry, LogLevel};

use super::Run;
use super::events::{NotRun, RunEvent};
use crate::turns::{Position, Since, TakesTurns};

impl Run {
    /// Remembers the current turn. The run leaves out the items that other runs begin from now on.
    pub(crate) fn observe_turns(&self) {
        let since = self.turns.since_now();
        self.lock().turns_since = Some(since);
    }

    /// Takes the turn.
    pub(super) fn begin_turn(self: &Arc<Self>) {
        let turn = self.turns.add(self.clone());
        let before = self.lock().turn.replace(turn);
        drop(before);
    }

    /// Gives the turn up, if the run has it.
    pub(super) fn end_turn(&self) {
        let turn = self.lock().turn.take();
        if turn.is_some() {
            self.scope.turn_ends(self.id.handler);
        }
    }

    /// Returns the items that other runs have covered since this run was requested, each with its last verdict and the
    /// session of that run.
    fn merged(&self, since: &Since) -> BTreeMap<ItemId, (SessionId, Verdict)> {
        let (own, terms) = (self.id, self.terms());
        let others = since.runs().filter(|(run, _)| run.id() != own && run.covers(&terms));
        let covered = others.flat_map(|(run, position)| {
            let session = run.id().session;
            run.covered_since(position).into_iter().map(move |(item, verdict)| (item, (session, verdict)))
        });
        covered.collect()
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
        let (since, skipped) = {
            let mut state = self.lock();
            let mut skipped = std::mem::take(&mut state.skipped);
            skipped.extend(&state.forgotten_items);
            (state.turns_since.take(), skipped)
        };
        let merged = since.map(|since| self.merged(&since)).unwrap_or_default();
        let quarantined = self.host().admission.quarantined();
        let clean = self.host().ledger().is_clean(self.id.handler);
        let held = self.claims_of_callers();
        let clean = clean && items.iter().all(|item| item.requirements().is_empty());
        if clean && merged.is_empty() && skipped.is_empty() && quarantined.is_empty() && held.is_empty() {
            return items;
        }
        let (mut left_out, mut not_run) = (BTreeSet::new(), Vec::new());
        for item in items.iter() {
            let (id, before) = (item.id(), not_run.len());
            if skipped.contains(&id) {
                not_run.push(NotRun { item: item.clone(), verdict: Verdict::plain(Outcome::Skipped), hold: None });
            } else if quarantined.contains(&(self.id.handler, id)) {
                not_run.push(self.exclude_quarantined(item));
                self.postpone_quarantined(id);
            } else if let Some(claim) = self.claims_of(item).find(|claim| held.contains(claim)) {
                not_run.push(self.exclude_claiming(item, claim));
            } else if let Some((session, verdict)) = merged.get(&id) {
                let hold = Some(Hold::Merged { session: *session });
                self.change_covered(id);
                not_run.push(NotRun { item: item.clone(), verdict: *verdict, hold });
            } else if let Some(hold) = self.hold_of(item) {
                not_run.push(NotRun {
                    item: item.clone(),
                    verdict: Verdict::plain(Outcome::Skipped),
                    hold: Some(hold),
                });
            }
            if not_run.len() > before {
                left_out.insert(id);
            }
        }
        if not_run.is_empty() {
            return items;
        }
        not_run.into_iter().for_each(|item| self.add_event(RunEvent::NotRun(Arc::new(item))));
        items.iter().filter(|item| !left_out.contains(&item.id())).cloned().collect()
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

impl TakesTurns for Run {
    fn id(&self) -> RunId {
        self.id
    }

    fn position(&self) -> Position {
        let attempt = self.attempt();
        Position { attempt: attempt.number(), entry: attempt.journal_len() }
    }

    fn covers(&self, later: &Terms<'_>) -> bool {
        self.terms().cover(later)
    }

    fn covered_since(&self, Position { attempt: first, entry }: Position) -> Vec<(ItemId, Verdict)> {
        let mut covered = Vec::new();
        for attempt in self.attempts().iter().filter(|attempt| attempt.number() >= first) {
            let from = if attempt.number() == first { entry } else { 0 };
            for (index, outcome) in attempt.covered(from) {
                let item = attempt.selection()[index].id();
                // An item that was stopped and abandoned in this run does not count as failed for the caller of the other.
                if !attempt.was_abandoned(item) {
                    covered.push((item, attempt.verdict(index, outcome)));
                }
            }
        }
        covered
    }
}
