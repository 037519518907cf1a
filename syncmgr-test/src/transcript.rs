//! A shared list of recorded calls.

use std::sync::Arc;

use syncmgr_core::sync::Mutex;

/// A list of lines. Several test doubles can share one, to record the order of their calls.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<Vec<String>>>);

impl Transcript {
    /// Creates an empty transcript.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    pub fn note(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    /// Returns all lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    /// Returns the lines that start with one of these texts.
    pub fn of(&self, prefixes: &[&str]) -> Vec<String> {
        let wanted = |line: &&String| prefixes.iter().any(|prefix| line.starts_with(prefix));
        self.0.lock().iter().filter(wanted).cloned().collect()
    }

    /// Returns the number of lines that start with this text.
    pub fn count(&self, prefix: &str) -> usize {
        self.of(&[prefix]).len()
    }
}
