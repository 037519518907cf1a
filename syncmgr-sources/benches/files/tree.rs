//! The watched files.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

/// The name of the directory whose file changes last in each round.
pub(crate) const PROBE: &str = "probe";

/// Directories with an open file each. A byte that is written into an open file raises one event.
pub(crate) struct Tree {
    directory: TempDir,
    names: Vec<String>,
    files: Vec<File>,
}

impl Tree {
    /// Creates this number of directories, and one more as a probe.
    pub(crate) fn new(count: usize) -> Self {
        let limit = Rlimit { current: getrlimit(Resource::Nofile).maximum, ..getrlimit(Resource::Nofile) };
        setrlimit(Resource::Nofile, limit).expect("a process may raise its limit to the maximum");
        let directory = tempfile::tempdir().expect("a temporary directory can be created");
        let names: Vec<_> = (0..count).map(|number| format!("item {number}")).chain([PROBE.to_owned()]).collect();
        let files = names.iter().map(|name| file_in(&directory.path().join(name))).collect();
        Self { directory, names, files }
    }

    /// Returns the names of the directories. The probe is the last.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Changes all files this number of times, and then the probe.
    pub(crate) fn change_all(&self, times: usize) {
        let (probe, files) = self.files.split_last().expect("there is a probe");
        (0..times).for_each(|_| files.iter().for_each(change));
        change(probe);
    }
}

fn file_in(directory: &Path) -> File {
    fs::create_dir(directory).expect("the directory can be created");
    File::create(directory.join("file")).expect("the file can be created")
}

fn change(file: &File) {
    file.write_all_at(b"x", 0).expect("the file can be written");
}
