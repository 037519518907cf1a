//! The files that are synchronized, and their expected copies.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The number of chunks per file, and of lines per chunk.
pub(crate) const CHUNKS: usize = 4;
const LINES: usize = 3;

/// The names of the items; `copying` implements their behaviour.
pub(crate) const NAMES: [&str; 14] = [
    "plain-0",
    "plain-1",
    "plain-2",
    "plain-3",
    "plain-4",
    "plain-5",
    "flaky-0",
    "flaky-1",
    "asks",
    "planned",
    "guarded",
    "unreadable",
    "vanishing",
    "unwanted",
];

/// The checkpoint of an item: the copied chunks and bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileState {
    pub(crate) chunk: usize,
    pub(crate) bytes: u64,
    /// The decision about the item.
    pub(crate) decided: Option<String>,
}

/// The directory of a trial.
#[derive(Clone, Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// Creates the files to be synchronized in an existing directory.
    pub(crate) fn new(root: &Path) -> Self {
        let folder = Self(root.to_path_buf());
        fs::create_dir_all(folder.0.join("from")).expect("the directory is created");
        fs::create_dir_all(folder.0.join("to")).expect("the directory is created");
        for name in NAMES {
            fs::write(folder.0.join("from").join(name), source(name)).expect("the source is written");
        }
        folder
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// Returns the content of an item's copy.
    pub(crate) fn copy_of(&self, name: &str) -> String {
        fs::read_to_string(self.0.join("to").join(name)).unwrap_or_default()
    }

    /// Returns the contents of all copies.
    pub(crate) fn copies(&self) -> Vec<(&'static str, String)> {
        NAMES.iter().map(|name| (*name, self.copy_of(name))).collect()
    }

    /// Opens an item's copy at the position of its checkpoint, and truncates it there.
    pub(crate) fn open_copy(&self, name: &str, bytes: u64) -> std::io::Result<File> {
        let path = self.0.join("to").join(name);
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.set_len(bytes)?;
        file.seek(SeekFrom::Start(bytes))?;
        Ok(file)
    }

    /// Returns a chunk of an item's source, transformed.
    pub(crate) fn read_transformed(&self, name: &str, chunk: usize) -> std::io::Result<String> {
        let source = fs::read_to_string(self.0.join("from").join(name))?;
        Ok(source.lines().skip(chunk * LINES).take(LINES).map(|line| line.to_uppercase() + "\n").collect())
    }

    /// Appends a line to the notes, which survive the process.
    pub(crate) fn note(&self, line: &str) -> std::io::Result<()> {
        let mut notes = OpenOptions::new().create(true).append(true).open(self.0.join("notes"))?;
        notes.write_all(format!("{line}\n").as_bytes())
    }

    /// Returns the lines of the notes, starting at line `from`.
    pub(crate) fn notes(&self, from: usize) -> Vec<String> {
        let notes = fs::read_to_string(self.0.join("notes")).unwrap_or_default();
        notes.lines().skip(from).map(str::to_string).collect()
    }

    /// Copies the store's files to another directory, including the write-ahead log.
    pub(crate) fn copy_state(&self, to: &Path) {
        fs::create_dir_all(to).expect("the directory is created");
        for name in ["state", "state-wal"] {
            let (from, to) = (self.0.join(name), to.join(name));
            if from.exists() {
                fs::copy(from, to).expect("the file is copied");
            }
        }
    }
}

fn source(name: &str) -> String {
    (0..CHUNKS * LINES).fold(String::new(), |mut text, line| {
        writeln!(text, "line {line} of {name}").expect("writing to a string succeeds");
        text
    })
}

/// Returns the expected content of the first chunks of an item's copy.
pub(crate) fn expected_copy(name: &str, chunks: usize) -> String {
    source(name).lines().take(chunks * LINES).map(|line| line.to_uppercase() + "\n").collect()
}
