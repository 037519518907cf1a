//! Temporary entries, in the directory of their targets.

use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::io;
use std::os::unix::ffi::OsStrExt;

use super::directory::Directory;
use super::plan::Occupant;

const PREFIX: &str = ".offline-files-";
const SUFFIX: &str = ".partial";
const DIGITS: usize = 16;

/// A new entry with a random name. It is removed on drop unless it is published.
pub(crate) struct Temporary<'a> {
    directory: &'a Directory,
    name: OsString,
    published: bool,
}

impl<'a> Temporary<'a> {
    /// Creates an entry with `create`, which must fail if the name exists.
    pub(crate) fn create<T>(
        directory: &'a Directory,
        create: impl FnOnce(&OsStr) -> io::Result<T>,
    ) -> io::Result<(Self, T)> {
        let name = random_name();
        let created = create(&name)?;
        Ok((Self { directory, name, published: false }, created))
    }

    /// The temporary name.
    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    /// Renames the entry to `name` atomically: other programs see the old entry or the new one. With `Occupant::None` the name
    /// must be free.
    pub(crate) fn publish(mut self, name: &OsStr, occupant: Occupant) -> io::Result<()> {
        match occupant {
            Occupant::None => self.directory.rename_new(&self.name, name)?,
            _ => self.directory.rename(&self.name, name)?,
        }
        self.published = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.published {
            // If this fails, the next run removes the entry.
            let _ = self.directory.remove(&self.name);
        }
    }
}

/// Returns `true` if `name` is the name of a temporary entry.
pub(crate) fn is_leftover(name: &OsStr) -> bool {
    let digits = name.as_bytes().strip_prefix(PREFIX.as_bytes()).and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.iter().all(u8::is_ascii_hexdigit))
}

/// An unpredictable name, because each `RandomState` has random keys.
pub(super) fn random_name() -> OsString {
    with_digits(RandomState::new().build_hasher().finish())
}

/// The name of an entry while it gets its new name, from which a later run can tell that.
pub(super) fn name_for(new_name: &str) -> OsString {
    let mut hasher = DefaultHasher::new();
    hasher.write(new_name.as_bytes());
    with_digits(hasher.finish())
}

fn with_digits(number: u64) -> OsString {
    format!("{PREFIX}{number:0DIGITS$x}{SUFFIX}").into()
}

#[cfg(test)]
mod tests {
    use rustix::fs::Mode;

    use super::*;

    #[test]
    fn a_temporary_name_is_recognised_and_unique() {
        assert!(is_leftover(&random_name()));
        assert_ne!(random_name(), random_name());
        assert!(!is_leftover(OsStr::new(".offline-files-notes.partial")));
        assert!(!is_leftover(OsStr::new("x.offline-files-0123456789abcdef.partial")));
    }

    #[test]
    fn an_unpublished_entry_is_removed() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        let (temporary, _) = Temporary::create(&directory, |name| directory.create_file(name, Mode::RUSR)).unwrap();
        assert_eq!(directory.names().unwrap(), [temporary.name()]);
        drop(temporary);
        assert!(directory.names().unwrap().is_empty());
    }

    #[test]
    fn a_published_entry_has_its_final_name() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        let (temporary, _) = Temporary::create(&directory, |name| directory.create_file(name, Mode::RUSR)).unwrap();
        temporary.publish(OsStr::new("a"), Occupant::None).unwrap();
        assert_eq!(directory.names().unwrap(), ["a"]);
    }
}
