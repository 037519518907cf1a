//! A map from items to values of which many are equal.

use std::collections::BTreeMap;

use crate::id::ItemId;

/// The number of slots without items that a map keeps.
const SPARE: usize = 64;

/// A map from items to values. Items that get equal values one after another share one copy: items that fail together have equal
/// retry states.
#[derive(Clone, Debug)]
pub(super) struct SharedValues<T> {
    /// The slot of each item's value.
    items: BTreeMap<ItemId, u32>,
    slots: Vec<Slot<T>>,
    /// The slots without items.
    free: Vec<u32>,
    /// The slot that was used last.
    last: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot<T> {
    value: T,
    /// The number of items with the value.
    items: u32,
}

impl<T> Default for SharedValues<T> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), slots: Vec::new(), free: Vec::new(), last: 0 }
    }
}

impl<T> FromIterator<(ItemId, T)> for SharedValues<T>
where
    T: Copy + PartialEq,
{
    fn from_iter<I: IntoIterator<Item = (ItemId, T)>>(values: I) -> Self {
        let mut shared = Self::default();
        values.into_iter().for_each(|(item, value)| shared.insert(item, value));
        shared
    }
}

impl<T: Copy + PartialEq> SharedValues<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn get(&self, item: ItemId) -> Option<&T> {
        self.items.get(&item).map(|slot| &self.slots[*slot as usize].value)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = ItemId> {
        self.items.keys().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ItemId, &T)> {
        self.items.iter().map(|(item, slot)| (*item, &self.slots[*slot as usize].value))
    }

    pub(super) fn insert(&mut self, item: ItemId, value: T) {
        let slot = self.slot_of(value);
        if let Some(before) = self.items.insert(item, slot) {
            self.release(before);
        }
    }

    pub(super) fn remove(&mut self, item: ItemId) -> Option<T> {
        let slot = self.items.remove(&item)?;
        let value = self.slots[slot as usize].value;
        self.release(slot);
        Some(value)
    }

    /// Returns a slot with this value for one more item.
    fn slot_of(&mut self, value: T) -> u32 {
        match self.slots.get_mut(self.last as usize) {
            Some(slot) if slot.items > 0 && slot.value == value => slot.items += 1,
            _ => self.last = self.add(Slot { value, items: 1 }),
        }
        self.last
    }

    fn add(&mut self, slot: Slot<T>) -> u32 {
        if let Some(free) = self.free.pop() {
            self.slots[free as usize] = slot;
            return free;
        }
        self.slots.push(slot);
        u32::try_from(self.slots.len() - 1).expect("a handler has fewer than 2^32 items")
    }

    fn release(&mut self, slot: u32) {
        let items = &mut self.slots[slot as usize].items;
        *items -= 1;
        if *items == 0 {
            self.free.push(slot);
        }
        // A compaction visits all items, so it has to free a share of them.
        let least = SPARE.max(self.slots.len() / 2).max(self.items.len() / 64);
        if self.free.len() > least {
            self.compact();
        }
    }

    /// Removes the slots without items.
    fn compact(&mut self) {
        let mut moved = Vec::with_capacity(self.slots.len());
        let mut kept = 0;
        for slot in &self.slots {
            moved.push(kept);
            kept += u32::from(slot.items > 0);
        }
        self.items.values_mut().for_each(|slot| *slot = moved[*slot as usize]);
        self.slots.retain(|slot| slot.items > 0);
        self.slots.shrink_to_fit();
        (self.free, self.last) = (Vec::new(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ItemId = ItemId::from_u128(1);
    const B: ItemId = ItemId::from_u128(2);
    const C: ItemId = ItemId::from_u128(3);

    fn entries(values: &SharedValues<char>) -> Vec<(ItemId, char)> {
        values.iter().map(|(item, value)| (item, *value)).collect()
    }

    #[test]
    fn equal_values_that_follow_one_another_share_a_copy() {
        let values: SharedValues<_> = [(B, 'x'), (A, 'x'), (C, 'y')].into_iter().collect();
        assert_eq!((entries(&values), values.slots.len()), (vec![(A, 'x'), (B, 'x'), (C, 'y')], 2));
    }

    #[test]
    fn a_value_stays_until_the_last_of_its_items_has_another_one() {
        let mut values: SharedValues<_> = [(A, 'x'), (B, 'x')].into_iter().collect();
        values.insert(A, 'y');
        assert_eq!((values.get(A), values.get(B)), (Some(&'y'), Some(&'x')));
        values.insert(B, 'y');
        values.insert(C, 'z'); // takes the place of `x`
        assert_eq!((entries(&values), values.slots.len()), (vec![(A, 'y'), (B, 'y'), (C, 'z')], 2));
    }

    #[test]
    fn an_item_that_gets_its_value_again_keeps_it() {
        let mut values: SharedValues<_> = [(A, 'x')].into_iter().collect();
        values.insert(A, 'x');
        assert_eq!((entries(&values), values.slots[0].items), (vec![(A, 'x')], 1));
    }

    #[test]
    fn a_removed_value_is_returned_once() {
        let mut values: SharedValues<_> = [(A, 'x'), (B, 'y')].into_iter().collect();
        assert_eq!((values.remove(A), values.remove(A)), (Some('x'), None));
        assert_eq!((values.remove(B), values.is_empty()), (Some('y'), true));
    }

    #[test]
    fn the_space_of_removed_values_is_given_back() {
        let mut values: SharedValues<u32> = (1..=1_000).map(|n| (ItemId::from_u128(n.into()), n)).collect();
        (1..1_000).for_each(|n: u32| assert_eq!(values.remove(ItemId::from_u128(n.into())), Some(n)));
        assert!(values.slots.len() <= 2 * SPARE, "{}", values.slots.len());
        assert_eq!(values.iter().collect::<Vec<_>>(), [(ItemId::from_u128(1_000), &1_000)]);
        values.insert(A, 1_000);
        assert_eq!((values.get(A), values.keys().count()), (Some(&1_000), 2));
    }
}
