//! A store that forgets everything with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{ErrorId, ErrorScope, HandlerId, ItemId, SessionId};
use syncmgr_core::item::ItemState;
use syncmgr_core::log::{LogEntry, Question};
use syncmgr_core::store::{HandlerRecord, LogRecord, StateChange, StateStore};
use uuid::Uuid;

/// How many entries are kept of a handler; the oldest go first.
const MOST_ENTRIES: usize = 10_000;

/// Keeps choices, settings, registrations, the log and answers in memory. Cloning gives another handle of the same store: give it
/// to two managers, and the second knows what the first did.
///
/// Of a handler's log the last 10,000 entries are kept.
#[derive(Clone, Default)]
pub struct MemoryStore {
    handlers: Arc<Mutex<BTreeMap<HandlerId, Stored>>>,
}

/// What is kept of a handler.
#[derive(Clone, Default)]
struct Stored {
    record: HandlerRecord,
    choices: BTreeMap<ItemId, ItemState>,
    log: Vec<LogRecord>,
    /// Answers, each with the question it answers, by item and key.
    answers: BTreeMap<(ItemId, Arc<str>), (Question, usize)>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn of<T: Default>(&self, handler: HandlerId, part: impl Fn(&Stored) -> T) -> T {
        self.lock().get(&handler).map(part).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<HandlerId, Stored>> {
        self.handlers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryStore({} handlers)", self.lock().len())
    }
}

impl StateStore for MemoryStore {
    fn handlers(&self) -> SyncResult<BTreeMap<HandlerId, HandlerRecord>> {
        Ok(self.lock().iter().map(|(handler, stored)| (*handler, stored.record.clone())).collect())
    }

    fn choices(&self, handler: HandlerId) -> SyncResult<BTreeMap<ItemId, ItemState>> {
        Ok(self.of(handler, |stored| stored.choices.clone()))
    }

    fn log(&self, handler: HandlerId) -> SyncResult<Vec<LogRecord>> {
        Ok(self.of(handler, |stored| stored.log.clone()))
    }

    fn answer(&self, handler: HandlerId, item: ItemId, question: &Question) -> SyncResult<Option<usize>> {
        Ok(self.of(handler, |stored| {
            let (answered, choice) = stored.answers.get(&(item, question.key.clone()))?;
            (answered == question).then_some(*choice)
        }))
    }

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        let mut handlers = self.lock();
        changes.into_iter().for_each(|change| apply(&mut handlers, change));
        async { Ok(()) }.boxed()
    }
}

fn apply(handlers: &mut BTreeMap<HandlerId, Stored>, change: StateChange) {
    match change {
        StateChange::Registered { handler, registration } => {
            handlers.entry(handler).or_default().record.registration = Some(registration)
        }
        StateChange::Flags { handler, flags } => handlers.entry(handler).or_default().record.flags = Some(flags),
        StateChange::Choices { handler, items } => handlers.entry(handler).or_default().choose(items),
        StateChange::Log { handler, manager, session, time, entries } => {
            let records: Vec<_> =
                entries.into_iter().map(|entry| LogRecord::new(manager, session, time, entry)).collect();
            handlers.entry(handler).or_default().replace_log((manager, session), records);
        }
        StateChange::Answered { handler, item, question, choice } => {
            let answers = &mut handlers.entry(handler).or_default().answers;
            answers.insert((item, question.key.clone()), (question, choice));
        }
        StateChange::LogDeleted { handler, scope } => handlers.entry(handler).or_default().delete(scope),
        StateChange::Forget { handler } => drop(handlers.remove(&handler)),
        _ => {}
    }
}

impl Stored {
    fn choose(&mut self, items: BTreeMap<ItemId, Option<ItemState>>) {
        for (item, state) in items {
            match state {
                Some(state) => self.choices.insert(item, state),
                None => self.choices.remove(&item),
            };
        }
    }

    fn replace_log(&mut self, session: (Uuid, SessionId), records: Vec<LogRecord>) {
        let again: Vec<ErrorId> = records.iter().filter_map(|record| record.entry.error).collect();
        let replaced = |entry: &LogEntry| entry.error.is_some_and(|error| again.contains(&error));
        self.log.retain(|record| (record.manager, record.session) != session && !replaced(&record.entry));
        self.log.extend(records);
        let excess = self.log.len().saturating_sub(MOST_ENTRIES);
        self.log.drain(..excess);
    }

    fn delete(&mut self, scope: ErrorScope) {
        self.log.retain(|record| match scope {
            ErrorScope::All => false,
            ErrorScope::One(error) => record.entry.error != Some(error),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use syncmgr_core::log::LogLevel;
    use syncmgr_core::register::{RegisterFlags, Registration};

    use super::*;

    const HANDLER: HandlerId = HandlerId::from_u128(1);

    fn log(session: u64, entries: &[LogEntry]) -> StateChange {
        let entries = entries.iter().cloned().map(Arc::new).collect();
        let (manager, time) = (Uuid::nil(), SystemTime::UNIX_EPOCH);
        StateChange::Log { handler: HANDLER, manager, session: SessionId(session), time, entries }
    }

    fn texts(store: &MemoryStore) -> Vec<String> {
        let log = store.log(HANDLER).expect("memory");
        log.iter().map(|record| format!("{}: {}", record.session, record.entry.text)).collect()
    }

    #[test]
    fn registering_again_leaves_what_somebody_set() {
        let store = MemoryStore::new();
        let registration = Registration { description: None, flags: RegisterFlags::IDLE };
        let flags = RegisterFlags::CONNECT;
        drop(store.write(vec![
            StateChange::Flags { handler: HANDLER, flags },
            StateChange::Registered { handler: HANDLER, registration: registration.clone() },
        ]));
        let record = store.handlers().expect("memory").remove(&HANDLER).expect("stored");
        assert_eq!((record.registration, record.flags), (Some(registration), Some(flags)));
        drop(store.write(vec![StateChange::Forget { handler: HANDLER }]));
        assert!(store.handlers().expect("memory").is_empty());
    }

    #[test]
    fn a_session_s_log_replaces_what_was_stored_of_it_and_older_entries_with_its_ids() {
        let store = MemoryStore::new();
        let named = |text| LogEntry::new(LogLevel::Error, text).with_error(ErrorId::from_key("x"));
        let plain = |text| LogEntry::new(LogLevel::Warning, text);
        drop(store.write(vec![log(1, &[named("old"), plain("kept")]), log(2, &[plain("first")])]));
        drop(store.write(vec![log(2, &[plain("again"), named("new")])]));
        assert_eq!(texts(&store), ["1: kept", "2: again", "2: new"]);
        drop(
            store.write(vec![StateChange::LogDeleted {
                handler: HANDLER,
                scope: ErrorScope::One(ErrorId::from_key("x")),
            }]),
        );
        assert_eq!(texts(&store), ["1: kept", "2: again"]);
    }

    #[test]
    fn a_choice_is_kept_until_it_is_forgotten() {
        let (store, item) = (MemoryStore::new(), ItemId::from_name("a"));
        let choose = |state| StateChange::Choices { handler: HANDLER, items: BTreeMap::from([(item, state)]) };
        drop(store.write(vec![choose(Some(ItemState::Unchecked))]));
        assert_eq!(store.choices(HANDLER).expect("memory"), BTreeMap::from([(item, ItemState::Unchecked)]));
        drop(store.write(vec![choose(None)]));
        assert_eq!(store.choices(HANDLER).expect("memory"), BTreeMap::new());
    }
}
