//! Temporary entries, in the directory of their targets.

use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::io;
use std::os::unix::ffi::OsStrExt;

use rustix::io::Errno;

use super::directory::Directory;
use super::displaced::displaced_name;
use super::entry::Entry;
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

    /// Lets the entry stay, and returns its name.
    pub(super) fn keep(mut self) -> OsString {
        self.published = true;
        self.name.clone()
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

    /// Renames the entry to `name` in place of another one, of which `is_expected` is asked before it is gone. If it is not the
    /// expected one, it stays, and the result is `false`. If the name has got a third entry meanwhile, or none, that is an entry of
    /// another program too, and stays under this or another name.
    ///
    /// Where the system has no exchange of names, the other entry is replaced without a second question.
    pub(crate) fn replace(mut self, name: &OsStr, is_expected: impl Fn(&Entry) -> bool) -> io::Result<bool> {
        let replaced = self.directory.entry(name)?.filter(&is_expected);
        let own = self.directory.entry(&self.name)?;
        let (Some(own), Some(replaced)) = (own, replaced) else { return Ok(false) };
        self.rename(displaced_name(name, [&own, &replaced]))?;
        match self.directory.exchange(&self.name, self.directory, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) if has_no_exchange(&error) => return self.publish(name, Occupant::Entry).map(|()| true),
            exchanged => exchanged?,
        }
        // The other entry has the temporary name now, under which it is removed on drop.
        let old = self.directory.entry(&self.name);
        if matches!(&old, Ok(Some(old)) if is_expected(old)) {
            return Ok(true);
        }
        let restored = self.directory.exchange(&self.name, self.directory, name);
        if !matches!(self.directory.entry(&self.name), Ok(Some(now)) if now.id() == own.id()) {
            self.published = true;
            return self.directory.move_free(&self.name, self.directory, name).map(|()| false);
        }
        restored.and(old).map(|_| false)
    }

    fn rename(&mut self, name: OsString) -> io::Result<()> {
        self.directory.rename_new(&self.name, &name)?;
        self.name = name;
        Ok(())
    }
}

/// Removes a file or link, of which `is_expected` is asked again when other programs no longer find it. If it is not the expected one, it
/// gets its name back, and the result is `false`.
pub(crate) fn remove_expected(
    directory: &Directory,
    name: &OsStr,
    is_expected: impl Fn(&Entry) -> bool,
) -> io::Result<bool> {
    let Some(removed) = directory.entry(name)?.filter(&is_expected) else { return Ok(false) };
    let displaced = displaced_name(name, [&removed, &removed]);
    directory.rename_new(name, &displaced)?;
    match directory.entry(&displaced) {
        Ok(Some(entry)) if is_expected(&entry) => directory.remove(&displaced).map(|()| true),
        other => directory.move_free(&displaced, directory, name).and(other).map(|_| false),
    }
}

fn has_no_exchange(error: &io::Error) -> bool {
    let errors = [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP];
    Errno::from_io_error(error).is_some_and(|error| errors.contains(&error))
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

    /// A check that succeeds once, and then does something and fails, as if another program changed the entry at the last moment.
    fn expected_until(change: impl Fn()) -> impl Fn(&Entry) -> bool {
        let is_first = std::cell::Cell::new(true);
        move |_| {
            is_first.replace(false) || {
                change();
                false
            }
        }
    }

    fn read(tree: &tempfile::TempDir, name: &str) -> String {
        std::fs::read_to_string(tree.path().join(name)).unwrap()
    }

    #[test]
    fn only_an_expected_entry_is_replaced() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        for (is_expected, contents) in [(false, "edited"), (true, "")] {
            std::fs::write(tree.path().join("a"), "edited").unwrap();
            let (temporary, _) = Temporary::create(&directory, |name| directory.create_file(name, Mode::RUSR)).unwrap();
            assert_eq!(temporary.replace(OsStr::new("a"), |old| old.size == 6 && is_expected).unwrap(), is_expected);
            assert_eq!((directory.names().unwrap(), read(&tree, "a")), (vec!["a".into()], contents.into()));
        }
        let (temporary, _) = Temporary::create(&directory, |name| directory.create_file(name, Mode::RUSR)).unwrap();
        assert!(!temporary.replace(OsStr::new("gone"), |_| true).unwrap());
        assert_eq!(directory.names().unwrap(), ["a"]);
    }

    #[test]
    fn an_entry_that_is_not_replaced_stays_also_if_its_name_changes_meanwhile() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        let name = tree.path().join("a");
        let replace = |meanwhile: &dyn Fn()| {
            std::fs::write(&name, "edited").unwrap();
            let (temporary, _) = Temporary::create(&directory, |name| directory.create_file(name, Mode::RUSR)).unwrap();
            assert!(!temporary.replace(OsStr::new("a"), expected_until(meanwhile)).unwrap());
        };
        replace(&|| ());
        assert_eq!((directory.names().unwrap(), read(&tree, "a")), (vec!["a".into()], "edited".into()));
        replace(&|| std::fs::remove_file(&name).unwrap());
        assert_eq!((directory.names().unwrap(), read(&tree, "a")), (vec!["a".into()], "edited".into()));
        replace(&|| {
            std::fs::write(tree.path().join("saving"), "newest").unwrap();
            std::fs::rename(tree.path().join("saving"), &name).unwrap();
        });
        assert_eq!((read(&tree, "a"), read(&tree, "a 2")), ("edited".into(), "newest".into()));
    }

    #[test]
    fn only_an_expected_entry_is_removed() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        std::fs::write(tree.path().join("a"), "edited").unwrap();
        for is_expected in [&|_: &Entry| false, &expected_until(|| ()) as &dyn Fn(&Entry) -> bool] {
            assert!(!remove_expected(&directory, OsStr::new("a"), is_expected).unwrap());
            assert_eq!(read(&tree, "a"), "edited");
        }
        assert!(remove_expected(&directory, OsStr::new("a"), |entry| entry.size == 6).unwrap());
        assert!(directory.names().unwrap().is_empty());
    }

    #[test]
    fn an_entry_that_is_not_removed_never_replaces_a_new_one() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        std::fs::write(tree.path().join("a"), "edited").unwrap();
        let is_expected = expected_until(|| std::fs::write(tree.path().join("a"), "new").unwrap());
        assert!(!remove_expected(&directory, OsStr::new("a"), is_expected).unwrap());
        assert_eq!((read(&tree, "a"), read(&tree, "a 2")), ("new".into(), "edited".into()));
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
