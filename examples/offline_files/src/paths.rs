//! FROM and TO as they were given: may the one be mirrored into the other?

use std::error::Error;
use std::fmt;
use std::fs::{self, DirBuilder, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::mirror::{Directory, Pair};
use crate::shown::Shown;

/// Two directories of which the one may be mirrored into the other.
#[derive(Debug)]
pub(crate) struct Places {
    /// FROM without links.
    pub(crate) from: PathBuf,
    /// TO without links, perhaps yet to be made.
    pub(crate) to: PathBuf,
    origin: Directory,
    /// The permission bits to make TO with, if it is missing.
    missing: Option<u32>,
}

/// Makes sure, links resolved, that neither directory lies in the other. Nothing is touched.
pub(crate) fn check(from: &Path, to: &Path) -> Result<Places, PathError> {
    let unreadable = |cause| PathError::From(from.to_owned(), cause);
    let (source, about) = resolve(from).map_err(unreadable)?;
    let origin = Directory::open(&source).map_err(unreadable)?;
    match resolve(to) {
        Ok((target, _)) => {
            refuse_nesting(&source, &target)?;
            Ok(Places { from: source, to: target, origin, missing: None })
        }
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            let target = place_for(to, &source)?;
            Ok(Places { from: source, to: target, origin, missing: Some(about.mode() & 0o777 | 0o700) })
        }
        Err(cause) => Err(PathError::To(to.to_owned(), cause)),
    }
}

impl Places {
    /// Opens both directories. A missing TO is made with the permission bits of FROM.
    pub(crate) fn open(&self) -> Result<Pair, PathError> {
        let unusable = |cause| PathError::Unusable(self.to.clone(), cause);
        if let Some(mode) = self.missing {
            DirBuilder::new().mode(mode).create(&self.to).map_err(unusable)?;
        }
        let copy = Directory::open(&self.to).map_err(unusable)?;
        if !copy.claim() {
            return Err(PathError::Taken(self.to.clone()));
        }
        Ok(Pair { from: self.origin.clone(), to: copy })
    }
}

/// Why nothing can be mirrored.
#[derive(Debug)]
pub(crate) enum PathError {
    /// FROM is missing, no directory, or not to be read.
    From(PathBuf, io::Error),
    /// TO is there and no directory.
    To(PathBuf, io::Error),
    /// TO is missing, and so is its parent.
    Parent(PathBuf),
    /// Both are one directory.
    Same,
    /// TO lies in FROM.
    ToInsideFrom,
    /// FROM lies in TO.
    FromInsideTo,
    /// The command line is right, but TO cannot be created or opened.
    Unusable(PathBuf, io::Error),
    /// Another run is writing into TO.
    Taken(PathBuf),
}

impl PathError {
    /// Whether another command line would help.
    pub(crate) fn is_wrong_usage(&self) -> bool {
        !matches!(self, Self::Unusable(..) | Self::Taken(_))
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(path, cause) => write!(f, "FROM is not a directory that can be read: {}: {cause}", Shown(path)),
            Self::To(path, cause) => write!(f, "TO is not a directory: {}: {cause}", Shown(path)),
            Self::Parent(path) => write!(f, "TO cannot be created, its parent is no directory: {}", Shown(path)),
            Self::Same => f.write_str("FROM and TO are the same directory"),
            Self::ToInsideFrom => f.write_str("TO is inside FROM"),
            Self::FromInsideTo => f.write_str("FROM is inside TO"),
            Self::Unusable(path, cause) => write!(f, "cannot use {}: {cause}", Shown(path)),
            Self::Taken(path) => write!(f, "another run is writing to {}; wait for its end", Shown(path)),
        }
    }
}

impl Error for PathError {}

/// The directory at `path`, links resolved.
fn resolve(path: &Path) -> io::Result<(PathBuf, Metadata)> {
    let real = fs::canonicalize(path)?;
    let about = fs::metadata(&real)?;
    if about.is_dir() { Ok((real, about)) } else { Err(ErrorKind::NotADirectory.into()) }
}

fn refuse_nesting(source: &Path, target: &Path) -> Result<(), PathError> {
    match (is_within(target, source), is_within(source, target)) {
        (true, true) => Err(PathError::Same),
        (true, false) => Err(PathError::ToInsideFrom),
        (false, true) => Err(PathError::FromInsideTo),
        (false, false) => Ok(()),
    }
}

/// Where to make the directory `to`, unless it would lie in `source`.
fn place_for(to: &Path, source: &Path) -> Result<PathBuf, PathError> {
    let parent = to.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    let (Some(parent), Some(name)) = (parent, to.file_name()) else { return Err(PathError::Parent(to.to_owned())) };
    let (parent, _) = resolve(parent).map_err(|_| PathError::Parent(to.to_owned()))?;
    let target = parent.join(name);
    if is_within(&parent, source) {
        return Err(PathError::ToInsideFrom);
    }
    if target.is_symlink() {
        let cause = io::Error::new(ErrorKind::NotADirectory, "a symbolic link that leads nowhere");
        return Err(PathError::To(to.to_owned(), cause));
    }
    Ok(target)
}

/// Whether `path` is the directory `outer` or lies below it, by identity, so that no spelling and no second mount of the
/// same directory deceives.
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
        check(from, to)?.open()
    }

    fn refusal(from: &str, to: &str) -> PathError {
        let base = base();
        symlink("from/inner", base.path().join("way")).unwrap();
        symlink("nowhere", base.path().join("dangling")).unwrap();
        let refused = open(&base.path().join(from), &base.path().join(to)).unwrap_err();
        assert!(refused.is_wrong_usage() && !refused.to_string().contains('\n'), "{refused}");
        refused
    }

    #[test]
    fn the_same_directory_is_refused_however_it_is_spelt() {
        for (from, to) in [("from", "from"), ("from", "to/../from/"), ("way", "from/inner")] {
            assert!(matches!(refusal(from, to), PathError::Same), "{from} {to}");
        }
    }

    #[test]
    fn one_inside_the_other_is_refused_also_through_a_link() {
        for (from, to) in [("from", "from/inner"), ("from", "from/new"), ("from", "way"), ("from", "way/new")] {
            assert!(matches!(refusal(from, to), PathError::ToInsideFrom), "{from} {to}");
        }
        for (from, to) in [("from/inner", "from"), ("way", "from"), ("from", ".")] {
            assert!(matches!(refusal(from, to), PathError::FromInsideTo), "{from} {to}");
        }
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        assert!(matches!(refusal("missing", "to"), PathError::From(..)));
        assert!(matches!(refusal("file", "to"), PathError::From(..)));
        assert!(matches!(refusal("from", "file"), PathError::To(..)));
        assert!(matches!(refusal("from", "file/new"), PathError::To(..)));
        assert!(matches!(refusal("from", "dangling"), PathError::To(..)));
        assert!(matches!(refusal("from", "missing/new"), PathError::Parent(_)));
    }

    #[test]
    fn a_missing_target_is_created_no_more_open_than_its_origin() {
        let base = base();
        fs::set_permissions(base.path().join("from"), fs::Permissions::from_mode(0o500)).unwrap();
        open(&base.path().join("from"), &base.path().join("new")).unwrap();
        assert_eq!(fs::metadata(base.path().join("new")).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn siblings_whose_names_begin_alike_are_not_nested() {
        let base = base();
        assert!(open(&base.path().join("from"), &base.path().join("from2")).is_ok());
    }

    #[test]
    fn a_target_in_use_by_another_run_is_refused_but_is_no_wrong_usage() {
        let base = base();
        let (from, to) = (base.path().join("from"), base.path().join("to"));
        let _first = open(&from, &to).unwrap();
        let refused = open(&from, &to).unwrap_err();
        assert!(matches!(refused, PathError::Taken(_)) && !refused.is_wrong_usage());
    }
}
