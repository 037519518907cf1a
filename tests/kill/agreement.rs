//! What has to agree in a store at any moment: the parts of a record, and the records with the data.

use std::collections::BTreeMap;

use syncmgr::Outcome;
use syncmgr::item::ItemState;
use syncmgr::retry::Setback;
use syncmgr::store::ItemRecord;

use crate::copying::id;
use crate::folder::{CHUNKS, Folder, NAMES, Place, expected};
use crate::seen::Seen;

/// Whether the files are there that the records speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Present,
    /// The store is older than the files, and nobody has taken over.
    Newer,
}

impl Seen {
    /// Fails where something does not agree.
    pub(crate) fn assert_agreed(&self, folder: &Folder, data: Data) {
        for (name, record) in &self.records {
            self.assert_parts_agreed(name, record);
            if data == Data::Present {
                self.assert_covered(name, folder);
            }
        }
        for name in ["asks", "guarded"] {
            self.assert_decision_kept(name);
        }
        self.assert_log_agreed();
        self.assert_sessions_agreed();
        if data == Data::Present {
            self.assert_only_interrupted();
        }
        self.assert_choices_whole();
    }

    fn record(&self, name: &str) -> ItemRecord {
        self.records.get(name).cloned().unwrap_or_default()
    }

    fn assert_parts_agreed(&self, name: &str, record: &ItemRecord) {
        let ItemRecord { outcome, retry, last_attempt, last_success, fence, .. } = record;
        assert_eq!(outcome.is_some(), last_attempt.is_some(), "{name}: {record:?}");
        assert!(fence.session <= self.last_session, "{name}: {record:?}");
        let unsuccessful = matches!(outcome, Some(Outcome::Failed | Outcome::NeedsUser));
        // Whoever answers clears what waited for it, whoever puts a state aside what it led to.
        let used = self.place(name).is_some_and(|place| place.decided.is_some());
        let cleared = used || self.answers.contains(name) || record.set_aside.is_some();
        assert!(retry.is_none() || unsuccessful, "{name}: {record:?}");
        assert!(retry.is_some() || !unsuccessful || cleared, "{name}: {record:?}");
        if *outcome == Some(Outcome::Succeeded) {
            assert_eq!(self.place(name).map(|place| place.chunk), Some(CHUNKS), "{name}: {record:?}");
            assert_eq!(last_success, last_attempt, "{name}: {record:?}");
        }
        let planned = self.place(name).is_some_and(|place| place.decided.as_deref() == Some("cleared"));
        assert_eq!(planned, !record.sides.is_empty(), "{name}: {record:?}");
    }

    /// A checkpoint speaks of nothing that is not there, and of all that is needed to go on.
    fn assert_covered(&self, name: &str, folder: &Folder) {
        let Some(Place { chunk, bytes, .. }) = self.place(name) else { return };
        let (copied, wanted) = (folder.copy_of(name), expected(name, chunk));
        assert_eq!(bytes, wanted.len() as u64, "{name}");
        assert!(copied.starts_with(&wanted), "{name}: chunk {chunk} is committed and there is only {copied:?}");
        assert!(expected(name, CHUNKS).starts_with(&copied), "{name}: {copied:?}");
    }

    /// What was asked is asked until it is answered, and answered until the commit that uses it.
    fn assert_decision_kept(&self, name: &str) {
        let (record, answered) = (self.record(name), self.answers.contains(name));
        let used = self.place(name).is_some_and(|place| place.decided.is_some());
        let (asked, context) = (self.questions(name), format!("{name}: {record:?}"));
        assert!(asked <= 1, "{context}: {asked} questions");
        assert!(!(answered && used), "an answer that was used is not used up; {context}");
        match record.outcome {
            // What an item says is stored with whichever end comes next, of this item or another.
            None => assert!((asked == 0 || self.unfinished.contains(name)) && !answered && !used, "{context}"),
            Some(Outcome::NeedsUser) => assert!(asked == 1 || answered || used, "nobody is asked any more; {context}"),
            Some(outcome) => assert!(outcome == Outcome::Succeeded && used && !answered, "{context}"),
        }
    }

    /// An entry about how an item ended is there when that end is. While the item runs it may be there before: what is said
    /// is stored with whichever end comes next, of this item or another.
    fn assert_log_agreed(&self) {
        for name in NAMES {
            let succeeded = usize::from(self.record(name).last_success.is_some());
            self.assert_told(name, "copied", succeeded);
        }
        for name in ["flaky-0", "flaky-1"] {
            let ended = usize::from(self.record(name).outcome.is_some());
            self.assert_told(name, "the peer was busy", ended);
        }
        let record = self.record("unreadable");
        assert!(record.set_aside.is_some() || self.is_spoilt() == self.asks_to_reset(), "{record:?}");
    }

    /// Whether it is recorded that the state of an item cannot be read.
    pub(crate) fn is_spoilt(&self) -> bool {
        self.record("unreadable").retry.is_some_and(|retry| retry.setback == Setback::UnreadableState)
    }

    pub(crate) fn asks_to_reset(&self) -> bool {
        self.questions("unreadable") > 0
    }

    fn assert_told(&self, name: &str, text: &str, ends: usize) {
        let told = self.told(name, text);
        let agreed = told >= ends && (ends > 0 || told == 0);
        assert!(agreed, "{name}: {:?} {:?}", self.record(name), self.log);
    }

    /// For whoever has taken over, what has no end was interrupted, and nothing else was.
    fn assert_only_interrupted(&self) {
        let open: Vec<_> = self.sessions.iter().filter(|session| session.end.is_none()).cloned().collect();
        assert_eq!(open, self.interrupted);
    }

    fn assert_sessions_agreed(&self) {
        let latest = self.sessions.iter().map(|session| session.session).max().unwrap_or_default();
        assert!(latest <= self.last_session);
        for (name, record) in &self.records {
            let known = self.sessions.iter().any(|session| session.session == record.fence.session);
            assert!(known, "{name} was written by a session nobody knows: {record:?}");
        }
    }

    fn assert_choices_whole(&self) {
        let chosen =
            |name: &&str| (id(name), if **name == *"unwanted" { ItemState::Unchecked } else { ItemState::Checked });
        let all: BTreeMap<_, _> = NAMES.iter().map(chosen).collect();
        let agreed = self.choices.is_empty() || self.choices.iter().all(|(item, state)| all.get(item) == Some(state));
        assert!(agreed && (self.choices.is_empty() || self.choices.len() >= NAMES.len() - 1), "{:?}", self.choices);
    }
}
