//! The directories opened last below a root, so that most paths need no walk from the root.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::directory::Directory;

/// Open directories by path, and their paths from the oldest to the newest.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The maximum number of directories that stay open.
    capacity: usize,
    open: HashMap<PathBuf, Directory>,
    order: VecDeque<PathBuf>,
}

impl Trail {
    /// Creates a trail that keeps at most `capacity` directories open.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// Opens the directory at `path` below `root`, one component at a time from the nearest directory that is open. No component
    /// may be a symbolic link.
    pub(super) fn descend(trail: &Mutex<Self>, root: &Directory, path: &Path) -> io::Result<Directory> {
        let lock = || trail.lock().unwrap_or_else(PoisonError::into_inner);
        let ancestors = || path.ancestors().take_while(|path| !path.as_os_str().is_empty());
        let capacity = lock().capacity;
        // Farther ancestors are walked from the root: a look-up takes as long as the path.
        let near = ancestors().take(capacity).enumerate();
        let nearest = near.filter_map(|(distance, path)| Some((distance, lock().open.get(path)?.clone()))).next();
        let (near, mut directory) = nearest.map_or((usize::MAX, root.clone()), |nearest| nearest);
        let missing: Vec<_> = ancestors().take(near).collect();
        for (distance, ancestor) in missing.into_iter().enumerate().rev() {
            directory = directory.enter(ancestor.file_name().ok_or(Errno::INVAL)?)?;
            if distance < capacity {
                lock().insert(ancestor.to_owned(), directory.clone());
            }
        }
        Ok(directory)
    }

    fn insert(&mut self, path: PathBuf, directory: Directory) {
        if self.open.insert(path.clone(), directory).is_some() {
            return;
        }
        if self.order.len() == self.capacity {
            self.order.pop_front().and_then(|oldest| self.open.remove(&oldest));
        }
        self.order.push_back(path);
    }
}

/// The capacity of the trail of one side of an item, of which as many run as there are `jobs`.
pub(super) fn capacity_for(jobs: usize) -> usize {
    capacity(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), jobs)
}

/// The capacity with which the trails of all items use at most a quarter of the files that the process may have open.
fn capacity(open_files: u64, jobs: usize) -> usize {
    let trails = 2 * jobs.max(1);
    usize::try_from(open_files / 4).unwrap_or(usize::MAX).div_euclid(trails).clamp(4, 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trails_of_all_items_use_at_most_a_quarter_of_the_open_files() {
        for (open_files, jobs, expected) in
            [(u64::MAX, 8, 64), (1024, 1, 64), (1024, 2, 64), (1024, 8, 16), (1024, 100, 4), (256, 20, 4), (0, 0, 4)]
        {
            assert_eq!(capacity(open_files, jobs), expected, "{open_files} {jobs}");
        }
    }
}
