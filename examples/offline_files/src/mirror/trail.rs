//! The directories opened last below a root, so that most paths need no walk from the root.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

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
    pub(super) fn descend(&mut self, root: &Directory, path: &Path) -> io::Result<Directory> {
        // Farther ancestors are walked from the root: a look-up takes as long as the path.
        let ancestors = || path.ancestors().take_while(|path| !path.as_os_str().is_empty());
        let near = ancestors().take(CAPACITY).position(|ancestor| self.open.contains_key(ancestor));
        let nearest = near.and_then(|near| ancestors().nth(near)).and_then(|ancestor| self.open.get(ancestor));
        let mut directory = nearest.unwrap_or(root).clone();
        let missing: Vec<_> = ancestors().take(near.unwrap_or(usize::MAX)).collect();
        for (distance, ancestor) in missing.into_iter().enumerate().rev() {
            directory = directory.enter(ancestor.file_name().ok_or(Errno::INVAL)?)?;
            if distance < CAPACITY {
                self.insert(ancestor.to_owned(), directory.clone());
            }
        }
        Ok(directory)
    }

    fn insert(&mut self, path: PathBuf, directory: Directory) {
        if self.order.len() == CAPACITY {
            self.order.pop_front().and_then(|oldest| self.open.remove(&oldest));
        }
        self.order.push_back(path.clone());
        self.open.insert(path, directory);
    }
}
