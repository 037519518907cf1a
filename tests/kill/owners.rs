//! Two processes that open the same file.

use std::process::Child;

use syncmgr::store::{SqliteStore, StateStore, StoreError};

use crate::child::{ChildConfig, Task, wait_for_marks};
use crate::trial::Trial;

/// Starts a child that holds the store open.
fn holding(trial: &Trial) -> Child {
    let mut child = ChildConfig { task: Task::HoldOpen, ..ChildConfig::default() }.start(&trial.folder);
    // The registration of the handler is its last write.
    let steps =
        ["directory made", "lock taken", "file made", "before epoch taken", "epoch taken", "after waiters told"];
    wait_for_marks(&mut child, steps.len());
    child
}

#[test]
fn a_second_process_is_refused_with_the_owner_and_may_read() {
    let trial = Trial::new();
    drop(SqliteStore::open(trial.folder.state()).expect("made"));
    let mut child = holding(&trial);
    let Err(StoreError::InUse { by, .. }) = SqliteStore::open(trial.folder.state()) else {
        panic!("the store is in use")
    };
    assert!(by.contains(&format!("(process {})", child.id())) && by.starts_with("kill-"), "{by}");
    let read_only = SqliteStore::open_read_only(trial.folder.state()).expect("the store opens read-only");
    assert!(read_only.sessions().expect("read").is_empty());
    child.kill().and_then(|()| child.wait()).expect("killed");
    SqliteStore::open(trial.folder.state()).expect("the store is free again");
}
