//! Rules for deletions, and the plan that the host checks against them.

use std::ops::Add;
use std::path::Path;

use syncmgr::HandlerId;
use syncmgr::guard::{GuardPolicy, GuardViolation, Side, UnattendedPolicy};
use syncmgr::prelude::*;
use syncmgr::store::{ItemRecord, SqliteStore, StateStore};

use crate::mirror::{self, ExtraEntries};
use crate::paths::PathError;
use crate::roots::{Roots, disk, is_other_disk};

/// The names of the sides.
const FROM: &str = "FROM";
const TO: &str = "TO";

/// The deletions that are allowed in TO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deletions {
    /// No deletions. The default.
    #[default]
    Never,
    /// Entries that FROM does not have, unless that looks like a mistake: the plan then violates a guard rule, and the user is asked.
    Guarded,
    /// Entries that FROM does not have, even if that looks like a mistake or other entries could not be copied.
    Always,
}

impl Deletions {
    pub(crate) fn extra_entries(self) -> ExtraEntries {
        if self == Self::Never { ExtraEntries::Keep } else { ExtraEntries::Delete }
    }

    /// The guard rules for the host. Without deletions every plan is harmless, even one that fills a new disk.
    pub(crate) fn policy(self) -> GuardPolicy {
        let policy = if self == Self::Guarded { UnattendedPolicy::Refuse } else { UnattendedPolicy::Allow };
        GuardPolicy::DEFAULT.with_unattended(policy)
    }
}

/// The identities of the disks of FROM and TO in the last run of a pair, as far as they are known.
#[derive(Debug, Default)]
pub(crate) struct KnownDisks([Option<String>; 2]);

impl KnownDisks {
    /// Reads the disks of the pair of this handler from its records.
    pub(crate) fn read(store: &SqliteStore, handler: HandlerId) -> SyncResult<Self> {
        let records = store.records(handler)?;
        Ok(Self([FROM, TO].map(|side| {
            let identity =
                |record: &ItemRecord| record.sides.iter().find(|other| &*other.name == side)?.identity.clone();
            // Only an item whose plan was carried out has sides, and one that failed since may still have those of an earlier disk.
            let with_disk = records.values().filter_map(|record| Some((record.last_success, identity(record)?)));
            let newest = with_disk.max_by_key(|(last_success, _)| *last_success);
            newest.map(|(_, identity)| identity.to_string())
        })))
    }

    /// Fails if TO, located at `to`, is on another disk than in the last run: the right one may not be mounted.
    pub(crate) fn refuse_other(&self, to: &Path) -> Result<(), PathError> {
        match (&self.0[1], disk(to)) {
            (Some(known), Some(disk)) if is_other_disk(known, &disk) => Err(PathError::OtherDisk(to.to_owned())),
            _ => Ok(()),
        }
    }

    /// These roots with the known identities of their disks: for the host, another text is another disk.
    pub(crate) fn recognize(self, roots: Roots) -> Roots {
        let [from, to] = self.0;
        let recognize = |known: Option<String>, disk: Option<String>| {
            known.filter(|known| disk.as_ref().is_none_or(|disk| !is_other_disk(known, disk))).or(disk)
        };
        Roots { from_disk: recognize(from, roots.from_disk), to_disk: recognize(to, roots.to_disk), ids: roots.ids }
    }
}

/// The numbers by which deletions are judged, of one item or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The number of entries in TO to delete.
    pub(crate) deletes: u64,
    /// The number of these whose names FROM does not have.
    extra: u64,
    /// The number of entries in TO.
    existing: u64,
    /// The number of files in FROM.
    files: u64,
}

impl Tally {
    pub(crate) fn of(plan: &mirror::Plan) -> Self {
        Self { deletes: plan.deletes(), extra: plan.extra(), existing: plan.existing, files: plan.files }
    }

    /// Returns `true` if fewer than half of the entries in TO would be left. In a run that loses most entries, at least one item does.
    pub(crate) fn loses_most(self) -> bool {
        self.deletes > self.existing / 2
    }

    /// Returns `true` if the host holds a plan with these numbers.
    pub(crate) fn is_large_loss(self) -> bool {
        self.deletes > GuardPolicy::DEFAULT.max_deletions && self.loses_most()
    }

    /// Returns `true` if nothing of TO would be left, and FROM looks unmounted: it has no file at all, or `is_known` to have had all
    /// that. A directory with few files, such as the backup of each day, may get others.
    pub(crate) fn is_emptied(self, is_known: bool) -> bool {
        const FEW: u64 = 3;
        self.extra > 0 && self.extra == self.existing && (self.files == 0 || is_known && self.extra > FEW)
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (deletes, existing) = (self.deletes + other.deletes, self.existing + other.existing);
        Self { deletes, extra: self.extra + other.extra, existing, files: self.files + other.files }
    }
}

/// Converts `plan` into the plan to propose to the host, which judges the deletions of `judged`. It offers no remedies, because a
/// mirror cannot copy back to FROM.
pub(crate) fn host_plan(plan: &mirror::Plan, judged: Tally, roots: &Roots) -> Plan {
    let side = |name, entries, disk: &Option<String>| match disk {
        Some(disk) => Side::new(name, entries).with_identity(disk.as_str()),
        None => Side::new(name, entries),
    };
    Plan::new()
        .with_creates(plan.creates)
        .with_updates(plan.updates)
        .with_deletes(judged.deletes, judged.existing)
        .with_bytes(plan.bytes())
        .with_side(side(FROM, plan.entries, &roots.from_disk))
        // Filling an empty TO is harmless, so the entries to create count as entries of TO.
        .with_side(side(TO, plan.existing + plan.creates, &roots.to_disk))
}

/// The error for a held plan with the numbers `own`, in a run with the numbers `whole`.
pub(crate) fn held_message(own: Tally, whole: Tally, violation: &GuardViolation) -> String {
    let Tally { deletes, existing, .. } = own;
    match violation {
        GuardViolation::TooManyDeletions { .. } if own.is_large_loss() => {
            format!(
                "nothing was deleted: {deletes} of {existing} entries in TO would be deleted; use --yes to delete them"
            )
        }
        GuardViolation::TooManyDeletions { .. } => format!(
            "nothing was deleted: {} of all {} entries in TO would be deleted; use --yes to delete them",
            whole.deletes, whole.existing
        ),
        violation if deletes == 0 => format!("{violation}; no entry would be deleted; use --yes to continue"),
        violation => format!(
            "nothing was deleted: {violation}, and {deletes} of {existing} {} in TO would be deleted; \
             use --yes to delete {}",
            if existing == 1 { "entry" } else { "entries" },
            them(deletes)
        ),
    }
}

/// Asks the user about the deletion of everything in TO. Returns the error unless the user allows it.
pub(crate) fn emptied_message(item: &ItemContext, own: Tally) -> Option<String> {
    const CHOICES: [&str; 2] = ["delete", "change nothing"];
    let (fact, them) = (emptied_fact(own.existing), them(own.existing));
    let answer = item.decide("emptied", &format!("{fact}. Delete {them}?"), &CHOICES);
    (answer != Some(CHOICES[0])).then(|| format!("nothing was changed: {fact}; use --yes to delete {them}"))
}

/// The text about a TO with this number of entries, none of which FROM has.
fn emptied_fact(existing: u64) -> String {
    match existing {
        1 => "FROM does not have the only entry in TO".into(),
        _ => format!("FROM has none of the {existing} entries in TO"),
    }
}

/// The pronoun for this number of entries.
fn them(count: u64) -> &'static str {
    if count == 1 { "it" } else { "them" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_guarded_deletions_are_held() {
        let policy = |deletions: Deletions| deletions.policy().unattended;
        assert_eq!(policy(Deletions::Guarded), UnattendedPolicy::Refuse);
        assert_eq!(policy(Deletions::Never), UnattendedPolicy::Allow);
        assert_eq!(policy(Deletions::Always), UnattendedPolicy::Allow);
    }

    #[test]
    fn one_entry_that_would_be_deleted_is_singular() {
        assert_eq!(emptied_fact(1), "FROM does not have the only entry in TO");
        assert_eq!(emptied_fact(2), "FROM has none of the 2 entries in TO");
        let empty = GuardViolation::SideEmpty { side: "FROM".into(), before: 20 };
        let one = Tally { deletes: 1, extra: 1, existing: 1, files: 0 };
        let message = held_message(one, one, &empty);
        assert!(message.ends_with("1 of 1 entry in TO would be deleted; use --yes to delete it"), "{message}");
    }

    #[test]
    fn a_held_plan_reports_the_violation_and_the_flag_that_allows_it() {
        let many = GuardViolation::TooManyDeletions { deletes: 11, existing: 20 };
        let tally = |deletes, existing| Tally { deletes, extra: deletes, existing, files: 1 };
        let plain = "nothing was deleted: 11 of 20 entries in TO would be deleted; use --yes to delete them";
        assert_eq!(held_message(tally(11, 20), tally(11, 30), &many), plain);
        let whole = "nothing was deleted: 40 of all 50 entries in TO would be deleted; use --yes to delete them";
        assert_eq!(held_message(tally(8, 8), tally(40, 50), &many), whole);
        let empty = GuardViolation::SideEmpty { side: "FROM".into(), before: 20 };
        assert_eq!(
            held_message(tally(11, 20), tally(11, 20), &empty),
            "nothing was deleted: FROM is empty but had 20 entries, and 11 of 20 entries in TO would be deleted; \
             use --yes to delete them"
        );
        let changed = GuardViolation::PeerChanged { side: "TO".into() };
        let nothing = "TO has a different identity than before; no entry would be deleted; use --yes to continue";
        assert_eq!(held_message(tally(0, 0), tally(0, 0), &changed), nothing);
    }
}
