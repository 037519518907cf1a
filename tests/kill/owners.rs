//! Two processes that open the same file.

use std::process::Child;

use syncmgr::store::{SqliteStore, StateStore, StoreError};

use crate::child::{ChildConfig, Task, wait_for_marks};
use crate::trial::Trial;

/// Starts a child that holds the store open.
fn start_store_holder(trial: &Trial) -> Child {
    let mut child = ChildConfig { task: Task::HoldOpen, ..ChildConfig::default() }.start(&trial.folder);
    // The child's last write is the registration of its handler.
    let steps =
        ["directory made", "lock taken", "file made", "before epoch taken", "epoch taken", "after waiters told"];
    wait_for_marks(&mut child, steps.len());
    child
}

#[test]
fn a_second_process_may_only_read_and_its_error_names_the_owner() {
    let trial = Trial::new();
    drop(SqliteStore::open(trial.folder.state()).expect("the store opens"));
    let mut child = start_store_holder(&trial);
    let Err(StoreError::InUse { by, .. }) = SqliteStore::open(trial.folder.state()) else {
        panic!("expected the store to be in use")
    };
    assert!(by.contains(&format!("(process {})", child.id())) && by.starts_with("kill-"), "{by}");
    let read_only = SqliteStore::open_read_only(trial.folder.state()).expect("the store opens read-only");
    assert!(read_only.sessions().expect("the read succeeds").is_empty());
    child.kill().and_then(|()| child.wait()).expect("the child can be killed");
    SqliteStore::open(trial.folder.state()).expect("the store is free again");
}
