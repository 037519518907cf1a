//! A snapshot of a store, with the parts that the tests compare.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use syncmgr::item::ItemState;
use syncmgr::log::Action;
use syncmgr::store::{ItemRecord, LogRecord, SessionRecord, StateStore};
use syncmgr::{HandlerId, ItemId, SessionId, Uuid};

use crate::copying::{HANDLER, id};
use crate::folder::{FileState, NAMES};

/// The stored data of the handler and the sessions.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) records: BTreeMap<&'static str, ItemRecord>,
    /// The items with an unconsumed answer.
    pub(crate) answers: BTreeSet<&'static str>,
    pub(crate) log: Vec<LogRecord>,
    pub(crate) choices: BTreeMap<ItemId, ItemState>,
    pub(crate) sessions: Vec<SessionRecord>,
    pub(crate) interrupted: Vec<SessionRecord>,
    pub(crate) last_session: SessionId,
    /// The unfinished items of sessions that have not ended.
    pub(crate) unfinished: BTreeSet<&'static str>,
    /// The handlers with stored data.
    pub(crate) handlers: BTreeSet<HandlerId>,
    pub(crate) resources: usize,
    /// The values that a person has set for the handler.
    pub(crate) overrides: usize,
}

impl Snapshot {
    pub(crate) fn of_store(store: &dyn StateStore, path: &Path) -> Self {
        let records =
            NAMES.iter().filter_map(|name| Some((*name, store.record(HANDLER, id(name)).expect("the read succeeds")?)));
        let mut snapshot = Self {
            records: records.collect(),
            answers: answers(path),
            log: store.log(HANDLER).expect("the read succeeds"),
            choices: store.choices(HANDLER).expect("the read succeeds"),
            sessions: store.sessions().expect("the read succeeds"),
            interrupted: store.interrupted().expect("the read succeeds"),
            last_session: store.last_session().expect("the read succeeds"),
            unfinished: BTreeSet::new(),
            handlers: store.handlers().expect("the read succeeds").into_keys().collect(),
            resources: store.resources().expect("the read succeeds").len(),
            overrides: store.overrides(HANDLER).expect("the read succeeds").len(),
        };
        snapshot.unfinished = snapshot.find_unfinished(store);
        snapshot
    }

    fn find_unfinished(&self, store: &dyn StateStore) -> BTreeSet<&'static str> {
        let mut unfinished = BTreeSet::new();
        for session in self.sessions.iter().filter(|session| session.end.is_none()) {
            let ended = store.ended_since(HANDLER, session.session).expect("the read succeeds");
            for run in session.runs.iter().filter(|run| run.handler == HANDLER) {
                let chosen = |name: &str| self.choices.get(&id(name)) != Some(&ItemState::Unchecked);
                let asked =
                    |name: &&&str| run.items.as_ref().map_or_else(|| chosen(name), |items| items.contains(&id(name)));
                let left = NAMES.iter().filter(asked).filter(|name| !ended.contains(&id(name)));
                unfinished.extend(left.copied());
            }
        }
        unfinished
    }

    /// Returns the checkpoint of an item, if it has one that can be read.
    pub(crate) fn file_state(&self, name: &str) -> Option<FileState> {
        serde_json::from_str(&self.records.get(name)?.checkpoint.as_ref()?.state).ok()
    }

    /// Returns the number of an item's open questions in the log.
    pub(crate) fn questions(&self, name: &str) -> usize {
        let asks = |record: &&LogRecord| {
            record.entry.item == Some(id(name)) && matches!(record.entry.action, Some(Action::Decide(_)))
        };
        self.log.iter().filter(asks).count()
    }

    /// Returns the number of an item's log entries with this text.
    pub(crate) fn count_entries(&self, name: &str, text: &str) -> usize {
        let matches = |record: &&LogRecord| record.entry.item == Some(id(name)) && record.entry.text.contains(text);
        self.log.iter().filter(matches).count()
    }

    /// Returns the data that does not depend on interruptions: everything but times and the numbers of sessions and
    /// attempts.
    pub(crate) fn comparable(&self) -> Vec<String> {
        let record = |(name, record): (&&str, &ItemRecord)| {
            let retry = record.retry.map(|retry| (retry.status, retry.failures, retry.total));
            let ItemRecord { checkpoint, set_aside, outcome, sides, last_success, absent_since, .. } = record;
            let since = (last_success.is_some(), absent_since.is_some());
            format!("{name}: {outcome:?} {retry:?} {checkpoint:?} {set_aside:?} {sides:?} {since:?}")
        };
        let mut log: Vec<_> = self.log.iter().map(|record| format!("{:?}", record.entry)).collect();
        // An item that needs the user adds the same entry in each attempt.
        log.sort_unstable();
        log.dedup();
        let rest = format!("{:?} {:?} {:?} {}", self.choices, self.answers, self.handlers, self.resources);
        self.records.iter().map(record).chain(log).chain([rest]).collect()
    }
}

/// Opens the file read-only, as any program would.
pub(crate) fn open_read_only(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).expect("the file opens")
}

fn answers(path: &Path) -> BTreeSet<&'static str> {
    let connection = open_read_only(path);
    let mut query = connection.prepare("SELECT item FROM answers").expect("the query is valid");
    let items = query.query_map([], |row| row.get::<_, [u8; 16]>(0)).expect("the read succeeds");
    let name = |item: [u8; 16]| {
        let item = ItemId::new(Uuid::from_bytes(item));
        *NAMES.iter().find(|name| id(name) == item).expect("the item is in `NAMES`")
    };
    items.map(|item| name(item.expect("the read succeeds"))).collect()
}

/// Returns the result of SQLite's integrity check.
pub(crate) fn integrity(path: &Path) -> String {
    let checked = open_read_only(path).query_row("PRAGMA integrity_check", [], |row| row.get(0));
    checked.expect("the check runs")
}

/// Returns the number of rows whose handler does not exist.
pub(crate) fn orphans(path: &Path) -> i64 {
    const ORPHANS: &str = "SELECT count(*) FROM (SELECT handler FROM items UNION ALL SELECT handler FROM choices UNION ALL \
                           SELECT handler FROM answers UNION ALL SELECT handler FROM log UNION ALL SELECT handler FROM overrides) WHERE handler NOT IN (SELECT key FROM handlers)";
    open_read_only(path).query_row(ORPHANS, [], |row| row.get(0)).expect("the query succeeds")
}
