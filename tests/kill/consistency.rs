//! The invariants of a store at any moment: within records, and between records and data.

use std::collections::BTreeMap;

use syncmgr::Outcome;
use syncmgr::item::ItemState;
use syncmgr::retry::RetryStatus;
use syncmgr::store::ItemRecord;

use crate::copying::id;
use crate::folder::{CHUNKS, FileState, Folder, NAMES, expected_copy};
use crate::scenario::SET;
use crate::snapshot::Snapshot;

/// The age of the files relative to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// The files match the store.
    Current,
    /// The files are newer than the store, and no process has opened the store since they changed.
    Newer,
}

impl Snapshot {
    /// Asserts all invariants.
    pub(crate) fn assert_consistent(&self, folder: &Folder, data: Data) {
        for (name, record) in &self.records {
            self.assert_record_consistent(name, record);
            if data == Data::Current {
                self.assert_covered(name, folder);
            }
        }
        for name in ["asks", "guarded"] {
            self.assert_decision_consistent(name);
        }
        self.assert_log_consistent();
        self.assert_sessions_consistent();
        if data == Data::Current {
            self.assert_only_interrupted();
            let is_set = folder.notes(0).iter().any(|note| note == SET);
            assert!(self.overrides == 1 || !is_set, "what was set is lost");
        }
        self.assert_choices_complete();
    }

    pub(crate) fn record(&self, name: &str) -> ItemRecord {
        self.records.get(name).cloned().unwrap_or_default()
    }

    fn assert_record_consistent(&self, name: &str, record: &ItemRecord) {
        let ItemRecord { outcome, retry, last_attempt, last_success, fence, .. } = record;
        assert_eq!(outcome.is_some(), last_attempt.is_some(), "{name}: {record:?}");
        assert!(fence.session <= self.last_session, "{name}: {record:?}");
        let unsuccessful = matches!(outcome, Some(Outcome::Failed | Outcome::NeedsUser));
        // An answer clears the retry status that waited for it; a reset clears the retry status of unreadable state.
        let used = self.file_state(name).is_some_and(|state| state.decided.is_some());
        let cleared = used || self.answers.contains(name) || record.set_aside.is_some();
        // Stored before an item begins that may have ended an earlier process.
        let suspected = retry.is_some_and(|retry| retry.status == RetryStatus::Interrupted);
        assert!(retry.is_none() || unsuccessful || suspected, "{name}: {record:?}");
        assert!(retry.is_some() || !unsuccessful || cleared, "{name}: {record:?}");
        if *outcome == Some(Outcome::Succeeded) {
            assert_eq!(self.file_state(name).map(|state| state.chunk), Some(CHUNKS), "{name}: {record:?}");
            assert_eq!(last_success, last_attempt, "{name}: {record:?}");
        }
        let planned = self.file_state(name).is_some_and(|state| state.decided.as_deref() == Some("proceed"));
        assert_eq!(planned, !record.sides.is_empty(), "{name}: {record:?}");
    }

    /// Asserts that the copy has all data of its checkpoint, and only correct data.
    fn assert_covered(&self, name: &str, folder: &Folder) {
        let Some(FileState { chunk, bytes, .. }) = self.file_state(name) else { return };
        let (copied, wanted) = (folder.copy_of(name), expected_copy(name, chunk));
        assert_eq!(bytes, wanted.len() as u64, "{name}");
        assert!(copied.starts_with(&wanted), "{name}: chunk {chunk} is committed, but the copy is {copied:?}");
        assert!(expected_copy(name, CHUNKS).starts_with(&copied), "{name}: {copied:?}");
    }

    /// Asserts that a question is open until it is answered, and that the answer exists until a commit consumes it.
    fn assert_decision_consistent(&self, name: &str) {
        let (record, answered) = (self.record(name), self.answers.contains(name));
        let used = self.file_state(name).is_some_and(|state| state.decided.is_some());
        let (asked, context) = (self.questions(name), format!("{name}: {record:?}"));
        assert!(asked <= 1, "{context}: {asked} questions");
        assert!(!(answered && used), "a used answer was not consumed; {context}");
        match record.outcome {
            // Log entries are stored with the next end of any item.
            None => assert!((asked == 0 || self.unfinished.contains(name)) && !answered && !used, "{context}"),
            Some(Outcome::NeedsUser) => assert!(asked == 1 || answered || used, "the question is lost; {context}"),
            Some(outcome) => assert!(outcome == Outcome::Succeeded && used && !answered, "{context}"),
        }
    }

    /// Asserts that every end of an item has its log entry. The entry may exist before the end, because entries are stored
    /// with the next end of any item.
    fn assert_log_consistent(&self) {
        for name in NAMES {
            let succeeded = usize::from(self.record(name).last_success.is_some());
            self.assert_logged(name, "copied", succeeded);
        }
        for name in ["flaky-0", "flaky-1"] {
            let ended = usize::from(self.record(name).outcome.is_some());
            self.assert_logged(name, "the peer was busy", ended);
        }
        let record = self.record("unreadable");
        assert!(record.set_aside.is_some() || self.has_unreadable_state() == self.asks_to_reset(), "{record:?}");
    }

    /// Returns `true` if the item `unreadable` is recorded as having unreadable state.
    pub(crate) fn has_unreadable_state(&self) -> bool {
        self.record("unreadable").retry.is_some_and(|retry| retry.status == RetryStatus::UnreadableState)
    }

    pub(crate) fn asks_to_reset(&self) -> bool {
        self.questions("unreadable") > 0
    }

    fn assert_logged(&self, name: &str, text: &str, ends: usize) {
        let count = self.count_entries(name, text);
        let consistent = count >= ends && (ends > 0 || count == 0);
        assert!(consistent, "{name}: {:?} {:?}", self.record(name), self.log);
    }

    /// Asserts that the interrupted sessions are the sessions that have not ended.
    fn assert_only_interrupted(&self) {
        let open: Vec<_> = self.sessions.iter().filter(|session| session.end.is_none()).cloned().collect();
        assert_eq!(open, self.interrupted);
    }

    fn assert_sessions_consistent(&self) {
        let latest = self.sessions.iter().map(|session| session.session).max().unwrap_or_default();
        assert!(latest <= self.last_session);
        for (name, record) in &self.records {
            let known = self.sessions.iter().any(|session| session.session == record.fence.session);
            // An item that was counted before its first attempt has a retry state and nothing else.
            let unwritten = record.outcome.is_none() && record.checkpoint.is_none() && record.retry.is_some();
            assert!(known || unwritten, "{name} was written by an unknown session: {record:?}");
        }
    }

    fn assert_choices_complete(&self) {
        let chosen =
            |name: &&str| (id(name), if **name == *"unwanted" { ItemState::Unchecked } else { ItemState::Checked });
        let all: BTreeMap<_, _> = NAMES.iter().map(chosen).collect();
        let consistent =
            self.choices.is_empty() || self.choices.iter().all(|(item, state)| all.get(item) == Some(state));
        assert!(consistent && (self.choices.is_empty() || self.choices.len() >= NAMES.len() - 1), "{:?}", self.choices);
    }
}
