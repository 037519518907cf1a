//! Validation of FROM and TO.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, mkdir};
use rustix::io::Errno;

use crate::escape::EscapedPath;
use crate::mirror::{Directory, Kept, Pair};

/// Two directories, neither of which contains the other.
#[derive(Debug)]
pub(crate) struct CheckedPaths {
    /// The path of FROM with links resolved.
    pub(crate) from: PathBuf,
    /// The path of TO with links resolved. TO may not exist yet.
    pub(crate) to: PathBuf,
    from_directory: Directory,
    /// The permissions to create TO with; `None` if it exists.
    create_mode: Option<Mode>,
}

/// Resolves links and checks that neither directory contains the other. Changes nothing.
pub(crate) fn check(from: &Path, to: &Path) -> Result<CheckedPaths, PathError> {
    let unreadable = |cause| PathError::From(from.to_owned(), cause);
    let source = resolve(from).map_err(unreadable)?;
    let from_directory = Directory::open(&source).map_err(unreadable)?;
    match resolve(to) {
        Ok(target) => {
            refuse_nesting(&source, &target)?;
            Ok(CheckedPaths { from: source, to: target, from_directory, create_mode: None })
        }
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            let target = resolve_new(to, &source)?;
            let create_mode = Some(from_directory.mode_of_copy().map_err(unreadable)?);
            Ok(CheckedPaths { from: source, to: target, from_directory, create_mode })
        }
        Err(cause) => Err(PathError::To(to.to_owned(), cause)),
    }
}

impl CheckedPaths {
    /// Opens both directories, and locks TO. A missing TO is created with the permission bits of FROM and full access for its owner.
    pub(crate) fn open(&self, kept: Kept) -> Result<Pair, PathError> {
        let pair = self.open_unlocked(kept)?;
        if pair.to.try_lock() { Ok(pair) } else { Err(PathError::Locked(self.to.clone())) }
    }

    /// Opens both directories as [`open`](Self::open) does, without the lock.
    pub(crate) fn open_unlocked(&self, kept: Kept) -> Result<Pair, PathError> {
        let unusable = |cause| PathError::Unusable(self.to.clone(), cause);
        if let Some(mode) = self.create_mode {
            match mkdir(&self.to, mode) {
                // The state is in TO.
                Err(Errno::EXIST) => {}
                created => created.map_err(io::Error::from).map_err(unusable)?,
            }
        }
        let copy = Directory::open(&self.to).map_err(unusable)?;
        Ok(Pair::new(self.from_directory.clone(), copy, kept))
    }
}

/// An error that prevents the run.
#[derive(Debug)]
pub(crate) enum PathError {
    /// FROM does not exist, is not a directory, or cannot be read.
    From(PathBuf, io::Error),
    /// TO exists and is not a directory.
    To(PathBuf, io::Error),
    /// Neither TO nor its parent exists.
    Parent(PathBuf),
    /// FROM and TO are the same directory.
    Same,
    /// TO is inside FROM.
    ToInsideFrom,
    /// FROM is inside TO.
    FromInsideTo,
    /// The arguments are valid, but TO cannot be created or opened.
    Unusable(PathBuf, io::Error),
    /// Another run is writing to TO.
    Locked(PathBuf),
    /// TO is on another disk than in the last run.
    OtherDisk(PathBuf),
}

impl PathError {
    /// Returns `true` if the arguments are invalid.
    pub(crate) fn is_usage_error(&self) -> bool {
        !matches!(self, Self::Unusable(..) | Self::Locked(_) | Self::OtherDisk(_))
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(path, cause) => {
                write!(f, "FROM is not a directory that can be read: {}: {cause}", EscapedPath(path))
            }
            Self::To(path, cause) => write!(f, "TO is not a directory: {}: {cause}", EscapedPath(path)),
            Self::Parent(path) => {
                write!(f, "TO cannot be created: its parent is not a directory: {}", EscapedPath(path))
            }
            Self::Same => f.write_str("FROM and TO are the same directory"),
            Self::ToInsideFrom => f.write_str("TO is inside FROM"),
            Self::FromInsideTo => f.write_str("FROM is inside TO"),
            Self::Unusable(path, cause) => write!(f, "cannot use {}: {cause}", EscapedPath(path)),
            Self::OtherDisk(path) => write!(
                f,
                "nothing was done: TO is on another disk than in the last run: {}; mount that disk, or use --yes to mirror to this one",
                EscapedPath(path)
            ),
            Self::Locked(path) => write!(f, "another run is writing to {}; wait until it ends", EscapedPath(path)),
        }
    }
}

impl Error for PathError {}

/// Resolves links in the path of a directory.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let real = fs::canonicalize(path)?;
    if fs::metadata(&real)?.is_dir() { Ok(real) } else { Err(ErrorKind::NotADirectory.into()) }
}

fn refuse_nesting(source: &Path, target: &Path) -> Result<(), PathError> {
    match (is_within(target, source), is_within(source, target)) {
        (true, true) => Err(PathError::Same),
        (true, false) => Err(PathError::ToInsideFrom),
        (false, true) => Err(PathError::FromInsideTo),
        (false, false) => Ok(()),
    }
}

/// Resolves the path of the new directory `to`, which must not be inside `source`.
fn resolve_new(to: &Path, source: &Path) -> Result<PathBuf, PathError> {
    let parent = to.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    let (Some(parent), Some(name)) = (parent, to.file_name()) else { return Err(PathError::Parent(to.to_owned())) };
    let parent = resolve(parent).map_err(|_| PathError::Parent(to.to_owned()))?;
    let target = parent.join(name);
    if is_within(&parent, source) {
        return Err(PathError::ToInsideFrom);
    }
    if target.is_symlink() {
        let cause = io::Error::new(ErrorKind::NotADirectory, "a dangling symbolic link");
        return Err(PathError::To(to.to_owned(), cause));
    }
    Ok(target)
}

/// Returns `true` if `path` is the directory `outer` or is inside it. Compares device and inode, so that spelling and bind
/// mounts do not matter.
fn is_within(path: &Path, outer: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
    let outer = identity(outer);
    path.ancestors().any(|ancestor| outer.is_some() && identity(ancestor) == outer)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    fn base() -> TempDir {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("from/inner")).unwrap();
        fs::create_dir(base.path().join("to")).unwrap();
        fs::write(base.path().join("file"), "").unwrap();
        base
    }

    fn open(from: &Path, to: &Path) -> Result<Pair, PathError> {
        check(from, to)?.open(Kept::default())
    }

    fn usage_error(from: &str, to: &str) -> PathError {
        let base = base();
        symlink("from/inner", base.path().join("way")).unwrap();
        symlink("nowhere", base.path().join("dangling")).unwrap();
        let error = open(&base.path().join(from), &base.path().join(to)).unwrap_err();
        assert!(error.is_usage_error() && !error.to_string().contains('\n'), "{error}");
        error
    }

    #[test]
    fn the_same_directory_in_any_spelling_is_refused() {
        for (from, to) in [("from", "from"), ("from", "to/../from/"), ("way", "from/inner")] {
            assert!(matches!(usage_error(from, to), PathError::Same), "{from} {to}");
        }
    }

    #[test]
    fn nested_directories_are_refused_also_through_a_link() {
        for (from, to) in [("from", "from/inner"), ("from", "from/new"), ("from", "way"), ("from", "way/new")] {
            assert!(matches!(usage_error(from, to), PathError::ToInsideFrom), "{from} {to}");
        }
        for (from, to) in [("from/inner", "from"), ("way", "from"), ("from", ".")] {
            assert!(matches!(usage_error(from, to), PathError::FromInsideTo), "{from} {to}");
        }
    }

    #[test]
    fn a_path_that_is_not_a_directory_is_refused() {
        assert!(matches!(usage_error("missing", "to"), PathError::From(..)));
        assert!(matches!(usage_error("file", "to"), PathError::From(..)));
        assert!(matches!(usage_error("from", "file"), PathError::To(..)));
        assert!(matches!(usage_error("from", "file/new"), PathError::To(..)));
        assert!(matches!(usage_error("from", "dangling"), PathError::To(..)));
        assert!(matches!(usage_error("from", "missing/new"), PathError::Parent(_)));
    }

    #[test]
    fn a_created_target_grants_others_no_more_access_than_the_source() {
        let base = base();
        fs::set_permissions(base.path().join("from"), fs::Permissions::from_mode(0o500)).unwrap();
        open(&base.path().join("from"), &base.path().join("new")).unwrap();
        assert_eq!(fs::metadata(base.path().join("new")).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn siblings_with_a_common_name_prefix_are_not_nested() {
        let base = base();
        assert!(open(&base.path().join("from"), &base.path().join("from2")).is_ok());
    }

    #[test]
    fn a_target_locked_by_another_run_is_refused_but_is_no_usage_error() {
        let base = base();
        let (from, to) = (base.path().join("from"), base.path().join("to"));
        let _first = open(&from, &to).unwrap();
        let error = open(&from, &to).unwrap_err();
        assert!(matches!(error, PathError::Locked(_)) && !error.is_usage_error());
    }
}
