//! Items that are missing from complete listings: suspicious listings, absent items, forgotten items.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use crate::id::ItemId;

/// The time after which an absent item is forgotten.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Listings of at most this many items are never suspicious.
const NEVER_SUSPICIOUS: usize = 10;

/// Returns `true` if a complete listing is probably a mistake, because more than half of more than ten known items are missing.
/// The host then treats the listing as one with [missing items](crate::item::Completeness::MissingItems).
///
/// ```
/// # use syncmgr_core::decision::absence::is_suspicious;
/// assert!(is_suspicious(200, 150)); // three of four folders are missing
/// assert!(!is_suspicious(8, 8)); // a listing of up to ten items is never suspicious
/// ```
pub const fn is_suspicious(known: usize, missing: usize) -> bool {
    known > NEVER_SUSPICIOUS && missing > known / 2
}

/// The changes that a complete listing makes to the stored records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Absence {
    /// The items whose presence changed: a newly missing item with the current time, a returned item with `None`.
    pub changed: BTreeMap<ItemId, Option<SystemTime>>,
    /// The items that have been missing for [`FORGOTTEN_AFTER`] and have to be forgotten.
    pub forgotten: BTreeSet<ItemId>,
    /// The reason why nothing changes, if the listing is suspicious.
    pub suspicion: Option<Suspicion>,
    /// The number of known items that the listing lacks.
    pub missing: usize,
}

/// A complete listing in which too many items are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missing} of {known} items are missing from a complete listing; it is treated as incomplete")]
pub struct Suspicion {
    /// The number of expected items.
    pub known: usize,
    /// The number of expected items that are missing.
    pub missing: usize,
}

impl Absence {
    /// Returns the changes that a complete listing makes. `known` contains every item with a record, and for an item that was
    /// already missing the time of the first complete listing without it.
    ///
    /// The [`Suspicion`] does not count items that were already missing.
    pub fn of(known: &BTreeMap<ItemId, Option<SystemTime>>, listed: &BTreeSet<ItemId>, now: SystemTime) -> Self {
        let present = known.iter().filter(|(_, since)| since.is_none()).map(|(item, _)| item);
        let (expected, missing) =
            present.fold((0, 0), |(count, missing), item| (count + 1, missing + usize::from(!listed.contains(item))));
        if is_suspicious(expected, missing) {
            return Self { suspicion: Some(Suspicion { known: expected, missing }), ..Self::default() };
        }
        Self::confirmed(known, listed, now)
    }

    /// Returns the changes of a listing that the user has confirmed, however many items are missing.
    pub fn confirmed(known: &BTreeMap<ItemId, Option<SystemTime>>, listed: &BTreeSet<ItemId>, now: SystemTime) -> Self {
        let mut absence = Self::default();
        for (&item, &since) in known {
            let is_listed = listed.contains(&item);
            absence.missing += usize::from(!is_listed);
            match (is_listed, since) {
                (true, Some(_)) => _ = absence.changed.insert(item, None),
                (false, None) => _ = absence.changed.insert(item, Some(now)),
                (false, Some(since)) if is_expired(since, now) => _ = absence.forgotten.insert(item),
                _ => {}
            }
        }
        absence
    }
}

/// Returns `true` if an item has been missing for [`FORGOTTEN_AFTER`]; `false` if the clock shows a time before `since`.
fn is_expired(since: SystemTime, now: SystemTime) -> bool {
    now.duration_since(since).is_ok_and(|missing| missing >= FORGOTTEN_AFTER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn now() -> SystemTime {
        NOW + FORGOTTEN_AFTER * 10
    }

    fn item(number: u128) -> ItemId {
        ItemId::from_u128(number + 1)
    }

    fn known_items(count: u128, since: Option<SystemTime>) -> BTreeMap<ItemId, Option<SystemTime>> {
        (0..count).map(|number| (item(number), since)).collect()
    }

    fn listed_items(numbers: impl IntoIterator<Item = u128>) -> BTreeSet<ItemId> {
        numbers.into_iter().map(item).collect()
    }

    #[test]
    fn a_listing_is_suspicious_if_over_half_of_over_ten_items_are_missing() {
        assert!(!is_suspicious(10, 10));
        assert!(!is_suspicious(11, 5) && is_suspicious(11, 6));
        assert!(!is_suspicious(12, 6) && is_suspicious(12, 7));
        assert!(!is_suspicious(0, 0));
    }

    #[test]
    fn missing_items_and_returned_items_are_recorded() {
        let mut remembered = known_items(2, None);
        remembered.insert(item(2), Some(now() - Duration::from_secs(5)));
        let absence = Absence::of(&remembered, &listed_items([0, 2]), now());
        assert_eq!(absence.changed, BTreeMap::from([(item(1), Some(now())), (item(2), None)]));
        assert!(absence.forgotten.is_empty() && absence.suspicion.is_none());
    }

    #[test]
    fn an_item_is_forgotten_after_thirty_days_and_not_before() {
        let missing =
            |length: Duration| Absence::of(&known_items(1, Some(now() - length)), &listed_items([]), now()).forgotten;
        let thirty_days = Duration::from_secs(2_592_000);
        assert_eq!(missing(thirty_days), listed_items([0]));
        assert_eq!(missing(thirty_days - Duration::from_nanos(1)), listed_items([]));
        let unchanged = Absence { missing: 1, ..Absence::default() };
        assert_eq!(Absence::of(&known_items(1, Some(now())), &listed_items([]), NOW), unchanged);
        assert_eq!(Absence::of(&known_items(1, Some(NOW)), &listed_items([0]), now()).forgotten, listed_items([]));
    }

    #[test]
    fn a_suspicious_listing_changes_nothing_until_it_is_confirmed() {
        let mut remembered = known_items(12, None);
        remembered.insert(item(20), Some(NOW));
        let absence = Absence::of(&remembered, &listed_items(0..5), now());
        let suspicion = Some(Suspicion { known: 12, missing: 7 });
        assert_eq!(absence, Absence { suspicion, ..Absence::default() });
        let confirmed = Absence::confirmed(&remembered, &listed_items(0..5), now());
        assert_eq!((confirmed.changed.len(), confirmed.forgotten), (7, listed_items([20])));
    }

    #[test]
    fn items_missing_before_do_not_make_a_listing_suspicious() {
        let mut remembered = known_items(40, Some(now()));
        (0..12).for_each(|number| _ = remembered.insert(item(number), None));
        let unchanged = Absence { missing: 28, ..Absence::default() };
        assert_eq!(Absence::of(&remembered, &listed_items(0..12), now()), unchanged);
    }

    proptest! {
        #[test]
        fn a_listing_that_is_applied_twice_changes_nothing_the_second_time(
            remembered: BTreeMap<u8, Option<u32>>, present: BTreeSet<u8>,
        ) {
            let at = |seconds: u32| now() - Duration::from_secs(u64::from(seconds));
            let mut known: BTreeMap<_, _> =
                remembered.into_iter().map(|(number, since)| (item(number.into()), since.map(at))).collect();
            let listed = listed_items(present.into_iter().map(u128::from));
            let first = Absence::of(&known, &listed, now());
            prop_assert!(first.forgotten.is_disjoint(&listed));
            prop_assert!(first.suspicion.is_none() || first.changed.is_empty() && first.forgotten.is_empty());
            known.extend(first.changed.clone());
            known.retain(|item, _| !first.forgotten.contains(item));
            let second = Absence::of(&known, &listed, now());
            prop_assert!(second.changed.is_empty() && second.forgotten.is_empty());
        }
    }
}
