//! The merge of requests: items that an earlier run has covered do not run again.

use std::collections::BTreeMap;

use super::attempt::{Change, JournalEntry};
use super::fair_queue::Priority;
use super::verdict::Outcome;
use crate::trigger::RunFlags;

/// The terms of a run. They decide whether one run covers another.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The cookie of its invocation.
    pub cookie: Option<&'a [u8]>,
    /// Its flags.
    pub flags: RunFlags,
    /// Its requested priority.
    pub priority: Priority,
}

impl Terms<'_> {
    /// Returns `true` if a run under these terms covers a request under `later`: the cookie is the same, and the rights and the
    /// priority are at least the same.
    pub fn cover(&self, later: &Terms<'_>) -> bool {
        self.cookie == later.cookie && self.flags.contains(later.flags) && self.priority >= later.priority
    }
}

/// Returns the items that this part of a journal covers, by index, each with its last outcome.
///
/// An item is covered if it began and ended in this part. An item that was already running runs again, because the request may
/// concern newer changes. An item that was skipped or stopped runs again too, because the new request asked for neither.
pub fn covered(journal: impl IntoIterator<Item = JournalEntry>) -> BTreeMap<usize, Outcome> {
    let mut began = std::collections::BTreeSet::new();
    let mut covered = BTreeMap::new();
    for entry in journal {
        let index = entry.item as usize;
        match entry.change {
            Change::Began => {
                began.insert(index);
            }
            Change::Ended(Outcome::Skipped | Outcome::Stopped) => {}
            Change::Ended(outcome) if began.contains(&index) => {
                covered.insert(index, outcome);
            }
            Change::Ended(_) => {}
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began_entry(item: u32) -> JournalEntry {
        JournalEntry { item, change: Change::Began }
    }

    fn ended_entry(item: u32, outcome: Outcome) -> JournalEntry {
        JournalEntry { item, change: Change::Ended(outcome) }
    }

    #[test]
    fn an_item_that_begins_after_the_request_is_covered() {
        let journal =
            [began_entry(0), began_entry(1), ended_entry(0, Outcome::Succeeded), ended_entry(1, Outcome::Failed)];
        assert_eq!(covered(journal[1..].iter().copied()), BTreeMap::from([(1, Outcome::Failed)]));
        assert_eq!(covered([]), BTreeMap::new());
    }

    #[test]
    fn a_skipped_or_stopped_item_is_not_covered() {
        let journal =
            [began_entry(0), ended_entry(0, Outcome::Skipped), ended_entry(1, Outcome::Stopped), began_entry(2)];
        assert_eq!(covered(journal), BTreeMap::new());
    }

    #[test]
    fn a_run_covers_another_with_the_same_cookie_and_no_further_rights() {
        let plain = Terms { cookie: None, flags: RunFlags::empty(), priority: Priority::Background };
        let may_ask = Terms { flags: RunFlags::MAY_BOTHER_USER, ..plain };
        let urgent = Terms { priority: Priority::Foreground, ..plain };
        let with_cookie = Terms { cookie: Some(b"x"), ..plain };
        assert!(plain.cover(&plain) && may_ask.cover(&plain) && urgent.cover(&plain));
        assert!(!plain.cover(&may_ask) && !plain.cover(&urgent));
        assert!(!plain.cover(&with_cookie) && !with_cookie.cover(&plain) && with_cookie.cover(&with_cookie));
    }
}
