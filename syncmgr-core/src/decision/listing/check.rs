//! The check of what a handler lists.

use std::collections::BTreeSet;

use crate::id::ItemId;
use crate::item::SyncItem;
use crate::text::{Escaped, MAX_NAME, bounded};

/// Returns `true` if a listing may be invalid. A fast check: of the valid listings with a hundred thousand items, only about one in
/// ten thousand gets the full check unnecessarily.
pub(super) fn may_be_invalid(items: &[SyncItem]) -> bool {
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
pub(super) fn valid_items(items: &[SyncItem], faults: &mut Vec<ListingFault>) -> Vec<SyncItem> {
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
    use super::*;
    use crate::decision::listing::Listing;

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
}
