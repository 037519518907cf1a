//! Rules for deletions, and the plan that the host checks against them.

use std::path::Path;

use syncmgr::HandlerId;
use syncmgr::guard::{GuardPolicy, GuardViolation, Side, UnattendedPolicy};
use syncmgr::prelude::*;
use syncmgr::store::{SqliteStore, StateStore};

use crate::mirror::{self, Extent, ExtraEntries};
use crate::part::Part;
use crate::paths::PathError;
use crate::roots::{Roots, disk};

/// The id of the handler, as in its attribute.
const HANDLER: HandlerId = HandlerId::from_u128(0x6f0d_8a52_3c1b_4d0e_9a57_52b1_c6f4_e8d3);

/// The names of the sides.
const FROM: &str = "FROM";
const TO: &str = "TO";

/// The deletions that are allowed in TO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletions {
    /// No deletions.
    Never,
    /// Entries that FROM does not have, unless the plan violates a guard rule.
    Guarded,
    /// Entries that FROM does not have, even if the plan violates a guard rule.
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

/// Fails if TO, located at `to`, is on another disk than in the last run of this pair: the right one may not be mounted.
pub(crate) fn refuse_other_disk(store: &SqliteStore, to: &Path) -> SyncResult {
    let record = store.record(HANDLER, Part::new(Extent::TopLevel).item().id())?;
    let records = if record.is_some() { Vec::new() } else { store.records(HANDLER)?.into_values().collect() };
    let sides = record.iter().chain(&records).flat_map(|record| &record.sides);
    let known = sides.filter(|side| &*side.name == TO).find_map(|side| side.identity.as_deref());
    match (known, disk(to)) {
        (Some(known), Some(disk)) if known != disk => Err(PathError::OtherDisk(to.to_owned()).into()),
        _ => Ok(()),
    }
}

/// Converts `plan` into the plan to propose to the host. It offers no remedies, because a mirror cannot copy back to FROM.
pub(crate) fn host_plan(plan: &mirror::Plan, roots: &Roots) -> Plan {
    let side = |name, entries, disk: &Option<String>| match disk {
        Some(disk) => Side::new(name, entries).with_identity(disk.as_str()),
        None => Side::new(name, entries),
    };
    Plan::new()
        .with_creates(plan.creates)
        .with_updates(plan.updates)
        .with_deletes(plan.deletes(), plan.existing)
        .with_bytes(plan.bytes())
        .with_side(side(FROM, plan.entries, &roots.from_disk))
        // Filling an empty TO is harmless, so the entries to create count as entries of TO.
        .with_side(side(TO, plan.existing + plan.creates, &roots.to_disk))
}

/// The error for a held plan that deletes `deletes` of `existing` entries in TO.
pub(crate) fn held_message(deletes: u64, existing: u64, violation: &GuardViolation) -> String {
    match (violation, deletes) {
        (GuardViolation::TooManyDeletions { .. }, _) => {
            format!(
                "nothing was deleted: {deletes} of {existing} entries in TO would be deleted; use --yes to delete them"
            )
        }
        (violation, 0) => format!("{violation}; no entry would be deleted; use --yes to continue"),
        (violation, _) => format!(
            "nothing was deleted: {violation}, and {deletes} of {existing} entries in TO would be deleted; \
             use --yes to delete them"
        ),
    }
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
    fn a_held_plan_reports_the_violation_and_the_flag_that_allows_it() {
        let many = GuardViolation::TooManyDeletions { deletes: 11, existing: 20 };
        let plain = "nothing was deleted: 11 of 20 entries in TO would be deleted; use --yes to delete them";
        assert_eq!(held_message(11, 20, &many), plain);
        let empty = GuardViolation::SideEmpty { side: "FROM".into(), before: 20 };
        assert_eq!(
            held_message(11, 20, &empty),
            "nothing was deleted: FROM is empty but had 20 entries, and 11 of 20 entries in TO would be deleted; \
             use --yes to delete them"
        );
        let changed = GuardViolation::PeerChanged { side: "TO".into() };
        let nothing = "TO has a different identity than before; no entry would be deleted; use --yes to continue";
        assert_eq!(held_message(0, 0, &changed), nothing);
    }
}
