//! Finds the items of a list by id.

use std::sync::OnceLock;

use crate::id::ItemId;
use crate::item::SyncItem;

/// A hash table of the positions of a list's items. Filled at the first search, because most lists are never searched.
///
/// ```
/// # use syncmgr_core::{decision::item_index::ItemIndex, id::ItemId, item::SyncItem};
/// let (items, index) = (["Inbox", "Sent"].map(SyncItem::named), ItemIndex::default());
/// assert_eq!(index.position(&items, ItemId::from_name("Sent")), Some(1));
/// ```
#[derive(Debug, Default)]
pub struct ItemIndex(OnceLock<Vec<u32>>);

/// A slot without an item.
const FREE: u32 = u32::MAX;

impl ItemIndex {
    /// Returns the position of the item with this id. `items` has to be the same list each time, with fewer than 2^32 items and no
    /// duplicate ids.
    pub fn position(&self, items: &[SyncItem], id: ItemId) -> Option<usize> {
        let slots = self.0.get_or_init(|| fill(items));
        let positions = probe(slots.len(), id).map(|slot| slots[slot]).take_while(|position| *position != FREE);
        positions.map(|position| position as usize).find(|position| items[*position].id() == id)
    }
}

/// Puts the position of each item into the first free slot of its id. A third of the slots stays free, so that searches are short.
fn fill(items: &[SyncItem]) -> Vec<u32> {
    let mut slots = vec![FREE; items.len() + items.len() / 2 + 1];
    for (position, item) in (0..).zip(items) {
        let free = probe(slots.len(), item.id()).find(|slot| slots[*slot] == FREE);
        slots[free.expect("there are more slots than items")] = position;
    }
    slots
}

/// Returns the slots of an id, in the order in which they are searched.
fn probe(slots: usize, id: ItemId) -> impl Iterator<Item = usize> {
    // Ids are random or consecutive numbers. The golden ratio spreads both.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (high, low) = id.guid().as_u64_pair();
    let hash = (high ^ low).wrapping_mul(SPREAD);
    let first = ((u128::from(hash) * slots as u128) >> 64) as usize;
    (first..slots).chain(0..first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_found_at_its_position_and_no_other_is_found() {
        let items: Vec<_> = (0..100).map(|number| SyncItem::named(format!("item {number}"))).collect();
        let index = ItemIndex::default();
        for (position, item) in items.iter().enumerate() {
            assert_eq!(index.position(&items, item.id()), Some(position));
        }
        assert_eq!(index.position(&items, ItemId::from_name("another")), None);
        assert_eq!(ItemIndex::default().position(&[], items[0].id()), None);
    }

    #[test]
    fn searches_of_consecutive_ids_are_short() {
        let items: Vec<_> = (0..10_000).map(|number| SyncItem::new(ItemId::from_u128(number), "item")).collect();
        let slots = fill(&items);
        let searched = |item: &SyncItem| {
            let is_of = |slot: usize| slots[slot] != FREE && items[slots[slot] as usize].id() == item.id();
            probe(slots.len(), item.id()).position(is_of).expect("the item has a slot")
        };
        let longest = items.iter().map(searched).max();
        assert!(longest < Some(16), "{longest:?}");
    }
}
