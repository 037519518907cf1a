//! Listings of items, which share what is equal.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Fields, Rare, SyncItem};
use crate::schedule::Schedule;

/// A listing of a handler's items, complete or not: the result of `EnumSyncMgrItems`.
///
/// An iterator takes the role of `ISyncMgrEnumItems`: `Next` is [`Iterator::next`], `Skip` is [`Iterator::skip`], `Reset`
/// is a new call of [`iter`](Self::iter), and `Clone` clones the iterator.
///
/// Cloning is cheap: a handler whose items do not change can store its listing and return clones.
///
/// ```
/// # use syncmgr_core::item::{Completeness, Items, SyncItem};
/// let items: Items = ["Inbox", "Sent"].map(SyncItem::named).into_iter().collect();
/// assert_eq!((items.len(), items.completeness()), (2, Completeness::Complete));
/// let kept = items.clone(); // cheap: a handler may store its listing
/// assert!(kept.iter().any(|item| item.name() == "Sent"));
/// ```
///
/// See also: R50 to R55.
#[derive(Clone, Debug, PartialEq)]
pub struct Items {
    items: Arc<[SyncItem]>,
    completeness: Completeness,
}

impl Items {
    /// Creates a listing that lacks items, for example because the peer is offline: `S_SYNCMGR_MISSINGITEMS`.
    ///
    /// The host retains the stored choices of absent items.
    ///
    /// ```
    /// # use syncmgr_core::item::{Completeness, Items, SyncItem};
    /// let offline = Items::incomplete([SyncItem::named("Inbox")]);
    /// assert_eq!(offline.completeness(), Completeness::MissingItems);
    /// ```
    pub fn incomplete(items: impl IntoIterator<Item = SyncItem>) -> Self {
        Self { items: sharing(items).collect(), completeness: Completeness::MissingItems }
    }

    pub(crate) fn from_shared(items: Arc<[SyncItem]>, completeness: Completeness) -> Self {
        Self { items, completeness }
    }

    /// Returns a shared reference to the items.
    pub fn shared(&self) -> Arc<[SyncItem]> {
        self.items.clone()
    }

    /// Returns an iterator over the items, in the handler's order.
    pub fn iter(&self) -> std::slice::Iter<'_, SyncItem> {
        self.items.iter()
    }

    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns `true` if there are no items.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the completeness of the listing.
    pub fn completeness(&self) -> Completeness {
        self.completeness
    }
}

impl FromIterator<SyncItem> for Items {
    /// Creates a complete listing. The host drops the stored choices of absent items.
    ///
    /// See also: R46.
    fn from_iter<I: IntoIterator<Item = SyncItem>>(items: I) -> Self {
        Self { items: sharing(items).collect(), completeness: Completeness::Complete }
    }
}

impl From<Vec<SyncItem>> for Items {
    /// Creates a complete listing.
    fn from(items: Vec<SyncItem>) -> Self {
        items.into_iter().collect()
    }
}

/// Lets items share their schedules and rare fields if they are equal.
fn sharing(items: impl IntoIterator<Item = SyncItem>) -> impl Iterator<Item = SyncItem> {
    let mut sharing = Sharing::default();
    items.into_iter().map(move |mut item| {
        match &mut item.fields {
            Fields::Default => {}
            Fields::Scheduled(schedule) => sharing.share_schedule(schedule),
            Fields::Rare(rare) => sharing.share_rare(rare),
        }
        item
    })
}

/// What the next item may share. The maps are only for look-ups.
#[derive(Default)]
struct Sharing {
    schedules: HashSet<Schedule>,
    /// The rare fields of the item before it, because its claims are often the same.
    last: Option<Arc<Rare>>,
    /// The rare fields of the last item with the same schedule.
    scheduled: HashMap<Schedule, Arc<Rare>>,
}

impl Sharing {
    fn share_schedule(&mut self, schedule: &mut Schedule) {
        if !schedule.is_on_heap() {
            return;
        }
        match self.schedules.get(schedule) {
            Some(known) => *schedule = known.clone(),
            None => _ = self.schedules.insert(schedule.clone()),
        }
    }

    fn share_rare(&mut self, rare: &mut Arc<Rare>) {
        if let Some(known) = self.last.as_ref().filter(|known| known.is_identical(rare)) {
            *rare = known.clone();
            return;
        }
        if let Some(schedule) = rare.schedule.clone() {
            let known = self.scheduled.entry(schedule).or_insert_with(|| rare.clone());
            if known.is_identical(rare) {
                *rare = known.clone();
            } else {
                *known = rare.clone();
            }
        }
        self.last = Some(rare.clone());
    }
}

impl<'a> IntoIterator for &'a Items {
    type Item = &'a SyncItem;
    type IntoIter = std::slice::Iter<'a, SyncItem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The completeness of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a listing is complete or not")]
pub enum Completeness {
    /// Every item is listed: `S_OK`.
    Complete,
    /// Items may be missing: `S_SYNCMGR_MISSINGITEMS`.
    MissingItems,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::claim::Claim;
    use crate::importance::Importance;

    #[test]
    fn items_with_equal_schedules_share_them() {
        let schedules = ["cron 0 8 * * * in UTC", "every 1h; jitter 1m"].map(|text| [text, text]).concat();
        let of = |text: &str| SyncItem::named("inbox").with_schedule(text.parse().unwrap());
        let items: Items = schedules.into_iter().map(of).collect();
        let schedules: Vec<_> = items.iter().filter_map(SyncItem::schedule).collect();
        let shares = schedules.windows(2).map(|pair| pair[0].is_same(pair[1]));
        assert_eq!(shares.collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn items_with_equal_schedules_share_their_other_fields_if_these_are_equal_too() {
        let every = |minutes: u64| Schedule::every(std::time::Duration::from_secs(60 * minutes)).unwrap();
        let of = |minutes| SyncItem::named("inbox").with_schedule(every(minutes)).with_importance(Importance::High);
        let items: Items = [of(1), of(2), of(1), of(2).with_claim("server"), of(2)].into_iter().collect();
        let rare = |item: &SyncItem| std::ptr::from_ref(item.rare());
        assert_eq!(rare(&items.items[0]), rare(&items.items[2]));
        assert!(items.iter().zip([1, 2, 1, 2, 2]).all(|(item, minutes)| item.schedule() == Some(&every(minutes))));
        assert_eq!(items.iter().map(|item| item.claims().len()).collect::<Vec<_>>(), [0, 0, 0, 1, 0]);
    }

    #[test]
    fn items_share_claims_only_if_their_capacities_are_equal_too() {
        let of = |capacity| SyncItem::named("inbox").with_claim(Claim::new("server").with_capacity(capacity));
        let items: Items = [of(2), of(2), of(3), of(3)].into_iter().collect();
        let capacities: Vec<_> = items.iter().map(|item| item.claims()[0].capacity()).collect();
        assert_eq!(capacities, [Some(2), Some(2), Some(3), Some(3)]);
        let shares: Vec<_> = items
            .iter()
            .zip(items.iter().skip(1))
            .map(|(one, next)| one.claims().as_ptr() == next.claims().as_ptr())
            .collect();
        assert_eq!(shares, [true, false, true]);
    }

    #[test]
    fn items_with_equal_claims_keep_their_own_watched_paths() {
        let of = |name| SyncItem::named(name).with_claim("disk").with_watch(name);
        let items: Items = [of("a"), of("b")].into_iter().collect();
        let watches: Vec<_> = items.iter().flat_map(SyncItem::watches).collect();
        assert_eq!(watches, [Path::new("a"), Path::new("b")]);
    }
}
