//! What is wrong in a settings file, and where.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use syncmgr::text::Escaped;

use crate::host::places;

/// A mistake in a settings file. Displayed as `FILE:LINE: KEY: MESSAGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::host) struct Problem {
    file: Option<PathBuf>,
    /// The line, from 1, and the key or the header of a table in it.
    place: Option<(usize, String)>,
    message: String,
    /// What to write, in lines of its own.
    example: Option<&'static str>,
}

/// The settings of one folder, and where the others are described.
const EXAMPLE: &str = "\
[[folder]]
name = \"Documents\"
from = \"~/Documents\"
to = \"/media/backup/Documents\"

The README of syncmgr-console describes all settings";

impl Problem {
    /// Creates a problem that no place in a file has.
    pub(in crate::host) fn general(message: impl Into<String>) -> Self {
        Self { file: None, place: None, message: message.into(), example: None }
    }

    /// Creates the problem of a file that cannot be read.
    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Self {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => {
                let missing = Self::general(
                    "there is no such file; `syncmgr host FROM TO` writes a first one; or write it, as in",
                );
                Self { example: Some(EXAMPLE), ..missing }
            }
            _ => Self::general(format!("the settings cannot be read: {error}")),
        };
        Self { file: Some(file.to_owned()), ..problem }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", Escaped(&file.to_string_lossy()))?;
            f.write_str(if self.place.is_some() { "" } else { " " })?;
        }
        if let Some((line, key)) = &self.place {
            write!(f, "{line}: {}: ", Escaped(key))?;
        }
        write!(f, "{}", Escaped(&self.message))?;
        self.example.map_or(Ok(()), |example| write!(f, "\n\n{example}"))
    }
}

/// The text of a settings file.
pub(super) struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text }
    }

    /// Returns a path of the file: `~/` is the home directory, and a relative path begins at the directory of the file.
    pub(super) fn resolve(&self, path: PathBuf) -> PathBuf {
        match (path.strip_prefix("~"), places::home()) {
            (Ok(in_home), Some(home)) => home.join(in_home),
            _ => self.path.parent().unwrap_or(Path::new(".")).join(path),
        }
    }

    /// Creates the problem of a value.
    pub(super) fn problem(&self, key: &str, span: Range<usize>, message: String) -> Problem {
        let place = Some((self.line(span.start), key.to_owned()));
        Problem { file: Some(self.path.to_owned()), place, ..Problem::general(message) }
    }

    /// Creates the problem of a file that is not TOML, or has an unknown key or a value of a wrong type.
    pub(super) fn refused(&self, error: &toml::de::Error) -> Problem {
        let start = error.span().map_or(0, |span| span.start);
        let message = in_words(&error.message().replace('\n', "; "));
        let line = self.text.lines().nth(self.line(start) - 1).unwrap_or_default().trim();
        let key = line.split_once('=').map_or(line, |(key, _)| key.trim_end());
        self.problem(key, start..start, message)
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        before.filter(|byte| **byte == b'\n').count() + 1
    }
}

/// What a reader expects, and what to write for it.
const EXPECTED: &[(&str, &str)] = &[
    ("a boolean", "`true` or `false`"),
    ("a string", "a text in quotes"),
    ("path string", "a path in quotes"),
    ("u16", "a number from 0 to 65535"),
    ("u32", "a number from 0 to 4294967295"),
    ("a nonzero usize", "a number from 1"),
    ("a sequence", "a list in brackets"),
    ("struct Limits", "a table `[limits]`"),
    ("struct Folder", "a table `[[folder]]`"),
];

/// Returns the message of a reader of TOML in the words of this program: what was found, and what to write.
fn in_words(message: &str) -> String {
    let wrong = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    if let Some((found, expected)) = wrong.and_then(|wrong| wrong.rsplit_once(", expected ")) {
        let known = EXPECTED.iter().find(|(name, _)| *name == expected).map_or(expected, |(_, words)| words);
        return format!("this is the {found}; write {known}");
    }
    if let Some((key, keys)) = message.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", expected ")) {
        return format!("there is no key {key}; the keys are {}", keys.trim_start_matches("one of "));
    }
    match message.strip_prefix("missing field ") {
        Some(key) => format!("{key} is missing; write it in this table"),
        None => message.to_owned(),
    }
}
