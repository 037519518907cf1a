//! Records that are read in advance: most items run in the order in which they were stored, and each read transaction after a
//! commit reads its pages from the file again.

use std::collections::{BTreeMap, HashMap, VecDeque};

use rusqlite::Connection;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::record::ItemRecord;

use super::load;
use super::queue::{Key, Write};

/// The maximum number of records that one read takes in advance.
const MAX_AHEAD: i64 = 64;

/// The maximum distance between two reads that are in order.
const NEAR: i64 = 8;

/// The maximum number of records that are kept.
const MAX_RECORDS: usize = 256;

/// The maximum [`size`] of the records that are kept.
const MAX_BYTES: usize = 1024 * 1024;

/// Records of the store that no later write has changed.
///
/// A reader holds the lock while it reads and adds records. The writer removes the records that it has changed after it has stored
/// the changes, and before they leave the queue. So a record here lacks only changes that are still in the queue.
#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    records: BTreeMap<(HandlerId, ItemId), Stored>,
    /// The records in the order in which they were read, some of which have been removed.
    order: VecDeque<(HandlerId, ItemId)>,
    /// The total [`size`] of the records.
    bytes: usize,
    positions: HashMap<HandlerId, Position>,
}

/// A record in the store.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) record: ItemRecord,
    /// The number of the last write that the record contains.
    pub(super) number: u64,
}

impl ReadAhead {
    /// Returns a record that was read in advance.
    pub(super) fn get(&self, handler: HandlerId, item: ItemId) -> Option<Stored> {
        self.records.get(&(handler, item)).cloned()
    }

    /// Reads the records that follow the one at `place`, if the reads of the handler are in order.
    pub(super) fn follow(&mut self, connection: &Connection, handler: HandlerId, place: i64) {
        let Some((after, count)) = self.positions.entry(handler).or_default().next(place) else { return };
        // The handlers that run together share the space.
        let handlers = self.positions.len();
        let count = count.min(i64::try_from(MAX_RECORDS / 2 / handlers).unwrap_or(MAX_AHEAD).max(NEAR));
        let loaded = load::records_after(connection, handler, after, count, MAX_BYTES / 2 / handlers);
        // A record that cannot be read is reported once it is needed itself.
        let Ok((records, number)) = loaded else { return };
        let position = self.positions.entry(handler).or_default();
        position.last = records.last().map_or(place, |(last, ..)| place.max(*last));
        for (_, item, record) in records {
            self.add((handler, item), Stored { record, number });
        }
    }

    /// Removes the records that these writes have changed.
    pub(super) fn forget(&mut self, batch: &[Write]) {
        let forget = &mut |key| match key {
            Key::Item(handler, item) => self.remove((handler, item)),
            Key::Handler(handler) => self.remove_all(handler),
            Key::Choices(_) => {}
        };
        batch.iter().for_each(|write| write.touched(forget));
    }

    /// Removes everything, because another program may have the store.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, key: (HandlerId, ItemId), stored: Stored) {
        self.remove(key);
        self.bytes += size(&stored.record);
        self.records.insert(key, stored);
        self.order.push_back(key);
        while (self.order.len() > MAX_RECORDS || self.bytes > MAX_BYTES)
            && let Some(oldest) = self.order.pop_front()
        {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, key: (HandlerId, ItemId)) {
        self.bytes -= self.records.remove(&key).map_or(0, |removed| size(&removed.record));
    }

    fn remove_all(&mut self, handler: HandlerId) {
        let all = (handler, ItemId::from_u128(0))..=(handler, ItemId::from_u128(u128::MAX));
        let keys: Vec<_> = self.records.range(all).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.remove(key));
        self.positions.remove(&handler);
    }
}

/// The size of the saved states and the sides of a record.
pub(super) fn size(record: &ItemRecord) -> usize {
    let states = record.checkpoint.iter().chain(&record.set_aside).map(|checkpoint| checkpoint.state.len());
    states.sum::<usize>() + record.sides.iter().map(|side| size_of_val(side) + side.name.len()).sum::<usize>()
}

/// The position of the reads of a handler's items.
#[derive(Debug, Default)]
struct Position {
    /// The highest place that was read.
    last: i64,
    /// The number of records that were last read in advance.
    ahead: i64,
}

impl Position {
    /// Returns the place after which to read, and the number of records, if the read of `place` continues the reads before it.
    fn next(&mut self, place: i64) -> Option<(i64, i64)> {
        let (before, distance) = (self.last, place.saturating_sub(self.last));
        if (1..=NEAR).contains(&distance) {
            self.ahead = (2 * self.ahead).clamp(1, MAX_AHEAD);
            return Some((before, distance + self.ahead));
        }
        // An item that is read again, or that was stored in another order, does not change the position.
        if place <= NEAR || !(-MAX_AHEAD..=0).contains(&distance) {
            *self = Self { last: place, ahead: 0 };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use syncmgr_core::record::Checkpoint;

    use super::*;

    /// The reads in advance at these places, each of which finds as many records as it asks for.
    fn reads(position: &mut Position, places: impl IntoIterator<Item = i64>) -> Vec<(i64, i64)> {
        let read = |place| {
            let (after, count) = position.next(place)?;
            position.last = after + count;
            Some((after, count))
        };
        places.into_iter().filter_map(read).collect()
    }

    #[test]
    fn reads_in_order_take_more_and_more_in_advance() {
        let mut position = Position { last: 1_000, ahead: 0 };
        assert_eq!(reads(&mut position, [0, 1, 3, 6, 11]), [(0, 2), (2, 3), (5, 5), (10, 9)]);
        let mut position = Position { last: 10, ahead: 64 };
        assert_eq!(reads(&mut position, [11]), [(10, 65)]);
    }

    #[test]
    fn scattered_reads_take_nothing_in_advance() {
        let mut position = Position { last: 1_000, ahead: 64 };
        assert_eq!(reads(&mut position, [0, 500, 200, 900, 300]), []);
        assert_eq!(reads(&mut position, (0..10).map(|number| 50 * number)), []);
    }

    #[test]
    fn a_second_pass_over_a_few_items_is_in_order_too() {
        let mut position = Position { last: 50, ahead: 64 };
        assert_eq!(reads(&mut position, [1, 2, 4]), [(1, 2), (3, 3)]);
    }

    #[test]
    fn a_repeated_read_neither_takes_more_nor_moves_the_position() {
        let mut position = Position { last: 100, ahead: 8 };
        assert_eq!(reads(&mut position, [100, 90, 101]), [(100, 17)]);
    }

    #[test]
    fn the_number_and_the_size_of_the_records_are_bounded() {
        let (mut ahead, handler) = (ReadAhead::default(), HandlerId::from_u128(1));
        let add = |ahead: &mut ReadAhead, item, size| {
            let mut record = ItemRecord::new();
            record.checkpoint = Some(Checkpoint::new(1, "x".repeat(size)));
            ahead.add((handler, ItemId::from_u128(item)), Stored { record, number: 1 });
        };
        (0..1_000).for_each(|item| add(&mut ahead, item, 1));
        assert_eq!((ahead.records.len(), ahead.bytes), (MAX_RECORDS, MAX_RECORDS));
        (1_000..1_003).for_each(|item| add(&mut ahead, item, MAX_BYTES / 2));
        assert_eq!((ahead.records.len(), ahead.bytes), (2, MAX_BYTES));
        add(&mut ahead, 1_002, 1);
        assert_eq!((ahead.records.len(), ahead.bytes), (2, MAX_BYTES / 2 + 1));
        ahead.remove_all(handler);
        assert_eq!((ahead.records.len(), ahead.bytes), (0, 0));
    }
}
