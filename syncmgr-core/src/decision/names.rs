//! The names and default states of items that a listing changes in the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decision::listing::Listing;
use crate::id::ItemId;
use crate::item::{Completeness, ItemFlags, SyncItem};
use crate::store::ItemName;

/// Returns `true` if both listings have the same items with the same names and default states, in the same order.
pub fn same_names(before: &Listing, now: &Listing) -> bool {
    let (before_items, items) = (before.items(), now.items());
    let key = |item: &SyncItem| (item.id(), item.state());
    let same = |(one, other): (&SyncItem, &SyncItem)| key(one) == key(other) && one.name() == other.name();
    before.completeness() == now.completeness()
        && (Arc::ptr_eq(before_items, items)
            || before_items.len() == items.len() && before_items.iter().zip(&**items).all(same))
}

/// Returns the changes of the stored names after a listing; `None` removes a name. The name of a temporary item is not
/// stored. A complete listing removes the names of absent items, except of those with a record.
///
/// ```
/// # use std::collections::BTreeMap;
/// # use syncmgr_core::{decision::{listing::Listing, names::changed_names}, id::ItemId};
/// # use syncmgr_core::{item::{ItemState, SyncItem}, store::ItemName};
/// let (listing, _) = Listing::check(["Inbox", "Sent"].map(SyncItem::named).into_iter().collect());
/// let named = |name: &str| ItemName::new(name, ItemState::Checked);
/// let stored = BTreeMap::from(["Inbox", "Spam"].map(|name| (ItemId::from_name(name), named(name))));
/// let changes = changed_names(&stored, &listing, |_| false);
/// let (sent, spam) = (ItemId::from_name("Sent"), ItemId::from_name("Spam"));
/// assert_eq!(changes, BTreeMap::from([(sent, Some(named("Sent"))), (spam, None)]));
/// ```
pub fn changed_names(
    stored: &BTreeMap<ItemId, ItemName>,
    listing: &Listing,
    has_record: impl Fn(ItemId) -> bool,
) -> BTreeMap<ItemId, Option<ItemName>> {
    let lasting = listing.items().iter().filter(|item| !item.flags().contains(ItemFlags::TEMPORARY));
    let listed: BTreeMap<_, _> = lasting.map(|item| (item.id(), item)).collect();
    let is_same = |item: &SyncItem, stored: &ItemName| *stored.name == *item.name() && stored.state == item.state();
    let is_new = |item: &&SyncItem| !stored.get(&item.id()).is_some_and(|stored| is_same(item, stored));
    let named = |item: &SyncItem| ItemName::new(item.shared_name(), item.state());
    let changed = listed.values().copied().filter(is_new).map(|item| (item.id(), Some(named(item))));
    let mut changes: BTreeMap<_, _> = changed.collect();
    if listing.completeness() == Completeness::Complete {
        let absent = stored.keys().filter(|item| !listed.contains_key(item) && !has_record(**item));
        changes.extend(absent.map(|item| (*item, None)));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{ItemState, Items};

    fn listing(items: impl IntoIterator<Item = SyncItem>) -> Listing {
        Listing::check(items.into_iter().collect()).0
    }

    fn named(name: &str) -> ItemName {
        ItemName::new(name, ItemState::Checked)
    }

    fn stored(names: &[&str]) -> BTreeMap<ItemId, ItemName> {
        names.iter().map(|name| (ItemId::from_name(name), named(name))).collect()
    }

    #[test]
    fn a_renamed_item_gets_its_new_name() {
        let item = ItemId::from_name("a");
        let changes = changed_names(&stored(&["a"]), &listing([SyncItem::new(item, "b")]), |_| false);
        assert_eq!(changes, BTreeMap::from([(item, Some(named("b")))]));
        assert_eq!(changed_names(&stored(&["a"]), &listing([SyncItem::named("a")]), |_| false), BTreeMap::new());
    }

    #[test]
    fn an_item_with_another_default_state_is_stored_again() {
        let unchecked = SyncItem::named("a").with_state(ItemState::Unchecked);
        let changes = changed_names(&stored(&["a"]), &listing([unchecked.clone()]), |_| false);
        let expected = ItemName::new("a", ItemState::Unchecked);
        assert_eq!(changes, BTreeMap::from([(ItemId::from_name("a"), Some(expected))]));
        assert!(!same_names(&listing([SyncItem::named("a")]), &listing([unchecked])));
    }

    #[test]
    fn an_absent_item_with_a_record_keeps_its_name() {
        let absent = ItemId::from_name("b");
        let changes =
            |has_record: bool| changed_names(&stored(&["a", "b"]), &listing([SyncItem::named("a")]), |_| has_record);
        assert_eq!(changes(true), BTreeMap::new());
        assert_eq!(changes(false), BTreeMap::from([(absent, None)]));
    }

    #[test]
    fn an_incomplete_listing_adds_names_and_removes_none() {
        let (partial, _) = Listing::check(Items::incomplete([SyncItem::named("b")]));
        let changes = changed_names(&stored(&["a"]), &partial, |_| false);
        assert_eq!(changes, BTreeMap::from([(ItemId::from_name("b"), Some(named("b")))]));
    }

    #[test]
    fn the_name_of_a_temporary_item_is_not_stored() {
        let temporary = listing([SyncItem::named("a").with_flags(ItemFlags::TEMPORARY)]);
        assert_eq!(changed_names(&stored(&[]), &temporary, |_| false), BTreeMap::new());
    }

    #[test]
    fn listings_are_the_same_if_all_ids_and_names_are() {
        let before = listing(["a", "b"].map(SyncItem::named));
        assert!(same_names(&before, &before.clone()));
        assert!(same_names(&before, &listing(["a", "b"].map(SyncItem::named))));
        assert!(!same_names(&before, &listing(["a"].map(SyncItem::named))));
        assert!(!same_names(&before, &listing([SyncItem::named("a"), SyncItem::new(ItemId::from_name("b"), "c")])));
        assert!(!same_names(&before, &before.clone().incomplete()));
    }
}
