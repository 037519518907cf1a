//! The names of entries that are about to be removed.
//!
//! What a run replaces or removes gets such a name first, under which no other program looks for it, and is removed only if it still is the
//! expected version. If the run is killed in between, the name tells the next run which versions may be removed, and what the entry was
//! called.

use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::directory::Directory;
use super::entry::Entry;

const PREFIX: &str = ".offline-files-";
const INFIX: &str = ".displaced-";
const DIGITS: usize = 8;

/// The part of the old name that is kept, in bytes. Some file systems allow only 143 in all.
const LONGEST: usize = 100;

/// The name of an entry that was called `name`, and may be removed if it is one of two versions.
pub(super) fn displaced_name(name: &OsStr, removable: [&Entry; 2]) -> OsString {
    let [one, other] = removable.map(fingerprint);
    let mut displaced = OsString::from(format!("{PREFIX}{one:0DIGITS$x}{other:0DIGITS$x}{INFIX}"));
    displaced.push(shortened(name));
    displaced
}

/// Returns `true` if `name` is the name of a displaced entry.
pub(crate) fn is_displaced(name: &OsStr) -> bool {
    Displaced::parse(name).is_some()
}

/// Gives a displaced entry its name back, or another one if that is taken, unless it is a version that may be removed. Returns `true` if it
/// has got a name.
pub(crate) fn give_back(directory: &Directory, name: &OsStr) -> io::Result<bool> {
    let Some(displaced) = Displaced::parse(name) else { return Ok(false) };
    match directory.entry(name)? {
        Some(entry) if !displaced.removable.contains(&fingerprint(&entry)) => {
            directory.move_free(name, directory, displaced.name).map(|()| true)
        }
        _ => Ok(false),
    }
}

/// What the name of a displaced entry tells.
struct Displaced<'a> {
    removable: [u32; 2],
    name: &'a OsStr,
}

impl<'a> Displaced<'a> {
    fn parse(name: &'a OsStr) -> Option<Self> {
        let (digits, rest) = name.as_bytes().strip_prefix(PREFIX.as_bytes())?.split_at_checked(2 * DIGITS)?;
        let name = rest.strip_prefix(INFIX.as_bytes()).filter(|name| !name.is_empty())?;
        let number = |digits: &[u8]| u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok();
        let (one, other) = digits.split_at(DIGITS);
        Some(Self { removable: [number(one)?, number(other)?], name: OsStr::from_bytes(name) })
    }
}

/// What stays the same when a file or link gets another name, and changes when another program replaces it or writes to it.
fn fingerprint(entry: &Entry) -> u32 {
    let mut hasher = DefaultHasher::new();
    let time = [entry.modified.tv_sec.cast_unsigned(), entry.modified.tv_nsec.cast_unsigned()];
    [entry.inode(), entry.size].into_iter().chain(time).for_each(|number| hasher.write_u64(number));
    hasher.finish() as u32
}

/// The beginning of a name, which ends with a whole character.
fn shortened(name: &OsStr) -> &OsStr {
    let bytes = name.as_bytes();
    let is_end = |end: &usize| bytes.get(*end).is_none_or(|byte| byte & 0xc0 != 0x80);
    let end = (1..=LONGEST.min(bytes.len())).rev().find(is_end).unwrap_or(LONGEST);
    OsStr::from_bytes(&bytes[..end.min(bytes.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_shortened_at_a_whole_character() {
        for (name, shorter) in
            [("é".repeat(127), "é".repeat(50)), ("aé".repeat(80), "aé".repeat(33) + "a"), ("a".into(), "a".into())]
        {
            assert_eq!(shortened(name.as_ref()), OsStr::new(&shorter));
        }
        let invalid = [0x80; 200];
        assert_eq!(shortened(OsStr::from_bytes(&invalid)).len(), LONGEST);
    }

    #[test]
    fn a_displaced_entry_is_given_back_unless_it_is_a_removable_version() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        let entry = |name: &str| directory.entry(name.as_ref()).unwrap().unwrap();
        for name in ["one", "other", "edited"] {
            std::fs::write(tree.path().join(name), name.repeat(3)).unwrap();
        }
        let displaced = displaced_name("a".as_ref(), [&entry("one"), &entry("other")]);
        for (name, is_given_back) in [("one", false), ("other", false), ("edited", true)] {
            directory.rename(name.as_ref(), &displaced).unwrap();
            assert_eq!(give_back(&directory, &displaced).unwrap(), is_given_back, "{name}");
        }
        assert_eq!(directory.names().unwrap(), ["a"]);
        assert_eq!(std::fs::read_to_string(tree.path().join("a")).unwrap(), "editededitededited");
    }

    #[test]
    fn no_other_name_is_taken_for_that_of_a_displaced_entry() {
        for name in ["a", ".offline-files-0123456789abcdef.partial", ".offline-files-0123456789abcdef.displaced-"] {
            assert!(!is_displaced(name.as_ref()), "{name}");
        }
        assert!(is_displaced(".offline-files-0123456789abcdef.displaced-a".as_ref()));
    }
}
