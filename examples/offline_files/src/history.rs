//! The times of the last complete runs of an item, for each pair of directories that its record was used for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::roots::RootIds;

/// The maximum number of other pairs.
const MAX_OTHERS: usize = 16;

/// The starts of the last runs that mirrored everything, in nanoseconds since 1970. Disks that take turns as TO were each complete at
/// another time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    /// That of the pair in the record.
    #[serde(default)]
    as_of: Option<u64>,
    /// Those of other pairs, from the oldest to the newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<Complete>,
}

/// A pair of directories that was complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Complete {
    as_of: u64,
    roots: RootIds,
}

impl History {
    /// The time since which files in FROM may have changed without a difference in size and time from those in TO. `recorded` is the
    /// pair in the record.
    ///
    /// A TO that is not known may be a known one with a new identity, and was then complete at the oldest of the known times or later.
    /// Another FROM may have any files of equal size and time.
    pub(crate) fn changed_since(&self, recorded: &RootIds, roots: &RootIds) -> Option<u64> {
        let of_recorded = self.as_of.map(|as_of| (as_of, recorded));
        let known = || self.others.iter().map(|other| (other.as_of, &other.roots)).chain(of_recorded);
        let with_to = || known().filter(|(_, other)| other.lasting_to() == roots.lasting_to());
        let same = with_to().find(|(_, other)| is_same(other.lasting_from(), roots.lasting_from()));
        match same {
            Some((as_of, _)) => Some(as_of),
            None if with_to().next().is_some() => Some(0),
            None => known().map(|(as_of, _)| as_of).min(),
        }
    }

    /// The history in a record for `roots`.
    pub(crate) fn continued(mut self, recorded: &RootIds, roots: &RootIds) -> Self {
        let as_of = self.changed_since(recorded, roots);
        let is_current = |other: &RootIds| other.lasting_to() == roots.lasting_to();
        if let Some(as_of) = self.as_of {
            self.others.push(Complete { as_of, roots: recorded.clone() });
        }
        // What TO has is now from this FROM.
        self.others.retain(|other| !is_current(&other.roots));
        self.others.sort_by_key(|other| other.as_of);
        // The oldest stands for every pair that is forgotten.
        if self.others.len() > MAX_OTHERS {
            self.others.remove(1);
        }
        Self { as_of, ..self }
    }

    /// Records the start of a run that mirrored everything.
    pub(crate) fn complete(&mut self, began: SystemTime) {
        let nanos = began.duration_since(UNIX_EPOCH).ok().and_then(|time| u64::try_from(time.as_nanos()).ok());
        self.as_of = nanos.or(self.as_of);
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
            let mut history = history.continued(&recorded, &roots);
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
        let history = history.continued(&recorded, &other);
        assert_eq!(history.changed_since(&other, &other), Some(0));
    }

    #[test]
    fn the_oldest_time_stands_for_forgotten_targets() {
        let targets: Vec<_> = (0..30).map(|number| format!("1:2:{number}")).collect();
        let pairs: Vec<_> = targets.iter().map(|to| ["1:2:3", &**to]).collect();
        assert_eq!(history(&pairs).0.others.len(), MAX_OTHERS);
        assert_eq!(changed_since(&pairs, pairs[2]), Some(10));
        assert_eq!(changed_since(&pairs, pairs[28]), Some(290));
    }
}
