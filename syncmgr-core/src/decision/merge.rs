//! Which items of a request an earlier run has covered, so that they need not run again.

use std::collections::BTreeMap;

use super::line::Priority;
use super::run::{Change, JournalEntry};
use super::verdict::Outcome;
use crate::trigger::RunFlags;

/// What a run may do and was told: what has to match before one run can stand for another.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The bytes of its invocation.
    pub cookie: Option<&'a [u8]>,
    /// Its conditions.
    pub flags: RunFlags,
    /// How urgent it was asked for.
    pub priority: Priority,
}

impl Terms<'_> {
    /// Whether what runs under these terms also does for a request under `later`: the same cookie, and at least the same
    /// rights.
    pub fn cover(&self, later: &Terms<'_>) -> bool {
        self.cookie == later.cookie && self.flags.contains(later.flags) && self.priority >= later.priority
    }
}

/// The items that began in this part of a journal and came to an end of their own, by place, each with its last outcome.
///
/// An item that had begun before runs again: whoever asked while it ran wants what came after. One that somebody skipped
/// or stopped runs again too: that was not this requester's wish.
pub fn covered(journal: impl IntoIterator<Item = JournalEntry>) -> BTreeMap<usize, Outcome> {
    let mut began = std::collections::BTreeSet::new();
    let mut covered = BTreeMap::new();
    for entry in journal {
        let place = entry.item as usize;
        match entry.change {
            Change::Began => {
                began.insert(place);
            }
            Change::Ended(Outcome::Skipped | Outcome::Stopped) => {}
            Change::Ended(outcome) if began.contains(&place) => {
                covered.insert(place, outcome);
            }
            Change::Ended(_) => {}
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began(item: u32) -> JournalEntry {
        JournalEntry { item, change: Change::Began }
    }

    fn ended(item: u32, outcome: Outcome) -> JournalEntry {
        JournalEntry { item, change: Change::Ended(outcome) }
    }

    #[test]
    fn an_item_that_had_not_begun_is_covered_and_one_that_ran_is_not() {
        let journal = [began(0), began(1), ended(0, Outcome::Succeeded), ended(1, Outcome::Failed)];
        assert_eq!(covered(journal[1..].iter().copied()), BTreeMap::from([(1, Outcome::Failed)]));
        assert_eq!(covered([]), BTreeMap::new());
    }

    #[test]
    fn a_skip_or_stop_by_another_covers_nothing() {
        let journal = [began(0), ended(0, Outcome::Skipped), ended(1, Outcome::Stopped), began(2)];
        assert_eq!(covered(journal), BTreeMap::new());
    }

    #[test]
    fn a_run_covers_another_with_the_same_cookie_and_no_more_rights() {
        let plain = Terms { cookie: None, flags: RunFlags::empty(), priority: Priority::Background };
        let bothering = Terms { flags: RunFlags::MAY_BOTHER_USER, ..plain };
        let urgent = Terms { priority: Priority::Foreground, ..plain };
        let with_cookie = Terms { cookie: Some(b"x"), ..plain };
        assert!(plain.cover(&plain) && bothering.cover(&plain) && urgent.cover(&plain));
        assert!(!plain.cover(&bothering) && !plain.cover(&urgent));
        assert!(!plain.cover(&with_cookie) && !with_cookie.cover(&plain) && with_cookie.cover(&with_cookie));
    }
}
