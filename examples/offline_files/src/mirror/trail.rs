//! The directories opened last below a root, so that most paths need no walk from the root.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;

use super::directory::Directory;

/// The maximum number of directories that stay open.
const CAPACITY: usize = 64;

/// Open directories by path, and their paths from the oldest to the newest.
#[derive(Debug, Default)]
pub(super) struct Trail {
    open: HashMap<PathBuf, Directory>,
    order: VecDeque<PathBuf>,
}

impl Trail {
    /// Opens the directory at `path` below `root`, one component at a time from the nearest directory that is open. No component
    /// may be a symbolic link.
    pub(super) fn descend(trail: &Mutex<Self>, root: &Directory, path: &Path) -> io::Result<Directory> {
        let lock = || trail.lock().unwrap_or_else(PoisonError::into_inner);
        let ancestors = || path.ancestors().take_while(|path| !path.as_os_str().is_empty());
        // Farther ancestors are walked from the root: a look-up takes as long as the path.
        let near = ancestors().take(CAPACITY).enumerate();
        let nearest = near.filter_map(|(distance, path)| Some((distance, lock().open.get(path)?.clone()))).next();
        let (near, mut directory) = nearest.map_or((usize::MAX, root.clone()), |nearest| nearest);
        let missing: Vec<_> = ancestors().take(near).collect();
        for (distance, ancestor) in missing.into_iter().enumerate().rev() {
            directory = directory.enter(ancestor.file_name().ok_or(Errno::INVAL)?)?;
            if distance < CAPACITY {
                lock().insert(ancestor.to_owned(), directory.clone());
            }
        }
        Ok(directory)
    }

    fn insert(&mut self, path: PathBuf, directory: Directory) {
        if self.open.insert(path.clone(), directory).is_some() {
            return;
        }
        if self.order.len() == CAPACITY {
            self.order.pop_front().and_then(|oldest| self.open.remove(&oldest));
        }
        self.order.push_back(path);
    }
}
