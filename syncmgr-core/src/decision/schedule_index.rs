//! The items of a list by schedule.

use std::sync::OnceLock;

use crate::item::SyncItem;
use crate::schedule::Schedule;

/// The positions of the items of a list, in the order of their schedules. Takes four bytes for each item once it was used.
#[derive(Debug, Default)]
pub(super) struct ScheduleIndex(OnceLock<Box<[u32]>>);

impl ScheduleIndex {
    /// Returns the positions of the items with this schedule of their own, or of those without one. Pass the same items each time.
    pub(super) fn positions(&self, items: &[SyncItem], schedule: Option<&Schedule>) -> impl Iterator<Item = usize> {
        let sorted = self.0.get_or_init(|| sorted(items));
        let of = |position: u32| items[position as usize].schedule();
        let start = sorted.partition_point(|position| of(*position) < schedule);
        let length = sorted[start..].partition_point(|position| of(*position) == schedule);
        sorted[start..start + length].iter().map(|position| *position as usize)
    }
}

fn sorted(items: &[SyncItem]) -> Box<[u32]> {
    let last = u32::try_from(items.len()).expect("a list has fewer than four billion items");
    let mut positions: Box<[u32]> = (0..last).collect();
    positions.sort_by_key(|position| items[*position as usize].schedule());
    positions
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_items_of_each_schedule_are_found_in_the_order_of_the_list() {
        let every = |minutes: u64| Schedule::every(Duration::from_secs(60 * minutes)).unwrap();
        let minutes = [5, 0, 3, 5, 3, 0, 5, 1];
        let item = |(number, minutes): (usize, &u64)| {
            let item = SyncItem::named(number.to_string());
            if *minutes == 0 { item } else { item.with_schedule(every(*minutes)) }
        };
        let items: Vec<_> = minutes.iter().enumerate().map(item).collect();
        let index = ScheduleIndex::default();
        for of in [0, 1, 2, 3, 5, 8] {
            let schedule = (of > 0).then(|| every(of));
            let found: Vec<_> = index.positions(&items, schedule.as_ref()).collect();
            let expected: Vec<_> = (0..minutes.len()).filter(|position| minutes[*position] == of).collect();
            assert_eq!(found, expected);
        }
    }
}
