//! The times of the last complete runs of an item, for each pair of directories that its record was used for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::mirror::Place;
use crate::roots::RootIds;

/// The maximum number of other pairs. The pair of the longest ago is forgotten: a TO whose identity changes with each mount would
/// otherwise stay as old as its first identity.
const MAX_OTHERS: usize = 16;

/// The maximum number of places that a TO has missed, because the saved state of an item is limited.
const MAX_MISSED: usize = 256;

/// The starts of the last runs that mirrored everything, in nanoseconds since 1970. Disks that take turns as TO were each complete
/// at another time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    /// That of the pair in the record.
    #[serde(default)]
    as_of: Option<u64>,
    /// Those of other pairs, from the one of the longest ago to the last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<Complete>,
}

/// A pair of directories that was complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Complete {
    as_of: u64,
    roots: RootIds,
    /// The places in the record that are not those of this pair, because other pairs were mirrored later; `None` if they are not
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missed: Option<Vec<Place>>,
}

impl History {
    /// The time since which files in FROM may have changed without a difference in size and time from those in TO. `recorded` is the
    /// pair in the record.
    ///
    /// A TO that is not known may be a known one with a new identity, and was then complete at the oldest of the known times or
    /// later. Another FROM may have any files of equal size and time.
    pub(crate) fn changed_since(&self, recorded: &RootIds, roots: &RootIds) -> Option<u64> {
        let is_of_other = |pair: &Complete| {
            pair.roots.has_target_of(roots) && !is_same(pair.roots.lasting_from(), roots.lasting_from())
        };
        let pairs = self.candidates(recorded, roots).into_iter();
        pairs.map(|pair| if is_of_other(&pair) { 0 } else { pair.as_of }).min()
    }

    /// The places in the record that TO may not have been given; `None` if that is not known.
    pub(crate) fn missed(&self, recorded: &RootIds, roots: &RootIds) -> Option<Vec<Place>> {
        let pairs = self.candidates(recorded, roots);
        if pairs.is_empty() || !roots.has_source_of(recorded) {
            return None;
        }
        let missed = pairs.into_iter().map(|pair| pair.missed).collect::<Option<Vec<_>>>()?;
        Some(missed.concat())
    }

    /// The pair with this TO, or if it is not known all pairs that it may be of.
    fn candidates(&self, recorded: &RootIds, roots: &RootIds) -> Vec<Complete> {
        let pairs: Vec<_> = self.others.iter().cloned().chain(self.recorded(recorded)).collect();
        match pairs.iter().find(|pair| pair.roots.has_target_of(roots)) {
            Some(known) => vec![known.clone()],
            None => pairs,
        }
    }

    /// The pair in the record, if it was complete.
    fn recorded(&self, roots: &RootIds) -> Option<Complete> {
        Some(Complete { as_of: self.as_of?, roots: roots.clone(), missed: Some(Vec::new()) })
    }

    /// The history in a record for `roots`. `added` are the places that the last record does not have; `None` if that is not known.
    pub(crate) fn continued(mut self, recorded: &RootIds, roots: &RootIds, added: Option<&[Place]>) -> Self {
        let as_of = self.changed_since(recorded, roots);
        self.others.extend(self.recorded(recorded));
        // What TO has is now from this FROM.
        self.others.retain(|other| !other.roots.has_target_of(roots));
        self.others.drain(..self.others.len().saturating_sub(MAX_OTHERS));
        let added = added.filter(|_| roots.has_source_of(recorded));
        self.others.iter_mut().for_each(|other| other.miss(added));
        Self { as_of, ..self }
    }

    /// Records the start of a run that mirrored everything.
    pub(crate) fn complete(&mut self, began: SystemTime) {
        let nanos = began.duration_since(UNIX_EPOCH).ok().and_then(|time| u64::try_from(time.as_nanos()).ok());
        self.as_of = nanos.or(self.as_of);
    }
}

impl Complete {
    /// Records that a later run of another pair has added these places.
    fn miss(&mut self, added: Option<&[Place]>) {
        self.missed = self.missed.take().zip(added).map(|(mut missed, added)| {
            missed.extend(added);
            missed.sort_unstable();
            missed.dedup();
            missed
        });
        self.missed.take_if(|missed| missed.len() > MAX_MISSED);
    }
}

pub(crate) fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// Compares identities, as far as they are known.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(from: &str, to: &str) -> RootIds {
        serde_json::from_value(serde_json::json!({ "from": from, "to": to })).unwrap()
    }

    /// The history and the pair of a record after complete runs of these pairs, at 10, 20 and so on.
    fn history(pairs: &[[&str; 2]]) -> (History, RootIds) {
        let mut times = (1..).map(|number| time(10 * number));
        pairs.iter().fold((History::default(), RootIds::default()), |(history, recorded), [from, to]| {
            let roots = roots(from, to);
            let mut history = history.continued(&recorded, &roots, Some(&[]));
            history.complete(times.next().unwrap());
            (history, roots)
        })
    }

    fn changed_since(pairs: &[[&str; 2]], [from, to]: [&str; 2]) -> Option<u64> {
        let (history, recorded) = history(pairs);
        history.changed_since(&recorded, &roots(from, to))
    }

    #[test]
    fn each_target_was_complete_at_a_time_of_its_own() {
        let pairs = [["1:2:3", "1:2:4"], ["1:2:3", "1:2:5"], ["1:2:3", "1:2:5"]];
        assert_eq!(changed_since(&[], pairs[0]), None);
        assert_eq!(changed_since(&pairs, pairs[0]), Some(10));
        assert_eq!(changed_since(&pairs, pairs[1]), Some(30));
        assert_eq!(changed_since(&pairs, ["1:2:3", "1:2:6"]), Some(10), "a new identity of a known one");
        assert_eq!(changed_since(&pairs, ["9:2:3", "9:2:5"]), Some(30), "a new device number");
    }

    #[test]
    fn another_source_has_no_file_that_is_known_to_be_equal() {
        let pairs = [["1:2:3", "1:2:4"]];
        assert_eq!(changed_since(&pairs, ["1:2:5", "1:2:4"]), Some(0));
        assert_eq!(changed_since(&pairs, ["1:2:5", "1:2:6"]), Some(10));
        let back = [["1:2:3", "1:2:4"], ["1:2:5", "1:2:4"]];
        assert_eq!(changed_since(&back, pairs[0]), Some(0));
    }

    #[test]
    fn an_incomplete_run_leaves_the_time_as_it_is() {
        let (history, recorded) = history(&[["1:2:3", "1:2:4"]]);
        let other = roots("1:2:5", "1:2:4");
        let history = history.continued(&recorded, &other, Some(&[]));
        assert_eq!(history.changed_since(&other, &other), Some(0));
    }

    #[test]
    fn a_target_with_a_new_identity_in_each_run_is_not_as_old_as_the_first() {
        let targets: Vec<_> = (0..30).map(|number| format!("1:2:{number}")).collect();
        let pairs: Vec<_> = targets.iter().map(|to| ["1:2:3", &**to]).collect();
        assert_eq!(history(&pairs).0.others.len(), MAX_OTHERS);
        assert_eq!(changed_since(&pairs, ["1:2:3", "1:2:31"]), Some(10 * (30 - MAX_OTHERS as u64)));
        assert_eq!(changed_since(&pairs, pairs[28]), Some(290));
    }

    #[test]
    fn targets_without_an_identity_are_not_taken_for_each_other() {
        let unknown = || serde_json::from_str::<RootIds>(r#"{"from": "1:2:3", "to": null}"#).unwrap();
        let mut history = History::default();
        for number in 1..=2 {
            history = history.continued(&unknown(), &unknown(), None);
            history.complete(time(10 * number));
        }
        assert_eq!(history.changed_since(&unknown(), &unknown()), Some(10));
    }

    #[test]
    fn a_target_has_missed_the_places_that_runs_of_others_have_added() {
        let [a, b, c] = ["1:2:4", "1:2:5", "1:2:6"].map(|to| roots("1:2:3", to));
        let run = |history: History, recorded: &RootIds, roots: &RootIds, added: Option<&[Place]>| {
            let mut history = history.continued(recorded, roots, added);
            history.complete(time(10));
            history
        };
        let history = run(History::default(), &RootIds::default(), &a, None);
        let history = run(history, &a, &b, Some(&[7]));
        let history = run(history, &b, &b, Some(&[8]));
        assert_eq!((history.missed(&b, &a), history.missed(&b, &b)), (Some(vec![7, 8]), Some(vec![])));
        assert_eq!(history.missed(&b, &c), Some(vec![7, 8]), "it may be either of them");
        assert_eq!(history.missed(&b, &roots("1:2:9", "1:2:4")), None, "another FROM");
        let many: Vec<_> = (0..=MAX_MISSED as Place).collect();
        for added in [None, Some(&many[..])] {
            let history = run(history.clone(), &b, &b, added);
            assert_eq!((history.missed(&b, &a), history.missed(&b, &b)), (None, Some(vec![])));
        }
    }
}
