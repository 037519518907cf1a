//! The handler keeps the contract, over real directories.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr::SyncHandler;
use syncmgr_test::{Kit, Provider};

use crate::guard::Deletions;
use crate::handler::{OfflineFiles, Terms};
use crate::mirror::trees::{Trees, snapshot};
use crate::record::Records;
use crate::roots::Roots;

impl Provider for Trees {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        let (pair, jobs) = (self.pair(), 2);
        let roots = Roots::of(&pair, &self.from, &self.to);
        let terms = Terms { deletions: Deletions::Guarded, records: Records::Known, jobs, aside: None };
        Arc::new(OfflineFiles::new(pair, roots, terms).expect("FROM can be listed"))
    }

    /// What is in TO, and whether it is what FROM has: each world is made at another time.
    fn data(&self) -> BTreeMap<String, String> {
        let from = snapshot(&self.from);
        let shown = |(path, entry): (std::path::PathBuf, _)| {
            let as_in_from = if from.get(&path) == Some(&entry) { "as in FROM".into() } else { format!("{entry:?}") };
            (path.display().to_string(), as_in_from)
        };
        snapshot(&self.to).into_iter().map(shown).collect()
    }
}

#[test]
fn offline_files_keeps_the_contract() {
    Kit::new(Trees::full).judge();
}
