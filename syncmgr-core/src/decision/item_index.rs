//! Finds the items of a list by id.

use std::sync::OnceLock;

use crate::id::ItemId;
use crate::item::SyncItem;

/// The positions of a list's items in the order of their ids. Sorted at the first search, because most lists are never searched.
///
/// ```
/// # use syncmgr_core::{decision::item_index::ItemIndex, id::ItemId, item::SyncItem};
/// let (items, index) = (["Inbox", "Sent"].map(SyncItem::named), ItemIndex::default());
/// assert_eq!(index.position(&items, ItemId::from_name("Sent")), Some(1));
/// ```
#[derive(Debug, Default)]
pub struct ItemIndex(OnceLock<Vec<u32>>);

impl ItemIndex {
    /// Returns the position of the item with this id. `items` has to be the same list each time, with at most 2^32 items and no
    /// duplicate ids.
    pub fn position(&self, items: &[SyncItem], id: ItemId) -> Option<usize> {
        let id_at = |position: &u32| items[*position as usize].id();
        let positions = self.0.get_or_init(|| {
            let mut positions: Vec<u32> = (0..).take(items.len()).collect();
            positions.sort_unstable_by_key(id_at);
            positions
        });
        positions.binary_search_by_key(&id, id_at).ok().map(|found| positions[found] as usize)
    }
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
}
