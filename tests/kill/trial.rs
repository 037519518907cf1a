//! One trial: a folder, children that are killed in it, and children that go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use syncmgr::explain::Standing;
use syncmgr::retry::Resume;
use syncmgr::store::{SqliteOptions, SqliteStore, StateStore};
use tempfile::TempDir;

use crate::agreement::Data;
use crate::child::{Fate, GoingOn, Orders};
use crate::copying::{HANDLER, id};
use crate::folder::{CHUNKS, Folder, NAMES, expected};
use crate::seen::{Seen, integrity, orphans};
use crate::story::Story;

/// A folder and what happened in it.
pub(crate) struct Trial {
    directory: TempDir,
    pub(crate) folder: Folder,
    /// How much was written down before the last look.
    noted: usize,
    /// What was seen at the last look.
    last: Option<Seen>,
}

impl Trial {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let folder = Folder::new(directory.path());
        Self { directory, folder, noted: 0, last: None }
    }

    /// A child has ended, somehow: everything agrees.
    pub(crate) fn look(&mut self) {
        let copy = self.directory.path().join("looked at");
        self.folder.copy_state(&copy);
        let done = self.done();
        self.assert_not_done_again(&done);
        self.noted += self.folder.notes(self.noted).len();
        let path = copy.join("state");
        if path.exists() {
            self.last = Some(self.look_at(&Folder(copy.clone())));
            std::fs::remove_dir_all(copy).expect("removed");
            self.assert_saved(&done);
        }
    }

    /// What was seen at the last look.
    pub(crate) fn last(&self) -> &Seen {
        self.last.as_ref().expect("there was a store")
    }

    fn look_at(&self, copy: &Folder) -> Seen {
        let path = copy.state();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let _inside = runtime.enter();
        let next = Story::open(copy, SqliteOptions::new(), Resume::AtNextTrigger).expect("the file opens");
        let seen = Seen::in_store(&next.store, &path);
        seen.assert_agreed(&self.folder, Data::Present);
        for name in &seen.unfinished {
            let explained = next.manager.explain_item(HANDLER, id(name)).expect("read");
            assert!(matches!(explained.standing, Standing::Interrupted { .. }), "{name}: {explained}");
        }
        drop(next);
        assert_eq!(integrity(&path), "ok");
        assert_eq!(orphans(&path), 0);
        seen
    }

    /// The chunks of each item that were done since the last look.
    fn done(&self) -> BTreeMap<String, Vec<usize>> {
        let mut done: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for note in self.folder.notes(self.noted) {
            if let ["chunk", name, chunk] = note.split(' ').collect::<Vec<_>>()[..] {
                done.entry(name.to_string()).or_default().push(chunk.parse().expect("a number"));
            }
        }
        done
    }

    /// What was committed before the last look was not done again after it, and the rest once.
    fn assert_not_done_again(&self, done: &BTreeMap<String, Vec<usize>>) {
        for (name, chunks) in done {
            let first = self.last.as_ref().and_then(|seen| seen.place(name)).map_or(0, |place| place.chunk);
            let once: Vec<_> = (first..first + chunks.len()).collect();
            assert_eq!(*chunks, once, "{name} was at chunk {first}");
        }
    }

    /// Of what was done, all is committed but the chunk in flight.
    fn assert_saved(&self, done: &BTreeMap<String, Vec<usize>>) {
        for (name, chunks) in done {
            let saved = self.last().place(name).map_or(0, |place| place.chunk);
            let last = chunks.last().copied().unwrap_or_default();
            assert!(last <= saved, "{name} was doing chunk {last}, and only {saved} chunks are committed");
        }
    }

    /// Goes on in another child to the end: that is the same as without a kill, and a further run changes nothing.
    pub(crate) fn finish(&mut self, going_on: GoingOn) {
        let (unfinished, noted) = (self.last.as_ref().map(|seen| seen.unfinished.clone()), self.noted);
        assert_eq!(Orders { going_on, ..Orders::default() }.run(&self.folder).0, Fate::Done);
        if let Some(unfinished) = unfinished.filter(|_| going_on == GoingOn::AtOnce) {
            self.assert_went_on(&unfinished, noted);
        }
        self.assert_finished();
        let notes = self.folder.notes(0).len();
        assert_eq!(Orders::default().run(&self.folder).0, Fate::Done);
        assert!(self.folder.notes(notes).iter().all(|note| !note.starts_with("chunk")));
        self.assert_finished();
    }

    /// What went on by itself was what was unfinished, and nothing else.
    fn assert_went_on(&self, unfinished: &BTreeSet<&str>, noted: usize) {
        let notes = self.folder.notes(noted);
        let went_on = notes.iter().take_while(|note| *note != "went on").filter_map(|note| note.strip_prefix("begin "));
        let went_on: BTreeSet<_> = went_on.collect();
        assert!(went_on.is_subset(unfinished), "{went_on:?} went on, and unfinished was {unfinished:?}");
    }

    fn assert_finished(&mut self) {
        self.look();
        let seen = self.last.as_ref().expect("a store");
        let (timeless, wanted) = (seen.timeless(), &undisturbed().seen);
        let differs: Vec<_> = timeless.iter().filter(|line| !wanted.contains(line)).collect();
        assert!(timeless == *wanted, "not as undisturbed: {differs:#?}");
        assert_eq!(self.folder.copies(), undisturbed().copies);
        assert_eq!(seen.interrupted, []);
        let store = SqliteStore::look(self.folder.state()).expect("it can be looked at");
        assert!(store.sessions().expect("read").iter().all(|session| session.end.is_some()));
    }
}

/// What is there after a run nobody disturbs.
pub(crate) struct Undisturbed {
    seen: Vec<String>,
    copies: Vec<(&'static str, String)>,
    /// How often each step is passed.
    pub(crate) steps: BTreeMap<String, usize>,
}

pub(crate) fn undisturbed() -> &'static Undisturbed {
    static UNDISTURBED: OnceLock<Undisturbed> = OnceLock::new();
    UNDISTURBED.get_or_init(|| {
        let mut trial = Trial::new();
        let (fate, passed) = Orders::default().run(&trial.folder);
        assert_eq!(fate, Fate::Done);
        trial.look();
        let mut steps = BTreeMap::new();
        passed.into_iter().for_each(|step| *steps.entry(step).or_default() += 1);
        let whole = |name: &&str| trial.folder.copy_of(name) == expected(name, CHUNKS);
        assert_eq!(NAMES.iter().filter(|name| !whole(name)).collect::<Vec<_>>(), [&"unwanted"]);
        let seen = trial.last.as_ref().expect("a store").timeless();
        Undisturbed { seen, copies: trial.folder.copies(), steps }
    })
}
