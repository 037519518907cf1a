//! The names of the sides in errors about paths.

use std::error::Error;
use std::fmt;

use syncmgr::anyhow::anyhow;

use crate::paths::PathError;

/// An error in the arguments.
#[derive(Debug)]
pub(crate) struct UsageError(String);

impl UsageError {
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UsageError {}

/// Calls the sides A and B in an error about paths.
pub(crate) fn name_sides(error: PathError) -> syncmgr::anyhow::Error {
    let text = error.to_string();
    let (about, rest) = text.split_once(": ").map_or((&*text, None), |(about, rest)| (about, Some(rest)));
    let name = |word: &str| word.replace("FROM", "A").replace("TO", "B");
    // The names of the sides come before any path.
    let about = if about.contains('/') { about.to_owned() } else { name(about) };
    let text = rest.map_or_else(|| about.clone(), |rest| format!("{about}: {rest}"));
    if error.is_usage_error() { UsageError(text).into() } else { anyhow!(text) }
}
