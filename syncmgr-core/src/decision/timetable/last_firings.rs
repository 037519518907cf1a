//! Last firings in little memory.

use std::collections::BTreeMap;

use super::LastFiring;
use super::entry::Entry;
use crate::decision::search::leading;
use crate::schedule::Schedule;

/// The last firings of a handler's schedules, with a resolution of a millisecond. Each takes 32 bytes.
///
/// ```
/// # use std::{collections::BTreeMap, time::{Duration, SystemTime}};
/// # use syncmgr_core::{decision::timetable::{LastFiring, LastFirings}, schedule::Schedule};
/// let (often, last) = (Schedule::every(Duration::from_secs(900))?, LastFiring { time: SystemTime::UNIX_EPOCH, started: None });
/// let mut firings = LastFirings::default();
/// firings.set(BTreeMap::from([(often.clone(), Some(last))]));
/// assert_eq!(firings.to_map(), BTreeMap::from([(often, last)]));
/// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LastFirings(Vec<(Schedule, Entry)>);

impl LastFirings {
    /// Sets the last firings of these schedules, and removes those without one.
    pub fn set(&mut self, changes: BTreeMap<Schedule, Option<LastFiring>>) {
        let (mut position, mut new, mut removes) = (0, Vec::new(), false);
        for (schedule, last) in changes {
            let entry = last.map_or(Entry::NONE, Entry::of);
            removes |= last.is_none();
            position += leading(&self.0[position..], |(known, _)| *known < schedule);
            match self.0.get_mut(position) {
                Some((known, before)) if *known == schedule => (*before, position) = (entry, position + 1),
                _ => new.push((schedule, entry)),
            }
        }
        if !new.is_empty() {
            self.0.reserve_exact(new.len());
            self.0.extend(new);
            self.0.sort();
        }
        if removes {
            self.0.retain(|(_, entry)| entry.last().is_some());
        }
    }

    /// Returns all last firings.
    pub fn to_map(&self) -> BTreeMap<Schedule, LastFiring> {
        self.0.iter().map(|(schedule, entry)| (schedule.clone(), entry.fired())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::time::from_millis;

    proptest! {
        #[test]
        fn the_last_firings_are_those_that_were_set_last(
            changes in proptest::collection::vec(proptest::collection::btree_map(1..40_u64, proptest::option::of(0..9_i64), 0..20), 0..6)
        ) {
            let (mut firings, mut wanted) = (LastFirings::default(), BTreeMap::new());
            for change in changes {
                let last = |millis| LastFiring { time: from_millis(millis), started: (millis > 5).then(|| from_millis(millis)) };
                let every = |seconds| Schedule::every(Duration::from_secs(seconds)).unwrap();
                let change = change.into_iter().map(|(seconds, millis)| (every(seconds), millis.map(last)));
                let change: BTreeMap<_, _> = change.collect();
                wanted.extend(change.clone());
                firings.set(change);
                let wanted = wanted.iter().filter_map(|(schedule, last)| Some((schedule.clone(), (*last)?)));
                prop_assert_eq!(firings.to_map(), wanted.collect());
            }
        }
    }
}
