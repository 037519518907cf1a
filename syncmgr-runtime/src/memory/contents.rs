//! The contents of a store in memory, and all changes to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syncmgr_core::claim::Claim;
use syncmgr_core::id::HandlerId;
use syncmgr_core::log::LogEntry;
use syncmgr_core::retry::RetryState;
use syncmgr_core::store::{Histogram, StaleWriter, StateChange};

use super::handler::Stored;
use super::log_limit::LogLimit;
use super::sessions::Sessions;

/// The contents of a store.
#[derive(Clone, Default)]
pub(crate) struct Contents {
    pub(crate) handlers: BTreeMap<HandlerId, Stored>,
    pub(crate) sessions: Sessions,
    pub(crate) resources: BTreeMap<Claim, RetryState>,
    pub(crate) histograms: BTreeMap<Arc<str>, Histogram>,
    pub(super) log_limit: LogLimit,
}

impl Contents {
    /// Checks changes in order and returns the reason to refuse them, if any.
    pub(super) fn refuse(&self, changes: &[StateChange]) -> Option<StaleWriter> {
        let mut forgotten = BTreeSet::new();
        changes.iter().find_map(|change| match change {
            StateChange::Forget { handler } => {
                forgotten.insert((*handler, None));
                None
            }
            StateChange::ForgetItem { handler, item } => {
                forgotten.insert((*handler, Some(*item)));
                None
            }
            StateChange::Committed { handler, item, fence, .. }
                if !forgotten.contains(&(*handler, None)) && !forgotten.contains(&(*handler, Some(*item))) =>
            {
                let latest = self.handlers.get(handler)?.items.get(item)?.fence;
                (latest > *fence).then_some(StaleWriter::new(*item, *fence, latest))
            }
            _ => None,
        })
    }

    pub(super) fn apply(&mut self, change: StateChange) {
        match change {
            StateChange::SessionBegan(record) => self.sessions.begin(record),
            StateChange::SessionEnded { session, manager, end } => self.sessions.end(session, manager, end),
            StateChange::Resource { claim, retry: Some(retry) } => drop(self.resources.insert(claim, retry)),
            StateChange::Resource { claim, retry: None } => drop(self.resources.remove(&claim)),
            StateChange::Histogram { name, histogram } => drop(self.histograms.insert(name, histogram)),
            StateChange::Forget { handler } => {
                self.handlers.remove(&handler);
                self.sessions.forget(handler, None);
                self.log_limit.set(handler, 0);
            }
            StateChange::ForgetItem { handler, item } => {
                self.sessions.forget(handler, Some(item));
                if let Some(stored) = self.handlers.get_mut(&handler) {
                    stored.forget(item);
                    self.log_limit.set(handler, stored.log.bytes());
                }
            }
            change => self.apply_to_handler(change),
        }
    }

    fn apply_to_handler(&mut self, change: StateChange) {
        match change {
            StateChange::Registered { handler, registration } => {
                self.stored(handler).record.registration = Some(registration)
            }
            StateChange::Flags { handler, flags } => self.stored(handler).record.flags = Some(flags),
            StateChange::Waiting { handler, runs } => self.stored(handler).record.waiting = runs,
            StateChange::Choices { handler, items } => set_or_remove(&mut self.stored(handler).choices, items),
            StateChange::Names { handler, items } => set_or_remove(&mut self.stored(handler).names, items),
            StateChange::Disabled { handler, subject, reason } => {
                set_or_remove(&mut self.stored(handler).disabled, [(subject, reason)]);
            }
            StateChange::Override { handler, subject, kind, value } => {
                let text = value.map(|value| value.to_string().into());
                set_or_remove(&mut self.stored(handler).overrides, [((subject, kind), text)]);
            }
            StateChange::Fired { handler, firings } => self.stored(handler).firings.set(firings),
            StateChange::Committed { handler, item, fence, checkpoint, sides, consumed } => {
                self.sessions.count(fence.session);
                self.stored(handler).commit(item, fence, checkpoint, sides, &consumed);
            }
            StateChange::Ended { handler, fence, time, items } => {
                self.sessions.count(fence.session);
                items.into_iter().for_each(|(item, end)| self.stored(handler).end(item, fence, time, end));
            }
            StateChange::Retry { handler, item, retry } => {
                self.stored(handler).set_or_clear(item, retry, |record| &mut record.retry);
            }
            StateChange::Absent { handler, items } => {
                for (item, since) in items {
                    self.stored(handler).set_or_clear(item, since, |record| &mut record.absent_since);
                }
            }
            StateChange::Reset { handler, item } => self.stored(handler).reset(item),
            StateChange::Log { handler, manager, session, time, entries } => {
                self.change_log(handler, |stored| stored.replace_log((manager, session), time, entries));
            }
            StateChange::Logged { handler, manager, session, time, entries } => {
                self.change_log(handler, |stored| {
                    stored.add_to_log((manager, session), time, last_of_each(entries));
                });
            }
            StateChange::Answered { handler, item, question, choice } => {
                self.stored(handler).answers.insert((item, question.key.clone()), (question, choice));
            }
            StateChange::LogDeleted { handler, scope } => self.change_log(handler, |stored| stored.delete(scope)),
            StateChange::Settled { handler, item } => self.change_log(handler, |stored| {
                stored.log.remove_about(item, |entry| entry.has_question_for(item));
            }),
            _ => {}
        }
    }

    /// Changes the log of a handler, and drops entries if all logs together are too large.
    fn change_log(&mut self, handler: HandlerId, change: impl FnOnce(&mut Stored)) {
        let stored = self.handlers.entry(handler).or_default();
        change(stored);
        self.log_limit.set(handler, stored.log.bytes());
        while let Some((largest, stored)) =
            self.log_limit.exceeded_by().and_then(|handler| Some((handler, self.handlers.get_mut(&handler)?)))
        {
            stored.log.remove_oldest();
            self.log_limit.set(largest, stored.log.bytes());
        }
    }

    /// Returns the state of a handler, and creates it if it does not exist.
    pub(crate) fn stored(&mut self, handler: HandlerId) -> &mut Stored {
        self.handlers.entry(handler).or_default()
    }
}

/// Sets the entries with a value and removes the others.
fn set_or_remove<K: Ord, V>(map: &mut BTreeMap<K, V>, entries: impl IntoIterator<Item = (K, Option<V>)>) {
    for (key, value) in entries {
        match value {
            Some(value) => drop(map.insert(key, value)),
            None => drop(map.remove(&key)),
        }
    }
}

/// Removes all but the last of the entries with the same id.
fn last_of_each(entries: Vec<Arc<LogEntry>>) -> Vec<Arc<LogEntry>> {
    let mut seen = BTreeSet::new();
    let mut kept: Vec<_> =
        entries.into_iter().rev().filter(|entry| entry.id.is_none_or(|error| seen.insert(error))).collect();
    kept.reverse();
    kept
}
