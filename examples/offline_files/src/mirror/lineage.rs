//! The directories on the way to one, by which a side that is mounted in the other is recognised.

use std::sync::Arc;

use super::entry::{Entry, FileId};

/// The identities of the directories from the roots of FROM and TO down to one. A mirror of one of them into another would grow with
/// every run, or change FROM.
#[derive(Clone, Debug, Default)]
pub(super) struct Lineage {
    from: Arc<[FileId]>,
    to: Arc<[FileId]>,
}

impl Lineage {
    /// This lineage and a directory further down, which TO may not have.
    pub(super) fn with(&self, from: &Entry, to: Option<&Entry>) -> Self {
        let push = |ids: &Arc<[FileId]>, entry: &Entry| ids.iter().copied().chain([entry.id()]).collect();
        Self { from: push(&self.from, from), to: to.map_or_else(|| self.to.clone(), |to| push(&self.to, to)) }
    }

    /// Returns `true` if the root of TO is the directory `from` of FROM.
    pub(super) fn starts_with_target(&self, from: &Entry) -> bool {
        self.to.first() == Some(&from.id())
    }

    /// Returns `true` if `from`, a directory of FROM, is one of those of TO.
    pub(super) fn has_target(&self, from: &Entry) -> bool {
        self.to.contains(&from.id())
    }

    /// Returns `true` if `to`, a directory of TO, is one of those of FROM.
    pub(super) fn has_source(&self, to: &Entry) -> bool {
        self.from.contains(&to.id())
    }
}
