//! Conflicts: entries that both sides have changed, and how they are decided.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clap::ValueEnum;

use super::entry::{Found, Version, newer};
use super::side::{Both, Side};
use crate::free_name::with_end;

/// How an entry is decided that both sides have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Conflicts {
    /// Not by the program: nothing is overwritten, and the question stays open
    #[default]
    Ask,
    /// Both versions stay, on both sides; the older one gets a new name
    KeepBoth,
    /// The version that was modified last replaces the other one
    Newer,
    /// The version of A replaces that of B
    #[value(name = "A")]
    A,
    /// The version of B replaces that of A
    #[value(name = "B")]
    B,
}

/// The decision about one conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The version of this side replaces the other one.
    Use(Side),
    /// The version of this side gets a new name, and both are copied.
    Rename(Side),
}

impl Conflicts {
    /// Decides about two versions of an entry; `None` if a person has to.
    pub(crate) fn decide(self, found: &Both<Version>) -> Option<Choice> {
        let are_directories = Side::BOTH.map(|side| found[side].is_directory());
        match self {
            Self::Ask => None,
            Self::A => Some(Choice::Use(Side::A)),
            Self::B => Some(Choice::Use(Side::B)),
            // A file says nothing about the age of what is in a directory.
            Self::Newer if are_directories.contains(&true) => None,
            Self::Newer => newer(found).map(Choice::Use),
            Self::KeepBoth => Some(Choice::keep_both(found)),
        }
    }
}

impl Choice {
    /// Keeps both versions. The older one gets the new name, or else that of B; a directory keeps its name.
    pub(crate) fn keep_both(found: &Both<Version>) -> Self {
        let directory = Side::BOTH.into_iter().find(|side| found[*side].is_directory());
        let kept = directory.or_else(|| newer(found)).unwrap_or(Side::A);
        Self::Rename(kept.other())
    }
}

/// Why an entry is in conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) found: Both<Version>,
    /// `true` if both sides agreed on a version before.
    pub(crate) was_agreed: bool,
}

impl Conflict {
    pub(crate) fn has_directory(&self) -> bool {
        Side::BOTH.iter().any(|side| self.found[*side].is_directory())
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Side::BOTH.map(|side| self.found[side].is_directory()) {
            [false, false] if self.was_agreed => f.write_str("has changed on both sides"),
            [false, false] => f.write_str("is different on both sides"),
            [true, _] => f.write_str("is a directory in A and something else in B"),
            [false, true] => f.write_str("is a directory in B and something else in A"),
        }
    }
}

/// A free name for the version of `side` that another one displaces: `name (B).txt`, or with a number `name (B 2).txt`.
pub(crate) fn name_of_kept(name: &OsStr, side: Side, is_taken: impl Fn(&OsStr) -> bool) -> OsString {
    let stem = Path::new(name).file_stem().unwrap_or(name);
    let extension = Path::new(name).extension();
    let with = |mark: String| {
        let dotted = extension.map(|extension| [b".", extension.as_bytes()].concat()).unwrap_or_default();
        with_end(stem.as_bytes(), &[format!(" ({mark})").as_bytes(), &dotted].concat())
    };
    let marks = std::iter::once(side.to_string()).chain((2..).map(|number: u64| format!("{side} {number}")));
    marks.map(with).find(|name| !is_taken(name)).expect("there are more numbers than names")
}

/// The versions that a scan found, if both sides have one.
pub(crate) fn versions(found: &Both<Option<Found>>) -> Option<Both<Version>> {
    found.map(|found| found.map(|found| found.version)).together()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::two_way::entry::{Kind, Time};

    fn version(kind: Kind, seconds: i64) -> Version {
        Version { kind, modified: Time { seconds, nanos: 0 }, ..Version::default() }
    }

    #[test]
    fn the_newer_file_wins_but_never_against_a_directory() {
        let [old, new] = [1, 2].map(|seconds| version(Kind::File, seconds));
        let decide = |a, b| Conflicts::Newer.decide(&Both { a, b });
        assert_eq!(decide(new, old), Some(Choice::Use(Side::A)));
        assert_eq!(decide(old, new), Some(Choice::Use(Side::B)));
        assert_eq!(decide(old, old), None);
        assert_eq!(decide(new, version(Kind::Directory, 1)), None);
    }

    #[test]
    fn of_two_kept_versions_the_older_one_gets_a_new_name() {
        let [old, new] = [1, 2].map(|seconds| version(Kind::File, seconds));
        let decide = |a, b| Conflicts::KeepBoth.decide(&Both { a, b });
        assert_eq!(decide(old, new), Some(Choice::Rename(Side::A)));
        assert_eq!(decide(old, old), Some(Choice::Rename(Side::B)));
        assert_eq!(decide(version(Kind::Directory, 1), new), Some(Choice::Rename(Side::B)));
    }

    #[test]
    fn a_kept_version_keeps_its_extension() {
        let name = |name: &str, taken: &[&str]| {
            let name = name_of_kept(OsStr::new(name), Side::B, |name| taken.iter().any(|taken| name == *taken));
            name.into_string().unwrap()
        };
        assert_eq!(name("a.txt", &[]), "a (B).txt");
        assert_eq!(name("a.txt", &["a (B).txt"]), "a (B 2).txt");
        assert_eq!(name(".profile", &[]), ".profile (B)");
    }
}
