//! What may be deleted, and what the host has to say about it.

use syncmgr::guard::{GuardPolicy, Objection, Side, WhenGuarded};
use syncmgr::prelude::*;

use crate::mirror::{self, Surplus};
use crate::roots::Roots;

/// What the sides are called.
pub(crate) const FROM: &str = "FROM";
const TO: &str = "TO";

/// What may be removed from TO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletions {
    /// Nothing.
    Never,
    /// What FROM no longer has, unless the host objects.
    Guarded,
    /// What FROM no longer has, whatever the host thinks of it.
    Always,
}

impl Deletions {
    pub(crate) fn surplus(self) -> Surplus {
        if self == Self::Never { Surplus::Keep } else { Surplus::Delete }
    }

    /// The rules of the host. Where nothing is deleted nothing can go wrong: a new disk is just filled.
    pub(crate) fn policy(self) -> GuardPolicy {
        let headless = if self == Self::Guarded { WhenGuarded::Refuse } else { WhenGuarded::Allow };
        GuardPolicy::DEFAULT.with_headless(headless)
    }
}

/// What the host is told before `plan` is carried out.
pub(crate) fn declare(plan: &mirror::Plan, roots: &Roots) -> Plan {
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
        // A TO that was emptied is filled again, which harms nobody: it counts with what it gets.
        .with_side(side(TO, plan.existing + plan.creates, &roots.to_disk))
}

/// What to tell where the host holds so many deletions of so many entries in TO.
pub(crate) fn held(deletes: u64, existing: u64, objection: &Objection) -> String {
    match (objection, deletes) {
        (Objection::TooManyDeletions { .. }, _) => {
            format!("nothing was deleted: {deletes} of the {existing} entries in TO would be; --yes deletes them")
        }
        (objection, 0) => format!("{objection}; nothing was to be deleted; --yes accepts that"),
        (objection, _) => format!(
            "nothing was deleted: {objection}, and {deletes} of the {existing} entries in TO would be; \
             --yes accepts that and deletes them"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_guarded_deletions_are_ever_held() {
        let headless = |deletions: Deletions| deletions.policy().headless;
        assert_eq!(headless(Deletions::Guarded), WhenGuarded::Refuse);
        assert_eq!(headless(Deletions::Never), WhenGuarded::Allow);
        assert_eq!(headless(Deletions::Always), WhenGuarded::Allow);
    }

    #[test]
    fn what_is_held_is_told_with_the_reason_of_the_host_and_the_way_out() {
        let many = Objection::TooManyDeletions { deletes: 11, existing: 20 };
        let plain = "nothing was deleted: 11 of the 20 entries in TO would be; --yes deletes them";
        assert_eq!(held(11, 20, &many), plain);
        let empty = Objection::SideEmpty { side: "FROM".into(), before: 20 };
        assert_eq!(
            held(11, 20, &empty),
            "nothing was deleted: FROM is empty and had 20 entries, and 11 of the 20 entries in TO would be; \
             --yes accepts that and deletes them"
        );
        let changed = Objection::PeerChanged { side: "TO".into() };
        let nothing = "TO is not the one it was; nothing was to be deleted; --yes accepts that";
        assert_eq!(held(0, 0, &changed), nothing);
    }
}
