//! A checked listing of a handler.

mod check;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::check::ListingFault;
use self::check::{may_be_invalid, valid_items};
use super::choice::Preferences;
use super::item_index::ItemIndex;
use super::schedule_index::ScheduleIndex;
use crate::id::{HandlerId, ItemId, Subject};
use crate::item::{Completeness, ItemState, Items, SyncItem};
use crate::overrides::Overrides;
use crate::schedule::Schedule;

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
    /// The items as the handler lists them, without what a person has set.
    declared: Arc<[SyncItem]>,
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
            declared: Arc::default(),
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
        let declared = items.clone();
        (Self { items, declared, completeness, index: Arc::default(), by_schedule: Arc::default() }, faults)
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

    /// Returns the listing with what a person has set for its items, in place of what was set before.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// # use syncmgr_core::{decision::listing::Listing, id::{ItemId, Subject}, item::SyncItem};
    /// # use syncmgr_core::{overrides::{Override, Overrides}, schedule::Schedule};
    /// let (listing, _) = Listing::check(["Inbox", "Spam"].map(SyncItem::named).into_iter().collect());
    /// let never = Overrides::from_iter([Override::Schedule(Schedule::NEVER)]);
    /// let set = BTreeMap::from([(Subject::Item(ItemId::from_name("Spam")), never)]);
    /// assert_eq!(listing.with_overrides(&set).items()[1].schedule(), Some(&Schedule::NEVER));
    /// ```
    #[must_use]
    pub fn with_overrides(&self, overrides: &BTreeMap<Subject, Overrides>) -> Self {
        if overrides.keys().all(|subject| subject.item().is_none()) && Arc::ptr_eq(&self.items, &self.declared) {
            return self.clone();
        }
        let of_item =
            |(subject, set): (&Subject, _)| Some((self.index.position(&self.declared, subject.item()?)?, set));
        let mut items = self.declared.clone();
        for (position, set) in overrides.iter().filter_map(of_item).collect::<Vec<_>>() {
            let item = &mut Arc::make_mut(&mut items)[position];
            *item = item.clone().with_overrides(set);
        }
        Self { items, by_schedule: Arc::default(), ..self.clone() }
    }

    /// Lets what a person has set for an item apply, in place of what was set for it before. Copies the listing only if it shares its
    /// items with another one.
    pub fn set_overrides(&mut self, id: ItemId, set: &Overrides) {
        let Some(position) = self.index.position(&self.declared, id) else { return };
        let (before, item) = (&self.items[position], self.declared[position].clone().with_overrides(set));
        if item == *before {
            return;
        }
        if item.schedule() != before.schedule() {
            self.by_schedule = Arc::default();
        }
        Arc::make_mut(&mut self.items)[position] = item;
    }

    /// Returns the item with this id as the handler lists it, without what a person has set.
    pub fn declared(&self, id: ItemId) -> Option<&SyncItem> {
        self.index.position(&self.declared, id).map(|position| &self.declared[position])
    }

    /// Returns `true` if this is the listing of a clone of these items, so that they need no other check.
    pub fn is_of(&self, items: &Items) -> bool {
        Arc::ptr_eq(&self.declared, &items.shared()) && self.completeness == items.completeness()
    }

    /// Returns the listing as a handler returns it.
    pub fn to_items(&self) -> Items {
        Items::from_shared(self.declared.clone(), self.completeness)
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
        self.declared = self.declared.iter().filter(|item| item.id() != id).cloned().collect();
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

    /// Returns the schedules that items have of their own, other than [`NEVER`](Schedule::NEVER).
    pub fn schedules(&self) -> BTreeSet<Schedule> {
        let schedules = self.by_schedule.schedules(&self.items).into_iter();
        schedules.filter(|schedule| !schedule.is_never()).cloned().collect()
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
        let fired = unscheduled.into_iter().chain(schedules.iter().map(Some));
        let scheduled = self.by_schedule.positions(&self.items, fired);
        let scheduled = scheduled.filter(|position| wanted(&self.items[*position]));
        let given = ids.iter().filter_map(|id| self.index.position(&self.items, *id));
        let mut positions = Vec::new();
        scheduled.chain(given).for_each(|position| positions.push(position));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::overrides::OverrideKind;

    fn listing(items: impl IntoIterator<Item = SyncItem>) -> Listing {
        Listing::check(items.into_iter().collect()).0
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
    fn a_value_for_an_item_changes_no_other_item_of_the_listing() {
        let [a, b, c] = ["a", "b", "c"].map(ItemId::from_name);
        let set = |text| Overrides::from_iter([OverrideKind::Schedule.parse(text).unwrap()]);
        let before = listing(["a", "b"].map(SyncItem::named));
        let mut listing = before.clone();
        listing.set_overrides(a, &set("never"));
        let copied = listing.items().as_ptr();
        for (id, set) in [(b, set("every 1m")), (b, set("every 2m")), (c, set("never")), (b, Overrides::NONE)] {
            listing.set_overrides(id, &set);
        }
        assert_eq!(listing.items().as_ptr(), copied, "it was copied again");
        assert_eq!(listing, before.with_overrides(&BTreeMap::from([(Subject::Item(a), set("never"))])));
        assert!(before.items().iter().all(|item| item.schedule().is_none()));
    }

    #[test]
    fn only_another_schedule_changes_the_index_of_the_schedules() {
        let mut listing = listing(["a", "b"].map(SyncItem::named));
        let a = ItemId::from_name("a");
        let set = |kind: OverrideKind, text| Overrides::from_iter([kind.parse(text).unwrap()]);
        let index = listing.by_schedule.clone();
        listing.set_overrides(a, &set(OverrideKind::Requirements, "mains"));
        assert!(Arc::ptr_eq(&listing.by_schedule, &index));
        assert!(listing.schedules().is_empty());
        listing.set_overrides(a, &set(OverrideKind::Schedule, "every 1m"));
        assert_eq!(listing.schedules().len(), 1);
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
