//! The conformance check of the handler, on real directories.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr::SyncHandler;
use syncmgr_test::{Kit, Provider};

use super::disks::Disks;
use super::handler::{Options, TwoWay};
use super::ignored::Ignored;
use super::kept::Keeper;
use super::prepare::directories;
use super::reconcile::Rules;
use super::remedy::Remedies;
use super::side::Both;
use crate::mirror::trees::{Trees, file, snapshot};
use crate::mirror::{Directory, Kept, OwnFiles};

/// Two sides, each of which has entries that the other one lacks.
struct Sides(Trees);

impl Provider for Sides {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        let open = |path| Directory::open(path).expect("the side exists");
        let disks = Disks::new(Both { a: open(&self.0.from), b: open(&self.0.to) }, Kept::default(), 2);
        let (rules, own_files, ignored) = (Rules::default(), OwnFiles::default(), Ignored::default());
        let options = Options {
            rules,
            own_files,
            ignored,
            jobs: 2,
            keeper: Keeper::None,
            is_unguarded: false,
            remedies: Remedies::OF_PROGRAM,
        };
        let names = directories([&disks.roots.a, &disks.roots.b], &options.own_files, &options.ignored);
        Arc::new(TwoWay::new(disks, options, names.expect("both sides can be listed")))
    }

    /// The entries of both sides, without the times of directories.
    fn data(&self) -> BTreeMap<String, String> {
        let sides = [("A", &self.0.from), ("B", &self.0.to)];
        let entries = sides.into_iter().flat_map(|(side, root)| {
            let describe = move |(path, (mode, _, _, contents)): (std::path::PathBuf, (u32, i64, i64, Vec<u8>))| {
                (format!("{side}/{}", path.display()), format!("{mode:o} {}", String::from_utf8_lossy(&contents)))
            };
            snapshot(root).into_iter().map(describe)
        });
        entries.collect()
    }
}

#[test]
fn two_way_passes_the_conformance_check() {
    let sides = || {
        let trees = Trees::full();
        file(&trees.to.join("docs/other.txt"), "other", 1);
        file(&trees.to.join("pics/cat.jpg"), "cat", 2);
        Sides(trees)
    };
    Kit::new(sides).assert_conforms();
}
