//! What the first item of a run does for all of them: it scans both sides, makes the moves, and plans all items together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use syncmgr::ItemId;
use syncmgr::anyhow::anyhow;
use syncmgr::environment::{Clock, SystemClock};
use syncmgr::prelude::*;

use super::archive::{decode, encode};
use super::disks::Disks;
use super::entry::{Agreed, Found};
use super::ignored::Ignored;
use super::kept;
use super::leftovers::Leftovers;
use super::moved_out::{moved_out, take_back};
use super::moves::{Relocation, detect};
use super::plan::{PartName, Plan, Tally};
use super::reconcile::{Rules, reconcile};
use super::record::{Record, RootIds};
use super::relocate::relocate;
use super::remedy::Remedies;
use super::scan::{Scanned, Scope, scan};
use super::side::Side;
use super::state::State;
use super::tree::Tree;
use super::unselected;
use crate::escape::EscapedPath;
use crate::mirror::{Directory, Done, Failure, FileError, Monitor, OwnFiles, Stopped};

/// What the items of a run share.
pub(crate) struct Prepared {
    pub(crate) roots: RootIds,
    pub(crate) state: State,
    /// The agreed entries that stay agreed without a look at them.
    left_out: Vec<(PartName, OsString)>,
    moved_out: HashMap<PartName, Tree<Agreed>>,
    held: HashSet<PartName>,
    pub(crate) rules: Rules,
    pub(crate) plan: Plan,
    /// The numbers of all items together, also of those that are not selected if something would be deleted.
    pub(crate) whole: Tally,
    /// The moves that were made, by item.
    pub(crate) moved: HashMap<PartName, u64>,
    /// `true` if an entry could not be read or moved. What seems deleted may have been moved to where it cannot be seen.
    pub(crate) has_failed: bool,
    /// What could not be read or moved, each until its item reports it.
    errors: Mutex<Vec<FileError>>,
}

/// The items of a pair.
#[derive(Debug, Default)]
pub(crate) struct PairItems {
    /// The selected ones, with their checkpoints.
    pub(crate) selected: BTreeMap<PartName, Option<Record>>,
    pub(crate) others: BTreeMap<PartName, ItemId>,
}

impl PairItems {
    /// The selected items whose deletions were refused.
    fn held(&self) -> HashSet<PartName> {
        let is_held = |record: &Option<Record>| record.as_ref().is_some_and(|record| record.is_held);
        self.selected.iter().filter(|(_, record)| is_held(record)).map(|(name, _)| name.clone()).collect()
    }
}

/// The inputs of the preparation.
pub(crate) struct Preparation<'a> {
    pub(crate) disks: &'a Disks,
    pub(crate) rules: &'a Rules,
    pub(crate) own_files: &'a OwnFiles,
    pub(crate) ignored: &'a Ignored,
    /// The item that prepares the run.
    pub(crate) item: &'a ItemContext,
    pub(crate) items: &'a PairItems,
    /// `true` if both roots may be others than in the last run.
    pub(crate) takes_other_roots: bool,
    pub(crate) remedies: Remedies,
}

impl Preparation<'_> {
    pub(crate) fn prepare(&self) -> SyncResult<Prepared> {
        let roots = RootIds::of(&self.disks.roots);
        let mut agreed = Some(self.agreed(&roots)?);
        let (mut refused, mut errors) = (HashSet::new(), Vec::new());
        loop {
            let (scanned, directories) = self.scan()?;
            // The moves of the attempt before were made in it.
            let agreed = agreed.take().map_or_else(|| self.agreed(&roots), Ok)?;
            let left_out = self.left_out(&agreed, &directories);
            let mut state = State::new(agreed, scanned.found);
            let relocations = detect(&mut state, &refused);
            let Some(moved) = self.relocate(&relocations, &mut state, &mut refused, &mut errors)? else { continue };
            let moved_out = self.moved_out(&roots, &state)?;
            let plan = reconcile(&state, self.rules);
            let mut whole = Tally::default();
            plan.parts.values().for_each(|part| whole += part.tally);
            if whole.has_deletions() {
                whole += unselected::tally(&self.items.others, self.item.run(), self.disks);
            }
            errors.extend(scanned.errors.into_iter().map(|(_, error)| error));
            let (rules, has_failed) = (self.rules.clone(), !errors.is_empty());
            let (held, errors) = (self.items.held(), Mutex::new(errors));
            return Ok(Prepared {
                roots,
                state,
                left_out,
                moved_out,
                held,
                rules,
                plan,
                whole,
                moved,
                has_failed,
                errors,
            });
        }
    }

    /// Reads the agreed states of the selected items into one tree.
    fn agreed(&self, roots: &RootIds) -> SyncResult<Tree<Agreed>> {
        let mut agreed = Tree::new(None);
        // The entries at the top level come first: of a directory that became a file and a directory again, its item still has the
        // record of the first one.
        for record in self.items.selected.values().flatten() {
            match roots.other_side(&record.roots) {
                Some(_) if self.takes_other_roots => continue,
                Some(side) => {
                    let text = "is another directory than in the last run";
                    return Err(anyhow!("nothing was done: {side} {text}: {}", self.remedies.other_root)).permanent();
                }
                None => {}
            }
            if !decode(&record.agreed, &mut agreed) {
                return Err(anyhow!(self.remedies.unreadable_state())).unreadable_state();
            }
        }
        let records = self.items.selected.values().flatten().filter(|record| roots.other_side(&record.roots).is_none());
        take_back(records.map(|record| &*record.moved).filter(|moved| !moved.is_empty()), &mut agreed);
        Ok(agreed)
    }

    /// What was agreed about entries that are in other items after the moves.
    fn moved_out(&self, roots: &RootIds, state: &State) -> SyncResult<HashMap<PartName, Tree<Agreed>>> {
        if !state.has_moved {
            return Ok(HashMap::new());
        }
        let item_before = |path: &Path| path.iter().next().and_then(|top| self.stored_by(top));
        Ok(moved_out(&self.agreed(roots)?, &state.agreed, item_before, |path| part_of(path, state)))
    }

    /// The item that has stored what was agreed about a name at the top level.
    fn stored_by(&self, name: &OsStr) -> PartName {
        Some(name.to_owned()).filter(|_| self.items.selected.contains_key(&Some(name.to_owned())))
    }

    /// Returns `true` if a name at the top level is one of a selected item.
    fn includes(&self, name: &OsStr, directories: &BTreeSet<OsString>) -> bool {
        let part = || directories.contains(name).then(|| name.to_owned());
        name != kept::NAME && self.items.selected.contains_key(&part())
    }

    /// The agreed entries at the top level that became entries of items that are not selected, by the item that has stored them.
    fn left_out(&self, agreed: &Tree<Agreed>, directories: &BTreeSet<OsString>) -> Vec<(PartName, OsString)> {
        let names = agreed.children(Tree::<Agreed>::ROOT).iter().map(|child| agreed.name(*child).to_owned());
        let exists =
            |name: &OsStr| Side::BOTH.iter().any(|side| !matches!(self.disks.roots[*side].entry(name), Ok(None)));
        let left_out = names.filter(|name| !self.includes(name, directories) && exists(name));
        left_out.map(|name| (self.stored_by(&name), name)).collect()
    }

    /// Scans the selected items. Returns also the names of all directories at the top level.
    fn scan(&self) -> SyncResult<(Scanned, BTreeSet<OsString>)> {
        let directories = directories(Side::BOTH.map(|side| &self.disks.roots[side]), self.own_files, self.ignored)?;
        let includes = |name: &OsStr| self.includes(name, &directories);
        let hidden = self.disks.sample_names();
        let scope = Scope { includes: &includes, own_files: self.own_files, ignored: self.ignored, hidden: &hidden };
        let watch = Watch(self.item);
        let scanned = scan(&self.disks.roots, &scope, &self.disks.jobs, &watch)?;
        for side in Side::BOTH {
            if scanned.found[side].entry(Tree::<Found>::ROOT).is_unreadable {
                let cause = scanned.errors.into_iter().find(|(of, _)| *of == side).map(|(_, error)| error);
                return Err(cause.map_or_else(|| anyhow!("{side} cannot be read"), |cause| anyhow!("{side} {cause}")));
            }
        }
        let disks = &self.disks.without_memory();
        match (Leftovers { disks, found: &scanned.found, paths: &scanned.leftovers }).remove(&watch) {
            Ok(false) => Ok((scanned, directories)),
            Ok(true) => self.scan(),
            Err(Failure::Stopped) => Err(Stopped.into()),
            Err(Failure::File(error)) => {
                let path = EscapedPath(error.path.clone());
                Err(anyhow!("nothing was done, because of a run that was killed: {path} {error}"))
            }
        }
    }

    /// Makes the moves. Returns their numbers; `None` if one failed: both sides are then to be scanned again, and what should have
    /// been moved is copied and deleted.
    fn relocate(
        &self,
        relocations: &[Relocation],
        state: &mut State,
        refused: &mut HashSet<PathBuf>,
        errors: &mut Vec<FileError>,
    ) -> SyncResult<Option<HashMap<PartName, u64>>> {
        let (disks, mut moved) = (self.disks.without_memory(), HashMap::new());
        for relocation in relocations {
            self.item.check()?;
            match relocate(&disks, relocation, state) {
                Ok(now) => relocation.settle(state, &now),
                Err(error) => {
                    // Any that comes after it may depend on it.
                    let targets = relocations.iter().flat_map(Relocation::targets);
                    refused.extend(targets.filter(|path| path.starts_with(&error.path)).cloned());
                    refused.insert(error.path.clone());
                    refused.extend(relocation.targets().cloned());
                    // To another file system, an entry is copied.
                    errors.extend(Some(error).filter(|error| error.cause.kind() != io::ErrorKind::CrossesDevices));
                    return Ok(None);
                }
            }
            for made in relocation.moves() {
                *moved.entry(part_of(&made.to, state)).or_default() += 1;
            }
        }
        Ok(Some(moved))
    }
}

impl Prepared {
    /// Returns `true` if the deletions of this item were refused in its last run.
    pub(crate) fn was_held(&self, part: &PartName) -> bool {
        self.held.contains(part)
    }

    /// What was agreed about entries that this item had and others get, as text.
    pub(crate) fn moved_out_of(&self, part: &PartName) -> String {
        self.moved_out.get(part).map(encode).unwrap_or_default()
    }

    /// The names at the top level of which this item has stored what was agreed, and that it does not have now.
    pub(crate) fn left_out_of(&self, part: &PartName) -> impl Iterator<Item = &OsStr> {
        self.left_out.iter().filter(move |(of, _)| of == part).map(|(_, name)| &**name)
    }

    /// Takes the errors of an item.
    pub(crate) fn errors_of(&self, part: &PartName) -> impl Iterator<Item = FileError> {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *errors);
        let (own, others): (Vec<_>, _) = all.into_iter().partition(|error| part_of(&error.path, &self.state) == *part);
        *errors = others;
        own.into_iter()
    }
}

/// The item of a path.
fn part_of(path: &Path, state: &State) -> PartName {
    let top = path.iter().next()?;
    let is_directory = |side: Side| {
        let tree = &state.found[side];
        tree.child(Tree::<Found>::ROOT, top).is_some_and(|id| tree.entry(id).version.is_directory())
    };
    Side::BOTH.into_iter().any(is_directory).then(|| top.to_owned())
}

/// The names of the directories at the top level of these sides.
pub(crate) fn directories(
    roots: impl IntoIterator<Item = impl std::borrow::Borrow<Directory>>,
    own_files: &OwnFiles,
    ignored: &Ignored,
) -> io::Result<BTreeSet<OsString>> {
    let mut names = BTreeSet::new();
    for root in roots {
        names.extend(crate::mirror::directories_of(root.borrow(), None, own_files)?);
    }
    names.retain(|name| name != kept::NAME && !ignored.contains(Path::new(name), true));
    Ok(names)
}

/// Lets the end of the item stop the preparation, which another item then begins again.
struct Watch<'a>(&'a ItemContext);

impl Monitor for Watch<'_> {
    fn advance(&self, _: u64) -> Result<(), Stopped> {
        self.0.progress(0, 0).map_err(|_| Stopped)
    }

    fn done(&self, _: Done) {}

    fn warn(&self, _: &Path, _: &str) {}

    fn fail(&self, _: FileError) {}

    fn now(&self) -> SystemTime {
        SystemClock::default().now().wall
    }
}
