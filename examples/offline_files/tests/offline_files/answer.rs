//! Deletions that were held back, and answered for elsewhere: by whatever manages the state.

use std::path::Path;

use futures::executor::block_on;
use serde_json::json;
use syncmgr::HandlerId;
use syncmgr::log::{Action, Remedy};
use syncmgr::store::{SqliteStore, StateChange, StateStore};

use crate::program::Ran;
use crate::trees::{Trees, file, snapshot};

/// The handler of the program.
const HANDLER: HandlerId = HandlerId::from_u128(0x6f0d_8a52_3c1b_4d0e_9a57_52b1_c6f4_e8d3);

/// Eleven of twenty files are gone from FROM and one is new, the deletions are held, and then answered like this.
fn answered(remedy: &Remedy) -> (Trees, Ran) {
    let trees = Trees::new();
    for number in 0..20 {
        file(&trees.to.join(format!("docs/{number}")), "same", 1);
    }
    for number in 11..20 {
        file(&trees.from.join(format!("docs/{number}")), "same", 1);
    }
    let ran = trees.run(&["--delete", "--json"]);
    assert_eq!((ran.code, &ran.item("docs")["status"]), (Some(1), &json!("not_done")));
    let state = ran.json()["state"]["path"].as_str().unwrap().to_owned();
    answer(Path::new(&state), remedy);
    file(&trees.from.join("docs/new"), "new", 1);
    let ran = trees.run(&["--delete", "--json"]);
    (trees, ran)
}

fn answer(state: &Path, remedy: &Remedy) {
    let store = SqliteStore::open(state).unwrap();
    let log = store.log(HANDLER).unwrap();
    let asked = log.iter().rev().find_map(|record| match &record.entry.action {
        Some(Action::Decide(question)) => Some((record.entry.item?, question.clone())),
        _ => None,
    });
    let (item, question) = asked.expect("the host has asked");
    let choice = question.remedies.iter().position(|offered| offered == remedy).expect("it is offered");
    let answered = StateChange::Answered { handler: HANDLER, item, question, choice };
    block_on(store.write(vec![answered])).unwrap();
}

#[test]
fn deletions_that_were_allowed_are_made() {
    let (trees, ran) = answered(&Remedy::Allow);
    assert_eq!((ran.code, &ran.item("docs")["counts"]["deleted"]), (Some(0), &json!(11)));
    assert_eq!(snapshot(&trees.to), snapshot(&trees.from));
}

#[test]
fn a_mirror_that_is_to_bring_back_deletes_nothing_and_says_that_it_brings_nothing_back() {
    let (trees, ran) = answered(&Remedy::Revert);
    let message = "nothing was deleted, as was answered; a mirror copies nothing back";
    assert_eq!((ran.code, &ran.item("docs")["counts"]["deleted"]), (Some(0), &json!(0)));
    assert_eq!(ran.item("docs")["warnings"], json!([{"path": "docs", "message": message}]));
    assert_eq!(snapshot(&trees.to.join("docs")).len(), 21);
    assert_eq!(snapshot(&trees.from.join("docs")).len(), 10);
}

#[test]
fn what_was_allowed_beforehand_leaves_no_question_behind() {
    let trees = Trees::new();
    for number in 0..20 {
        file(&trees.to.join(format!("gone/{number}")), "old", 1);
    }
    let ran = trees.run(&["--delete", "--yes", "--json"]);
    assert_eq!(ran.code, Some(0));
    let store = SqliteStore::open(ran.json()["state"]["path"].as_str().unwrap()).unwrap();
    let asked = |entry: &syncmgr::LogEntry| matches!(entry.action, Some(Action::Decide(_)));
    assert!(!store.log(HANDLER).unwrap().iter().any(|record| asked(&record.entry)));
}
