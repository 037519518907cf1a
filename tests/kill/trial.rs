//! A trial: child processes that synchronize one folder, are killed, and continue the work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use syncmgr::explain::Condition;
use syncmgr::retry::Resume;
use syncmgr::store::{SqliteOptions, SqliteStore, StateStore};
use tempfile::TempDir;

use crate::child::{ChildConfig, ExitKind, ResumeMode};
use crate::consistency::Data;
use crate::copying::{HANDLER, id};
use crate::folder::{CHUNKS, Folder, NAMES, expected_copy};
use crate::scenario::Scenario;
use crate::snapshot::{Snapshot, integrity, orphans};

/// A folder, and the results of the last check.
pub(crate) struct Trial {
    directory: TempDir,
    pub(crate) folder: Folder,
    /// The number of lines in the folder's notes at the last check.
    noted: usize,
    /// The snapshot of the last check.
    last: Option<Snapshot>,
}

impl Trial {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("the directory is created");
        let folder = Folder::new(directory.path());
        Self { directory, folder, noted: 0, last: None }
    }

    /// Checks all invariants after a child has ended.
    pub(crate) fn check(&mut self) {
        let copy = self.directory.path().join("checked");
        self.folder.copy_state(&copy);
        let copied = self.copied_chunks();
        self.assert_not_copied_again(&copied);
        self.noted += self.folder.notes(self.noted).len();
        let path = copy.join("state");
        if path.exists() {
            self.last = Some(self.check_copy(&Folder(copy.clone())));
            std::fs::remove_dir_all(copy).expect("the directory is removed");
            self.assert_committed(&copied);
        }
    }

    /// Returns the snapshot of the last check.
    pub(crate) fn last(&self) -> &Snapshot {
        self.last.as_ref().expect("the last check found a store")
    }

    fn check_copy(&self, copy: &Folder) -> Snapshot {
        let path = copy.state();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("the runtime is built");
        let _guard = runtime.enter();
        let next = Scenario::open(copy, SqliteOptions::new(), Resume::AtNextTrigger).expect("the file opens");
        let snapshot = Snapshot::of_store(&next.store, &path);
        snapshot.assert_consistent(&self.folder, Data::Current);
        for name in &snapshot.unfinished {
            let explained = next.manager.explain_item(HANDLER, id(name)).expect("the read succeeds");
            assert!(matches!(explained.condition, Condition::Interrupted { .. }), "{name}: {explained}");
        }
        drop(next);
        assert_eq!(integrity(&path), "ok");
        assert_eq!(orphans(&path), 0);
        snapshot
    }

    /// Returns the chunks of each item that were copied since the last check.
    fn copied_chunks(&self) -> BTreeMap<String, Vec<usize>> {
        let mut copied: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for note in self.folder.notes(self.noted) {
            if let ["chunk", name, chunk] = note.split(' ').collect::<Vec<_>>()[..] {
                copied.entry(name.to_string()).or_default().push(chunk.parse().expect("the chunk is a number"));
            }
        }
        copied
    }

    /// Asserts that no committed chunk was copied again, and that the others were copied once, in order.
    fn assert_not_copied_again(&self, copied: &BTreeMap<String, Vec<usize>>) {
        for (name, chunks) in copied {
            let first =
                self.last.as_ref().and_then(|snapshot| snapshot.file_state(name)).map_or(0, |state| state.chunk);
            let once: Vec<_> = (first..first + chunks.len()).collect();
            assert_eq!(*chunks, once, "{name} had {first} committed chunks");
        }
    }

    /// Asserts that all copied chunks are committed, except for the last one, which may be uncommitted.
    fn assert_committed(&self, copied: &BTreeMap<String, Vec<usize>>) {
        for (name, chunks) in copied {
            let saved = self.last().file_state(name).map_or(0, |state| state.chunk);
            let last = chunks.last().copied().unwrap_or_default();
            assert!(last <= saved, "{name} was copying chunk {last}, but only {saved} chunks are committed");
        }
    }

    /// Runs another child to its end. Asserts that the result equals the result of a run without kills, and that a further
    /// run copies nothing.
    pub(crate) fn finish(&mut self, resume: ResumeMode) {
        let (unfinished, noted) = (self.last.as_ref().map(|snapshot| snapshot.unfinished.clone()), self.noted);
        assert_eq!(ChildConfig { resume, ..ChildConfig::default() }.run(&self.folder).0, ExitKind::Done);
        if let Some(unfinished) = unfinished.filter(|_| resume == ResumeMode::Immediately) {
            self.assert_resumed(&unfinished, noted);
        }
        self.assert_finished();
        let notes = self.folder.notes(0).len();
        assert_eq!(ChildConfig::default().run(&self.folder).0, ExitKind::Done);
        assert!(self.folder.notes(notes).iter().all(|note| !note.starts_with("chunk")));
        self.assert_finished();
    }

    /// Asserts that only unfinished items were resumed automatically.
    fn assert_resumed(&self, unfinished: &BTreeSet<&str>, noted: usize) {
        let notes = self.folder.notes(noted);
        let resumed = notes.iter().take_while(|note| *note != "resumed").filter_map(|note| note.strip_prefix("begin "));
        let resumed: BTreeSet<_> = resumed.collect();
        assert!(resumed.is_subset(unfinished), "resumed: {resumed:?}, unfinished: {unfinished:?}");
    }

    fn assert_finished(&mut self) {
        self.check();
        let snapshot = self.last.as_ref().expect("the check found a store");
        let (comparable, expected_lines) = (snapshot.comparable(), &baseline().snapshot);
        let differs: Vec<_> = comparable.iter().filter(|line| !expected_lines.contains(line)).collect();
        assert!(comparable == *expected_lines, "different from the baseline: {differs:#?}");
        assert_eq!(self.folder.copies(), baseline().copies);
        assert_eq!(snapshot.interrupted, []);
        let store = SqliteStore::open_read_only(self.folder.state()).expect("the store opens read-only");
        assert!(store.sessions().expect("the read succeeds").iter().all(|session| session.end.is_some()));
    }
}

/// The result of a run without kills.
pub(crate) struct Baseline {
    snapshot: Vec<String>,
    copies: Vec<(&'static str, String)>,
    /// The number of hits of each failpoint.
    pub(crate) steps: BTreeMap<String, usize>,
}

pub(crate) fn baseline() -> &'static Baseline {
    static BASELINE: OnceLock<Baseline> = OnceLock::new();
    BASELINE.get_or_init(|| {
        let mut trial = Trial::new();
        let (exit, passed) = ChildConfig::default().run(&trial.folder);
        assert_eq!(exit, ExitKind::Done);
        trial.check();
        let mut steps = BTreeMap::new();
        passed.into_iter().for_each(|step| *steps.entry(step).or_default() += 1);
        let is_complete = |name: &&str| trial.folder.copy_of(name) == expected_copy(name, CHUNKS);
        assert_eq!(NAMES.iter().filter(|name| !is_complete(name)).collect::<Vec<_>>(), [&"unwanted"]);
        let snapshot = trial.last.as_ref().expect("the check found a store").comparable();
        Baseline { snapshot, copies: trial.folder.copies(), steps }
    })
}
