//! Validates the limits.

use std::time::Duration;

use super::duration::{duration, positive_duration};
use super::entry::{Keys, list, word};
use super::number::count;
use crate::mistakes::Mistakes;
use crate::parse::{Entry, entries};

/// The given limits.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) items: Option<u32>,
    pub(crate) soft_grace: Option<Duration>,
    pub(crate) hard_grace: Option<Duration>,
    pub(crate) initialize: Option<Duration>,
    pub(crate) list: Option<Duration>,
    pub(crate) prepare: Option<Duration>,
    pub(crate) stall: Option<Duration>,
    pub(crate) when_stalled: Option<&'static str>,
}

const LIMITS: [&str; 8] =
    ["items", "soft_grace", "hard_grace", "initialize", "list", "prepare", "stall", "when_stalled"];
const POLICIES: [&str; 2] = ["cancel", "report"];

/// Checks `limits(..)`.
pub(crate) fn limits(entry: &Entry, mistakes: &mut Mistakes) -> Limits {
    let mut limits = Limits::default();
    let Some(tokens) = list(entry, "limits(items = 4)", mistakes) else { return limits };
    let mut keys = Keys::new("limit", &LIMITS);
    for entry in entries(tokens, "a limit, as in `limits(items = 4)`", mistakes) {
        let Some(key) = keys.recognize(&entry.key, mistakes) else { continue };
        limits.read(key, &entry, mistakes);
        if limits.are_inverted() {
            limits.soft_grace = None;
            let message = "`soft_grace` is longer than `hard_grace`\nboth are counted from the cancellation";
            mistakes.at(&entry.key, message);
        }
    }
    limits
}

impl Limits {
    fn read(&mut self, key: &str, entry: &Entry, mistakes: &mut Mistakes) {
        match key {
            "items" => self.items = items(entry, mistakes),
            "soft_grace" => self.soft_grace = duration(entry, "soft_grace = \"250ms\"", mistakes),
            "hard_grace" => self.hard_grace = duration(entry, "hard_grace = \"250ms\"", mistakes),
            "initialize" => self.initialize = deadline(entry, "initialize = \"10s\"", mistakes),
            "list" => self.list = deadline(entry, "list = \"60s\"", mistakes),
            "prepare" => self.prepare = deadline(entry, "prepare = \"5min\"", mistakes),
            "stall" => self.stall = stall(entry, mistakes),
            _ => self.when_stalled = when_stalled(entry, mistakes),
        }
    }

    fn are_inverted(&self) -> bool {
        self.soft_grace.zip(self.hard_grace).is_some_and(|(soft, hard)| soft > hard)
    }
}

fn items(entry: &Entry, mistakes: &mut Mistakes) -> Option<u32> {
    count(entry, "items = 4", "with a limit of 0 items, no item would ever run", mistakes)
}

fn deadline(entry: &Entry, example: &str, mistakes: &mut Mistakes) -> Option<Duration> {
    positive_duration(entry, example, "a deadline of zero would end every call immediately", mistakes)
}

fn stall(entry: &Entry, mistakes: &mut Mistakes) -> Option<Duration> {
    positive_duration(entry, "stall = \"10min\"", "a stall time of zero would stall every item immediately", mistakes)
}

fn when_stalled(entry: &Entry, mistakes: &mut Mistakes) -> Option<&'static str> {
    word(entry, "stall policy", &POLICIES, "when_stalled = report", mistakes)
}
