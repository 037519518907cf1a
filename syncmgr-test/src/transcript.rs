//! What was called, in order.

use std::sync::Arc;

use syncmgr_core::sync::Mutex;

/// A list of lines that several doubles may write into, so that the order between them shows.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<Vec<String>>>);

impl Transcript {
    /// An empty transcript.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    pub fn note(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    /// The lines that begin with one of these.
    pub fn of(&self, beginnings: &[&str]) -> Vec<String> {
        let wanted = |line: &&String| beginnings.iter().any(|beginning| line.starts_with(beginning));
        self.0.lock().iter().filter(wanted).cloned().collect()
    }

    /// How many lines begin with this.
    pub fn count(&self, beginning: &str) -> usize {
        self.of(&[beginning]).len()
    }
}
