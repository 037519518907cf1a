//! Both sides as open directories.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::side::{Both, Side};
use crate::escape::EscapedPath;
use crate::mirror::{Directory, Failure, FileContext, FileError, Jobs, Kept, Location, Pair};

/// The roots of both sides.
#[derive(Clone, Debug)]
pub(crate) struct Disks {
    pub(crate) roots: Both<Directory>,
    /// The pairs that copy to each side.
    pairs: Both<Pair>,
    pub(crate) jobs: Arc<Jobs>,
}

/// One directory that both sides have.
pub(crate) struct Here {
    /// The directory of each side, as the target of copies from the other one.
    pub(crate) to: Both<Pair>,
}

impl Disks {
    /// Creates the pair of two open directories, on which at most `jobs` threads work at the same time.
    pub(crate) fn new(roots: Both<Directory>, kept: Kept, jobs: usize) -> Self {
        let pair = |to: Side| Pair::new(roots[to.other()].clone(), roots[to].clone(), kept).with_jobs(jobs);
        let pairs = Both::from_fn(pair);
        let jobs = pairs.a.jobs.clone();
        Self { roots, pairs, jobs }
    }

    /// The same with open directories of its own, so that items do not close those of other items.
    pub(crate) fn separate(&self) -> Self {
        let roots = Both::from_fn(|side| self.roots[side].separate(self.pairs[side].trail_capacity));
        Self { roots, ..self.clone() }
    }

    /// The same without open directories below the roots: a directory that is moved would stay open under its old path.
    pub(crate) fn without_memory(&self) -> Self {
        Self { roots: Both::from_fn(|side| self.roots[side].separate(0)), ..self.clone() }
    }

    pub(crate) fn descend(&self, side: Side, path: &Path) -> Result<Directory, FileError> {
        self.roots[side].descend(path).file_context("cannot be opened", side.into(), path)
    }

    /// Opens a directory on both sides.
    pub(crate) fn open(&self, path: &Path) -> Result<Here, FileError> {
        let directories = Both { a: self.descend(Side::A, path)?, b: self.descend(Side::B, path)? };
        Ok(Here { to: Both::from_fn(|to| self.pair(path, &directories, to)) })
    }

    fn pair(&self, path: &Path, directories: &Both<Directory>, to: Side) -> Pair {
        let root = (&self.roots[to], path);
        self.pairs[to].at(root, directories[to.other()].clone(), directories[to].clone())
    }

    /// The names of the samples, which are never synchronized.
    pub(crate) fn sample_names(&self) -> [&std::ffi::OsStr; 2] {
        Side::BOTH.map(|side| self.pairs[side].file_systems.sample_name())
    }

    /// Describes what each side cannot store, as far as that is known by now.
    pub(crate) fn losses(&self) -> Vec<String> {
        let of = |side: Side| Some(self.pairs[side].file_systems.report()?.replace("TO", &side.to_string()));
        Side::BOTH.into_iter().filter_map(of).collect()
    }

    pub(crate) fn remove_samples(&self) {
        Side::BOTH.iter().for_each(|side| self.pairs[*side].file_systems.remove_samples());
    }
}

impl Here {
    pub(crate) fn directory(&self, side: Side) -> &Directory {
        &self.to[side].to
    }
}

/// Names the sides in the failure of an operation of a mirror, which copies to the side `to`.
pub(crate) fn failure_in(failure: Failure, to: Side) -> Failure {
    let Failure::File(error) = failure else { return failure };
    let location = error.location.map(|location| match location {
        Location::From => to.other().into(),
        Location::To => to.into(),
        side => side,
    });
    Failure::File(FileError { location, ..error })
}

/// Says why a free name could not be taken: the side does not tell it from another one, or cannot store it.
pub(crate) fn explain(directory: &Directory, name: &std::ffi::OsStr, side: Side, cause: io::Error) -> io::Error {
    let spelling = || directory.spelling(name).ok()?;
    match cause.kind() {
        io::ErrorKind::AlreadyExists => match spelling() {
            Some(other) => io::Error::other(format!("{side} does not distinguish it from {}", EscapedPath(other))),
            None => cause,
        },
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => {
            io::Error::other(format!("{side} cannot store this name ({cause}); rename it"))
        }
        _ => cause,
    }
}
