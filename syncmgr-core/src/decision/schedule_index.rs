//! The items of a list by schedule.

use std::sync::OnceLock;

use super::search::leading;
use crate::item::SyncItem;
use crate::schedule::Schedule;

/// The positions of the items of a list, in the order of their schedules. Takes four bytes for each item once it was used. Pass the
/// same items each time.
#[derive(Debug, Default)]
pub(super) struct ScheduleIndex(OnceLock<Box<[u32]>>);

impl ScheduleIndex {
    /// Returns the different schedules of the items, in order.
    pub(super) fn schedules<'a>(&self, items: &'a [SyncItem]) -> Vec<&'a Schedule> {
        if items.iter().all(|item| item.schedule().is_none()) {
            return Vec::new();
        }
        let scheduled = self.sorted(items).iter().filter_map(|position| items[*position as usize].schedule());
        let mut schedules: Vec<_> = scheduled.collect();
        schedules.dedup();
        schedules
    }

    /// Returns the positions of the items with one of these schedules, which are in order. `None` is for the items without one.
    pub(super) fn positions<'a>(
        &'a self,
        items: &'a [SyncItem],
        schedules: impl Iterator<Item = Option<&'a Schedule>> + 'a,
    ) -> impl Iterator<Item = usize> + 'a {
        let mut rest = self.sorted(items);
        schedules.flat_map(move |schedule| {
            let of = |position: &u32| items[*position as usize].schedule();
            let found;
            rest = &rest[leading(rest, |position| of(position) < schedule)..];
            (found, rest) = rest.split_at(leading(rest, |position| of(position) == schedule));
            found.iter().map(|position| *position as usize)
        })
    }

    fn sorted(&self, items: &[SyncItem]) -> &[u32] {
        self.0.get_or_init(|| sorted(items))
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

    fn every(minutes: u64) -> Option<Schedule> {
        (minutes > 0).then(|| Schedule::every(Duration::from_secs(60 * minutes)).unwrap())
    }

    fn items(minutes: &[u64]) -> Vec<SyncItem> {
        let item = |(number, minutes): (usize, &u64)| {
            let item = SyncItem::named(number.to_string());
            every(*minutes).into_iter().fold(item, SyncItem::with_schedule)
        };
        minutes.iter().enumerate().map(item).collect()
    }

    #[test]
    fn the_items_of_each_schedule_are_found_in_the_order_of_the_list() {
        let minutes = [5, 0, 3, 5, 3, 0, 5, 1];
        let (items, index) = (items(&minutes), ScheduleIndex::default());
        let wanted = [vec![0], vec![1, 5], vec![0, 1, 2, 3, 5, 8], vec![2, 4, 7], vec![]];
        for wanted in wanted {
            let schedules: Vec<_> = wanted.iter().map(|minutes| every(*minutes)).collect();
            let found: Vec<_> = index.positions(&items, schedules.iter().map(Option::as_ref)).collect();
            let of = |of: &u64| (0..minutes.len()).filter(|position| minutes[*position] == *of).collect::<Vec<_>>();
            assert_eq!(found, wanted.iter().flat_map(of).collect::<Vec<_>>());
        }
        let different: Vec<_> = index.schedules(&items).into_iter().cloned().map(Some).collect();
        assert_eq!(different, [1, 3, 5].map(every));
    }

    #[test]
    fn items_without_schedules_need_no_index_until_they_are_searched() {
        let (items, index) = (items(&[0, 0]), ScheduleIndex::default());
        assert_eq!((index.schedules(&items), index.0.get()), (vec![], None));
        assert_eq!(index.positions(&items, [None].into_iter()).collect::<Vec<_>>(), [0, 1]);
    }
}
