//! Open conflicts as questions to the user.

use std::collections::HashMap;
use std::path::PathBuf;

use syncmgr::prelude::*;

use super::conflict::{Choice, Conflict};
use super::entry::{Kind, Version};
use super::plan::{PartPlan, Reason, Verdict};
use super::side::Side;
use crate::escape::EscapedPath;

/// The maximum number of conflicts of an item that are asked about. The others wait until these are decided.
const MAX_QUESTIONS: usize = 100;

const CHOICES: [&str; 3] = ["use A", "use B", "keep both"];

/// Asks about the open conflicts of an item. Returns the decisions that have been made.
pub(crate) fn ask(item: &ItemContext, part: &PartPlan) -> HashMap<PathBuf, Choice> {
    let conflicts = open(part).take(MAX_QUESTIONS);
    conflicts.filter_map(|(path, conflict)| Some((path.clone(), ask_one(item, &path, &conflict)?))).collect()
}

/// The conflicts that nothing has decided.
pub(crate) fn open(part: &PartPlan) -> impl Iterator<Item = (PathBuf, Conflict)> {
    (0..part.steps.len()).filter_map(|index| match part.steps[index].verdict {
        Verdict::Leave(Reason::Conflict(conflict)) => Some((part.path(index), conflict)),
        _ => None,
    })
}

fn ask_one(item: &ItemContext, path: &std::path::Path, conflict: &Conflict) -> Option<Choice> {
    let [a, b] = Side::BOTH.map(|side| describe(&conflict.found[side]));
    let name = EscapedPath(path);
    let key = name.to_string();
    // With the times, so that an answer does not apply to other versions.
    let question = format!("{name} {conflict}. A: {a}. B: {b}. Which version is right?");
    match item.ask(&key, &question, &CHOICES)? {
        choice if choice == CHOICES[0] => Some(Choice::Use(Side::A)),
        choice if choice == CHOICES[1] => Some(Choice::Use(Side::B)),
        _ => Some(Choice::keep_both(&conflict.found)),
    }
}

fn describe(version: &Version) -> String {
    let seconds = version.modified.seconds;
    match version.kind {
        Kind::Directory => "a directory".into(),
        Kind::Link => format!("a link, modified {seconds} s after 1970"),
        Kind::File | Kind::Special => {
            format!("{} bytes, modified {seconds}.{:09} s after 1970", version.size, version.modified.nanos)
        }
    }
}
