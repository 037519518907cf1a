//! Hard links: the files with several names in FROM, and their names in TO.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entry::{Entry, FileId};
use super::plan::{Action, Plan};
use super::visit::TargetEntry;

/// The files with several names of which a scan has found one or more.
#[derive(Default)]
pub(super) struct Links(Mutex<HashMap<Key, Linked>>);

/// A file in FROM, and a device in TO: a file cannot have names in two file systems.
type Key = (FileId, u64);

/// A file with several names.
#[derive(Clone)]
pub(super) struct Linked {
    /// The path with the first of its names.
    path: PathBuf,
    size: u64,
    /// The file in TO, if it needs no copy.
    to: Option<Entry>,
    /// `true` if the file in TO needs other attributes.
    is_adjusted: bool,
    /// The number of names that both files have.
    names: u64,
}

impl Links {
    /// Returns the file `from` if one of its names is already scanned on this device in TO.
    pub(super) fn find(&self, from: &Entry, device: u64) -> Option<Linked> {
        self.lock().get(&(from.id(), device)).cloned()
    }

    /// Adds the name `path` of the file `from` on a device in TO, with its entry there and the action for that.
    pub(super) fn add(&self, (from, device): (&Entry, u64), path: PathBuf, to: Option<Entry>, action: Option<&Action>) {
        let is_adjusted = matches!(action, Some(Action::SetAttributes(_)));
        let kept = to.filter(|_| action.is_none() || is_adjusted);
        let first = || Linked { path, size: from.size, to: kept, is_adjusted, names: 0 };
        let mut files = self.lock();
        let file = files.entry((from.id(), device)).or_insert_with(first);
        file.names += u64::from(file.is_in_target(to));
    }

    /// Changes the plan so that attributes are set only where every name of the file in TO is one of the file in FROM. Other names, as
    /// in a snapshot, keep the attributes that they have.
    pub(super) fn protect_others(self, plan: &mut Plan) {
        for Linked { path, size, to, .. } in self.into_files().filter(Linked::has_other_names) {
            to.into_iter().for_each(|to| plan.copy_instead(&path, size, to.inode()));
        }
    }

    fn into_files(self) -> impl Iterator<Item = Linked> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).into_values()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Linked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Linked {
    /// The action that makes `target` another name of this file; `None` if it is one. With other attributes the file may be copied.
    pub(super) fn link_for(self, target: &TargetEntry<'_>) -> Option<Action> {
        let is_link = !self.is_adjusted && self.is_in_target(target.to);
        (!is_link).then(|| Action::LinkTo(Box::new(self.path)))
    }

    /// Returns `true` if `to` is this file in TO.
    fn is_in_target(&self, to: Option<Entry>) -> bool {
        self.to.zip(to).is_some_and(|(file, to)| file.id() == to.id())
    }

    /// Returns `true` if the file whose attributes are to be set has further names.
    fn has_other_names(&self) -> bool {
        self.is_adjusted && self.to.is_some_and(|to| to.names > self.names)
    }
}
