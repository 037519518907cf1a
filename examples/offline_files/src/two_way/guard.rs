//! Deletions that look like a mistake, such as a disk that is not mounted.
//!
//! What counts is how much of what was agreed a side still has. New entries do not hide that everything else has gone.

use syncmgr::guard::Side as HostSide;
use syncmgr::prelude::*;

use super::plan::Tally;
use super::remedy::Remedies;
use super::side::Side;

/// More deletions than these, and more than half of what was agreed, need a person.
const MANY: u64 = 10;

/// An item that has lost everything needs a person if it had more entries than these.
const FEW: u64 = 3;

impl Tally {
    pub(crate) fn has_deletions(&self) -> bool {
        self.deletes.a + self.deletes.b > 0
    }

    /// The side on which most of the entries would be deleted.
    fn losing(&self) -> Side {
        if self.deletes.a > self.deletes.b { Side::A } else { Side::B }
    }

    /// Returns `true` if so many entries would be deleted that a person has to allow it.
    fn is_large_loss(&self) -> bool {
        let deletes = self.deletes[self.losing()];
        deletes > MANY && deletes > self.agreed / 2
    }

    /// Returns `true` if a side has lost everything that was agreed but the `kept` entries, and more than `few`, which would be
    /// deleted on the other side.
    fn is_emptied(&self, kept: u64, few: u64) -> bool {
        let deleting = self.losing();
        let lost = self.agreed > kept && self.survivors[deleting.other()] <= kept;
        lost && self.deletes[deleting] > few
    }
}

/// How an item is judged besides the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// A directory that one side does not have any more. Its deletion is no mistake of a disk.
    Deleted,
    /// A directory that both sides have. A disk may be mounted on it.
    Directory,
    /// The other entries at the top level.
    TopLevel,
}

/// Why an item is not synchronized as planned.
#[derive(Debug)]
pub(crate) struct Objection {
    pub(crate) text: String,
    pub(crate) extent: Refused,
}

/// What of an item is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Deletions,
    /// A disk may be missing, whose place must not get other files.
    Everything,
}

/// Why the deletions of an item are not made; `None` if they are. `own` are the numbers of the item, and `whole` those of the pair. If they
/// were held in the last run, they still are. If the `remedies` have no questions, the user is not asked.
pub(crate) fn objection(
    item: &ItemContext,
    own: Tally,
    scope: Scope,
    whole: Tally,
    was_held: bool,
    remedies: Remedies,
) -> Option<Objection> {
    if !own.has_deletions() {
        return None;
    }
    let is_own = match scope {
        Scope::Deleted => false,
        Scope::Directory => own.is_large_loss() || own.is_emptied(1, FEW),
        Scope::TopLevel => own.is_large_loss() || own.is_emptied(0, FEW),
    };
    let judged = match (is_own, whole.is_large_loss() || whole.is_emptied(0, 0)) {
        (true, _) => own,
        (false, true) => whole,
        (false, false) if was_held => own,
        (false, false) => return None,
    };
    let deleting = judged.losing();
    let (deletes, lost) = (judged.deletes[deleting], deleting.other());
    let text = format!("{lost} has lost {deletes} of {} entries, which would be deleted in {deleting}", judged.agreed);
    let allowed = match judged.is_large_loss() {
        _ if !remedies.has_questions => false,
        // The host asks about a plan with so many deletions.
        true => item.propose(&host_plan(&judged)).is_ok(),
        false => {
            const CHOICES: [&str; 2] = ["delete", "change nothing"];
            item.ask("emptied", &format!("{text}. Delete them?"), &CHOICES) == Some(CHOICES[0])
        }
    };
    let is_emptied = own.is_emptied(1, 0) || whole.is_emptied(0, 0);
    let (extent, what) = if is_emptied { (Refused::Everything, "changed") } else { (Refused::Deletions, "deleted") };
    (!allowed).then(|| Objection { text: format!("nothing was {what}: {text}; {}", remedies.deletions), extent })
}

fn host_plan(judged: &Tally) -> Plan {
    let side = |side: Side| HostSide::new(side.to_string(), judged.entries[side] + judged.creates[side]);
    Plan::new()
        .with_creates(judged.creates.a + judged.creates.b)
        .with_updates(judged.updates.a + judged.updates.b)
        .with_deletes(judged.deletes[judged.losing()], judged.agreed)
        .with_bytes(judged.bytes)
        .with_side(side(Side::A))
        .with_side(side(Side::B))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::two_way::side::Both;

    /// Numbers of a run in which A has lost what is not left of `agreed` entries.
    fn tally(agreed: u64, left: u64) -> Tally {
        let survivors = Both { a: left, b: agreed };
        Tally { agreed, survivors, deletes: Both { a: 0, b: agreed - left }, ..Tally::default() }
    }

    #[test]
    fn more_than_ten_and_more_than_half_is_a_large_loss() {
        for (agreed, left, is_large) in
            [(20, 9, true), (20, 10, false), (10, 0, false), (100, 40, true), (100, 60, false)]
        {
            assert_eq!(tally(agreed, left).is_large_loss(), is_large, "{agreed} {left}");
        }
    }

    #[test]
    fn a_side_without_any_survivor_is_emptied() {
        assert!(tally(1, 0).is_emptied(0, 0) && !tally(2, 1).is_emptied(0, 0));
        // A directory that itself is left, and few entries.
        assert!(tally(6, 1).is_emptied(1, FEW) && !tally(3, 1).is_emptied(1, FEW));
        let replaced = Tally { deletes: Both::default(), ..tally(5, 0) };
        assert!(!replaced.is_emptied(0, 0), "nothing would be deleted");
    }
}
