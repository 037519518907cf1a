//! The items that a run does not look at. They count when a loss is judged by the size of the whole pair.

use std::collections::BTreeMap;

use syncmgr::ItemId;
use syncmgr::prelude::*;

use super::archive::decode;
use super::disks::Disks;
use super::entry::Agreed;
use super::plan::{PartName, Tally};
use super::record::Record;
use super::side::Side;
use super::tree::Tree;

/// The numbers of what was agreed in these items. A side has lost an item if it does not have its directory any more.
pub(crate) fn tally(items: &BTreeMap<PartName, ItemId>, run: &RunContext, disks: &Disks) -> Tally {
    let mut tally = Tally::default();
    for (name, id) in items {
        let agreed = agreed(run, *id);
        tally.agreed += agreed;
        for side in Side::BOTH.into_iter().filter(|side| has(disks, *side, name)) {
            tally.survivors[side] += agreed;
            tally.entries[side] += agreed;
        }
    }
    tally
}

/// The number of agreed entries of an item. A checkpoint that cannot be read counts for nothing; the item itself reports it.
fn agreed(run: &RunContext, id: ItemId) -> u64 {
    let record = run.saved_of::<Record>(id).ok().flatten();
    let mut tree = Tree::new(None);
    let is_read = record.is_some_and(|record| decode(&record.agreed, &mut tree));
    if is_read { tree.below(Tree::<Agreed>::ROOT).count() as u64 } else { 0 }
}

fn has(disks: &Disks, side: Side, name: &PartName) -> bool {
    let found = name.as_ref().map(|name| disks.roots[side].entry(name));
    found.is_none_or(|found| found.is_ok_and(|entry| entry.is_some_and(|entry| entry.is_directory())))
}
