//! Validates the times after which local changes start a run.

use std::time::Duration;

use super::duration::positive_duration;
use super::entry::{Keys, list};
use crate::mistakes::Mistakes;
use crate::parse::{Entry, entries};

/// The given times.
#[derive(Default)]
pub(crate) struct Settle {
    pub(crate) quiet: Option<Duration>,
    pub(crate) max_wait: Option<Duration>,
}

const TIMES: [&str; 2] = ["quiet", "max_wait"];
const EXAMPLE: &str = "settle(quiet = \"5s\")";

/// Checks `settle(..)`.
pub(crate) fn settle(entry: &Entry, mistakes: &mut Mistakes) -> Settle {
    let mut settle = Settle::default();
    let Some(tokens) = list(entry, EXAMPLE, mistakes) else { return settle };
    let mut keys = Keys::new("settle time", &TIMES);
    for entry in entries(tokens, &format!("a settle time, as in `{EXAMPLE}`"), mistakes) {
        let Some(key) = keys.recognize(&entry.key, mistakes) else { continue };
        settle.read(key, &entry, mistakes);
        if settle.is_inverted() {
            settle.max_wait = None;
            let text = "`max_wait` is shorter than `quiet`\na run would never wait for the quiet time";
            mistakes.at(&entry.key, text);
        }
    }
    settle
}

impl Settle {
    fn read(&mut self, key: &str, entry: &Entry, mistakes: &mut Mistakes) {
        let zero = "a time of zero would start a run for every change";
        match key {
            "quiet" => self.quiet = positive_duration(entry, "quiet = \"5s\"", zero, mistakes),
            _ => self.max_wait = positive_duration(entry, "max_wait = \"1min\"", zero, mistakes),
        }
    }

    fn is_inverted(&self) -> bool {
        self.quiet.zip(self.max_wait).is_some_and(|(quiet, max_wait)| quiet > max_wait)
    }
}
