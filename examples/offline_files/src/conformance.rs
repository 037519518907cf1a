//! The conformance check of the handler, on real directories.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr::SyncHandler;
use syncmgr_test::{Kit, Provider};

use crate::folder_pair::FolderPair;
use crate::guard::Deletions;
use crate::handler::{OfflineFiles, Options};
use crate::mirror::trees::{Trees, snapshot};
use crate::record::RecordMode;
use crate::roots::Roots;

impl Provider for Trees {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        let (pair, jobs) = (self.pair(), 2);
        let roots = Roots::of(&pair, &self.from, &self.to);
        let options = Options {
            handler: OfflineFiles::HANDLER.id(),
            deletions: Deletions::Guarded,
            record_mode: RecordMode::Use,
            store: None,
            jobs,
            own_files: Arc::default(),
        };
        Arc::new(OfflineFiles::new(pair, roots, options).expect("FROM can be listed"))
    }

    /// Returns the entries in TO. Entries that equal those in FROM are shown without their times, which differ between trees.
    fn data(&self) -> BTreeMap<String, String> {
        let from = snapshot(&self.from);
        let described = |(path, entry): (std::path::PathBuf, _)| {
            let as_in_from = if from.get(&path) == Some(&entry) { "as in FROM".into() } else { format!("{entry:?}") };
            (path.display().to_string(), as_in_from)
        };
        snapshot(&self.to).into_iter().map(described).collect()
    }
}

/// The trees as a folder pair.
struct Hosted(Trees);

impl Provider for Hosted {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        let pair = FolderPair::new("Trees", &self.0.from, &self.0.to).with_deletions(Deletions::Guarded).with_jobs(2);
        // The kit ends a process only in its model: the files of a killed one stay open.
        Arc::new(pair.without_lock())
    }

    fn data(&self) -> BTreeMap<String, String> {
        self.0.data()
    }
}

#[test]
fn a_folder_pair_passes_the_conformance_check() {
    Kit::new(|| Hosted(Trees::full())).assert_conforms();
}

#[test]
fn offline_files_passes_the_conformance_check() {
    Kit::new(Trees::full).assert_conforms();
}
