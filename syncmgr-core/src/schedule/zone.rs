//! A time zone, and the instants of its local times.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::ScheduleError;

/// The word for the zone of the machine.
const LOCAL: &str = "local";
/// Files in the database that name no place.
const NO_ZONES: [&str; 5] = ["localtime", "posixrules", "Factory", "Etc/Unknown", "leapseconds"];

/// A time zone. Two zones are equal if their names are equal.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    rules: TimeZone,
    named: Named,
}

/// How a zone was named.
#[derive(Clone, Copy, Debug)]
enum Named {
    /// By its name in the database, which its rules contain.
    ByPlace,
    /// As `local`.
    Local,
}

impl Zone {
    /// Looks up a zone by its IANA name or as `local`.
    pub(super) fn named(name: &str) -> Result<Self, ScheduleError> {
        let name = name.trim();
        if name == LOCAL {
            let rules = TimeZone::try_system().map_err(|_| ScheduleError::unknown_zone(name, None))?;
            return Ok(Self { rules, named: Named::Local });
        }
        let known = (!NO_ZONES.iter().any(|no_zone| no_zone.eq_ignore_ascii_case(name))).then(|| TimeZone::get(name));
        match known {
            Some(Ok(rules)) if rules.iana_name().is_some() => Ok(Self::new(rules)),
            _ => Err(ScheduleError::unknown_zone(name, similar(name))),
        }
    }

    /// Creates a zone with these rules, which contain its name.
    pub(super) const fn new(rules: TimeZone) -> Self {
        Self { rules, named: Named::ByPlace }
    }

    pub(super) fn name(&self) -> &str {
        match self.named {
            Named::ByPlace => self.rules.iana_name().expect("the rules have been found by their name"),
            Named::Local => LOCAL,
        }
    }

    pub(super) fn local(&self, time: Timestamp) -> DateTime {
        self.rules.to_datetime(time)
    }

    /// Returns the time of the next change of the clock.
    pub(super) fn next_change(&self, time: Timestamp) -> Option<Timestamp> {
        self.rules.following(time).next().map(|change| change.timestamp())
    }

    /// Returns the first instant at which the clock shows `local` or more: the first of two instants, or the end of a gap.
    pub(super) fn first_instant(&self, local: DateTime) -> Option<Timestamp> {
        match self.rules.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(local).ok()
            }
            AmbiguousOffset::Gap { after, .. } => self.next_change(after.to_timestamp(local).ok()?),
        }
    }

    /// Returns the instant at which the clock shows `local` while it has the same offset as at `time`.
    pub(super) fn instant_as_at(&self, time: Timestamp, local: DateTime) -> Option<Timestamp> {
        self.rules.to_offset(time).to_timestamp(local).ok()
    }
}

/// Returns the known name that is most similar to `name`.
fn similar(name: &str) -> Option<String> {
    const NEAR: f64 = 0.85;
    let name = name.to_ascii_lowercase();
    let city = |known: &str| known.rsplit('/').next().map_or(0.0, |city| strsim::jaro_winkler(city, &name));
    let likeness = |known: &str| strsim::jaro_winkler(known, &name).max(city(known));
    jiff::tz::db()
        .available()
        .map(|known| (likeness(&known.as_str().to_ascii_lowercase()), known.as_str().to_owned()))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|left, right| left.0.total_cmp(&right.0).then_with(|| right.1.cmp(&left.1)))
        .map(|(_, known)| known)
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Zone {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}
