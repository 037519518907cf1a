//! The decision about one entry.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::Comparison;
use super::visit::Reconciler;
use crate::two_way::conflict::{Choice, Conflict, versions};
use crate::two_way::entry::{Change, Found, Kind, Version};
use crate::two_way::plan::{Reason, Verdict};
use crate::two_way::side::{Both, Side};
use crate::two_way::state::Place;
use crate::two_way::tree::Id;

/// How the versions of both sides differ.
enum Difference {
    None,
    /// Only this side has changed.
    Only(Side),
    /// Only a comparison of contents tells. `changed` is the only side that may have changed.
    Unknown {
        changed: Option<Side>,
    },
    Conflict,
}

impl Reconciler<'_> {
    /// The decision about an entry; the side whose version gets a new name if both are kept.
    pub(super) fn verdict(
        &self,
        parent: Option<usize>,
        name: &OsStr,
        place: Place,
        found: &Both<Option<Found>>,
    ) -> Result<Verdict, Side> {
        if let Some(reason) = self.reason_to_leave(place, found) {
            return Ok(Verdict::Leave(reason));
        }
        let Some(found) = versions(found) else { return Ok(self.verdict_on_only(place, found)) };
        let path = || self.part.parent_path(parent).join(name);
        match self.difference(place, &found) {
            Difference::None => Ok(Verdict::Keep),
            Difference::Only(side) => Ok(Verdict::Copy(side.other())),
            Difference::Conflict => self.settle(path, place, &found),
            Difference::Unknown { changed } => match self.compared(path) {
                None => Ok(Verdict::Compare),
                Some(Comparison::Equal) => Ok(Verdict::Keep),
                Some(Comparison::Failed) => Ok(Verdict::Leave(Reason::Unstable)),
                Some(Comparison::Unreadable) => Ok(Verdict::Leave(Reason::NotCompared)),
                Some(Comparison::Different) => {
                    changed.map_or_else(|| self.settle(path, place, &found), |side| Ok(Verdict::Copy(side.other())))
                }
            },
        }
    }

    /// The decision about an entry that only one side has.
    fn verdict_on_only(&self, place: Place, found: &Both<Option<Found>>) -> Verdict {
        let side = found.only().expect("an entry is on a side");
        let id = place.found[side].expect("the only side has the entry");
        match self.is_agreed_version(side, id, place.agreed) {
            false => Verdict::Copy(side.other()),
            true if self.state.found[side].entry(id).hides => Verdict::Leave(Reason::Hides(side)),
            true => Verdict::Delete(side),
        }
    }

    fn compared(&self, path: impl Fn() -> PathBuf) -> Option<Comparison> {
        let compared = &self.rules.compared;
        if compared.is_empty() { None } else { compared.get(&path()).copied() }
    }

    fn reason_to_leave(&self, place: Place, found: &Both<Option<Found>>) -> Option<Reason> {
        let agreed = self.state.agreed(place);
        let reason = |side: Side| {
            let was_mount = agreed.is_some_and(|agreed| agreed[side].is_mount) && !self.rules.forgets_mounts;
            match found[side] {
                Some(found) if found.version.kind == Kind::Special => Some(Reason::Special(side)),
                Some(found) if found.is_unreadable => Some(Reason::Unreadable(side)),
                Some(found) if was_mount && !found.version.is_mount => Some(Reason::Unmounted(side)),
                _ => None,
            }
        };
        reason(Side::A).or_else(|| reason(Side::B))
    }

    fn difference(&self, place: Place, found: &Both<Version>) -> Difference {
        if found.a.kind == found.b.kind { self.same_kind(place, found) } else { self.other_kind(place) }
    }

    fn same_kind(&self, place: Place, found: &Both<Version>) -> Difference {
        if found.a.is_directory() {
            return Difference::None;
        }
        let may_be_equal = found.a.size == found.b.size;
        let agreed = self.state.agreed(place).filter(|agreed| agreed.a.kind == found.a.kind);
        let is_moved = |side: Side| place.found[side].is_some_and(|id| self.state.found[side].entry(id).is_moved);
        let change = |side: Side| match agreed.map_or(Change::Certain, |agreed| found[side].change_since(&agreed[side]))
        {
            Change::Possible if is_moved(side) => Change::Metadata,
            change => change,
        };
        // New metadata are in no conflict with an edit.
        let is_sure = !self.rules.compares_contents;
        match (change(Side::A), change(Side::B)) {
            (Change::None, Change::None) if self.rules.compares_contents && found.a.kind == Kind::File => {
                Difference::Unknown { changed: None }
            }
            (Change::None, Change::None) => Difference::None,
            (Change::Metadata | Change::Possible, Change::None) => Difference::Unknown { changed: Some(Side::A) },
            (Change::None, Change::Metadata | Change::Possible) => Difference::Unknown { changed: Some(Side::B) },
            (Change::Possible, Change::Metadata) if is_sure => Difference::Unknown { changed: Some(Side::A) },
            (Change::Metadata, Change::Possible) if is_sure => Difference::Unknown { changed: Some(Side::B) },
            (Change::Certain, Change::Metadata) if is_sure => Difference::Only(Side::A),
            (Change::Metadata, Change::Certain) if is_sure => Difference::Only(Side::B),
            (Change::Certain, Change::None) => Difference::Only(Side::A),
            (Change::None, Change::Certain) => Difference::Only(Side::B),
            _ if may_be_equal => Difference::Unknown { changed: None },
            _ => Difference::Conflict,
        }
    }

    fn other_kind(&self, place: Place) -> Difference {
        match Side::BOTH.map(|side| self.is_all_as_agreed(place, side)) {
            [true, false] => Difference::Only(Side::B),
            [false, true] => Difference::Only(Side::A),
            _ => Difference::Conflict,
        }
    }

    /// Returns `true` if a side has a directory with entries that are not synchronized.
    fn hides(&self, place: Place, side: Side) -> bool {
        let tree = &self.state.found[side];
        place.found[side].is_some_and(|top| {
            tree.entry(top).version.is_directory()
                && std::iter::once(top).chain(tree.below(top)).any(|id| tree.entry(id).hides)
        })
    }

    /// Returns `true` if a side has an entry, and everything in it, as it was agreed.
    fn is_all_as_agreed(&self, place: Place, side: Side) -> bool {
        let Some(top) = place.found[side] else { return false };
        let mut pending = vec![(top, place.agreed)];
        while let Some((id, agreed)) = pending.pop() {
            if !self.is_as_agreed(side, id, agreed) {
                return false;
            }
            let tree = &self.state.found[side];
            let known = |child| agreed.and_then(|agreed| self.state.agreed.child(agreed, tree.name(child)));
            pending.extend(tree.children(id).iter().map(|child| (*child, known(*child))));
        }
        true
    }

    /// The same without what a directory contains.
    fn is_as_agreed(&self, side: Side, id: Id, agreed: Option<Id>) -> bool {
        !self.state.found[side].entry(id).hides && self.is_agreed_version(side, id, agreed)
    }

    /// The same, whatever a directory contains. New metadata other than permissions, such as a link more, are no change.
    fn is_agreed_version(&self, side: Side, id: Id, agreed: Option<Id>) -> bool {
        let found = self.state.found[side].entry(id);
        let agreed = agreed.and_then(|agreed| *self.state.agreed.entry(agreed));
        let unseen = if self.rules.compares_contents { Change::None } else { Change::Metadata };
        let is_same = |agreed: Both<Version>| {
            let (now, then) = (&found.version, &agreed[side]);
            now.change_since(then) <= unseen && now.mode == then.mode
        };
        !found.is_unreadable && agreed.is_some_and(is_same)
    }

    /// Decides about a conflict.
    fn settle(&self, path: impl Fn() -> PathBuf, place: Place, found: &Both<Version>) -> Result<Verdict, Side> {
        let answer = || self.rules.answers.get(&path()).copied();
        let choice = self.rules.policy.decide(found);
        match choice.or_else(|| if self.rules.answers.is_empty() { None } else { answer() }) {
            Some(Choice::Use(side)) if self.hides(place, side.other()) => {
                Ok(Verdict::Leave(Reason::Occupied(side.other())))
            }
            Some(Choice::Use(side)) => Ok(Verdict::Copy(side.other())),
            Some(Choice::Rename(side)) => Err(side),
            None => {
                let was_agreed = self.state.agreed(place).is_some();
                Ok(Verdict::Leave(Reason::Conflict(Conflict { found: *found, was_agreed })))
            }
        }
    }
}
