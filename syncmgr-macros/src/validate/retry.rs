//! Validates the retry rules.

use std::time::Duration;

use super::duration::positive_duration;
use super::entry::{Keys, list};
use super::number::{count, percent};
use crate::mistakes::Mistakes;
use crate::parse::{Entry, entries};

/// The given rules.
#[derive(Default)]
pub(crate) struct Retry {
    pub(crate) initial: Option<Duration>,
    pub(crate) factor: Option<u32>,
    pub(crate) cap: Option<Duration>,
    pub(crate) jitter: Option<u32>,
    pub(crate) budget: Option<u32>,
    pub(crate) partial_budget: Option<u32>,
}

const RULES: [&str; 6] = ["initial", "factor", "cap", "jitter", "budget", "partial_budget"];
const EXAMPLE: &str = "retry(initial = \"30s\")";

/// Checks `retry(..)`.
pub(crate) fn retry(entry: &Entry, mistakes: &mut Mistakes) -> Option<Retry> {
    let tokens = list(entry, EXAMPLE, mistakes)?;
    let mut retry = Retry::default();
    let mut keys = Keys::new("retry rule", &RULES);
    for entry in entries(tokens, &format!("a retry rule, as in `{EXAMPLE}`"), mistakes) {
        let Some(key) = keys.recognize(&entry.key, mistakes) else { continue };
        retry.read(key, &entry, mistakes);
        if retry.is_inverted() {
            retry.initial = None;
            mistakes.at(&entry.key, "`initial` is longer than `cap`\nno wait is longer than `cap`, the first included");
        }
    }
    Some(retry)
}

impl Retry {
    fn read(&mut self, key: &str, entry: &Entry, mistakes: &mut Mistakes) {
        match key {
            "initial" => self.initial = wait(entry, "initial = \"30s\"", mistakes),
            "factor" => self.factor = factor(entry, mistakes),
            "cap" => self.cap = wait(entry, "cap = \"1h\"", mistakes),
            "jitter" => self.jitter = percent(entry, "jitter = 10", mistakes),
            "budget" => self.budget = budget(entry, "budget = 10", mistakes),
            _ => self.partial_budget = budget(entry, "partial_budget = 50", mistakes),
        }
    }

    fn is_inverted(&self) -> bool {
        self.initial.zip(self.cap).is_some_and(|(initial, cap)| initial > cap)
    }
}

fn wait(entry: &Entry, example: &str, mistakes: &mut Mistakes) -> Option<Duration> {
    positive_duration(entry, example, "a wait of zero would retry a failed item immediately", mistakes)
}

fn factor(entry: &Entry, mistakes: &mut Mistakes) -> Option<u32> {
    count(entry, "factor = 2", "a factor of 0 would leave no wait between retries", mistakes)
}

fn budget(entry: &Entry, example: &str, mistakes: &mut Mistakes) -> Option<u32> {
    count(entry, example, "a budget of 0 failures would be used up before the first", mistakes)
}
