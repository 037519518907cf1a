//! Held deletions that are answered through the stored log.

use std::path::Path;

use futures::executor::block_on;
use serde_json::json;
use syncmgr::HandlerId;
use syncmgr::log::{Action, Remedy};
use syncmgr::store::{SqliteStore, StateChange, StateStore};

use crate::program::RunOutput;
use crate::trees::{Trees, file, snapshot};

/// The id of the program's handler.
const HANDLER: HandlerId = HandlerId::from_u128(0x6f0d_8a52_3c1b_4d0e_9a57_52b1_c6f4_e8d3);

/// Runs the program, which holds the deletion of eleven of twenty entries, and answers the question with `remedy`. Then adds a new
/// file to FROM and runs the program again.
fn run_with_answer(remedy: &Remedy) -> (Trees, RunOutput) {
    let trees = Trees::new();
    for number in 0..20 {
        file(&trees.to.join(format!("docs/{number}")), "same", 1);
    }
    for number in 11..20 {
        file(&trees.from.join(format!("docs/{number}")), "same", 1);
    }
    let output = trees.run(&["--delete", "--json"]);
    assert_eq!((output.code, &output.item("docs")["status"]), (Some(1), &json!("not_done")));
    let state = output.json()["state"]["path"].as_str().unwrap().to_owned();
    answer(Path::new(&state), remedy);
    file(&trees.from.join("docs/new"), "new", 1);
    let output = trees.run(&["--delete", "--json"]);
    (trees, output)
}

fn answer(state: &Path, remedy: &Remedy) {
    let store = SqliteStore::open(state).unwrap();
    let log = store.log(HANDLER).unwrap();
    let question = log.iter().rev().find_map(|record| match &record.entry.action {
        Some(Action::Decide(question)) => Some((record.entry.item?, (**question).clone())),
        _ => None,
    });
    let (item, question) = question.expect("the log has a question");
    let choice =
        question.remedies.iter().position(|offered| offered == remedy).expect("the question offers the remedy");
    let answered = StateChange::Answered { handler: HANDLER, item, question, choice };
    block_on(store.write(vec![answered])).unwrap();
}

#[test]
fn allowed_deletions_are_carried_out() {
    let (trees, output) = run_with_answer(&Remedy::Allow);
    assert_eq!((output.code, &output.item("docs")["counts"]["deleted"]), (Some(0), &json!(11)));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_mirror_offers_only_to_delete_or_to_change_nothing() {
    let trees = Trees::new();
    for number in 0..20 {
        file(&trees.to.join(format!("gone/{number}")), "old", 1);
    }
    let output = trees.run(&["--delete", "--json"]);
    let store = SqliteStore::open(output.json()["state"]["path"].as_str().unwrap()).unwrap();
    let log = store.log(HANDLER).unwrap();
    let offered = log.iter().find_map(|record| match &record.entry.action {
        Some(Action::Decide(question)) => Some(question.remedies.to_vec()),
        _ => None,
    });
    assert_eq!(offered.expect("the log has a question"), [Remedy::Allow, Remedy::Refuse]);
}

#[test]
fn deletions_allowed_with_yes_log_no_question() {
    let trees = Trees::new();
    for number in 0..20 {
        file(&trees.to.join(format!("gone/{number}")), "old", 1);
    }
    let output = trees.run(&["--delete", "--yes", "--json"]);
    assert_eq!(output.code, Some(0));
    let store = SqliteStore::open(output.json()["state"]["path"].as_str().unwrap()).unwrap();
    let is_question = |entry: &syncmgr::LogEntry| matches!(entry.action, Some(Action::Decide(_)));
    assert!(!store.log(HANDLER).unwrap().iter().any(|record| is_question(&record.entry)));
}
