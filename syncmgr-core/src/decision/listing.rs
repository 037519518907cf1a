//! A checked listing of a handler.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::choice::Preferences;
use super::item_index::ItemIndex;
use super::schedule_index::ScheduleIndex;
use crate::id::{HandlerId, ItemId};
use crate::item::{Completeness, ItemState, Items, SyncItem};
use crate::schedule::Schedule;
use crate::text::{Escaped, MAX_NAME, bounded};

/// Returns the items with the more important ones first, and otherwise in the same order.
///
/// ```
/// # use syncmgr_core::{decision::listing::by_importance, importance::Importance, item::SyncItem};
/// let items = [SyncItem::named("Inbox"), SyncItem::named("Outbox").with_importance(Importance::High)];
/// assert_eq!(by_importance(items.into_iter().collect())[0].name(), "Outbox");
/// ```
pub fn by_importance(items: Arc<[SyncItem]>) -> Arc<[SyncItem]> {
    if items.is_sorted_by_key(|item| Reverse(item.importance())) {
        return items;
    }
    let mut sorted = items.to_vec();
    sorted.sort_by_key(|item| Reverse(item.importance()));
    sorted.into()
}

/// A checked listing: no nil id, no duplicate id, no name that is too long.
///
/// ```
/// # use syncmgr_core::{decision::listing::Listing, item::SyncItem};
/// let (listing, faults) = Listing::check(["Inbox", "Inbox"].map(SyncItem::named).into_iter().collect());
/// assert_eq!((listing.items().len(), faults.len()), (1, 1)); // the second item is left out and reported
/// ```
#[derive(Clone, Debug)]
pub struct Listing {
    items: Arc<[SyncItem]>,
    completeness: Completeness,
    /// Shared by all clones.
    index: Arc<ItemIndex>,
    /// Shared by all clones.
    by_schedule: Arc<ScheduleIndex>,
}

impl PartialEq for Listing {
    fn eq(&self, other: &Self) -> bool {
        (&self.items, self.completeness) == (&other.items, other.completeness)
    }
}

impl Listing {
    /// Creates the listing of a handler that has listed nothing yet.
    pub fn empty() -> Self {
        Self {
            items: Arc::default(),
            completeness: Completeness::Complete,
            index: Arc::default(),
            by_schedule: Arc::default(),
        }
    }

    /// Checks the items that a handler listed. Items with a nil or duplicate id are left out and reported; names that are too long are
    /// truncated and reported.
    ///
    /// See also: R49.
    pub fn check(items: Items) -> (Self, Vec<ListingFault>) {
        let completeness = items.completeness();
        let mut items = items.shared();
        let mut faults = Vec::new();
        if may_be_invalid(&items) {
            items = valid_items(&items, &mut faults).into();
        }
        (Self { items, completeness, index: Arc::default(), by_schedule: Arc::default() }, faults)
    }

    /// Returns the completeness of the listing.
    pub fn completeness(&self) -> Completeness {
        self.completeness
    }

    /// Returns the same listing, marked as one with missing items.
    pub fn incomplete(self) -> Self {
        Self { completeness: Completeness::MissingItems, ..self }
    }

    /// Returns the items in the handler's order.
    pub fn items(&self) -> &Arc<[SyncItem]> {
        &self.items
    }

    /// Returns `true` if this is the listing of a clone of these items, so that they need no other check.
    pub fn is_of(&self, items: &Items) -> bool {
        Arc::ptr_eq(&self.items, &items.shared()) && self.completeness == items.completeness()
    }

    /// Returns the listing as a handler returns it.
    pub fn to_items(&self) -> Items {
        Items::from_shared(self.items.clone(), self.completeness)
    }

    /// Returns the item with this id.
    pub fn item(&self, id: ItemId) -> Option<&SyncItem> {
        self.index.position(&self.items, id).map(|position| &self.items[position])
    }

    /// Removes a deleted item.
    ///
    /// See also: R71.
    pub fn remove(&mut self, id: ItemId) {
        self.items = self.select(|item| item.id() != id);
        (self.index, self.by_schedule) = (Arc::default(), Arc::default());
    }

    /// Returns the items for which `wanted` returns `true`, in the handler's order.
    pub fn select(&self, wanted: impl Fn(&SyncItem) -> bool) -> Arc<[SyncItem]> {
        match self.items.iter().all(&wanted) {
            true => self.items.clone(),
            false => self.items.iter().filter(|item| wanted(item)).cloned().collect(),
        }
    }

    /// Returns the items with these ids, in the handler's order, and the ids that are not listed.
    ///
    /// ```
    /// # use std::collections::BTreeSet;
    /// # use syncmgr_core::{decision::listing::Listing, id::ItemId, item::SyncItem};
    /// let (listing, _) = Listing::check(["Inbox", "Spam"].map(SyncItem::named).into_iter().collect());
    /// let (inbox, sent) = (ItemId::from_name("Inbox"), ItemId::from_name("Sent"));
    /// let (items, unlisted) = listing.select_given(&BTreeSet::from([inbox, sent]));
    /// assert_eq!((items.len(), unlisted), (1, vec![sent]));
    /// ```
    pub fn select_given(&self, given: &BTreeSet<ItemId>) -> (Arc<[SyncItem]>, Vec<ItemId>) {
        let (mut positions, mut unlisted) = (Vec::new(), Vec::new());
        for id in given {
            match self.index.position(&self.items, *id) {
                Some(position) => positions.push(position),
                None => unlisted.push(*id),
            }
        }
        positions.sort_unstable();
        let items = match positions.len() == self.items.len() {
            true => self.items.clone(),
            false => positions.into_iter().map(|position| self.items[position].clone()).collect(),
        };
        (items, unlisted)
    }

    /// Returns the schedules of the items. An item without one of its own has that of its handler, `own`.
    pub fn schedules(&self, own: Option<&Schedule>) -> BTreeSet<Schedule> {
        let mut schedules = BTreeSet::new();
        let mut last = None;
        for schedule in self.items.iter().filter_map(|item| item.schedule().or(own)) {
            // Items that share a schedule are next to each other in most listings.
            if last != Some(schedule) {
                schedules.insert(schedule.clone());
            }
            last = Some(schedule);
        }
        schedules
    }

    /// Returns the items for which `wanted` returns `true`, of those with one of these schedules, and the items with these ids, in the
    /// handler's order. An item without a schedule of its own has that of its handler, `own`. Cost: the items with these
    /// schedules and ids.
    ///
    /// ```
    /// # use std::collections::BTreeSet;
    /// # use std::time::Duration;
    /// # use syncmgr_core::{decision::listing::Listing, item::SyncItem, schedule::Schedule};
    /// let often = Schedule::every(Duration::from_secs(900))?;
    /// let items = [SyncItem::named("Inbox").with_schedule(often.clone()), SyncItem::named("Spam")];
    /// let (listing, _) = Listing::check(items.into_iter().collect());
    /// let fired = listing.select_scheduled(&BTreeSet::from([often]), None, &BTreeSet::new(), |_| true);
    /// assert_eq!(fired.len(), 1);
    /// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
    /// ```
    pub fn select_scheduled(
        &self,
        schedules: &BTreeSet<Schedule>,
        own: Option<&Schedule>,
        ids: &BTreeSet<ItemId>,
        wanted: impl Fn(&SyncItem) -> bool,
    ) -> Arc<[SyncItem]> {
        let unscheduled = own.filter(|own| schedules.contains(own)).map(|_| None);
        let fired = schedules.iter().map(Some).chain(unscheduled);
        let scheduled = fired.flat_map(|schedule| self.by_schedule.positions(&self.items, schedule));
        let scheduled = scheduled.filter(|position| wanted(&self.items[*position]));
        let given = ids.iter().filter_map(|id| self.index.position(&self.items, *id));
        let mut positions: Vec<usize> = scheduled.chain(given).collect();
        positions.sort_unstable();
        positions.dedup();
        match positions.len() == self.items.len() {
            true => self.items.clone(),
            false => positions.into_iter().map(|position| self.items[position].clone()).collect(),
        }
    }

    /// Returns the items that run without a choice by the user: stored preferences win over default states.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// # use syncmgr_core::{decision::{choice::Preferences, listing::Listing}, id::HandlerId};
    /// # use syncmgr_core::item::{ItemState, SyncItem};
    /// # let mail = HandlerId::from_u128(7);
    /// let (listing, _) = Listing::check(["Inbox", "Spam"].map(SyncItem::named).into_iter().collect());
    /// let mut preferences = Preferences::default();
    /// preferences.load(mail, BTreeMap::from([(SyncItem::named("Spam").id(), ItemState::Unchecked)]));
    /// assert_eq!(listing.select_preferred(mail, &preferences).len(), 1);
    /// ```
    pub fn select_preferred(&self, handler: HandlerId, preferences: &Preferences) -> Arc<[SyncItem]> {
        self.select(|item| preferences.state(handler, item) == ItemState::Checked)
    }
}

/// Returns `true` if a listing may be invalid. A fast check: of the valid listings with a hundred thousand items, only about one in
/// ten thousand gets the full check unnecessarily.
fn may_be_invalid(items: &[SyncItem]) -> bool {
    let mut seen = SeenIds::new(items.len());
    items.iter().any(|item| item.id().is_nil() || item.name().len() > MAX_NAME || !seen.insert(item.id()))
}

/// A set of the ids seen so far: an open-addressing table with four bytes per id, so that the fast check stays in the cache. A
/// `hashbrown::HashTable` hashed by foldhash takes 1.4 to 2.5 times as long.
struct SeenIds {
    table: Vec<u32>,
    mask: usize,
}

impl SeenIds {
    /// The longest probe sequence. Only ids that were chosen to collide need a longer one; their listing gets the full check.
    const MAX_PROBES: usize = 64;

    fn new(count: usize) -> Self {
        let slots = (2 * count).next_power_of_two();
        Self { table: vec![0; slots], mask: slots - 1 }
    }

    /// Returns `false` if the id may already be in the set.
    fn insert(&mut self, id: ItemId) -> bool {
        let (high, low) = id.guid().as_u64_pair();
        let product = u128::from(high ^ 0x9e37_79b9_7f4a_7c15) * u128::from(low ^ 0xe703_7ed1_a0b4_28db);
        let hash = (product ^ (product >> 64)) as u64;
        let (mark, slot) = ((hash as u32).max(1), (hash >> 32) as usize);
        for step in 0..Self::MAX_PROBES {
            match &mut self.table[slot.wrapping_add(step) & self.mask] {
                free @ 0 => {
                    *free = mark;
                    return true;
                }
                known if *known == mark => return false,
                _ => {}
            }
        }
        false
    }
}

/// Returns the valid items and reports the faults of the invalid ones.
fn valid_items(items: &[SyncItem], faults: &mut Vec<ListingFault>) -> Vec<SyncItem> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        if item.id().is_nil() {
            faults.push(ListingFault::NilId { name: item.name().into() });
        } else if !seen.insert(item.id()) {
            faults.push(ListingFault::Duplicate { item: item.id(), name: item.name().into() });
        } else if item.name().len() > MAX_NAME {
            faults.push(ListingFault::NameTooLong { item: item.id(), length: item.name().len() });
            let name = bounded(item.name(), MAX_NAME).into_owned();
            kept.push(item.clone().renamed(name));
        } else {
            kept.push(item.clone());
        }
    }
    kept
}

/// An invalid item in a listing. This is a bug in the handler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListingFault {
    /// The item has the nil id and was left out.
    #[error("item `{}` has the nil id and was left out; give it an id of its own", Escaped(name))]
    NilId {
        /// The item's name.
        name: String,
    },
    /// An earlier item has the same id; the later item was left out.
    #[error(
        "item `{}` has the id {item} of an item listed before it and was left out; ids must be unique",
        Escaped(name)
    )]
    Duplicate {
        /// The id of both items.
        item: ItemId,
        /// The name of the later item.
        name: String,
    },
    /// The name was too long and was truncated.
    #[error("the name of item {item} has {length} bytes and was truncated to {MAX_NAME}")]
    NameTooLong {
        /// The item.
        item: ItemId,
        /// The length of its name in bytes.
        length: usize,
    },
}

impl ListingFault {
    /// Returns the item, or `None` if it has no id.
    pub fn item(&self) -> Option<ItemId> {
        match self {
            Self::NilId { .. } => None,
            Self::Duplicate { item, .. } | Self::NameTooLong { item, .. } => Some(*item),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn listing(items: impl IntoIterator<Item = SyncItem>) -> Listing {
        Listing::check(items.into_iter().collect()).0
    }

    #[test]
    fn sequential_ids_and_ids_of_names_pass_the_fast_check() {
        let named = (0..10_000).map(|index: u32| SyncItem::named(index.to_string()));
        let counted = (1..10_000).map(|id| SyncItem::new(ItemId::from_u128(id), "x"));
        let shifted = (1..10_000).map(|id| SyncItem::new(ItemId::from_u128(id << 64), "x"));
        let mut items: Vec<_> = named.chain(counted).chain(shifted).collect();
        assert!(!may_be_invalid(&items));
        items.push(items[5_000].clone());
        assert!(may_be_invalid(&items));
    }

    #[test]
    fn sequential_ids_at_any_bit_position_pass_the_fast_check() {
        for shift in (0..128).step_by(16) {
            let counted = (1..10_000).map(|id| SyncItem::new(ItemId::from_u128(id << shift), "x"));
            assert!(!may_be_invalid(&counted.collect::<Vec<_>>()), "counting from bit {shift}");
        }
    }

    #[test]
    fn r049_nil_and_duplicate_ids_are_dropped_and_reported() {
        let items = [SyncItem::named("a"), SyncItem::new(ItemId::from_u128(0), "nil"), SyncItem::named("a")];
        let (listing, faults) = Listing::check(items.into_iter().collect());
        assert_eq!(listing.items().len(), 1);
        assert!(matches!(&faults[..], [ListingFault::NilId { .. }, ListingFault::Duplicate { .. }]), "{faults:?}");
    }

    #[test]
    fn scheduled_and_due_items_are_selected_once_in_the_order_of_the_list() {
        let every = |seconds| Schedule::every(Duration::from_secs(seconds)).unwrap();
        let own = every(1);
        let item = |name: &str, seconds| SyncItem::named(name).with_schedule(every(seconds));
        let items = [item("a", 2), SyncItem::named("b"), item("c", 3), item("d", 2), item("e", 1), item("f", 2)];
        let listing = listing(items);
        let due = BTreeSet::from(["c", "d"].map(ItemId::from_name));
        let selected = |schedules: &[u64], due: &BTreeSet<ItemId>| {
            let schedules = schedules.iter().copied().map(every).collect();
            let items = listing.select_scheduled(&schedules, Some(&own), due, |item| item.name() != "f");
            items.iter().map(|item| item.name().to_owned()).collect::<String>()
        };
        assert_eq!(selected(&[2], &due), "acd");
        assert_eq!(selected(&[1], &BTreeSet::new()), "be");
        assert_eq!(selected(&[4], &BTreeSet::new()), "");
        assert_eq!(selected(&[1, 2, 3], &due), "abcde");
    }

    #[test]
    fn a_removed_item_is_not_selected_by_its_schedule() {
        let often = Schedule::every(Duration::from_secs(1)).unwrap();
        let mut listing = listing(["a", "b"].map(|name| SyncItem::named(name).with_schedule(often.clone())));
        let fired = BTreeSet::from([often]);
        let names = |listing: &Listing| {
            let items = listing.select_scheduled(&fired, None, &BTreeSet::new(), |_| true);
            items.iter().map(|item| item.name().to_owned()).collect::<String>()
        };
        assert_eq!(names(&listing), "ab");
        listing.remove(ItemId::from_name("a"));
        assert_eq!(names(&listing), "b");
    }

    #[test]
    fn a_name_that_is_too_long_is_truncated_and_the_item_keeps_its_id() {
        let item = SyncItem::named("n".repeat(MAX_NAME + 1));
        let (listing, faults) = Listing::check([item.clone()].into_iter().collect());
        assert_eq!(listing.items()[0].id(), item.id());
        assert!(listing.items()[0].name().len() <= MAX_NAME);
        assert!(matches!(faults[..], [ListingFault::NameTooLong { .. }]));
    }

    #[test]
    fn a_name_of_the_maximum_length_is_not_a_fault() {
        let longest = SyncItem::named("n".repeat(MAX_NAME));
        assert!(!may_be_invalid(std::slice::from_ref(&longest)));
        let (listing, faults) = Listing::check([longest.clone(), longest.clone()].into_iter().collect());
        assert_eq!(listing.items()[..], [longest]);
        assert!(matches!(faults[..], [ListingFault::Duplicate { .. }]), "{faults:?}");
    }

    #[test]
    fn a_fault_names_its_item_if_the_item_has_an_id() {
        let item = ItemId::from_u128(1);
        assert_eq!(ListingFault::NilId { name: "x".into() }.item(), None);
        assert_eq!(ListingFault::Duplicate { item, name: "x".into() }.item(), Some(item));
        assert_eq!(ListingFault::NameTooLong { item, length: 9 }.item(), Some(item));
    }

    #[test]
    fn r071_a_deleted_item_is_removed_and_the_others_stay() {
        let [a, b] = ["a", "b"].map(SyncItem::named);
        let mut listing = listing([a.clone(), b.clone()]);
        assert_eq!((listing.item(a.id()), listing.item(b.id())), (Some(&a), Some(&b)));
        listing.remove(a.id());
        assert_eq!((listing.item(a.id()), &listing.items()[..]), (None, &[b][..]));
    }

    #[test]
    fn a_listing_marked_as_incomplete_keeps_its_items() {
        let complete = listing([SyncItem::named("a")]);
        assert_eq!(complete.completeness(), Completeness::Complete);
        let incomplete = complete.clone().incomplete();
        assert_eq!((incomplete.completeness(), incomplete.items()), (Completeness::MissingItems, complete.items()));
    }
}
