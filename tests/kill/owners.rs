//! Two processes and one file.

use std::process::Child;

use syncmgr::store::{SqliteStore, StateStore, StoreError};

use crate::child::{Orders, Part, wait_for_marks};
use crate::trial::Trial;

/// A child that has the store open.
fn holding(trial: &Trial) -> Child {
    let mut child = Orders { part: Part::Hold, ..Orders::default() }.start(&trial.folder);
    // A handler that is registered is the last of what it writes.
    let steps =
        ["directory made", "lock taken", "file made", "before epoch taken", "epoch taken", "after waiters told"];
    wait_for_marks(&mut child, steps.len());
    child
}

#[test]
fn while_a_process_has_the_store_open_a_second_is_refused_with_its_name_and_may_look() {
    let trial = Trial::new();
    drop(SqliteStore::open(trial.folder.state()).expect("made"));
    let mut child = holding(&trial);
    let Err(StoreError::InUse { by, .. }) = SqliteStore::open(trial.folder.state()) else { panic!("it is in use") };
    assert!(by.contains(&format!("(process {})", child.id())) && by.starts_with("kill-"), "{by}");
    let look = SqliteStore::look(trial.folder.state()).expect("anybody may look");
    assert!(look.sessions().expect("read").is_empty());
    child.kill().and_then(|()| child.wait()).expect("killed");
    SqliteStore::open(trial.folder.state()).expect("nobody has it any more");
}
