//! The stored state of a handler.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use syncmgr_core::decision::timetable::LastFirings;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::id::{ErrorScope, ItemId, SessionId, Subject};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::{LogEntry, Question};
use syncmgr_core::overrides::StoredOverrides;
use syncmgr_core::plan::Side;
use syncmgr_core::record::{Checkpoint, Fence, ItemEnd, ItemRecord};
use syncmgr_core::store::{HandlerRecord, ItemName};
use uuid::Uuid;

use super::log::{Origin, StoredLog};

/// The stored state of a handler.
#[derive(Clone, Default)]
pub(crate) struct Stored {
    pub(crate) record: HandlerRecord,
    pub(crate) choices: BTreeMap<ItemId, ItemState>,
    pub(crate) names: BTreeMap<ItemId, ItemName>,
    /// The reasons for which the handler or its items are disabled.
    pub(crate) disabled: BTreeMap<Subject, Arc<str>>,
    /// What a person has set.
    pub(crate) overrides: StoredOverrides,
    /// The last firing of each schedule.
    pub(crate) firings: LastFirings,
    pub(crate) items: BTreeMap<ItemId, ItemRecord>,
    /// The latest session when the attempt began in which each item last ended.
    pub(crate) ended: BTreeMap<ItemId, SessionId>,
    pub(crate) log: StoredLog,
    /// Answers with their questions, by item and key.
    pub(crate) answers: BTreeMap<(ItemId, Arc<str>), (Question, usize)>,
}

impl Stored {
    pub(super) fn answer(&self, item: ItemId, question: &Question) -> Option<usize> {
        let (answered, choice) = self.answers.get(&(item, question.key.clone()))?;
        (answered == question).then_some(*choice)
    }

    pub(super) fn ended_since(&self, session: SessionId) -> BTreeSet<ItemId> {
        self.ended.iter().filter(|(_, ended)| **ended >= session).map(|(item, _)| *item).collect()
    }

    pub(super) fn commit(
        &mut self,
        item: ItemId,
        fence: Fence,
        checkpoint: Checkpoint,
        sides: Option<Vec<Side>>,
        consumed: &[Arc<str>],
    ) {
        let record = self.items.entry(item).or_default();
        (record.fence, record.checkpoint) = (fence, Some(checkpoint));
        if let Some(sides) = sides {
            record.sides = sides;
        }
        self.consume(item, consumed);
    }

    pub(super) fn end(&mut self, item: ItemId, fence: Fence, time: SystemTime, end: ItemEnd) {
        let record = self.items.entry(item).or_default();
        if record.fence > fence {
            return;
        }
        (record.fence, record.outcome, record.last_attempt) = (fence, Some(end.outcome), Some(time));
        (record.retry, record.absent_since) = (end.retry, None);
        self.ended.insert(item, fence.session);
        if end.outcome == Outcome::Succeeded {
            record.last_success = Some(time);
        }
        if let Some(sides) = end.sides {
            record.sides = sides;
        }
        self.consume(item, &end.consumed);
    }

    /// Sets or clears a part of an item's record. Clearing creates no record.
    pub(super) fn set_or_clear<T>(
        &mut self,
        item: ItemId,
        value: Option<T>,
        part: impl Fn(&mut ItemRecord) -> &mut Option<T>,
    ) {
        match value {
            Some(_) => *part(self.items.entry(item).or_default()) = value,
            None => drop(self.items.get_mut(&item).map(|record| *part(record) = None)),
        }
    }

    fn consume(&mut self, item: ItemId, keys: &[Arc<str>]) {
        for key in keys {
            self.answers.remove(&(item, key.clone()));
        }
    }

    pub(super) fn reset(&mut self, item: ItemId) {
        let Some(record) = self.items.get_mut(&item) else { return };
        record.retry = None;
        if let Some(checkpoint) = record.checkpoint.take() {
            record.set_aside = Some(checkpoint);
        }
    }

    pub(super) fn replace_log(&mut self, session: (Uuid, SessionId), time: SystemTime, entries: Vec<Arc<LogEntry>>) {
        self.log.remove_session(session);
        self.add_to_log(session, time, entries);
    }

    pub(super) fn add_to_log(
        &mut self,
        (manager, session): (Uuid, SessionId),
        time: SystemTime,
        entries: Vec<Arc<LogEntry>>,
    ) {
        entries.iter().filter_map(|entry| entry.id).for_each(|replaced| self.log.remove_with(replaced));
        self.log.append(Origin { manager, session, time }, entries);
    }

    pub(super) fn delete(&mut self, scope: ErrorScope) {
        match scope {
            ErrorScope::All => self.log = StoredLog::default(),
            ErrorScope::One(error) => self.log.remove_with(error),
        }
    }

    pub(super) fn forget(&mut self, item: ItemId) {
        self.items.remove(&item);
        self.ended.remove(&item);
        self.choices.remove(&item);
        self.names.remove(&item);
        self.disabled.remove(&Subject::Item(item));
        self.overrides.retain(|(subject, _), _| *subject != Subject::Item(item));
        let of_item = self.answers.range((item, Arc::from(""))..).take_while(|((of, _), _)| *of == item);
        for key in of_item.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.answers.remove(&key);
        }
        self.log.remove_about(item, |_| true);
    }
}
