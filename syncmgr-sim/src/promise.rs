//! What has to hold after every step.

use std::collections::BTreeSet;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::explain::{Next, Standing};
use syncmgr_core::store::{Course, SessionRecord, StateStore};

use crate::books::Wait;
use crate::peer::Key;
use crate::process::Process;
use crate::world::State;

impl Process<'_> {
    /// Everything that has to hold now, apart from what was seen as it happened.
    pub(crate) fn check(&self) -> Vec<(&'static str, String)> {
        let mut faults = self.check_graces();
        faults.extend(self.check_history());
        for (handler, item) in self.keys() {
            faults.extend(self.check_explanation((handler, item)));
            faults.extend(self.check_record((handler, item)));
        }
        faults
    }

    /// Every item anybody has heard of, those of users too.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let all = |state: &mut State| state.sides.theirs.keys().chain(state.books.items.keys()).copied().collect();
        let keys: BTreeSet<Key> = self.world.left(all);
        keys.into_iter().collect()
    }

    fn check_graces(&self) -> Vec<(&'static str, String)> {
        let overdue = self.world.reach(|state| state.books.overdue(state.elapsed())).unwrap_or_default();
        overdue.into_iter().map(|key| ("a cancelled item ends within its grace", format!("{key:?} goes on"))).collect()
    }

    /// Whatever ended while this process lives was not interrupted.
    fn check_history(&self) -> Option<(&'static str, String)> {
        if self.world.left(|state| state.books.store_trouble) {
            return None;
        }
        let history = self.manager.history().ok()?;
        let course = |record: &SessionRecord| record.end.as_ref().map(|end| end.course);
        let lost = |record: &&SessionRecord| {
            record.manager == self.manager.id() && course(record) == Some(Course::Interrupted)
        };
        let lost = history.iter().find(lost)?;
        Some(("what was not cut short is not interrupted", format!("session {}", lost.session)))
    }

    /// It runs exactly when it runs; what waits has a reason and a way out; what is due has been started.
    fn check_explanation(&self, key: Key) -> Option<(&'static str, String)> {
        const EXPLAIN: &str = "explain tells the truth";
        let said = self.manager.explain_item(key.0, key.1).ok()?;
        let now = self.world.reach(|state| {
            state.digest(&format!("{said:?}"));
            state.books.is_running(key)
        })?;
        let runs = matches!(said.standing, Standing::Running { .. });
        if runs != now {
            return Some((EXPLAIN, format!("{key:?} runs: {now}, and it says: {said}")));
        }
        let (wall, unseen) = self.world.left(|state| (state.wall(), state.elapsed() < state.books.unseen_until));
        match said.next {
            Next::At { time } if time < wall => {
                Some((EXPLAIN, format!("{key:?} is to run at a time that was: {said}")))
            }
            Next::Now if matches!(said.standing, Standing::Waiting { .. }) => {
                self.check_waiting(key, &said.to_string())
            }
            Next::Now if !runs && !unseen && !self.goes_on(key) => {
                Some(("what is due is started", format!("{key:?} is due and nothing goes on: {said}")))
            }
            _ => None,
        }
    }

    /// What waits without a reason waits for others of its handler, or for its handler to get ready.
    fn check_waiting(&self, key: Key, said: &str) -> Option<(&'static str, String)> {
        let full = self.world.left(|state| {
            let limit = state.books.rules.handlers.get(&key.0).map_or(0, |info| info.limits().items());
            state.books.lingering.retain(|(_, item)| item.cell().is_working());
            state.books.running_of(key.0) + state.books.lingering.len() >= limit
        });
        let (preparing, prepared) =
            self.world.left(|state| (state.books.preparing.contains(&key.0), state.books.calls.contains_key(&key.0)));
        let waits = full || preparing || !prepared;
        (!waits).then(|| ("whatever is held has a reason", format!("{key:?} waits for nothing: {said}")))
    }

    /// Whether anything of the handler goes on or waits.
    fn goes_on(&self, key: Key) -> bool {
        let standing = self.manager.explain_handler(key.0).map(|said| said.standing);
        matches!(standing, Ok(Standing::Running { .. } | Standing::Waiting { .. }))
    }

    /// The parts of a record agree, and with what was acknowledged.
    fn check_record(&self, key: Key) -> Option<(&'static str, String)> {
        const RECORD: &str = "the parts of a record agree";
        let record = self.disk.store.record(key.0, key.1).ok()?.unwrap_or_default();
        let checkpoint = record.checkpoint.as_ref().map(|checkpoint| &*checkpoint.state);
        let refuted = self.world.reach(|state| state.refutes(key, checkpoint))?;
        if let Some(how) = refuted {
            return Some(("what was committed is there", format!("{key:?}: {how}")));
        }
        if record.outcome == Some(Outcome::Succeeded) && record.retry.is_some() {
            return Some((RECORD, format!("{key:?} succeeded, and has a setback: {record:?}")));
        }
        let waits = self.world.left(|state| {
            let certain = !state.books.store_trouble && state.books.item(key).forgetting == 0;
            certain && !matches!(state.books.item(key).wait, Wait::Unknown | Wait::Nobody)
        });
        if record.outcome == Some(Outcome::Failed) && waits && record.retry.is_none() {
            return Some((RECORD, format!("{key:?} failed, and has no setback: {record:?}")));
        }
        // Where somebody has answered, the entry that asked is gone, and so is the setback.
        let failed = record.outcome == Some(Outcome::Failed) && record.retry.is_some();
        let log = self.disk.store.log(key.0).ok()?;
        if failed && !log.iter().any(|said| said.entry.item.is_none_or(|item| item == key.1)) {
            return Some((RECORD, format!("{key:?} failed, and the log does not say why")));
        }
        None
    }
}

impl State {
    /// Why this cannot be what is saved of an item. What handlers of users save, nobody here knows.
    pub(crate) fn refutes(&mut self, key: Key, checkpoint: Option<&str>) -> Option<String> {
        let known = self.sides.theirs.contains_key(&key);
        self.books.item(key).refutes(checkpoint).filter(|_| known)
    }
}
