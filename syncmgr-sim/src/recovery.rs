//! What a new process has to find.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::SessionId;
use syncmgr_core::record::ItemRecord;
use syncmgr_core::retry::{RetryState, Setback};
use syncmgr_core::store::{Course, StateStore};

use crate::books::Wait;
use crate::peer::Key;
use crate::process::Process;
use crate::script::Rule;

impl Process<'_> {
    /// What the process before left behind is whole, and is what it had said. Called before anything begins.
    pub(crate) fn recover(&self, ended: Ended) {
        let keys = self.keys();
        let unfinished = self.unfinished(&keys);
        self.world.reach(|state| state.books.owed = if self.chooses() { BTreeSet::new() } else { unfinished.clone() });
        for key in keys {
            let record = self.disk.store.record(key.0, key.1).ok().flatten().unwrap_or_default();
            self.agrees(key, &record);
            let (wait, failures) = self.waits(&record);
            let (wait, failures) = if unfinished.contains(&key) { (Wait::Unknown, 0) } else { (wait, failures) };
            self.world.reach(|state| {
                let item = state.books.item(key);
                (item.wait, item.failures) = (wait, failures);
            });
        }
        self.check_interrupted(ended);
    }

    /// Whether somebody chooses, and so has the say about what was interrupted too.
    fn chooses(&self) -> bool {
        self.script.rules().any(|rule| *rule == Rule::Chooser)
    }

    /// What was in a session that was cut short may run whatever else is known of it.
    fn unfinished(&self, keys: &[Key]) -> BTreeSet<Key> {
        let mut unfinished = BTreeSet::new();
        for session in self.disk.store.interrupted().unwrap_or_default() {
            for run in &session.runs {
                let ended = self.disk.store.ended_since(run.handler, session.session).unwrap_or_default();
                let asked = |item| run.items.as_ref().is_none_or(|items| items.contains(item));
                let left = keys.iter().filter(|key| key.0 == run.handler && asked(&key.1) && !ended.contains(&key.1));
                unfinished.extend(left.copied());
            }
        }
        unfinished
    }

    /// What was told before is what is stored.
    fn agrees(&self, key: Key, record: &ItemRecord) {
        self.world.reach(|state| {
            let checkpoint = record.checkpoint.as_ref().map(|checkpoint| &*checkpoint.state);
            let refuted = state.refutes(key, checkpoint);
            let told = state.books.item(key).told.filter(|told| is_older(record, *told));
            if let Some(how) = refuted {
                state.breaks("what was committed survives", format!("{key:?}: {how}"));
            }
            if let Some((session, outcome)) = told {
                let how = format!("{key:?} was said to be {outcome} in session {session}, and is {record:?}");
                state.breaks("what a report told survives", how);
            }
        });
    }

    /// What keeps an item from running by itself, according to its record.
    fn waits(&self, record: &ItemRecord) -> (Wait, u32) {
        let Some(retry) = record.retry else {
            let known = if record.outcome.is_some() { Wait::Nobody } else { Wait::Unknown };
            return (known, 0);
        };
        let (now, wall) = self.world.left(|state| (state.elapsed(), state.wall()));
        let until = |until: Option<SystemTime>| {
            now + until.and_then(|until| until.duration_since(wall).ok()).unwrap_or_default()
        };
        let RetryState { setback, failures, since, until: time, .. } = retry;
        let wait = match setback {
            _ if since > wall => Wait::Unknown,
            Setback::Backoff => Wait::Backoff(until(time).saturating_sub(Duration::from_millis(1))),
            Setback::NotBefore => Wait::NotBefore(until(time).saturating_sub(Duration::from_millis(1))),
            _ => Wait::Asked,
        };
        (wait, failures)
    }

    /// What was cut short is interrupted; what ended in order is not.
    fn check_interrupted(&self, ended: Ended) {
        let history = self.manager.history().unwrap_or_default();
        if let Some(open) = history.iter().find(|session| session.end.is_none()) {
            self.world.breaks("no session is shown as running that does not", format!("session {}", open.session));
        }
        let interrupted = self.disk.store.interrupted().unwrap_or_default();
        let course = |id: SessionId| {
            let found = history.iter().find(|session| session.session == id);
            found.and_then(|session| session.end.as_ref()).map(|end| end.course)
        };
        let last = self.world.left(|state| state.books.manager.replace(self.manager.id()));
        for session in &interrupted {
            if ended == Ended::InOrder && Some(session.manager) == last {
                let how = format!("session {} is interrupted, and the process was shut down", session.session);
                self.world.breaks("a shutdown interrupts nothing", how);
            }
            if course(session.session) != Some(Course::Interrupted) {
                self.world.breaks("what was cut short is interrupted", format!("session {}", session.session));
            }
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// There was none.
    Never,
    /// It was shut down, and its store did all it was told.
    InOrder,
    /// Otherwise.
    Somehow,
}

/// Whether a record knows less than a report had told.
fn is_older(record: &ItemRecord, told: (SessionId, Outcome)) -> bool {
    let (session, outcome) = told;
    record.outcome.is_none() || record.fence.session < session || {
        // What came later may have changed it; nothing that did carries the same attempt.
        record.fence.session == session && record.outcome != Some(outcome)
    }
}
